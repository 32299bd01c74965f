//! Any text, and the whole triage of it. Nothing is kept.

use std::collections::HashMap;

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::marks::telling_words;
use super::suggested::{self, Source};
use crate::domain::{SourceRef, Suggestion};

/// Tickets to start from: subject and message.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "VPN drops every few minutes",
        "Working from home today. Since the update GlobalProtect disconnects every five minutes and I have a customer call at two.",
    ),
    (
        "New phone",
        "I got a new phone yesterday and now Okta asks for a code I don't have. Can't get into anything.",
    ),
    (
        "invoice pdf is blank",
        "When I print an invoice from Meridian the PDF comes out empty. It worked last week.",
    ),
    (
        "Drucker",
        "Mein Druckauftrag kommt nicht aus dem FollowMe-Drucker, obwohl ich die Karte davorhalte.",
    ),
];

/// What was pasted, and the answer.
#[derive(Default)]
pub(in crate::console) struct TryView {
    pub(in crate::console) subject: String,
    pub(in crate::console) body: String,
    pub(in crate::console) answer: Option<(Suggestion, HashMap<SourceRef, Source>)>,
    pub(in crate::console) refused: Option<String>,
}

pub(in crate::console) fn page(visit: &Visit, view: &TryView) -> Markup {
    let w = visit.words;
    let content = html! {
        div.ticket {
            div.read {
                h1 { (w.try_it) }
                p.quiet { (w.try_help) }
                form #try method="post" action="/try" {
                    (csrf(visit))
                    label for="subject" { (w.subject) }
                    input #subject name="subject" autocomplete="off" value=(view.subject);
                    label for="body" { (w.message) }
                    textarea #body name="body" rows="10" { "\n" (view.body) }
                    div.actions {
                        button.primary { (w.triage) " " kbd aria-hidden="true" { "Ctrl ⏎" } }
                    }
                }
                h2 { (w.examples) }
                ul.examples {
                    @for (subject, body) in EXAMPLES {
                        li {
                            form method="post" action="/try" {
                                (csrf(visit))
                                input type="hidden" name="subject" value=(subject);
                                input type="hidden" name="body" value=(body);
                                button.link { (subject) }
                            }
                        }
                    }
                }
            }
            section.decide #answer aria-label=(w.answer) {
                @if let Some(refused) = &view.refused { div.problem role="alert" { (refused) } }
                @match &view.answer {
                    Some((suggestion, sources)) => { (answer(visit, view, suggestion, sources)) }
                    None => {
                        @if view.refused.is_none() { div.empty { p { (w.answer_appears) } } }
                    }
                }
            }
        }
    };
    layout::page(visit, Place::Try, w.try_it, "try", &content)
}

fn answer(
    visit: &Visit,
    view: &TryView,
    suggestion: &Suggestion,
    sources: &HashMap<SourceRef, Source>,
) -> Markup {
    let w = visit.words;
    let shared = telling_words(&format!("{} {}", view.subject, view.body));
    html! {
        (suggested::degraded(w, suggestion))
        section.card { h2 { (w.suggested) } (suggested::labels(w, suggestion)) }
        section.card {
            h2 { (w.draft) }
            @match &suggestion.draft {
                Some(draft) => { (suggested::draft(w, draft, sources)) }
                None => { (suggested::no_draft(w, suggestion)) }
            }
        }
        section.card {
            h2 { (w.similar_tickets) }
            (suggested::similar(w, suggestion, &shared))
        }
        (suggested::made_by(w, suggestion))
    }
}
