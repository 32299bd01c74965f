//! How good the answers are, told by what agents made of them.

use maud::{Markup, html};

use super::Visit;
use super::chart;
use super::layout::{self, Place};
use super::parts::{empty, estimate, instant, number, percent};
use crate::domain::LabelField;
use crate::judge::Share;
use crate::triage::{FieldQuality, Quality};

/// Labels of a field that are listed at once.
const LISTED: usize = 60;

pub(in crate::console) fn page(
    visit: &Visit,
    quality: &Quality,
    bundle: Option<&str>,
    all: bool,
) -> Markup {
    let w = visit.words;
    let content = html! {
        div.title-row {
            h1 { (w.quality) }
            p.quiet {
                @if let Some(bundle) = bundle.filter(|_| !all) { (w.of_bundle) " " code { (bundle) } " · " }
                @else { (w.of_all) " · " }
                strong { (number(quality.decided as u64)) } " " (w.decisions)
                @if let Some(since) = quality.since { " · " (w.since) " " (instant(since)) }
            }
        }
        nav.tabs aria-label=(w.quality) {
            @if bundle.is_some() {
                a href="/quality" aria-current=[(!all).then_some("page")] { (w.active_bundle) }
            }
            a href="/quality?of=all" aria-current=[(all || bundle.is_none()).then_some("page")] { (w.everything) }
        }
        p.notice { (w.quality_help) @if quality.cut { " " (w.quality_cut) } }
        @if quality.decided == 0 {
            (empty(w.no_decisions, &html! { p { (w.no_decisions_help) } p { a.button href="/" { (w.back_to_queue) } } }))
        } @else {
            dl.figures {
                (figure(w.approved_as_is, quality.approved))
                (figure(w.overridden, quality.overridden))
                (figure(w.drafts_kept, quality.drafts_kept))
            }
            @for field in &quality.fields { (of_field(visit, field)) }
        }
    };
    layout::page(visit, Place::Quality, w.quality, "quality", &content)
}

fn figure(name: &str, share: Share) -> Markup {
    html! {
        div {
            dt { (name) }
            dd {
                @if share.trials == 0 { "–" } @else {
                    strong { (percent(share.value())) }
                    span.quiet { " " (estimate(share.estimate())) " · " (share.successes) "/" (share.trials) }
                }
            }
        }
    }
}

fn cell(share: Share) -> Markup {
    html! { td.number { @if share.trials == 0 { "–" } @else { (estimate(share.estimate())) } } }
}

fn of_field(visit: &Visit, quality: &FieldQuality) -> Markup {
    let w = visit.words;
    let name = w.field(quality.field);
    html! {
        section.card aria-label=(name) {
            h2 { (name) }
            div.beside {
                dl.figures {
                    (figure(w.accuracy, quality.accuracy))
                    (figure(w.coverage, quality.coverage))
                    (figure(w.precision, quality.precision))
                }
                @if quality.reliability.is_empty() {
                    p.quiet { (w.too_few_for_chart) }
                } @else {
                    div {
                        h3 { (w.reliability) }
                        (chart::reliability(w.reliability, w.how_sure, w.how_often_right, &quality.reliability))
                        (reliability_table(visit, quality))
                    }
                }
            }
            @if !quality.labels.is_empty() && quality.field != LabelField::Priority {
                details {
                    summary { (w.by_label) }
                    (labels_table(visit, quality))
                }
            }
        }
    }
}

fn reliability_table(visit: &Visit, quality: &FieldQuality) -> Markup {
    let w = visit.words;
    html! {
        details {
            summary { (w.as_table) }
            div.scroll tabindex="0" role="region" aria-label=(w.reliability) {
                table {
                    thead { tr { th { (w.how_sure) } th { (w.how_often_right) } th { (w.decisions) } } }
                    tbody {
                        @for bin in &quality.reliability {
                            @let (low, high) = chart::interval(bin);
                            tr {
                                td.number { (percent(bin.confidence)) }
                                td.number { (percent(bin.accuracy)) " (" (format!("{:.0}–{:.0}", 100.0 * low, 100.0 * high)) ")" }
                                td.number { (bin.rows) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn labels_table(visit: &Visit, quality: &FieldQuality) -> Markup {
    let w = visit.words;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(w.by_label) {
            table {
                thead { tr { th { (w.field(quality.field)) } th { (w.decisions) } th { (w.accuracy) } th { (w.coverage) } } }
                tbody {
                    @for (label, left, applied) in quality.labels.iter().take(LISTED) {
                        tr {
                            th scope="row" { bdi { (label) } }
                            td.number { (left.trials) }
                            (cell(*left))
                            (cell(*applied))
                        }
                    }
                }
            }
        }
    }
}
