//! API keys: who may call, and since when.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::marks::line;
use super::parts::{age, empty, instant};
use crate::domain::Scope;
use crate::store::KeyRecord;

pub(in crate::console) fn page(
    visit: &Visit,
    keys: &[KeyRecord],
    made: Option<&str>,
    refused: Option<&str>,
) -> Markup {
    let w = visit.words;
    let content = html! {
        h1 { (w.keys) }
        p { (w.keys_help) }
        @if !visit.signed_in() { p.notice { (w.first_key_closes) } }
        @if let Some(refused) = refused { div.problem role="alert" { (refused) } }
        @if let Some(text) = made {
            div.done {
                p role="status" { (w.key_made) }
                p { code.secret tabindex="0" { (text) } }
            }
        }
        form.card method="post" action="/keys" {
            (csrf(visit))
            h2 { (w.new_key) }
            label for="name" { (w.key_for) }
            input #name name="name" required maxlength="200" autocomplete="off";
            label for="scope" { (w.scope) }
            select #scope name="scope" {
                @for scope in Scope::ALL { option value=(scope.name()) { (scope.name()) " · " (w.scope_help(scope)) } }
            }
            label for="days" { (w.days_valid) }
            input #days name="days" type="number" min="1" max="36500" inputmode="numeric";
            div.actions { button.primary { (w.make_key) } }
        }
        @if keys.is_empty() { (empty(w.no_keys, &html! {})) } @else {
            div.scroll tabindex="0" role="region" aria-label=(w.keys) {
                table {
                    thead { tr { th { (w.key_for) } th { (w.scope) } th { (w.state) } th { (w.last_used) } th { span.sr { (w.revoke) } } } }
                    tbody {
                        @for key in keys { (one(visit, key)) }
                    }
                }
            }
        }
    };
    layout::page(visit, Place::Keys, w.keys, "keys", &content)
}

fn one(visit: &Visit, key: &KeyRecord) -> Markup {
    let w = visit.words;
    let expired = key.expires_at.is_some_and(|end| end <= visit.now);
    html! {
        tr {
            th scope="row" { (line(&key.name)) br; code.small-print { (key.id) } }
            td { (key.scopes) }
            td {
                @match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => { (w.revoked) " " (instant(at)) }
                    (None, Some(at)) if expired => { (w.expired) " " (instant(at)) }
                    (None, Some(at)) => { (w.until) " " (instant(at)) }
                    (None, None) => { (w.active) }
                }
            }
            td { @match key.last_used_at { Some(at) => { (age(w, at, visit.now)) } None => { (w.never) } } }
            td {
                @if key.revoked_at.is_none() && !expired {
                    form method="post" action="/keys/revoke" {
                        (csrf(visit))
                        input type="hidden" name="key" value=(key.id);
                        button.small.danger { (w.revoke) span.sr { " " (key.name) } }
                    }
                }
            }
        }
    }
}
