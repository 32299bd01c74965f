//! `deskhand-eval promises`: whether a target precision is kept, over and over.

use std::path::PathBuf;

use anyhow::{Context, Result};
use deskhand::app;
use deskhand::backtest::{self, Parts, Prepared, Regime, Settings};
use deskhand::judge::{binomial, splits};
use serde::Serialize;
use serde_json::json;

use crate::backtest::Data;
use crate::desk::{ModelArgs, Silent};
use crate::output::{bar, line};

/// The share of each split that is judged by.
const TEST_SHARE: f64 = 0.2;
/// The one-sided test that a precision is below its target.
const MISS: f64 = 0.05;

/// Fit and judge on many random splits: are precision and coverage as promised?
///
/// A split breaks the promise where a one-sided binomial test at 5 % finds the precision of what
/// was applied below the target. Splits in the file are ignored; near-duplicates stay together.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  deskhand-eval promises --data tickets.jsonl.gz --label team")]
pub(crate) struct Args {
    /// Labelled tickets: JSON lines or CSV, plain or gzip
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The field that holds the label
    #[arg(long, default_value = "category")]
    label: String,
    /// How many splits
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    splits: u64,
    /// The precision that is asked for
    #[arg(long, value_name = "SHARE", default_value_t = Target::P95, value_enum)]
    target: Target,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    #[value(name = "0.90")]
    P90,
    #[value(name = "0.95")]
    P95,
    #[value(name = "0.98")]
    P98,
}

/// What became of one split's promise.
#[derive(Debug, Serialize)]
struct Turn {
    seed: u64,
    n: usize,
    applied: usize,
    right: usize,
    /// The probability of so few right ones, were the precision just the target.
    p: f64,
    kept: bool,
    coverage: f64,
    promised: deskhand::judge::Estimate,
    within: bool,
    oracle_coverage: f64,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let mut data = Data::read(&args.data, None, &args.label)?;
    data.keep_in_scope();
    let config = model.config(None)?;
    let embedder = app::embedder(&config, &Silent).await?;
    let turns = tokio::task::spawn_blocking(move || -> Result<_> {
        let prepared = data.prepare(&embedder)?;
        let names: Vec<Vec<String>> = data.names.iter().map(|n| vec![n.clone()]).collect();
        let words = backtest::describe(&names, &embedder)?;
        let progress = bar(args.splits as usize, "Fitting and judging");
        let mut turns = Vec::new();
        for seed in 1..=args.splits {
            turns.push(turn(&args, &data, &prepared, &words, seed)?);
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok((turns, args.json))
    });
    let (turns, json) = turns.await??;
    let kept = turns.iter().filter(|t| t.kept).count();
    let within = turns.iter().filter(|t| t.within).count();
    let gap = turns.iter().map(|t| t.oracle_coverage - t.coverage).sum::<f64>();
    let report = json!({
        "splits": turns.len(),
        "promises_kept": kept,
        "coverage_within_interval": within,
        "mean_coverage": turns.iter().map(|t| t.coverage).sum::<f64>() / turns.len() as f64,
        "mean_gap_to_oracle": gap / turns.len() as f64,
        "turns": turns,
    });
    line(&if json { report.to_string() } else { serde_json::to_string_pretty(&report)? })
}

fn turn(
    args: &Args,
    data: &Data,
    prepared: &Prepared,
    words: &[deskhand::classify::ClassWords],
    seed: u64,
) -> Result<Turn> {
    let rows: Vec<usize> = (0..data.labels.len()).collect();
    let numbers: Vec<u32> = data.labels.iter().map(|l| *l as u32).collect();
    let split = splits::carve(&rows, &prepared.groups, &numbers, TEST_SHARE, seed)?;
    let parts = Parts { fit: split.train, score: split.test, ..Parts::default() };
    let settings = Settings { regime: Regime::Automatic, seed, model: None, baselines: false };
    let figures =
        backtest::run(prepared, &data.labels, &data.names, words, &[parts], settings, &|_, _| ())?;
    let at = figures.coverage_at.get(args.target as usize).context("no such target")?;
    let p = binomial::at_most(at.right, at.applied, at.target);
    let promised = at.promised_coverage;
    Ok(Turn {
        seed,
        n: figures.n,
        applied: at.applied,
        right: at.right,
        p,
        kept: at.applied == 0 || p >= MISS,
        coverage: at.coverage,
        promised,
        within: (promised.low..=promised.high).contains(&at.coverage),
        oracle_coverage: at.oracle_coverage,
    })
}
