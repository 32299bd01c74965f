//! Signing in.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place};

pub(in crate::console) fn page(
    visit: &Visit,
    next: &str,
    user: &str,
    refused: Option<&str>,
) -> Markup {
    let w = visit.words;
    let content = html! {
        section.sign-in {
            h1 { (w.sign_in) }
            @if let Some(refused) = refused { p.problem role="alert" { (refused) } }
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                label for="user" { (w.name) }
                input #user name="user" autocomplete="username" required value=(user) autofocus[user.is_empty()];
                label for="password" { (w.password) }
                input #password name="password" type="password" autocomplete="current-password"
                    required autofocus[!user.is_empty()];
                div.actions { button.primary { (w.sign_in) } }
            }
            p.quiet { (w.sign_in_help) }
        }
    };
    layout::page(visit, Place::Elsewhere, w.sign_in, "sign-in", &content)
}
