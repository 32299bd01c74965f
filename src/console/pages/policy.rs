//! How sure labels must be, and what that comes to.

use maud::{Markup, html};

use super::Visit;
use super::chart::{self, Axis, Line};
use super::layout::{self, Place, csrf};
use super::parts::{estimate, percent};
use crate::domain::LabelField;
use crate::triage::{FieldPromise, PolicyView};

/// What the page shows: the policy for one target, and what others come to.
pub(in crate::console) struct PolicyPage {
    pub(in crate::console) shown: PolicyView,
    pub(in crate::console) others: Vec<PolicyView>,
    pub(in crate::console) saved: bool,
    pub(in crate::console) refused: Option<String>,
}

pub(in crate::console) fn page(visit: &Visit, view: &PolicyPage) -> Markup {
    let w = visit.words;
    let (settings, shown) = (view.shown.settings, &view.shown);
    let target = format!("{:.1}", 100.0 * shown.shown_for);
    let content = html! {
        h1 { (w.policy) }
        p { (w.policy_help) }
        @if view.saved { div.done { p role="status" { (w.saved) } } }
        @if let Some(refused) = &view.refused { div.problem role="alert" { (refused) } }
        form #policy.card method="post" action="/policy" data-saved=(settings.target_precision) {
            (csrf(visit))
            input type="hidden" name="version" value=(settings.version);
            label for="target" {
                (w.target_precision) " " output #target-says for="target" { (target) "\u{a0}%" }
            }
            input #target name="target" type="range" min="50" max="99.9" step="0.1" value=(target)
                list="marks" aria-describedby="target-help";
            datalist #marks { @for mark in [50, 80, 90, 95, 99] { option value=(mark) {} } }
            p.quiet #target-help {
                (w.in_force) " " (percent(settings.target_precision)) ". " (w.target_help)
            }
            div.actions {
                button.primary { (w.save) }
                button.secondary formmethod="get" formaction="/policy" { (w.preview) }
            }
        }
        (promises(visit, shown))
        @if shown.bundle.is_some() { (curve(visit, view)) }
    };
    layout::page(visit, Place::Policy, w.policy, "policy", &content)
}

/// What the target comes to, by field; scripts write other figures into it.
fn promises(visit: &Visit, view: &PolicyView) -> Markup {
    let w = visit.words;
    if view.bundle.is_none() {
        return html! { section.empty { h2 { (w.no_bundle) } p { (w.no_bundle_help) } } };
    }
    html! {
        div.card {
            h2 #promise-title { (w.what_it_comes_to) }
            div.scroll tabindex="0" role="region" aria-labelledby="promise-title" {
                table #promises aria-live="polite" {
                    thead {
                        tr {
                            th { (w.field_name) } th { (w.coverage_predicted) }
                            th { (w.precision_held_out) } th { (w.threshold) } th { (w.held_out) }
                        }
                    }
                    tbody {
                        @for field in LabelField::ALL {
                            @if let Some(promise) = view.fields.get(field.name()) {
                                (row(visit, field, promise))
                            }
                        }
                    }
                }
            }
            p.quiet { (w.coverage_help) }
        }
    }
}

fn row(visit: &Visit, field: LabelField, of: &FieldPromise) -> Markup {
    let w = visit.words;
    let promise = &of.promise;
    html! {
        tr data-field=(field.name()) {
            th scope="row" { (w.field(field)) }
            td.number data-is="coverage" { (estimate(promise.coverage)) }
            td.number data-is="precision" {
                @if promise.threshold.is_some() { (estimate(promise.precision)) } @else { "–" }
            }
            td.number data-is="threshold" {
                @match promise.threshold {
                    Some(threshold) => { (format!("{threshold:.3}")) }
                    None => { (w.never) }
                }
            }
            td.number { (of.held_out) }
        }
    }
}

/// What other targets would come to.
fn curve(visit: &Visit, view: &PolicyPage) -> Markup {
    let w = visit.words;
    let fields: Vec<LabelField> =
        LabelField::ALL.into_iter().filter(|f| view.shown.fields.contains_key(f.name())).collect();
    // Targets from 80 % on, where the question is.
    let place = |target: f64| (target - 0.8) / 0.2;
    let lines: Vec<Line> = fields
        .iter()
        .map(|field| {
            let points = view.others.iter().filter_map(|other| {
                let coverage = other.fields.get(field.name())?.promise.coverage;
                Some((place(other.shown_for), coverage.value, coverage.low, coverage.high))
            });
            Line { name: w.field(*field).to_owned(), points: points.collect() }
        })
        .collect();
    let ticks = [0.8, 0.85, 0.9, 0.95, 1.0];
    let across = Axis {
        title: w.target_precision.to_owned(),
        ticks: ticks.map(|t| (place(t), percent(t))).into(),
    };
    html! {
        section.card aria-labelledby="curve-title" {
            h2 #curve-title { (w.coverage_by_target) }
            (chart::lines(w.coverage_by_target, &across, &Axis::shares(w.coverage), &lines))
            details {
                summary { (w.as_table) }
                div.scroll tabindex="0" role="region" aria-label=(w.coverage_by_target) {
                    table {
                        thead { tr {
                            th { (w.target_precision) }
                            @for field in &fields { th { (w.field(*field)) } }
                        } }
                        tbody {
                            @for other in &view.others {
                                tr {
                                    th scope="row" { (percent(other.shown_for)) }
                                    @for field in &fields {
                                        td.number {
                                            @if let Some(promise) = other.fields.get(field.name()) {
                                                (estimate(promise.promise.coverage))
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
