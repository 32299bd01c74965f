//! `deskhand-eval report`: what an IT lead must know before trusting it, on one page.

mod beside;
pub(crate) mod load;
pub(crate) mod study;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use deskhand::app;
use deskhand::backtest;
use deskhand::domain::Clock;
use deskhand::judge::doctor::{self, worklist, worklist_csv};
use deskhand::judge::gate::{Figures, Gate};
use deskhand::judge::report::{FieldReport, Provenance, Report, html};

use crate::desk::{ModelArgs, Silent};
use crate::output::{bar, line, note};
use load::{Exports, Loaded};
use study::Stages;

/// Exit status where a gate is not met.
const GATE: u8 = 3;

/// Judge a desk's own history, and its labels, on one page.
///
/// Reads exports of Zendesk, Jira, ServiceNow, Freshdesk, Zammad, RT, Redmine and others as they
/// are. The latest fifth of the tickets is judged by what the others taught; near-duplicates and
/// threads never stand on both sides, and nothing that is written after a ticket came in is read.
/// Beside the page come the same as JSON, a worklist of doubtful labels as CSV, and a draft of a
/// cleaned taxonomy. Nothing leaves this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval report --out report.html\n  \
    deskhand-eval report tickets.xlsx --map team=\"Assigned to\" --out report.html\n  \
    deskhand-eval report 2024.csv 2025.csv --label team --gate \"accuracy>=0.8,coverage@0.95>=0.5\"")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) exports: Exports,
    /// The page; beside it go .json, .worklist.csv and .taxonomy.toml
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Fields to judge: category, team, priority; without it category and team
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    label: Vec<String>,
    /// Judge by the rows of this split, where the data are divided
    #[arg(long, value_name = "SPLIT")]
    score: Option<String>,
    /// Minutes to read and route a ticket by hand
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    minutes_per_triage: f64,
    /// Minutes lost by a ticket with the wrong label
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    minutes_per_misroute: f64,
    /// For all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with 3 unless these hold for the first field, for example "accuracy>=0.85,ece<=0.03"
    #[arg(long)]
    gate: Option<Gate>,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<ExitCode> {
    let clock = app::SystemClock;
    let mut stages = Stages::default();
    let mut loaded = Loaded::read(&args.exports, clock.now())?;
    let fields = load::fields(&mut loaded, &args.label)?;
    stages.done("reading");
    let config = model.config(None)?;
    let encoder = app::manifest(&config)?.fingerprint();
    let embedder = app::embedder(&config, &Silent).await?;
    let made_at = clock.now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let gate = args.gate.clone();
    let report = tokio::task::spawn_blocking(move || -> Result<Report> {
        let texts = loaded.texts();
        let progress = bar(texts.len(), "Embedding");
        let mut prepared = backtest::prepare(&texts, &embedder, |n| progress.inc(n as u64))?;
        progress.finish_and_clear();
        loaded.group(&mut prepared);
        stages.done("embedding");
        let settings = study::Settings {
            seed: args.seed,
            score: args.score.clone(),
            triage: args.minutes_per_triage,
            misroute: args.minutes_per_misroute,
        };
        let mut report = Report {
            title: loaded.title.clone(),
            answer: String::new(),
            provenance: Provenance {
                made_at,
                command: study::command(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                encoder,
                seed: args.seed,
                files: loaded.files.clone(),
                machine: study::machine(),
                threads: std::thread::available_parallelism().map_or(1, usize::from),
                seconds: Vec::new(),
            },
            data: loaded.data.clone(),
            warnings: loaded.warnings.clone(),
            fields: Vec::new(),
            similar: None,
            drafts: None,
            latency: None,
        };
        let (mut works, mut taxonomy) = (Vec::new(), None);
        for (n, labels) in fields.iter().enumerate() {
            let judged = study::judge(&loaded, &prepared, labels, &settings, &embedder)?;
            stages.done(if n == 0 {
                "judging the first field"
            } else {
                "judging the second field"
            });
            report.warnings.extend(judged.warnings);
            if n == 0 {
                report.similar = Some(judged.similar);
                report.drafts = beside::drafts(&loaded, &prepared, &judged.scored, args.seed);
            }
            let found = study::examine(&loaded, &prepared, labels, args.seed)?;
            works.extend(worklist(&labels.field, &found.doctor));
            if taxonomy.is_none() || labels.field == "category" {
                taxonomy = Some(found.taxonomy);
            }
            stages.done(if n == 0 { "label doctor" } else { "label doctor, second field" });
            report.fields.push(FieldReport { field: judged.field, doctor: found.doctor });
        }
        report.latency = beside::latency(&loaded, &prepared, &embedder)?;
        stages.done("drafts and speed");
        report.answer = report.sentence();
        report.provenance.seconds = stages.into_seconds();
        write(&args.out, &report, &worklist_csv(&works), &taxonomy.unwrap_or_default())?;
        Ok(report)
    });
    let report = report.await??;
    line(&report.answer)?;
    for warning in &report.warnings {
        note(&format!("note: {warning}"))?;
    }
    match gate {
        Some(gate) => check(&gate, &report),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Writes the page and what belongs to it, and says where.
fn write(out: &Path, report: &Report, works: &str, taxonomy: &str) -> Result<()> {
    let beside = |ending: &str| out.with_extension(ending);
    let files = [
        (out.to_path_buf(), html(report)?),
        (beside("json"), serde_json::to_string_pretty(report)?),
        (beside("worklist.csv"), works.to_owned()),
        (beside("taxonomy.toml"), taxonomy.to_owned()),
    ];
    for (file, content) in files {
        std::fs::write(&file, content).with_context(|| file.display().to_string())?;
        note(&format!("wrote {}", file.display()))?;
    }
    Ok(())
}

/// Holds the first field's figures to a gate and says what falls short.
fn check(gate: &Gate, report: &Report) -> Result<ExitCode> {
    let Some(FieldReport { field, .. }) = report.fields.first() else {
        return Ok(ExitCode::from(GATE));
    };
    let mut named: Figures = [
        ("accuracy", field.accuracy),
        ("macro_f1", field.macro_f1),
        ("top3", field.top3),
        ("ece", field.ece),
    ]
    .map(|(name, estimate)| (name.to_owned(), estimate.value))
    .into();
    for at in &field.operating {
        named.insert(format!("coverage@{:.2}", at.target), at.coverage.value);
        let precision = at.precision.map_or(f64::NAN, |p| p.value);
        named.insert(format!("precision@{:.2}", at.target), precision);
    }
    let short = gate.check(&named)?;
    for shortfall in &short {
        note(&format!("gate not met, {}: {shortfall}", field.name))?;
    }
    Ok(if short.is_empty() { ExitCode::SUCCESS } else { GATE.into() })
}

/// `deskhand-eval doctor`: what is wrong with labels, without judging a model.
pub(crate) mod labels {
    use super::{Context, Exports, Instant, Loaded, ModelArgs, Path, PathBuf, Result, Silent};
    use super::{app, backtest, bar, doctor, line, load, note, study};
    use deskhand::domain::Clock;

    /// Find what is wrong with a history's labels.
    ///
    /// Contradictions, probable mislabelling, labels that overlap, should be divided, are hardly
    /// used or hold whatever fits nowhere else, and tickets that went from team to team.
    #[derive(Debug, clap::Args)]
    #[command(after_help = "Examples:\n  deskhand-eval doctor tickets.csv --label team\n  \
        deskhand-eval doctor tickets.jsonl --inject 0.08")]
    pub(crate) struct Args {
        #[command(flatten)]
        exports: Exports,
        /// The field to look at: category, team or priority
        #[arg(long, default_value = "category")]
        label: String,
        /// Where the worklist goes
        #[arg(long, value_name = "FILE", default_value = "worklist.csv")]
        worklist: PathBuf,
        /// Where the draft of a cleaned taxonomy goes
        #[arg(long, value_name = "FILE", default_value = "taxonomy.toml")]
        taxonomy: PathBuf,
        /// Put wrong labels on this share of the tickets first, and say how many were found
        #[arg(long, value_name = "SHARE")]
        inject: Option<f64>,
        /// For all that is left to chance
        #[arg(long, default_value_t = 1)]
        seed: u64,
    }

    pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
        let start = Instant::now();
        let mut loaded = Loaded::read(&args.exports, app::SystemClock.now())?;
        let mut fields = load::fields(&mut loaded, std::slice::from_ref(&args.label))?;
        let mut labels = fields.swap_remove(0);
        let embedder = app::embedder(&model.config(None)?, &Silent).await?;
        let result = tokio::task::spawn_blocking(move || -> Result<_> {
            let texts = loaded.texts();
            let progress = bar(texts.len(), "Embedding");
            let mut prepared = backtest::prepare(&texts, &embedder, |n| progress.inc(n as u64))?;
            progress.finish_and_clear();
            loaded.group(&mut prepared);
            let injected = args.inject.map(|share| study::inject(&mut labels, share, args.seed));
            let found = study::examine(&loaded, &prepared, &labels, args.seed)?;
            if let Some(injected) = injected {
                let told = study::told(&labels, &loaded, &injected, &found.doctor);
                return Ok(serde_json::to_string_pretty(&told)?);
            }
            let works = doctor::worklist(&labels.field, &found.doctor);
            save(&args.worklist, &doctor::worklist_csv(&works))?;
            save(&args.taxonomy, &found.taxonomy)?;
            Ok(serde_json::to_string_pretty(&found.doctor)?)
        });
        line(&result.await??)?;
        note(&format!("{:.1} s", start.elapsed().as_secs_f64()))
    }

    fn save(file: &Path, content: &str) -> Result<()> {
        std::fs::write(file, content).with_context(|| file.display().to_string())?;
        note(&format!("wrote {}", file.display()))
    }
}

#[cfg(test)]
mod tests;
