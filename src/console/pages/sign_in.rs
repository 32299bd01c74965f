//! Signing in.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place};
use crate::console::desk::encoded;

/// The ways in, and what happened on one of them.
#[derive(Debug, Default)]
pub(in crate::console) struct Ways<'a> {
    /// Where somebody goes once they are in.
    pub(in crate::console) next: &'a str,
    /// The name that was typed.
    pub(in crate::console) user: &'a str,
    /// Why they are not in.
    pub(in crate::console) refused: Option<&'a str>,
    /// What the provider is called, if people come from one.
    pub(in crate::console) provider: Option<&'a str>,
    /// Whether a password is for everybody, not for admins only.
    pub(in crate::console) passwords: bool,
    /// Where somebody who has just signed out can sign out as well.
    pub(in crate::console) leave: Option<&'a str>,
}

pub(in crate::console) fn page(visit: &Visit, ways: &Ways<'_>) -> Markup {
    let w = visit.words;
    let content = html! {
        section.sign-in {
            h1 { (w.sign_in) }
            @if let Some(refused) = ways.refused { p.problem role="alert" { (refused) } }
            @if let (Some(leave), Some(name)) = (ways.leave, ways.provider) {
                p role="status" {
                    (w.signed_out) " "
                    a href=(leave) { ((w.sign_out_there)(name)) }
                }
            }
            @if let Some(name) = ways.provider {
                // A link, not a form: the page's policy lets forms lead nowhere else.
                p.actions {
                    a #provider.button.primary href={ "/sign-in/provider?next=" (encoded(ways.next)) }
                        autofocus[ways.user.is_empty()] { ((w.sign_in_with)(name)) }
                }
                p.quiet { ((w.provider_help)(name)) }
            }
            @if ways.provider.is_none() {
                (password(visit, ways))
                p.quiet { (w.sign_in_help) }
            } @else {
                details.ways open[ways.passwords || !ways.user.is_empty()] {
                    summary { @if ways.passwords { (w.or_password) } @else { (w.admins_password) } }
                    (password(visit, ways))
                }
            }
        }
    };
    layout::page(visit, Place::Elsewhere, w.sign_in, "sign-in", &content)
}

fn password(visit: &Visit, ways: &Ways<'_>) -> Markup {
    let w = visit.words;
    let first = ways.provider.is_none() && ways.user.is_empty();
    html! {
        form method="post" action="/sign-in" {
            input type="hidden" name="next" value=(ways.next);
            label for="user" { (w.name) }
            input #user name="user" autocomplete="username" required value=(ways.user)
                autofocus[first];
            label for="password" { (w.password) }
            input #password name="password" type="password" autocomplete="current-password"
                required autofocus[!ways.user.is_empty()];
            div.actions { button.primary[ways.provider.is_none()] { (w.sign_in) } }
        }
    }
}
