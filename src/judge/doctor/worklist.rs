//! Findings as a list to work through: one line a ticket or a label.

use serde::{Deserialize, Serialize};

use super::Doctor;

/// What kind of finding a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Its near-duplicates are labelled otherwise.
    Contradiction,
    /// Its label is probably wrong.
    Mislabelled,
    /// It went from team to team.
    Bounced,
    /// The label's tickets are taken for another's.
    Overlap,
    /// The label holds two kinds of tickets.
    Divided,
    /// The label holds whatever fits nowhere else.
    CatchAll,
    /// The label is hardly used.
    Unused,
}

impl Finding {
    const fn name(self) -> &'static str {
        match self {
            Self::Contradiction => "contradiction",
            Self::Mislabelled => "mislabelled",
            Self::Bounced => "bounced",
            Self::Overlap => "overlap",
            Self::Divided => "divided",
            Self::CatchAll => "catch_all",
            Self::Unused => "unused",
        }
    }
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// `category`, `team`.
    pub field: String,
    /// What was found.
    pub finding: Finding,
    /// The ticket's id; empty where it is about a label.
    pub ticket: String,
    /// The ticket's subject.
    pub subject: String,
    /// The label as it is.
    pub label: String,
    /// The label that it probably should be, or what to do.
    pub suggested: String,
    /// How sure, 0 to 1, where that is known.
    pub confidence: Option<f32>,
    /// Why.
    pub why: String,
}

/// Everything that was found of a field: tickets first, the surest first, then labels.
pub fn worklist(field: &str, doctor: &Doctor) -> Vec<Work> {
    let about = |finding, label: &str, suggested: &str, why: String| Work {
        field: field.to_owned(),
        finding,
        ticket: String::new(),
        subject: String::new(),
        label: label.to_owned(),
        suggested: suggested.to_owned(),
        confidence: None,
        why,
    };
    let mut works = Vec::new();
    for suspect in &doctor.mislabelled {
        works.push(Work {
            ticket: suspect.ticket.clone(),
            subject: suspect.subject.clone(),
            confidence: Some(suspect.confidence),
            ..about(
                Finding::Mislabelled,
                &suspect.label,
                &suspect.suggested,
                "tickets like it are labelled so".to_owned(),
            )
        });
    }
    for contradiction in &doctor.contradictions {
        let counts: Vec<String> =
            contradiction.labels.iter().map(|(label, n)| format!("{n}\u{d7} {label}")).collect();
        let why = format!("tickets that say the same have: {}", counts.join(", "));
        let suggested = contradiction.suggested.as_deref().unwrap_or("decide which one it is");
        for (ticket, label) in &contradiction.tickets {
            works.push(Work {
                ticket: ticket.ticket.clone(),
                subject: ticket.subject.clone(),
                ..about(Finding::Contradiction, label, suggested, why.clone())
            });
        }
    }
    for bounced in &doctor.bounces.tickets {
        let way = if bounced.path.is_empty() {
            format!("handed over {} times", bounced.handovers)
        } else {
            format!("went through {}", bounced.path.join(" > "))
        };
        let why = format!("{way}; a model that had not seen it says {}", bounced.suggested);
        let advice = format!("send such tickets to {} at once", bounced.label);
        works.push(Work {
            ticket: bounced.ticket.ticket.clone(),
            subject: bounced.ticket.subject.clone(),
            ..about(Finding::Bounced, &bounced.label, &advice, why)
        });
    }
    for overlap in &doctor.overlaps {
        let why = format!(
            "{} tickets look like the other's ({:.0} % of {:?}, {:.0} % of {:?}); for the first speak: {}; for the second: {}",
            overlap.tickets,
            100.0 * overlap.a_as_b,
            overlap.a,
            100.0 * overlap.b_as_a,
            overlap.b,
            overlap.words_a.join(", "),
            overlap.words_b.join(", ")
        );
        let label = format!("{} / {}", overlap.a, overlap.b);
        works.push(about(Finding::Overlap, &label, &overlap.advice, why));
    }
    for divided in &doctor.divided {
        let parts: Vec<String> = divided.parts.iter().map(|part| part.words.join(", ")).collect();
        let why =
            format!("holds two kinds of tickets, which speak of: {}", parts.join("; and of: "));
        works.push(about(Finding::Divided, &divided.label, "divide it in two", why));
    }
    for catch_all in &doctor.catch_alls {
        let go: Vec<String> =
            catch_all.would_go.iter().map(|(label, n)| format!("{n}\u{d7} {label}")).collect();
        let why = format!("of {} tickets these look like: {}", catch_all.tickets, go.join(", "));
        works.push(about(
            Finding::CatchAll,
            &catch_all.label,
            "relabel what belongs elsewhere",
            why,
        ));
    }
    for unused in &doctor.unused {
        let last = unused.last.as_ref().map(|day| format!(", the last on {day}"));
        let why = format!("{} tickets{}", unused.tickets, last.unwrap_or_default());
        works.push(about(Finding::Unused, &unused.label, &unused.advice, why));
    }
    works
}

/// The list as CSV with a header, UTF-8 with a mark so that spreadsheets read it as such. A value
/// that a spreadsheet would take for a formula gets an apostrophe before it.
pub fn worklist_csv(works: &[Work]) -> String {
    let mut csv = String::from("\u{feff}");
    let header =
        ["field", "finding", "ticket", "subject", "label", "suggested", "confidence", "why"];
    csv.push_str(&header.join(","));
    csv.push_str("\r\n");
    for work in works {
        let confidence = work.confidence.map(|c| format!("{c:.3}")).unwrap_or_default();
        let values = [
            work.field.as_str(),
            work.finding.name(),
            &work.ticket,
            &work.subject,
            &work.label,
            &work.suggested,
            &confidence,
            &work.why,
        ];
        csv.push_str(&values.map(cell).join(","));
        csv.push_str("\r\n");
    }
    csv
}

fn cell(value: &str) -> String {
    let formula =
        value.trim_start().starts_with(['=', '+', '-', '@']) || value.starts_with(['\t', '\r']);
    let guard = if formula { "'" } else { "" };
    let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.contains(['"', ',', ';']) || formula {
        format!("\"{guard}{}\"", clean.replace('"', "\"\""))
    } else {
        clean
    }
}
