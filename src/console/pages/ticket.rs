//! One ticket: what was written, what is suggested and why, and what to do with it.

use std::collections::HashMap;

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::marks::{line, telling_words, written};
use super::parts::{age, percent};
use super::queue::{Done, said};
use super::suggested::{self, Source, decided, or_none};
use crate::domain::{
    AgentDecision, LabelField, RejectReason, SourceRef, Status, Suggestion, Taxonomy,
};
use crate::store::{StoredSuggestion, StoredTicket};
use crate::text;

/// Labels that have a key: 1 is the suggested one.
const KEYS: usize = 9;
/// Entries of a thread that are open from the start: the newest.
const OPEN: usize = 3;

/// A ticket as it is looked at.
pub(in crate::console) struct TicketView {
    pub(in crate::console) stored: StoredSuggestion,
    pub(in crate::console) ticket: StoredTicket,
    pub(in crate::console) taxonomy: Taxonomy,
    pub(in crate::console) sources: HashMap<SourceRef, Source>,
    /// The list that it was come to from, as the address of the queue has it.
    pub(in crate::console) query: String,
    /// What was just done to another one.
    pub(in crate::console) done: Option<Done>,
    /// Why what was sent was not done; what was typed stands in the form again.
    pub(in crate::console) refused: Option<String>,
    pub(in crate::console) typed: Typed,
}

/// What somebody had typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::console) struct Typed {
    pub(in crate::console) reply: Option<String>,
    pub(in crate::console) category: Option<String>,
    pub(in crate::console) team: Option<String>,
    pub(in crate::console) priority: Option<String>,
}

impl Typed {
    fn label(&self, field: LabelField) -> Option<&String> {
        match field {
            LabelField::Category => self.category.as_ref(),
            LabelField::Team => self.team.as_ref(),
            LabelField::Priority => self.priority.as_ref(),
        }
    }
}

pub(in crate::console) fn page(visit: &Visit, view: &TicketView) -> Markup {
    let w = visit.words;
    let subject = or_none(w, &view.ticket.ticket.text.subject);
    let back = if view.query.is_empty() { "/".to_owned() } else { format!("/?{}", view.query) };
    let content = html! {
        p.crumbs { a href=(back) data-key="q" { "← " (w.back_to_queue) } }
        @if let Some(done) = &view.done { (said(visit, done)) }
        div #others.notice hidden {}
        div #problem.problem role="alert" hidden[view.refused.is_none()] {
            (view.refused.as_deref().unwrap_or_default())
        }
        div.ticket {
            div.read {
                (ticket(visit, view))
                section aria-labelledby="similar-title" {
                    h2 #similar-title { (w.similar_tickets) }
                    (suggested::similar(w, &view.stored.suggestion, &shared(&view.ticket)))
                }
            }
            div.decide {
                @if view.stored.status == Status::Open { (form(visit, view)) }
                @else { (decided_already(visit, view)) }
                (suggested::made_by(w, &view.stored.suggestion))
            }
        }
    };
    layout::page(visit, Place::Queue, subject, "ticket", &content)
}

/// The words of a ticket that others may share.
fn shared(ticket: &StoredTicket) -> std::collections::HashSet<String> {
    telling_words(&text::clean(&ticket.ticket.text).text)
}

fn ticket(visit: &Visit, view: &TicketView) -> Markup {
    let (w, stored) = (visit.words, &view.ticket);
    let asked = &stored.ticket;
    html! {
        article.written-ticket aria-labelledby="subject" {
            h1 #subject { (line(or_none(w, &asked.text.subject))) }
            p.quiet {
                @if let Some(requester) = &asked.requester { (line(requester)) " · " }
                (age(w, asked.created_at.unwrap_or(stored.received_at), visit.now))
                @if let Some(source) = &asked.source {
                    " · " (line(&format!("{} {}", source.system, source.id)))
                    @if let Some(url) = source.url.as_deref().filter(|url| is_web(url)) {
                        " · " a href=(url) rel="noreferrer noopener external" target="_blank" {
                            (w.open_there)
                        }
                    }
                }
            }
            (part(visit, &asked.text.body))
            @let thread = &asked.text.messages;
            @if !thread.is_empty() {
                h2 { (w.thread) }
                ol.thread {
                    @for (at, message) in thread.iter().enumerate() {
                        li {
                            details open[at + OPEN >= thread.len()] {
                                summary {
                                    (line(message.author.as_deref().unwrap_or(w.somebody)))
                                    @if let Some(at) = message.at {
                                        span.quiet { " · " (age(w, at, visit.now)) }
                                    }
                                }
                                (part(visit, &message.text))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What somebody wrote: as text, and as it came on demand.
fn part(visit: &Visit, as_sent: &str) -> Markup {
    let w = visit.words;
    if as_sent.trim().is_empty() {
        return html! { p.quiet { (w.nothing_written) } };
    }
    let readable = text::readable(as_sent);
    html! {
        (written(readable.trim(), w.show_rest))
        @if readable != as_sent {
            details.original {
                summary data-key="o" { (w.show_original) }
                pre tabindex="0" { (written(as_sent, w.show_rest)) }
            }
        }
    }
}

/// Whether an address leads to a web page; anything else is not made a link.
fn is_web(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme))
}

/// What agents do: labels, reply, verdict.
fn form(visit: &Visit, view: &TicketView) -> Markup {
    let (w, s) = (visit.words, &view.stored.suggestion);
    let draft = s.draft.as_ref();
    let suggested = draft.map_or("", |d| d.text.as_str());
    let reply = view.typed.reply.as_deref().unwrap_or(suggested);
    let placeholders: Vec<&str> = draft
        .iter()
        .flat_map(|d| &d.sentences)
        .flat_map(|s| &s.fields)
        .map(|f| f.placeholder.as_str())
        .collect();
    html! {
        form #decision method="post" action={ "/suggestions/" (s.id) "/decision" }
            data-id=(s.id) data-version=(view.stored.version)
            data-placeholders=(placeholders.join("\n")) {
            (csrf(visit))
            input type="hidden" name="version" value=(view.stored.version);
            input type="hidden" name="query" value=(view.query);
            (suggested::degraded(w, s))
            section.card aria-labelledby="labels-title" {
                h2 #labels-title { (w.suggested) }
                @for field in LabelField::ALL { (choose(visit, view, field)) }
            }
            section.card aria-labelledby="reply-title" {
                h2 #reply-title { (w.draft) }
                @match draft {
                    Some(draft) => {
                        details.cited open {
                            summary { (w.where_from) }
                            (suggested::draft(w, draft, &view.sources))
                        }
                    }
                    None => { (suggested::no_draft(w, s)) }
                }
                label for="reply" { (w.reply) }
                textarea #reply name="reply" rows="9" maxlength="65536" spellcheck="true"
                    data-suggested=(suggested) { "\n" (reply) }
                p.quiet #fields-left hidden {}
                details #difference hidden { summary { (w.difference) } div.diff {} }
                p.quiet { (w.never_sent) }
            }
            (verdicts(visit, view))
        }
        // A form of its own: Enter among the reasons must not approve.
        form #rejection method="post" action={ "/suggestions/" (s.id) "/decision" } {
            (csrf(visit))
            input type="hidden" name="version" value=(view.stored.version);
            input type="hidden" name="query" value=(view.query);
        }
    }
}

/// A field's labels: the suggested one and its alternatives first, then all others.
fn choose(visit: &Visit, view: &TicketView, field: LabelField) -> Markup {
    let (w, s) = (visit.words, &view.stored.suggestion);
    let answer = decided(s, field);
    let likely: Vec<(&str, f32)> = answer
        .label
        .iter()
        .map(|label| (label.as_str(), answer.probability))
        .chain(answer.alternatives.iter().map(|a| (a.label.as_str(), a.probability)))
        .filter(|(label, _)| view.taxonomy.labels(field).any(|known| known == *label))
        .collect();
    let others =
        view.taxonomy.labels(field).filter(|l| !likely.iter().any(|(known, _)| known == l));
    let chosen = view.typed.label(field).or(answer.label.as_ref());
    let name = field.name();
    let owner = |label: &str| {
        let category = view.taxonomy.category(label).filter(|_| field == LabelField::Category);
        category.and_then(|c| c.team.clone())
    };
    html! {
        div.choose {
            div.chosen {
                label for=(name) { (w.field(field)) }
                select id=(name) name=(name) data-suggested=(answer.label.as_deref().unwrap_or_default()) {
                    @if answer.label.is_none() { option value="" { (w.none) } }
                    optgroup label=(w.likely) {
                        @for (label, probability) in &likely {
                            option value=(label) data-team=[owner(label)]
                                selected[chosen.is_some_and(|c| c == label)] {
                                (label) " · " (percent(f64::from(*probability)))
                            }
                        }
                    }
                    optgroup label=(w.all_others) {
                        @for label in others {
                            option value=(label) data-team=[owner(label)]
                                selected[chosen.is_some_and(|c| c == label)] { (label) }
                        }
                    }
                }
            }
            (suggested::sure(w, s, field))
            @if field == LabelField::Category && likely.len() > 1 {
                ul.alternatives aria-label=(w.alternatives) {
                    @for (at, (label, probability)) in likely.iter().take(KEYS).enumerate() {
                        li {
                            button.small type="button" hidden data-choose=(label) data-key=(at + 1) {
                                kbd aria-hidden="true" { (at + 1) } " " bdi { (label) }
                                span.quiet { " " (percent(f64::from(*probability))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn verdicts(visit: &Visit, view: &TicketView) -> Markup {
    let w = visit.words;
    html! {
        div.verdicts {
            button.primary name="action" value="approve" data-key="a" {
                span #approve-says data-plain=(w.approve) data-changed=(w.approve_changed) { (w.approve) }
                " " kbd aria-hidden="true" { "a" }
            }
            button.secondary name="action" value="reroute" data-key="r" {
                (w.reroute) " " kbd aria-hidden="true" { "r" }
            }
            a.button.secondary href=(next(view)) data-key="s" {
                (w.skip) " " kbd aria-hidden="true" { "s" }
            }
            details.reject {
                summary.button.secondary data-key="x" { (w.reject) " " kbd aria-hidden="true" { "x" } }
                fieldset {
                    legend { (w.reject_why) }
                    @for (at, reason) in REASONS.into_iter().enumerate() {
                        label.check {
                            input type="radio" name="reason" form="rejection" value=(reason_name(reason))
                                checked[at + 1 == REASONS.len()];
                            " " (w.reject_reason(reason))
                        }
                    }
                    button.danger form="rejection" name="action" value="reject" { (w.reject) }
                }
            }
        }
    }
}

/// Why suggestions are rejected, in the order in which they are offered.
pub(in crate::console) const REASONS: [RejectReason; 6] = [
    RejectReason::WrongCategory,
    RejectReason::WrongAnswer,
    RejectReason::OutOfDate,
    RejectReason::Tone,
    RejectReason::NotNeeded,
    RejectReason::Other,
];

pub(in crate::console) const fn reason_name(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::WrongCategory => "wrong_category",
        RejectReason::WrongAnswer => "wrong_answer",
        RejectReason::OutOfDate => "out_of_date",
        RejectReason::Tone => "tone",
        RejectReason::NotNeeded => "not_needed",
        RejectReason::Other => "other",
    }
}

/// Where the next one of the same list is.
fn next(view: &TicketView) -> String {
    let s = &view.stored;
    let and = if view.query.is_empty() { "" } else { "&" };
    let priority = s.suggestion.priority.label.as_deref().unwrap_or_default();
    let priority: String = form_urlencoded::byte_serialize(priority.as_bytes()).collect();
    format!("/next?after={}&priority={priority}{and}{}", s.seq, view.query)
}

/// A suggestion that is not open: what became of it, and how to take that back.
fn decided_already(visit: &Visit, view: &TicketView) -> Markup {
    let (w, s) = (visit.words, &view.stored.suggestion);
    html! {
        @if let Some(reply) = &view.typed.reply {
            section.card {
                label for="typed" { (w.typed_kept) }
                textarea #typed rows="6" readonly { "\n" (reply) }
            }
        }
        section.card aria-labelledby="outcome-title" {
            h2 #outcome-title { (w.status(view.stored.status)) }
            @match &view.stored.decision {
                Some(decision) => { (outcome(visit, decision)) }
                None => { p { (w.superseded_help) } }
            }
            @if view.stored.decision.is_some() {
                form method="post" action="/undo" {
                    (csrf(visit))
                    input type="hidden" name="id" value=(s.id);
                    input type="hidden" name="next" value=(visit.here);
                    button.secondary data-key="u" { (w.undo) " " kbd aria-hidden="true" { "u" } }
                }
            }
            p { a.button href=(next(view)) data-key="s" { (w.next_ticket) " " kbd aria-hidden="true" { "s" } } }
        }
        section.card aria-labelledby="labels-title" {
            h2 #labels-title { (w.suggested) }
            (suggested::labels(w, s))
        }
        @if let Some(draft) = &s.draft {
            section.card aria-labelledby="draft-title" {
                h2 #draft-title { (w.draft) }
                (suggested::draft(w, draft, &view.sources))
            }
        }
    }
}

fn outcome(visit: &Visit, decision: &AgentDecision) -> Markup {
    let w = visit.words;
    html! {
        p { (line(&decision.by)) " · " (age(w, decision.at, visit.now)) }
        dl.facts {
            @for field in LabelField::ALL {
                @if let Some(label) = decision.labels.get(field) {
                    dt { (w.field(field)) }
                    dd { bdi { (label) } }
                }
            }
            @if let Some(reason) = decision.effort.reason {
                dt { (w.reject_why) }
                dd { (w.reject_reason(reason)) }
            }
        }
        @if let Some(reply) = &decision.reply {
            h3 { (w.reply) }
            (written(reply, w.show_rest))
        }
    }
}

/// What the reply that was sent with a form comes to: nothing where it is what was suggested.
pub(in crate::console) fn changed_reply(suggestion: &Suggestion, sent: &str) -> Option<String> {
    let suggested = suggestion.draft.as_ref().map_or("", |draft| draft.text.as_str());
    (sent.trim() != suggested.trim()).then(|| sent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_pages_are_linked() {
        assert!(is_web("https://desk.example/77") && is_web("http://desk/77"));
        for other in ["javascript:alert(1)", "data:text/html,x", "//desk", "https://", ""] {
            assert!(!is_web(other), "{other}");
        }
    }
}
