//! Labels that overlap, that are hardly used, or that hold whatever fits nowhere else.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::telling_words;
use super::{Example, History, dot};
use crate::judge::Share;

/// Labels with fewer tickets say nothing about overlap.
const LEAST: usize = 10;
/// From this share on, beyond chance, two labels' tickets are taken for each other too often.
const OVERLAP: f64 = 0.08;
/// From this share on, in both directions, they might as well be one label.
const MERGE: f64 = 0.25;
/// Fewer tickets than this in a whole history are hardly a label.
const RARE: usize = 3;
/// A label is no longer used where its last ticket lies in the first so much of the history.
const RECENT: f64 = 0.75;
/// Only in a history this long, in days.
const LONG: f64 = 90.0;
/// Words that are shown.
const WORDS: usize = 5;
/// Pairs that are shown.
const PAIRS: usize = 20;

/// Names of labels that hold whatever fits nowhere else.
const CATCH_ALLS: [&str; 26] = [
    "other",
    "others",
    "misc",
    "miscellaneous",
    "general",
    "unknown",
    "none",
    "n/a",
    "na",
    "uncategorized",
    "uncategorised",
    "unclassified",
    "default",
    "sonstiges",
    "sonstige",
    "andere",
    "allgemein",
    "diverses",
    "autre",
    "autres",
    "divers",
    "otro",
    "otros",
    "altro",
    "overig",
    "not specified",
];

/// Two labels whose tickets are taken for each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// The share of the first's tickets that look like the second's.
    pub a_as_b: f64,
    /// And the other way round.
    pub b_as_a: f64,
    /// Tickets that look like the other's.
    pub tickets: usize,
    /// Words that speak for the first.
    pub words_a: Vec<String>,
    /// Words that speak for the second.
    pub words_b: Vec<String>,
    /// What to do.
    pub advice: String,
    /// Some of the tickets.
    pub examples: Vec<Example>,
}

/// A label that is hardly used, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// The label.
    pub label: String,
    /// Its tickets.
    pub tickets: usize,
    /// The day of the last one.
    pub last: Option<String>,
    /// The label whose tickets are most like its own.
    pub nearest: Option<String>,
    /// What to do.
    pub advice: String,
}

/// A label that holds whatever fits nowhere else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatchAll {
    /// The label.
    pub label: String,
    /// Its tickets.
    pub tickets: usize,
    /// How it shows: by its name, or by its tickets.
    pub by_name: bool,
    /// Where a model that had not seen them would put its tickets: label and how many.
    pub would_go: Vec<(String, usize)>,
    /// Some of its tickets.
    pub examples: Vec<Example>,
}

pub(super) fn overlaps(history: &History<'_>) -> Vec<Overlap> {
    let (classes, answers, rows) = (history.names.len(), history.answers(), history.by_label());
    let mut counts = vec![0_usize; classes * classes];
    for (label, answer) in history.labels.iter().zip(&answers) {
        counts[label * classes + answer] += 1;
    }
    let mut found: Vec<(f64, Overlap)> = Vec::new();
    for a in 0..classes {
        for b in a + 1..classes {
            let (n, m) = (rows[a].len(), rows[b].len());
            let (ab, ba) = (counts[a * classes + b], counts[b * classes + a]);
            if n < LEAST || m < LEAST || ab == 0 || ba == 0 {
                continue;
            }
            let share = Share { successes: ab + ba, trials: n + m };
            if share.interval().0 < OVERLAP {
                continue;
            }
            let (to_b, to_a) = (ab as f64 / n as f64, ba as f64 / m as f64);
            let text = |rows: &[usize]| -> Vec<&str> {
                rows.iter().map(|r| history.texts[*r].as_str()).collect()
            };
            let (ours, theirs) = (text(&rows[a]), text(&rows[b]));
            let (words_a, words_b) =
                (telling_words(&ours, &theirs, WORDS), telling_words(&theirs, &ours, WORDS));
            let confused = rows[a]
                .iter()
                .filter(|r| answers[**r] == b)
                .chain(rows[b].iter().filter(|r| answers[**r] == a));
            let advice = if to_a.min(to_b) >= MERGE {
                "merge them, or write down what tells them apart and relabel"
            } else {
                "write down what tells them apart, and relabel the tickets listed"
            };
            let overlap = Overlap {
                a: history.names[a].clone(),
                b: history.names[b].clone(),
                a_as_b: to_b,
                b_as_a: to_a,
                tickets: ab + ba,
                words_a,
                words_b,
                advice: advice.to_owned(),
                examples: history.examples(confused.copied()),
            };
            found.push((share.value(), overlap));
        }
    }
    found.sort_by(|x, y| y.0.total_cmp(&x.0));
    found.truncate(PAIRS);
    found.into_iter().map(|(_, overlap)| overlap).collect()
}

pub(super) fn unused(history: &History<'_>) -> Vec<Unused> {
    let second = |t: &Timestamp| t.as_second() as f64;
    let all: Vec<f64> = history.times.iter().flatten().map(second).collect();
    let first = all.iter().copied().fold(f64::INFINITY, f64::min);
    let last = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let long = last - first >= LONG * 86_400.0;
    let centres = history.centres();
    let mut found = Vec::new();
    for (label, rows) in history.by_label().iter().enumerate() {
        let latest = rows.iter().filter_map(|r| history.times[*r]).max();
        let over = long
            && rows.len() >= RARE
            && latest.is_some_and(|t| second(&t) < first + RECENT * (last - first));
        if rows.len() >= RARE && !over {
            continue;
        }
        let like = |other: usize| dot(&centres[label], &centres[other]);
        let nearest = (0..history.names.len())
            .filter(|other| *other != label && !centres[*other].is_empty())
            .max_by(|a, b| like(*a).total_cmp(&like(*b)));
        let nearest = if rows.is_empty() { None } else { nearest };
        let advice = match (over, nearest) {
            (true, _) => "retire it, if what it was for is over".to_owned(),
            (false, Some(other)) => {
                format!("merge it into {:?}, or collect more tickets", history.names[other])
            }
            (false, None) => "remove it".to_owned(),
        };
        found.push(Unused {
            label: history.names[label].clone(),
            tickets: rows.len(),
            last: latest.map(|t| t.strftime("%Y-%m-%d").to_string()),
            nearest: nearest.map(|n| history.names[n].clone()),
            advice,
        });
    }
    found.sort_by_key(|unused| unused.tickets);
    found
}

pub(super) fn catch_alls(history: &History<'_>) -> Vec<CatchAll> {
    let answers = history.answers();
    let mut found = Vec::new();
    for (label, rows) in history.by_label().iter().enumerate() {
        let by_name = is_catch_all(&history.names[label]);
        let mut elsewhere = vec![0_usize; history.names.len()];
        for row in rows.iter().filter(|r| answers[**r] != label) {
            elsewhere[answers[*row]] += 1;
        }
        let gone: usize = elsewhere.iter().sum();
        let mut order: Vec<usize> = (0..elsewhere.len()).filter(|l| elsewhere[*l] > 0).collect();
        order.sort_by_key(|l| Reverse(elsewhere[*l]));
        // Tickets of an ordinary label that are not told go to its one or two neighbours.
        let spread = rows.len() >= 3 * LEAST
            && gone as f64 >= 0.6 * rows.len() as f64
            && order.len() >= 4
            && order.first().is_some_and(|l| (elsewhere[*l] as f64) < 0.4 * gone as f64);
        if rows.is_empty() || !(by_name || spread) {
            continue;
        }
        let examples = rows.iter().filter(|r| answers[**r] != label).copied();
        found.push(CatchAll {
            label: history.names[label].clone(),
            tickets: rows.len(),
            by_name,
            would_go: order
                .iter()
                .take(WORDS)
                .map(|l| (history.names[*l].clone(), elsewhere[*l]))
                .collect(),
            examples: history.examples(examples),
        });
    }
    found.sort_by_key(|catch_all| Reverse(catch_all.tickets));
    found
}

fn is_catch_all(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    let first = name.split([' ', '/', '-', '(']).next().unwrap_or_default();
    CATCH_ALLS.contains(&name.as_str()) || (CATCH_ALLS[..4].contains(&first) && name.len() < 24)
}
