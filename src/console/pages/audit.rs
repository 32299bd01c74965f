//! Who did what.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place};
use super::marks::line;
use super::parts::{empty, instant};
use crate::store::{AuditRow, Page};

pub(in crate::console) fn page(visit: &Visit, trail: &Page<AuditRow>) -> Markup {
    let w = visit.words;
    let content = html! {
        h1 { (w.audit) }
        p { (w.audit_help) }
        @if trail.items.is_empty() { (empty(w.nothing_found, &html! {})) } @else {
            div.scroll tabindex="0" role="region" aria-label=(w.audit) {
                table {
                    thead { tr { th { (w.when) } th { (w.who) } th { (w.what) } th { (w.to_what) } th { (w.details) } } }
                    tbody {
                        @for entry in &trail.items {
                            tr {
                                td.nowrap { time datetime=(entry.at) { (instant(entry.at)) } }
                                td { (line(&entry.actor)) }
                                td { code { (entry.action) } }
                                td.small-print {
                                    @if entry.subject.starts_with("sug_") {
                                        a href={ "/suggestions/" (entry.subject) } { (entry.subject) }
                                    } @else { (line(&entry.subject)) }
                                }
                                td.small-print { (line(&told(&entry.detail))) }
                            }
                        }
                    }
                }
            }
            nav.pages aria-label=(w.pages) {
                @if let Some(before) = trail.next { a rel="next" href={ "/audit?before=" (before) } { (w.older) } }
            }
        }
    };
    layout::page(visit, Place::Audit, w.audit, "audit", &content)
}

/// A detail as people read it: names and values, without JSON's signs.
fn told(detail: &serde_json::Value) -> String {
    match detail {
        serde_json::Value::Object(fields) => {
            let one =
                |(name, value): (&String, &serde_json::Value)| format!("{name} {}", told(value));
            fields.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}
