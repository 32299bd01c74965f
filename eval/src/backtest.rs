//! `deskhand-eval backtest`: how well the labels of a history would have been told.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use deskhand::app;
use deskhand::backtest::{self, Figures, Parts, Plan, Prepared, Regime, Settings};
use deskhand::classify::Bundle;
use deskhand::domain::TicketText;
use deskhand::exports::{LabelledTicket, read_labelled};
use deskhand::judge::gate::Gate;
use deskhand::model::sha256;
use serde::Serialize;

use crate::desk::{ModelArgs, Silent};
use crate::output::{bar, follow, line};

/// Exit status where a gate is not met.
const GATE: u8 = 3;

/// Judge labels on a history: what is judged was never learned from.
///
/// Subject, body and messages are read, and no other field. Without --test, the rows of the split
/// `test` are judged; where the file has no splits, the latest fifth, or without times a fifth by
/// chance that leaves near-duplicates together.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  deskhand-eval backtest --train tickets.jsonl.gz --label team \
    --gate \"accuracy>=0.8,coverage@0.95>=0.5\"")]
pub(crate) struct Args {
    /// Labelled tickets: JSON lines or CSV, plain or gzip
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Judge by these; then all of --train is learned from
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// The field that holds the label
    #[arg(long, default_value = "category")]
    label: String,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    /// Judge by the rows of this split
    #[arg(long, value_name = "SPLIT", conflicts_with_all = ["test", "folds"])]
    score: Option<String>,
    /// Judge by all rows in K parts, each by a model that learned from the others
    #[arg(long, value_name = "K", conflicts_with = "test",
        value_parser = clap::value_parser!(u64).range(2..=100))]
    folds: Option<u64>,
    /// What stays together in a part (near-duplicates always do)
    #[arg(long, value_enum, default_value_t = Group::NearDuplicate, requires = "folds")]
    group: Group,
    /// Learn from so many tickets of each label, and from nothing else
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    per_class: Option<u64>,
    /// For all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What answers may rest on
    #[arg(long, value_enum, default_value_t = RegimeArg::Auto)]
    regime: RegimeArg,
    /// Judge this bundle instead of fitting; --train is its memory
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Exit with 3 unless these hold, for example "accuracy>=0.85,ece<=0.03"
    #[arg(long)]
    gate: Option<Gate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    /// Tickets that say nearly the same
    NearDuplicate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RegimeArg {
    /// All that the data allow
    Auto,
    /// The labels' names alone
    Described,
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    figures: Figures,
    label: String,
    classes: usize,
    /// Tickets that were learned from; 0 with a bundle, and where only the labels' words were read.
    fitted_on: usize,
    /// Set apart to calibrate by: beside these, or of these, and then together with parts of them
    /// that are left out in turn. Where they are few, those parts take their place.
    set_apart: usize,
    split: String,
    dropped: usize,
    /// Judged tickets that the encoder was fine-tuned on: more than a few flatter it.
    taught: usize,
    /// Judged tickets that say nearly the same as one that was learned from, as the data's own
    /// split may have it.
    repeated: usize,
    encoder: String,
    seed: u64,
    seconds: f64,
}

/// Labelled tickets of one field, in scope with a label or out of scope.
pub(crate) struct Data {
    pub(crate) tickets: Vec<LabelledTicket>,
    /// Rows from this one on are of the second file.
    test_from: Option<usize>,
    /// Each row's label by number.
    pub(crate) labels: Vec<usize>,
    pub(crate) names: Vec<String>,
    dropped: usize,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<std::process::ExitCode> {
    let start = Instant::now();
    if let Some(gate) = &args.gate {
        // A name that there is not is said before anything takes its time.
        gate.check(&unknown_figures())?;
    }
    let data = Data::read(&args.train, args.test.as_deref(), &args.label)?;
    let config = model.config(None)?;
    let encoder = app::manifest(&config)?.fingerprint();
    let embedder = app::embedder(&config, &Silent).await?;
    let report = tokio::task::spawn_blocking(move || -> Result<_> {
        let prepared = data.prepare(&embedder)?;
        let names: Vec<Vec<String>> = data.names.iter().map(|n| vec![n.clone()]).collect();
        let words = backtest::describe(&names, &embedder)?;
        let plan = Plan {
            test_from: data.test_from,
            score: args.score.clone(),
            folds: args.folds.map(|k| k as usize),
            per_class: args.per_class.map(|n| n as usize),
            seed: args.seed,
        };
        // What is of no label is dealt out as one of its own: it moves no label's tickets.
        let none = data.names.len();
        let dealt = data.tickets.iter().zip(&data.labels);
        let numbers: Vec<u32> = dealt
            .map(|(ticket, label)| if ticket.in_scope() { *label } else { none } as u32)
            .collect();
        let parts = plan.divide(&data.tickets, &numbers, &prepared.groups)?;
        let bundle =
            args.bundle.as_deref().map(|folder| Bundle::load(folder, &encoder)).transpose()?;
        if let Some(bundle) = &bundle {
            for file in std::iter::once(&args.train).chain(&args.test) {
                if sha256(file)? == bundle.manifest.data {
                    crate::output::note(&format!(
                        "note: the bundle was fitted to {}; what it is judged by, it may have learned",
                        file.display()
                    ))?;
                }
            }
        }
        let fitted = match &bundle {
            Some(bundle) => Some(bundle.fields.get(&args.label).with_context(|| {
                format!(
                    "the bundle has no field {:?}; it has: {}",
                    args.label,
                    bundle.fields.keys().cloned().collect::<Vec<_>>().join(", ")
                )
            })?),
            None => None,
        };
        let regime = match args.regime {
            RegimeArg::Auto => Regime::Automatic,
            RegimeArg::Described => Regime::Described,
        };
        let settings = Settings { regime, seed: args.seed, model: fitted, baselines: true };
        let progress = bar(1, "Fitting and judging");
        let figures = backtest::run(
            &prepared,
            &data.labels,
            &data.names,
            &words,
            &parts,
            settings,
            &follow(&progress),
        )?;
        progress.finish_and_clear();
        let fits = bundle.is_none() && args.regime == RegimeArg::Auto;
        let mean = |rows: fn(&Parts) -> usize| {
            if fits { parts.iter().map(rows).sum::<usize>() / parts.len() } else { 0 }
        };
        let report = Report {
            figures,
            classes: data.names.len(),
            fitted_on: mean(|parts| parts.fit.len()),
            set_apart: mean(|parts| parts.calibrate.len()),
            split: parts.first().map(|p| p.how.clone()).unwrap_or_default(),
            dropped: data.dropped,
            taught: parts.iter().map(|p| p.taught(&prepared.taught)).sum(),
            repeated: parts.iter().map(|p| p.repeated(&prepared.groups)).sum(),
            encoder,
            seed: args.seed,
            label: args.label,
            seconds: start.elapsed().as_secs_f64(),
        };
        Ok((report, args.gate, args.json))
    });
    let (report, gate, json) = report.await??;
    line(&if json {
        serde_json::to_string(&report)?
    } else {
        serde_json::to_string_pretty(&report)?
    })?;
    match gate {
        Some(gate) => check(&gate, &report.figures),
        None => Ok(std::process::ExitCode::SUCCESS),
    }
}

/// The same figure, as the report's JSON has it and as a word.
const OOS_RECALL: [&str; 2] = ["oos.recall", "oos_recall"];

/// All that a gate may name, not measured: no number meets no condition.
fn unknown_figures() -> BTreeMap<String, f64> {
    let names = ["accuracy", "macro_f1", "top3", "ece", "brier"].into_iter().chain(OOS_RECALL);
    let at = backtest::TARGETS.iter();
    let at = at.flat_map(|t| [format!("coverage@{t:.2}"), format!("precision@{t:.2}")]);
    names.map(str::to_owned).chain(at).map(|name| (name, f64::NAN)).collect()
}

/// Holds figures to a gate and says what falls short.
fn check(gate: &Gate, figures: &Figures) -> Result<std::process::ExitCode> {
    let mut named = unknown_figures();
    for (name, estimate) in [
        ("accuracy", figures.accuracy),
        ("macro_f1", figures.macro_f1),
        ("top3", figures.top3),
        ("ece", figures.ece),
        ("brier", figures.brier),
    ] {
        named.insert(name.to_owned(), estimate.value);
    }
    for at in &figures.coverage_at {
        named.insert(format!("coverage@{:.2}", at.target), at.coverage);
        named.insert(format!("precision@{:.2}", at.target), at.precision.unwrap_or(f64::NAN));
    }
    if let Some(oos) = &figures.oos {
        for name in OOS_RECALL {
            named.insert(name.to_owned(), oos.curve.recall);
        }
    }
    let short = gate.check(&named)?;
    for shortfall in &short {
        crate::output::note(&format!("gate not met: {shortfall}"))?;
    }
    Ok(if short.is_empty() { std::process::ExitCode::SUCCESS } else { GATE.into() })
}

impl Data {
    pub(crate) fn read(train: &Path, test: Option<&Path>, label: &str) -> Result<Self> {
        let mut data = Self {
            tickets: Vec::new(),
            test_from: None,
            labels: Vec::new(),
            names: Vec::new(),
            dropped: 0,
        };
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (nth, file) in std::iter::once(train).chain(test).enumerate() {
            let name = file.display().to_string();
            if nth > 0 {
                data.test_from = Some(data.tickets.len());
            }
            let open = File::open(file).with_context(|| name.clone())?;
            let read = read_labelled(open, None).with_context(|| name.clone())?;
            data.dropped += read.faults.count;
            for fault in read.faults.first.iter().take(5) {
                crate::output::note(&format!("{name}: {fault}"))?;
            }
            for warning in read.warnings.first.iter().take(5) {
                crate::output::note(&format!("{name}: {warning}"))?;
            }
            let before = data.tickets.len();
            let mut fields: BTreeMap<String, usize> = BTreeMap::new();
            for ticket in read.tickets {
                let found = ticket.label(label).map(str::to_owned);
                for field in ticket.labels.keys() {
                    *fields.entry(field.clone()).or_default() += 1;
                }
                match found {
                    _ if !ticket.in_scope() => data.labels.push(0),
                    Some(found) => {
                        let next = numbers.len();
                        data.labels.push(*numbers.entry(found).or_insert(next));
                    }
                    None => {
                        data.dropped += 1;
                        continue;
                    }
                }
                data.tickets.push(ticket);
            }
            if data.tickets.len() == before {
                let fields: Vec<_> = fields.into_keys().collect();
                bail!(
                    "{name}: no ticket has the label {label:?}; fields that may be labels: {}; choose one with --label",
                    fields.join(", ")
                );
            }
        }
        data.names = vec![String::new(); numbers.len()];
        for (name, at) in numbers {
            data.names[at] = name;
        }
        Ok(data)
    }

    /// Leaves out what is of none of the labels.
    pub(crate) fn keep_in_scope(&mut self) {
        let kept: Vec<bool> = self.tickets.iter().map(LabelledTicket::in_scope).collect();
        let mut of = kept.iter();
        self.tickets.retain(|_| of.next().is_some_and(|kept| *kept));
        let mut of = kept.iter();
        self.labels.retain(|_| of.next().is_some_and(|kept| *kept));
    }

    pub(crate) fn prepare(&self, embedder: &deskhand::inference::Embedder) -> Result<Prepared> {
        let texts: Vec<&TicketText> = self.tickets.iter().map(|t| &t.text).collect();
        let progress = bar(texts.len(), "Embedding");
        let prepared = backtest::prepare(&texts, embedder, |n| progress.inc(n as u64))?;
        progress.finish_and_clear();
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_may_name_what_was_not_measured_and_is_not_met_then() {
        let gate: Gate = "oos.recall>=0.7,coverage@0.95>=0.1".parse().unwrap();
        assert_eq!(gate.check(&unknown_figures()).unwrap().len(), 2);
        let gate: Gate = "acuracy>=0.7".parse().unwrap();
        assert!(gate.check(&unknown_figures()).is_err());
    }
}
