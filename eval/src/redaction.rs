//! `deskhand-eval redaction`: what the redaction finds, and what it takes out without need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deskhand::judge::Share;
use deskhand::text::{Found, Rules};
use serde::Deserialize;
use serde_json::json;

use crate::output::line;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/redaction/cases.jsonl");

/// The name of all kinds together.
const ALL: &str = "all";

/// Recall and precision of the built-in redaction rules on labelled tickets.
///
/// The rules were tuned on the "tune" half only; "test" was written before them. A labelled stretch
/// is found if one of its kind covers all its letters and digits. A stretch that is taken out
/// and touches no labelled one is false.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval redaction\n  \
    deskhand-eval redaction --cases ours.jsonl --verbose")]
pub(crate) struct Args {
    /// Labelled texts, one JSON object a line; without it those of the project
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// List what was missed and what was taken out without need
    #[arg(long)]
    verbose: bool,
}

/// A labelled text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    split: String,
    text: String,
    /// In the order in which they stand in the text.
    spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    kind: String,
    text: String,
}

/// A label with its place in the text.
struct Label<'a> {
    kind: &'a str,
    start: usize,
    end: usize,
}

/// What came of the labels, and of what was taken out.
#[derive(Debug, Default)]
struct Scores {
    labels: Vec<bool>,
    taken: Vec<bool>,
}

impl Scores {
    fn recall(&self) -> Share {
        self.labels.iter().copied().collect()
    }

    fn precision(&self) -> Share {
        self.taken.iter().copied().collect()
    }
}

#[derive(Debug, Default)]
struct Report {
    texts: BTreeMap<String, usize>,
    /// By split and kind.
    scores: BTreeMap<(String, String), Scores>,
    mistakes: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let report = measure(args.cases.as_deref().unwrap_or(Path::new(CASES)))?;
    if args.json {
        return line(&serde_json::to_string_pretty(&as_json(&report))?);
    }
    for (split, texts) in &report.texts {
        line(&format!("{split}: {texts} texts (95 % intervals)\n"))?;
        line("kind         labels  recall                 taken  precision")?;
        let of_split = report.scores.iter().filter(|((of, _), _)| of == split);
        for ((_, kind), scores) in of_split {
            let (recall, precision) = (scores.recall(), scores.precision());
            line(&format!(
                "{kind:<12} {:>6}  {recall:<22} {:>5}  {precision}",
                recall.trials, precision.trials
            ))?;
        }
        line("")?;
    }
    if args.verbose {
        for mistake in &report.mistakes {
            line(mistake)?;
        }
    }
    Ok(())
}

fn as_json(report: &Report) -> serde_json::Value {
    let share = |share: Share| {
        let (low, high) = share.interval();
        json!({ "value": share.value(), "low": low, "high": high, "trials": share.trials })
    };
    let splits = report.texts.iter().map(|(split, texts)| {
        let of_split = report.scores.iter().filter(|((of, _), _)| of == split);
        let kinds: serde_json::Map<_, _> = of_split
            .map(|((_, kind), scores)| {
                let both = json!({ "recall": share(scores.recall()),
                                   "precision": share(scores.precision()) });
                (kind.clone(), both)
            })
            .collect();
        (split.clone(), json!({ "texts": texts, "kinds": kinds }))
    });
    serde_json::Value::Object(splits.collect())
}

fn measure(file: &Path) -> Result<Report> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| name.to_string())?;
    let rules = Rules::default();
    let mut report = Report::default();
    for (number, text) in (1..).zip(text.lines()) {
        let case: Case =
            serde_json::from_str(text).with_context(|| format!("{name}, line {number}"))?;
        let labels = labels(&case).with_context(|| format!("{name}, line {number}"))?;
        report.add(&case, &labels, &rules.find(&case.text));
    }
    Ok(report)
}

/// Where the labels are: each is the first of its text behind the one before.
fn labels(case: &Case) -> Result<Vec<Label<'_>>> {
    let mut from = 0;
    case.spans
        .iter()
        .map(|span| {
            let rest = case.text.get(from..).unwrap_or_default();
            let at = rest.find(&span.text).with_context(|| format!("{:?} is not there", span.text));
            let start = from + at?;
            from = start + span.text.len();
            Ok(Label { kind: &span.kind, start, end: from })
        })
        .collect()
}

impl Report {
    fn add(&mut self, case: &Case, labels: &[Label<'_>], found: &[Found]) {
        *self.texts.entry(case.split.clone()).or_default() += 1;
        for label in labels {
            let hit = found.iter().any(|found| covers(found, label, &case.text));
            for kind in [label.kind, ALL] {
                self.scores(&case.split, kind).labels.push(hit);
            }
            if !hit {
                self.mistake("missed", label.kind, label.start..label.end, case);
            }
        }
        for found in found {
            let hit = labels.iter().any(|label| found.start < label.end && label.start < found.end);
            for kind in [found.kind.name(), ALL] {
                self.scores(&case.split, kind).taken.push(hit);
            }
            if !hit {
                self.mistake("false", found.kind.name(), found.start..found.end, case);
            }
        }
    }

    fn scores(&mut self, split: &str, kind: &str) -> &mut Scores {
        self.scores.entry((split.to_owned(), kind.to_owned())).or_default()
    }

    fn mistake(&mut self, what: &str, kind: &str, range: std::ops::Range<usize>, case: &Case) {
        let secret = case.text.get(range).unwrap_or_default();
        let mistake = format!("{:<6} {kind} {secret:?} in {:?} ({})", what, case.text, case.split);
        self.mistakes.push(mistake);
    }
}

/// Whether a find is of the label's kind, and takes out all its letters and digits.
fn covers(found: &Found, label: &Label<'_>, text: &str) -> bool {
    let secret = text.get(label.start..label.end).unwrap_or_default();
    let inside = |at: usize| (found.start..found.end).contains(&at);
    let mut places = secret
        .char_indices()
        .filter(|(_, c)| c.is_alphanumeric())
        .map(|(at, _)| label.start + at)
        .peekable();
    found.kind.name() == label.kind && places.peek().is_some() && places.all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_find_no_less_than_they_did() {
        let report = measure(Path::new(CASES)).unwrap();
        assert!(report.texts.values().sum::<usize>() >= 500);
        for (split, recall, precision) in [("tune", 0.98, 0.98), ("test", 0.95, 0.98)] {
            let scores = &report.scores[&(split.to_owned(), ALL.to_owned())];
            assert!(scores.recall().value() >= recall, "{split}: {}", scores.recall());
            assert!(scores.precision().value() >= precision, "{split}: {}", scores.precision());
        }
    }

    #[test]
    fn a_tempting_set_is_mostly_without_secrets() {
        let text = std::fs::read_to_string(CASES).unwrap();
        let cases: Vec<Case> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let empty: Share = cases.iter().map(|case| case.spans.is_empty()).collect();
        assert!(empty.value() >= 0.4, "{empty}");
    }
}
