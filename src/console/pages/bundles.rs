//! What was learned from a desk's tickets, and which of it answers.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::parts::{empty, estimate, instant, number};
use crate::domain::LabelField;
use crate::triage::BundleRecord;

pub(in crate::console) fn page(
    visit: &Visit,
    bundles: &[BundleRecord],
    said: Option<&str>,
    refused: Option<&str>,
) -> Markup {
    let w = visit.words;
    let content = html! {
        h1 { (w.bundles) }
        p { (w.bundles_help) }
        @if let Some(said) = said { div.done { p role="status" { (said) } } }
        @if let Some(refused) = refused { div.problem role="alert" { (refused) } }
        @if bundles.is_empty() {
            (empty(w.no_bundle, &html! { p { (w.no_bundle_help) } }))
        }
        @for bundle in bundles { (one(visit, bundle)) }
    };
    layout::page(visit, Place::Bundles, w.bundles, "bundles", &content)
}

fn one(visit: &Visit, bundle: &BundleRecord) -> Markup {
    let w = visit.words;
    html! {
        article.card aria-label={ (w.bundle) " " (bundle.id) } {
            div.title-row {
                h2 { code { (bundle.id) } }
                p {
                    @if bundle.active { span.badge.auto { "✓ " (w.active) } }
                    @if bundle.previous { span.badge.closed { (w.previous) } }
                }
            }
            @if let Some(fault) = &bundle.fault { p.problem { (fault) } }
            p.quiet {
                @if let Some(at) = bundle.fitted_at { (w.fitted) " " (instant(at)) }
                @if let Some(tickets) = bundle.tickets { " · " (number(tickets)) " " (w.labelled_tickets) }
                @if let Some(manifest) = &bundle.manifest {
                    " · " (w.split) " " (manifest.split)
                    " · " (w.data) " " code title=(manifest.data) { (manifest.data.get(..12).unwrap_or(&manifest.data)) }
                    @if let Some(taxonomy) = &manifest.taxonomy { " · " (taxonomy) }
                }
            }
            @if let Some(manifest) = &bundle.manifest {
                div.scroll tabindex="0" role="region" aria-label={ (w.bundle) " " (bundle.id) } {
                    table {
                        thead { tr {
                            th { (w.field_name) } th { (w.labels) } th { (w.tickets) } th { (w.held_out) }
                            th { (w.accuracy) } th { (w.coverage) } th { (w.precision) }
                        } }
                        tbody {
                            @for field in LabelField::ALL {
                                @if let Some(of) = manifest.fields.get(field.name()) {
                                    tr {
                                        th scope="row" { (w.field(field)) }
                                        td.number { (of.classes.len()) }
                                        td.number { (number(of.support.iter().map(|n| u64::from(*n)).sum())) }
                                        @match &of.metrics {
                                            Some(m) => {
                                                td.number { (m.n) }
                                                td.number { (estimate(m.accuracy)) }
                                                td.number { (estimate(m.coverage)) }
                                                td.number { @if m.threshold.is_some() { (estimate(m.precision)) } @else { "–" } }
                                            }
                                            None => { td.number { "0" } td.number { "–" } td.number { "–" } td.number { "–" } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if !bundle.active && bundle.fault.is_none() {
                form method="post" action="/bundles" {
                    (csrf(visit))
                    input type="hidden" name="bundle" value=(bundle.id);
                    button.secondary {
                        (if bundle.previous { w.roll_back } else { w.activate })
                        span.sr { " " (bundle.id) }
                    }
                }
            }
        }
    }
}
