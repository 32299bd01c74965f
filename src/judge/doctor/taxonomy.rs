//! A cleaned taxonomy to start from, with what to decide as comments.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doctor, History, dot};
use crate::domain::{Category, LabelField, Team};

/// Subjects that a category is shown with.
const EXAMPLES: usize = 5;
/// Longest subject that is taken as an example.
const LONGEST: usize = 90;

/// What stands above the labels.
#[derive(serde::Serialize)]
struct Head<'a> {
    name: &'a str,
    version: u32,
}

/// A draft of the desk's taxonomy as TOML: its labels, most used first, with typical subjects of
/// tickets that are probably labelled right, and with what the doctor found as comments. Labels with
/// hardly a ticket are commented out. `owners` holds each ticket's team where the field is another.
///
/// It can be read back as it is ([`crate::domain::Taxonomy::from_toml`]).
pub fn draft(
    name: &str,
    history: &History<'_>,
    owners: &[Option<&str>],
    doctor: &Doctor,
) -> String {
    let suspects: BTreeSet<&str> = doctor.mislabelled.iter().map(|s| s.ticket.as_str()).collect();
    let centres = history.centres();
    let rows = history.by_label();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|label| std::cmp::Reverse(rows[*label].len()));
    let is_team = history.field == LabelField::Team.name();
    let teams: BTreeSet<&str> = if is_team {
        order.iter().map(|l| history.names[*l].as_str()).collect()
    } else {
        owners.iter().flatten().copied().collect()
    };
    let mut text = format!(
        "# A draft made from {} tickets. Read the comments, write the descriptions, and take it over\n\
         # with `deskhand import FILE --taxonomy` into a new desk.\n",
        history.labels.len()
    );
    text.push_str(&piece(&Head { name, version: 1 }));
    for team in &teams {
        for line in is_team.then(|| remarks(team, doctor)).into_iter().flatten() {
            text.push_str(&comment(&line));
        }
        let team = Team { label: (*team).to_owned(), department: None, description: String::new() };
        text.push_str(&piece(&BTreeMap::from([("teams", vec![team])])));
    }
    for label in order.into_iter().filter(|_| !is_team) {
        let mut typical: Vec<usize> = rows[label]
            .iter()
            .copied()
            .filter(|r| !suspects.contains(history.ids[*r].as_str()))
            .filter(|r| (4..=LONGEST).contains(&history.subjects[*r].chars().count()))
            .collect();
        let like = |row: &usize| dot(&history.vectors[*row], &centres[label]);
        typical.sort_by(|a, b| like(b).total_cmp(&like(a)));
        let mut examples: Vec<String> = Vec::new();
        for row in typical {
            if examples.len() < EXAMPLES && !examples.contains(&history.subjects[row]) {
                examples.push(history.subjects[row].clone());
            }
        }
        let category = Category {
            label: history.names[label].clone(),
            team: owner(&rows[label], owners),
            description: String::new(),
            examples,
        };
        let lines = remarks(&category.label, doctor);
        let unused = doctor.unused.iter().any(|u| u.label == category.label);
        text.push_str(&comment(&format!("{} tickets", rows[label].len())));
        for line in lines {
            text.push_str(&comment(&line));
        }
        let toml = piece(&BTreeMap::from([("categories", vec![category])]));
        if unused {
            text.push_str(&toml.lines().map(comment).collect::<String>());
        } else {
            text.push_str(&toml);
        }
    }
    text
}

/// The team that solved most of these tickets.
fn owner(rows: &[usize], owners: &[Option<&str>]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for team in rows.iter().filter_map(|row| owners.get(*row).copied().flatten()) {
        *counts.entry(team).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, n)| *n).map(|(team, _)| team.to_owned())
}

/// What the doctor says of a label.
fn remarks(label: &str, doctor: &Doctor) -> Vec<String> {
    let mut lines = Vec::new();
    for overlap in doctor.overlaps.iter().filter(|o| o.a == label || o.b == label) {
        let other = if overlap.a == label { &overlap.b } else { &overlap.a };
        lines.push(format!("DECIDE: overlaps with {other:?}: {}", overlap.advice));
    }
    for divided in doctor.divided.iter().filter(|d| d.label == label) {
        let parts: Vec<String> = divided.parts.iter().map(|part| part.words.join(", ")).collect();
        lines.push(format!("DECIDE: holds two kinds of tickets: {}", parts.join(" / ")));
    }
    for catch_all in doctor.catch_alls.iter().filter(|c| c.label == label) {
        let go: Vec<&str> = catch_all.would_go.iter().map(|(label, _)| label.as_str()).collect();
        lines.push(format!("DECIDE: a catch-all; much of it belongs to: {}", go.join(", ")));
    }
    for unused in doctor.unused.iter().filter(|u| u.label == label) {
        lines.push(format!("DECIDE: {} tickets: {}", unused.tickets, unused.advice));
    }
    lines
}

fn comment(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {line}\n")
}

/// A part of the file; what cannot be written leaves a gap, never a wrong file.
fn piece(part: &impl serde::Serialize) -> String {
    let mut text = toml::to_string_pretty(part).unwrap_or_default();
    text.push('\n');
    text
}
