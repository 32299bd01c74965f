//! Histories on their way in.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place};
use super::marks::line;
use super::parts::{age, empty, number};
use crate::domain::{ImportRecord, ImportState, LineFault};

/// Faults that are listed.
const LISTED: usize = 100;

pub(in crate::console) fn list(visit: &Visit, imports: &[ImportRecord]) -> Markup {
    let w = visit.words;
    let content = html! {
        h1 { (w.imports) }
        p { (w.imports_help) }
        form #upload.card {
            label for="file" { (w.file) }
            input #file type="file" name="file" accept=".csv,.jsonl,.ndjson" required;
            label for="source" { (w.source_system) }
            input #source name="source" value="import" required maxlength="200";
            div.actions { button.primary { (w.upload) } }
            progress #sent max="1" value="0" hidden aria-label=(w.upload) {}
            p #upload-problem role="alert" {}
        }
        noscript { p.notice { (w.imports_without_scripts) } }
        h2 { (w.earlier_imports) }
        @if imports.is_empty() { (empty(w.no_imports, &html! { p { (w.no_imports_help) } })) }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(w.earlier_imports) {
                table {
                    thead { tr { th { (w.source_system) } th { (w.state) } th { (w.rows_done) } th { (w.taken) } th { (w.rejected_rows) } th { (w.when) } } }
                    tbody {
                        @for import in imports {
                            tr {
                                th scope="row" { a href={ "/imports/" (import.id) } { (line(&import.source)) } }
                                td { (w.import_state(import.state)) }
                                td.number { (number(import.done)) @if let Some(rows) = import.rows { " / " (number(rows)) } }
                                td.number { (number(import.imported)) }
                                td.number { (number(import.rejected)) }
                                td { (age(w, import.created_at, visit.now)) }
                            }
                        }
                    }
                }
            }
        }
    };
    layout::page(visit, Place::Imports, w.imports, "imports", &content)
}

/// One import; scripts read it again while it goes on.
pub(in crate::console) fn one(visit: &Visit, import: &ImportRecord) -> Markup {
    let w = visit.words;
    let ended = matches!(import.state, ImportState::Done | ImportState::Failed);
    let content = html! {
        p.crumbs { a href="/imports" { "← " (w.imports) } }
        section #import data-ended[ended] {
            h1 { (w.import_of) " " (line(&import.source)) }
            p role="status" {
                (w.import_state(import.state))
                @if !ended && import.state != ImportState::Receiving { " …" }
            }
            @if let Some(failure) = &import.failure { p.problem { (line(failure)) } }
            @match import.rows {
                Some(rows) => { progress max=(rows.max(1)) value=(import.done) aria-label=(w.rows_done) {} }
                None => { @if !ended { progress aria-label=(w.rows_done) {} } }
            }
            dl.figures {
                (figure(w.rows_done, import.done))
                (figure(w.taken, import.imported))
                (figure(w.unchanged_rows, import.unchanged))
                (figure(w.rejected_rows, import.rejected))
            }
            (faults(w.rejected_rows, w.line, w.column, &import.errors))
            (faults(w.warnings, w.line, w.column, &import.warnings))
            @if import.state == ImportState::Done {
                p { a.button href="/try" { (w.try_a_ticket) } " " a.button.secondary href="/bundles" { (w.bundles) } }
            }
        }
    };
    layout::page(visit, Place::Imports, w.imports, "import", &content)
}

fn figure(name: &str, n: u64) -> Markup {
    html! { div { dt { (name) } dd { strong { (number(n)) } } } }
}

fn faults(title: &str, line_word: &str, column_word: &str, faults: &[LineFault]) -> Markup {
    html! {
        @if !faults.is_empty() {
            h2 { (title) }
            ul.faults tabindex="0" {
                @for fault in faults.iter().take(LISTED) {
                    li {
                        strong { (line_word) " " (fault.line) }
                        @if let Some(column) = &fault.column { ", " (column_word) " " code { (line(column)) } }
                        ": " (line(&fault.reason))
                    }
                }
                @if faults.len() > LISTED { li { "…" } }
            }
        }
    }
}
