//! The queue: what waits for somebody to decide.

use jiff::Timestamp;
use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::marks::{line, plain};
use super::parts::{age, certainty, decision, empty, number};
use super::suggested::or_none;
use crate::domain::{Decision, Status};
use crate::store::StoredSuggestion;

/// The queue as it is looked at.
pub(in crate::console) struct QueueView {
    /// What is asked for.
    pub(in crate::console) asked: Asked,
    /// What there is, on this page.
    pub(in crate::console) rows: Vec<StoredSuggestion>,
    /// All that the filters let through.
    pub(in crate::console) found: u64,
    /// Open ones in all, and of these the safe ones.
    pub(in crate::console) open: u64,
    pub(in crate::console) safe: u64,
    /// How many are open, by team and by category: what filters offer.
    pub(in crate::console) teams: Vec<(String, u64)>,
    pub(in crate::console) categories: Vec<(String, u64)>,
    /// Where the next page is.
    pub(in crate::console) older: Option<String>,
    /// Whether this is a later page.
    pub(in crate::console) later: bool,
    /// What was just done.
    pub(in crate::console) done: Option<Done>,
    /// Whether the desk has any history, any suggestion at all.
    pub(in crate::console) history: u64,
}

/// What is asked of the queue: what the address of the page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::console) struct Asked {
    pub(in crate::console) status: Option<Status>,
    pub(in crate::console) team: Option<String>,
    pub(in crate::console) category: Option<String>,
    pub(in crate::console) decision: Option<Decision>,
    /// Waiting for at least so many hours.
    pub(in crate::console) hours: Option<u32>,
    pub(in crate::console) text: Option<String>,
    pub(in crate::console) urgent: bool,
}

/// What was just done, and how to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Done {
    pub(in crate::console) said: String,
    /// What can be taken back.
    pub(in crate::console) undo: Vec<String>,
}

/// Ages that can be asked for, in hours.
pub(in crate::console) const HOURS: [u32; 4] = [1, 8, 24, 168];
/// Rows that are looked through.
pub(in crate::console) const STATUSES: [Status; 5] =
    [Status::Open, Status::Approved, Status::Edited, Status::Rerouted, Status::Rejected];

impl Asked {
    /// Whether anything narrows the list.
    pub(in crate::console) fn narrows(&self) -> bool {
        *self != Self { urgent: self.urgent, ..Self::default() }
    }

    /// As the address has it; empty where nothing is asked for.
    pub(in crate::console) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let hours = self.hours.map(|h| h.to_string());
        let pairs = [
            ("status", self.status.map(Status::name)),
            ("team", self.team.as_deref()),
            ("category", self.category.as_deref()),
            ("decision", self.decision.map(decision_name)),
            ("hours", hours.as_deref()),
            ("q", self.text.as_deref()),
            ("order", self.urgent.then_some("urgent")),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

/// A decision as addresses and the store have it.
pub(in crate::console) const fn decision_name(decision: Decision) -> &'static str {
    match decision {
        Decision::Auto => "auto",
        Decision::Suggest => "suggest",
        Decision::Abstain => "abstain",
    }
}

pub(in crate::console) fn page(visit: &Visit, view: &QueueView) -> Markup {
    let w = visit.words;
    let content = html! {
        div.title-row {
            h1 { (w.queue) }
            p.quiet #counts { (counts(visit, view)) }
        }
        @if let Some(done) = &view.done { (said(visit, done)) }
        (filters(visit, view))
        div #views.views hidden { h2 { (w.saved_views) } ul {} }
        (list(visit, view))
    };
    layout::page(visit, Place::Queue, w.queue, "queue", &content)
}

fn counts(visit: &Visit, view: &QueueView) -> Markup {
    let w = visit.words;
    html! {
        strong { (number(view.open)) } " " (w.open_count) " · "
        strong { (number(view.safe)) } " " (w.safe_count)
        @if view.asked.narrows() { " · " strong { (number(view.found)) } " " (w.found_count) }
    }
}

/// What was done, with its undo.
pub(in crate::console) fn said(visit: &Visit, done: &Done) -> Markup {
    let w = visit.words;
    html! {
        div.done #done {
            p role="status" { (done.said) }
            @if !done.undo.is_empty() {
                form method="post" action="/undo" {
                    (csrf(visit))
                    @for id in &done.undo { input type="hidden" name="id" value=(id); }
                    button.small data-key="u" { (w.undo) }
                }
            }
        }
    }
}

fn filters(visit: &Visit, view: &QueueView) -> Markup {
    let (w, asked) = (visit.words, &view.asked);
    let choice = |name: &'static str, label: &str, options: &Markup| {
        html! {
            div.field {
                label for={ "f-" (name) } { (label) }
                select id={ "f-" (name) } name=(name) { option value="" { (w.any) } (options) }
            }
        }
    };
    // A label that is asked for stays in the list, also when nothing is left of it.
    let labels = |known: &[(String, u64)], chosen: Option<&String>| {
        let missing = chosen.filter(|c| !known.iter().any(|(label, _)| label == *c));
        html! {
            @if let Some(label) = missing { option value=(label) selected { (label) } }
            @for (label, n) in known {
                option value=(label) selected[chosen == Some(label)] { (label) " (" (number(*n)) ")" }
            }
        }
    };
    let hours = html! {
        @for h in HOURS {
            option value=(h) selected[asked.hours == Some(h)] { ((w.waiting_hours)(i64::from(h))) }
        }
    };
    let decisions = html! {
        @for d in [Decision::Auto, Decision::Suggest, Decision::Abstain] {
            option value=(decision_name(d)) selected[asked.decision == Some(d)] { (w.decision(d)) }
        }
    };
    html! {
        form.filters #filters method="get" action="/" role="search" {
            div.field.wide {
                label for="f-q" { (w.search) }
                input id="f-q" name="q" type="search" maxlength="200"
                    value=(asked.text.as_deref().unwrap_or_default());
            }
            (choice("team", w.team, &labels(&view.teams, asked.team.as_ref())))
            (choice("category", w.category, &labels(&view.categories, asked.category.as_ref())))
            (choice("decision", w.certainty, &decisions))
            (choice("hours", w.waiting, &hours))
            div.field {
                label for="f-status" { (w.state) }
                select #f-status name="status" {
                    @for status in STATUSES {
                        option value=(status.name())
                            selected[asked.status.unwrap_or(Status::Open) == status] {
                            (w.status(status))
                        }
                    }
                }
            }
            div.field {
                label for="f-order" { (w.order) }
                select #f-order name="order" {
                    option value="" { (w.newest_first) }
                    option value="urgent" selected[asked.urgent] { (w.urgent_first) }
                }
            }
            div.actions {
                button { (w.show) }
                @if asked.narrows() { a.button.secondary href="/" { (w.clear) } }
                button #save-view.secondary type="button" hidden { (w.save_view) }
            }
        }
    }
}

/// The rows with what can be done to many of them; scripts read this part again.
fn list(visit: &Visit, view: &QueueView) -> Markup {
    let w = visit.words;
    let query = view.asked.query();
    html! {
        section #list aria-label=(w.queue) data-newest=(view.rows.first().map_or(0, |r| r.seq)) {
            @if view.rows.is_empty() { (nothing(visit, view)) } @else {
                form #bulk method="post" action="/bulk" {
                    (csrf(visit))
                    input type="hidden" name="query" value=(query);
                    @if view.rows.iter().any(is_safe) {
                        div.bulk {
                            label.check #all-safe hidden {
                                input type="checkbox"; " " (w.select_safe)
                            }
                            button { (w.approve_selected) " " output #selected {} }
                            span.quiet { (w.approve_selected_help) }
                        }
                    }
                    ol.rows {
                        @for row in &view.rows { (one(visit, row, &query)) }
                    }
                }
                nav.pages aria-label=(w.pages) {
                    @if view.later { a href={ "/?" (query) } { (w.newest) } }
                    @if let Some(older) = &view.older { a rel="next" href=(older) { (w.older) } }
                }
            }
        }
    }
}

fn is_safe(row: &StoredSuggestion) -> bool {
    row.status == Status::Open && row.suggestion.category.decision == Decision::Auto
}

fn one(visit: &Visit, row: &StoredSuggestion, query: &str) -> Markup {
    let w = visit.words;
    let s = &row.suggestion;
    let subject = or_none(w, &row.ticket.subject);
    let mark = |query: &str| if query.is_empty() { String::new() } else { format!("?{query}") };
    html! {
        li.row data-id=(s.id) data-seq=(row.seq) {
            span.pick {
                @if is_safe(row) {
                    input type="checkbox" name="id" value={ (s.id) "." (row.version) }
                        aria-label={ (w.select) ": " (plain(subject)) };
                }
            }
            span.subject {
                a href={ "/suggestions/" (s.id) (mark(query)) } { (line(subject)) }
                @if let Some(requester) = &row.ticket.requester { span.quiet { (line(requester)) } }
            }
            span.category {
                bdi { (s.category.label.as_deref().unwrap_or(w.none)) }
                (certainty(s.category.probability))
            }
            span.team { bdi { (s.team.decision.label.as_deref().unwrap_or(w.none)) } }
            span.priority { bdi { (s.priority.label.as_deref().unwrap_or(w.none)) } }
            span.verdict {
                @if row.status == Status::Open { (decision(w, s.category.decision)) }
                @else { span.badge.closed { (w.status(row.status)) } }
            }
            span.age.quiet { (waited(visit, row.created_at)) }
        }
    }
}

fn waited(visit: &Visit, at: Timestamp) -> Markup {
    age(visit.words, at, visit.now)
}

/// What an empty list teaches.
fn nothing(visit: &Visit, view: &QueueView) -> Markup {
    let w = visit.words;
    if view.asked.narrows() {
        return empty(w.nothing_found, &html! { p { a href="/" { (w.clear) } } });
    }
    if view.history == 0 {
        return empty(
            w.no_history,
            &html! {
                p { (w.no_history_help) }
                ul {
                    li { a href="/try" { (w.try_a_ticket) } }
                    @if visit.may(crate::domain::Scope::Lead) { li { a href="/imports" { (w.import_history) } } }
                }
            },
        );
    }
    empty(w.all_done, &html! { p { (w.all_done_help) } p { a href="/try" { (w.try_a_ticket) } } })
}
