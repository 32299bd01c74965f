//! Tickets that went from team to team before somebody kept them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Example, History};

/// Handovers from which on a ticket has bounced: the first may be how the desk works.
const BOUNCED: usize = 2;
/// Handovers that are listed.
const LISTED: usize = 20;

/// A ticket that bounced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounced {
    /// Which.
    #[serde(flatten)]
    pub ticket: Example,
    /// The teams it went through, in turn; empty where the export only counts.
    pub path: Vec<String>,
    /// How often it was handed over.
    pub handovers: usize,
    /// Its label.
    pub label: String,
    /// What a model that had not seen it says.
    pub suggested: String,
}

/// From one team to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Who handed it over.
    pub from: String,
    /// To whom.
    pub to: String,
    /// How often.
    pub tickets: usize,
}

/// What is known of handovers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounces {
    /// Tickets of which the export tells how often they were handed over.
    pub known: usize,
    /// Those that were handed over once.
    pub once: usize,
    /// Those that were handed over more often, the worst first.
    pub tickets: Vec<Bounced>,
    /// Who hands over to whom, the most frequent first.
    pub handovers: Vec<Handover>,
    /// Of the bounced ones, those whose label a model would have told at once.
    pub told_at_once: usize,
}

/// Whether a ticket bounced: teams in turn, or a bare count of handovers.
pub fn is_bounced(path: &[String], handovers: Option<u32>) -> bool {
    count(path, handovers).is_some_and(|n| n >= BOUNCED)
}

fn count(path: &[String], handovers: Option<u32>) -> Option<usize> {
    if path.is_empty() {
        return handovers.map(|n| n as usize);
    }
    Some(path.windows(2).filter(|pair| pair[0] != pair[1]).count())
}

pub(super) fn find(history: &History<'_>) -> Bounces {
    let mut bounces = Bounces::default();
    let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let answers = history.answers();
    for (row, answer) in answers.into_iter().enumerate() {
        let path = &history.paths[row];
        let Some(handovers) = count(path, history.handovers[row]) else { continue };
        bounces.known += 1;
        for pair in path.windows(2).filter(|pair| pair[0] != pair[1]) {
            *pairs.entry((pair[0].as_str(), pair[1].as_str())).or_default() += 1;
        }
        bounces.once += usize::from(handovers == 1);
        if handovers >= BOUNCED {
            bounces.told_at_once += usize::from(answer == history.labels[row]);
            bounces.tickets.push(Bounced {
                ticket: history.example(row),
                path: path.clone(),
                handovers,
                label: history.names[history.labels[row]].clone(),
                suggested: history.names[answer].clone(),
            });
        }
    }
    bounces.tickets.sort_by_key(|b| std::cmp::Reverse(b.handovers));
    let mut handovers: Vec<Handover> = pairs
        .into_iter()
        .map(|((from, to), tickets)| Handover { from: from.to_owned(), to: to.to_owned(), tickets })
        .collect();
    handovers.sort_by_key(|h| std::cmp::Reverse(h.tickets));
    handovers.truncate(LISTED);
    bounces.handovers = handovers;
    bounces
}
