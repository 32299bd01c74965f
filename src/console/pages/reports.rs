//! Back-tests of exports: uploading one, watching it, finding it again.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::marks::line;
use super::parts::{age, empty, number, percent};
use crate::domain::{Headline, ReportRecord, ReportState};
use crate::reports::{Limits, Progress};

/// What the list shows besides.
#[derive(Default)]
pub(in crate::console) struct Said<'a> {
    pub(in crate::console) deleted: bool,
    /// Why an upload was not taken in.
    pub(in crate::console) refused: Option<&'a str>,
}

pub(in crate::console) fn list(
    visit: &Visit,
    reports: &[ReportRecord],
    limits: Limits,
    said: &Said<'_>,
) -> Markup {
    let (w, r) = (visit.words, &visit.words.reports);
    let content = html! {
        h1 { (r.title) }
        p { (r.help) }
        @if said.deleted { div.done { p role="status" { (r.deleted) } } }
        (upload(visit, limits, said.refused))
        p.quiet { ((r.privacy)(limits.keep)) }
        h2 { (r.earlier) }
        @if reports.is_empty() { (empty(r.no_reports, &html! { p { (r.no_reports_help) } })) }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(r.earlier) {
                table {
                    thead { tr { th { (r.file) } th { (w.state) } th { (w.tickets) } th { (r.right) } th { (w.when) } th { (r.by) } } }
                    tbody {
                        @for report in reports {
                            tr {
                                th scope="row" { a href={ "/reports/" (report.id) } { (line(&report.file)) } }
                                td { (state(visit, report.state)) }
                                td.number { @if let Some(tickets) = report.tickets { (number(tickets)) } @else { "–" } }
                                td.number { @if let Some(found) = &report.headline { (headline(found)) } @else { "–" } }
                                td { (age(w, report.created_at, visit.now)) }
                                td { (line(&report.by)) }
                            }
                        }
                    }
                }
            }
        }
    };
    layout::page(visit, Place::Reports, r.title, "reports", &content)
}

fn upload(visit: &Visit, limits: Limits, refused: Option<&str>) -> Markup {
    let (w, r) = (visit.words, &visit.words.reports);
    let megabytes = limits.bytes >> 20;
    let fields = [("category", w.category), ("team", w.team), ("priority", w.priority)];
    html! {
        form #upload.card method="post" action="/reports" enctype="multipart/form-data"
            data-most=(megabytes) {
            (csrf(visit))
            label for="file" { (r.file) }
            input #file type="file" name="file" required aria-describedby="file-help"
                accept=".csv,.tsv,.txt,.jsonl,.ndjson,.xlsx,.xls,.ods,.gz";
            p #file-help.small-print.quiet { ((r.file_help)(megabytes)) " " (r.english) }
            details {
                summary { (r.options) }
                label for="map" { (r.map) }
                input #map name="map" maxlength="2000" spellcheck="false" autocomplete="off"
                    aria-describedby="map-help";
                p #map-help.small-print.quiet { (r.map_help) }
                fieldset {
                    legend { (r.judged) }
                    @for (at, (field, name)) in fields.into_iter().enumerate() {
                        label.check {
                            input type="checkbox" name="label" value=(field) checked[at < 2];
                            (name)
                        }
                    }
                }
                label for="dates" { (r.dates) }
                select #dates name="dates" {
                    option value="" { (r.dates_told) }
                    option value="dmy" { (r.day_first) }
                    option value="mdy" { (r.month_first) }
                }
                label for="sheet" { (r.sheet) }
                input #sheet name="sheet" maxlength="200" autocomplete="off";
            }
            div.actions { button.primary { (r.make) } }
            progress #sent max="1" value="0" hidden aria-label=(w.upload) {}
            p #upload-problem role="alert" { @if let Some(refused) = refused { (line(refused)) } }
        }
    }
}

/// One report; scripts read it again while it is made.
pub(in crate::console) fn one(
    visit: &Visit,
    report: &ReportRecord,
    progress: Option<&Progress>,
    limits: Limits,
) -> Markup {
    let (w, r) = (visit.words, &visit.words.reports);
    let path = format!("/reports/{}", report.id);
    let content = html! {
        p.crumbs { a href="/reports" { "← " (r.title) } }
        section #report data-ended[report.ended()] {
            h1 { (r.of) " " (line(&report.file)) }
            p #state { (state(visit, report.state)) }
            @match report.state {
                ReportState::Queued | ReportState::Running => { (under_way(visit, report.state, progress)) }
                ReportState::Done => { (done(visit, report, &path)) }
                ReportState::Failed => {
                    @if let Some(failure) = &report.failure { p.problem role="alert" { (line(failure)) } }
                }
                ReportState::Cancelled => { p { (r.cancelled_help) } }
                ReportState::Interrupted => { p { (r.interrupted_help) } }
            }
            dl.facts {
                dt { (w.tickets) }
                dd #tickets { @if let Some(tickets) = report.tickets { (number(tickets)) } @else { "–" } }
                dt { (w.when) } dd { (age(w, report.created_at, visit.now)) }
                dt { (r.by) } dd { (line(&report.by)) }
            }
        }
        @let (act, verb) = if report.ended() { ("delete", r.delete) } else { ("cancel", r.cancel) };
        form method="post" action={ (path) "/" (act) } {
            (csrf(visit))
            button.secondary { (verb) }
        }
        @if report.ended() { p.quiet { ((r.privacy)(limits.keep)) } }
    };
    layout::page(visit, Place::Reports, r.title, "report", &content)
}

fn under_way(visit: &Visit, state: ReportState, progress: Option<&Progress>) -> Markup {
    let (w, r) = (visit.words, &visit.words.reports);
    let stage = progress.map(|at| {
        let field = match at.field.as_deref() {
            Some("category") => Some(w.category),
            Some("team") => Some(w.team),
            Some("priority") => Some(w.priority),
            _ => None,
        };
        (r.stage(at.stage), field)
    });
    html! {
        p #stage role="status" {
            @match stage {
                Some((stage, field)) => { (stage) @if let Some(field) = field { " · " (field) } }
                None => { (r.state(state)) }
            }
        }
        div #steps {
            @match progress.filter(|at| at.of > 0) {
                Some(at) => {
                    progress max=(at.of) value=(at.done) aria-labelledby="stage" {}
                    p.quiet { ((r.steps)(&number(at.done as u64), &number(at.of as u64))) }
                }
                None => { progress aria-labelledby="stage" {} }
            }
        }
    }
}

fn done(visit: &Visit, report: &ReportRecord, path: &str) -> Markup {
    let r = &visit.words.reports;
    html! {
        @if let Some(found) = &report.headline {
            p lang="en" { (line(&found.answer)) }
        }
        div.actions {
            a.button href={ (path) "/page" } { (r.open) }
            a.button.secondary href={ (path) "/report.html" } download { (r.as_html) }
            a.button.secondary href={ (path) "/report.json" } download { (r.as_json) }
            a.button.secondary href={ (path) "/worklist.csv" } download { (r.as_worklist) }
        }
    }
}

fn state(visit: &Visit, state: ReportState) -> Markup {
    let class = match state {
        ReportState::Done => "auto",
        ReportState::Queued | ReportState::Running => "suggest",
        ReportState::Failed => "abstain",
        ReportState::Cancelled | ReportState::Interrupted => "closed",
    };
    html! { span.badge.(class) { (visit.words.reports.state(state)) } }
}

fn headline(found: &Headline) -> String {
    format!("{} ({}–{})", percent(found.accuracy), percent(found.low), percent(found.high))
}
