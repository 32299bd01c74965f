//! The desk's labels, to be read and changed.

use maud::{Markup, html};

use super::Visit;
use super::layout::{self, Place, csrf};
use super::parts::percent;
use crate::domain::{Category, Taxonomy, Team};

/// Empty rows for what is new.
const NEW_CATEGORIES: usize = 2;
const NEW_TEAMS: usize = 1;

/// Two categories that say nearly the same.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::console) struct Overlap {
    pub(in crate::console) one: String,
    pub(in crate::console) other: String,
    /// Cosine of what they say.
    pub(in crate::console) alike: f32,
}

pub(in crate::console) fn page(
    visit: &Visit,
    taxonomy: &Taxonomy,
    overlaps: &[Overlap],
    saved: bool,
    refused: Option<&str>,
) -> Markup {
    let w = visit.words;
    let content = html! {
        div.title-row {
            h1 { (w.labels) }
            p.quiet { (taxonomy.name) " · " (w.version) " " (taxonomy.version) " · " (taxonomy.categories.len()) " " (w.categories) }
        }
        p { (w.labels_help) }
        @if saved { div.done { p role="status" { (w.saved) } } }
        @if let Some(refused) = refused { div.problem role="alert" { (refused) } }
        (overlapping(visit, overlaps))
        form method="post" action="/labels" {
            (csrf(visit))
            input type="hidden" name="version" value=(taxonomy.version);
            section.card {
                label for="desk-name" { (w.name) }
                input #desk-name name="name" value=(taxonomy.name) required;
                label for="priorities" { (w.priorities_help) }
                textarea #priorities name="priorities" rows="4" { "\n" (taxonomy.priorities.join("\n")) }
            }
            h2 { (w.teams) }
            @for (at, team) in taxonomy.teams.iter().enumerate() { (of_team(visit, at, Some(team))) }
            @for at in 0..NEW_TEAMS { (of_team(visit, taxonomy.teams.len() + at, None)) }
            h2 { (w.categories_title) }
            @for (at, category) in taxonomy.categories.iter().enumerate() {
                (of_category(visit, at, Some(category), taxonomy))
            }
            @for at in 0..NEW_CATEGORIES {
                (of_category(visit, taxonomy.categories.len() + at, None, taxonomy))
            }
            div.actions.sticky { button.primary { (w.save) } }
        }
    };
    layout::page(visit, Place::Labels, w.labels, "labels", &content)
}

fn overlapping(visit: &Visit, overlaps: &[Overlap]) -> Markup {
    let w = visit.words;
    html! {
        @if !overlaps.is_empty() {
            section.notice {
                h2 { (w.overlaps) }
                p { (w.overlaps_help) }
                ul {
                    @for overlap in overlaps {
                        li { bdi { (overlap.one) } " – " bdi { (overlap.other) } " " span.quiet { (percent(f64::from(overlap.alike))) } }
                    }
                }
            }
        }
    }
}

fn of_team(visit: &Visit, at: usize, team: Option<&Team>) -> Markup {
    let w = visit.words;
    let label = team.map_or("", |team| team.label.as_str());
    html! {
        details.card open[team.is_none()] {
            summary { @if team.is_some() { bdi { (label) } } @else { (w.new_team) } }
            input type="hidden" name="team-was" value=(label);
            label for={ "team-" (at) } { (w.team) }
            input id={ "team-" (at) } name="team" value=(label);
            label for={ "department-" (at) } { (w.department) }
            input id={ "department-" (at) } name="team-department" value=(team.and_then(|t| t.department.as_deref()).unwrap_or_default());
            label for={ "team-description-" (at) } { (w.description) }
            textarea id={ "team-description-" (at) } name="team-description" rows="2" { "\n" (team.map_or("", |t| t.description.as_str())) }
        }
    }
}

fn of_category(
    visit: &Visit,
    at: usize,
    category: Option<&Category>,
    taxonomy: &Taxonomy,
) -> Markup {
    let w = visit.words;
    let label = category.map_or("", |c| c.label.as_str());
    let owner = category.and_then(|c| c.team.as_deref());
    html! {
        details.card open[category.is_none()] {
            summary {
                @if category.is_some() { bdi { (label) } } @else { (w.new_category) }
                @if let Some(owner) = owner { span.quiet { " · " bdi { (owner) } } }
            }
            input type="hidden" name="category-was" value=(label);
            label for={ "category-" (at) } { (w.category) }
            input id={ "category-" (at) } name="category" value=(label);
            label for={ "owner-" (at) } { (w.team) }
            select id={ "owner-" (at) } name="category-team" {
                option value="" { (w.none) }
                @for team in &taxonomy.teams { option value=(team.label) selected[owner == Some(&team.label)] { (team.label) } }
            }
            label for={ "description-" (at) } { (w.description) }
            textarea id={ "description-" (at) } name="category-description" rows="2" { "\n" (category.map_or("", |c| c.description.as_str())) }
            label for={ "examples-" (at) } { (w.examples_help) }
            textarea id={ "examples-" (at) } name="category-examples" rows="4" { "\n" (category.map_or(String::new(), |c| c.examples.join("\n"))) }
        }
    }
}
