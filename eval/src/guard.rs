//! `deskhand-eval guard`: whether the guard catches what no source says, and lets pass what one does.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deskhand::drafts::guard;
use deskhand::judge::Share;
use deskhand::text::sentences;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::desk::{Desk, ModelArgs};
use crate::drafts::{dot, embed, round};
use crate::output::line;

const CASES: &str = include_str!("../guard/cases.jsonl");

/// Hold the guard to sentences written for it: unsupported ones to catch, faithful ones to pass.
///
/// It was tuned on the odd lines of `eval/guard/cases.jsonl` and is scored on the even ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List the sentences that were judged wrongly, of the half for tuning only
    #[arg(long)]
    faults: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Case {
    source: String,
    faithful: Vec<String>,
    unsupported: Vec<Planted>,
}

#[derive(Debug, Deserialize)]
struct Planted {
    kind: String,
    text: String,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let read = |line| serde_json::from_str(line).context("eval/guard/cases.jsonl");
    let cases: Vec<Case> = CASES.lines().map(read).collect::<Result<_>>()?;
    let desk = Desk::open(model).await?;
    let (mut tuned, mut scored) = (Tally::default(), Tally::default());
    for (n, case) in cases.iter().enumerate() {
        // A sentence is held to the whole source and to each of its parts.
        let mut sources = vec![case.source.clone()];
        let parts = case.source.split("; ").flat_map(|p| sentences(p));
        sources.extend(parts.map(str::to_owned));
        let known = embed(&desk.app.triage, &sources, "Reading").await?;
        let said = case.faithful.iter().map(|text| (None, text));
        let planted = case.unsupported.iter().map(|p| (Some(p.kind.as_str()), &p.text));
        let all: Vec<(Option<&str>, &String)> = said.chain(planted).collect();
        let texts: Vec<String> = all.iter().map(|(_, text)| (*text).clone()).collect();
        let vectors = embed(&desk.app.triage, &texts, "Reading").await?;
        let tally = if n % 2 == 0 { &mut scored } else { &mut tuned };
        for ((kind, text), vector) in all.iter().zip(&vectors) {
            let similarity = known.iter().map(|k| dot(k, vector)).fold(f32::MIN, f32::max);
            let verdict = guard::check(text, &[&case.source], Some(similarity));
            tally.count(*kind, text, verdict);
        }
    }
    desk.close().await;
    let mut result = scored.report();
    result["tuned_on"] = tuned.report();
    if args.faults {
        result["faults"] = json!(tuned.faults);
    }
    let text = if args.json {
        serde_json::to_string(&result)?
    } else {
        serde_json::to_string_pretty(&result)?
    };
    line(&text)
}

#[derive(Default)]
struct Tally {
    kinds: BTreeMap<String, Tried>,
    rejected: Tried,
    faults: Vec<Value>,
}

#[derive(Default)]
struct Tried(usize, usize);

impl Tried {
    fn add(&mut self, hit: bool) {
        self.0 += usize::from(hit);
        self.1 += 1;
    }

    fn json(&self) -> Value {
        let share = Share { successes: self.0, trials: self.1 };
        let (low, high) = share.interval();
        json!({ "value": round(share.value()), "low": round(low), "high": round(high), "n": self.1 })
    }
}

impl Tally {
    fn count(&mut self, kind: Option<&str>, text: &str, verdict: Result<(), guard::Fault>) {
        let wrong = if let Some(kind) = kind {
            self.kinds.entry(kind.to_owned()).or_default().add(verdict.is_err());
            verdict.is_ok()
        } else {
            self.rejected.add(verdict.is_err());
            verdict.is_err()
        };
        if wrong {
            self.faults.push(json!({ "kind": kind, "text": text, "verdict": verdict.err() }));
        }
    }

    fn report(&self) -> Value {
        let caught = self.kinds.values().fold(Tried(0, 0), |s, k| Tried(s.0 + k.0, s.1 + k.1));
        let kinds: serde_json::Map<String, Value> = self
            .kinds
            .iter()
            .map(|(kind, share)| (kind.clone(), json!([share.0, share.1])))
            .collect();
        json!({ "caught": caught.json(), "faithful_rejected": self.rejected.json(), "kinds": kinds })
    }
}
