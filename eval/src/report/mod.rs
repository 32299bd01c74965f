//! `deskhand-eval report`: what an IT lead must know before trusting it, on one page.

mod inject;
pub(crate) mod load;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use deskhand::app;
use deskhand::backtest::report::{self, Loaded, Made, Origin, Settings, Stages, examine};
use deskhand::backtest::{Prepared, readable};
use deskhand::domain::Clock;
use deskhand::inference::Embedder;
use deskhand::judge::doctor::{self, worklist_csv};
use deskhand::judge::gate::{Figures, Gate};
use deskhand::judge::report::{FieldReport, Latency, Report, html};
use deskhand::text::Rules;

use crate::desk::{ModelArgs, Silent};
use crate::output::{Bars, line, note};
use load::Exports;

/// Exit status where a gate is not met.
const GATE: u8 = 3;
/// Tickets that are timed.
const TIMED: usize = 200;

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
    let mut loaded = load::read(&args.exports, clock.now())?;
    let fields = report::fields(&mut loaded, &args.label)?;
    stages.done("reading");
    let config = model.config(None)?;
    let origin = Origin {
        made_at: clock.now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        command: command(),
        encoder: app::manifest(&config)?.fingerprint(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let embedder = app::embedder(&config, &Silent).await?;
    let gate = args.gate.clone();
    let report = tokio::task::spawn_blocking(move || -> Result<Report> {
        let bars = Bars::default();
        let prepared = report::prepare_all(&mut loaded, &Rules::default(), &embedder, &bars)?;
        stages.done("embedding");
        let settings = Settings {
            seed: args.seed,
            score: args.score.clone(),
            triage: args.minutes_per_triage,
            misroute: args.minutes_per_misroute,
        };
        let how = (origin, &settings);
        let made = report::make(&loaded, &prepared, &fields, &embedder, how, &mut stages, &bars)?;
        let Made { mut report, works, taxonomy } = made;
        bars.finish();
        report.latency = latency(&loaded, &prepared, &embedder)?;
        stages.done("speed");
        report.provenance.seconds = stages.into_seconds();
        write(&args.out, &report, &worklist_csv(&works), &taxonomy)?;
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

/// How long one ticket takes from its words to the most similar tickets, all read anew.
fn latency(loaded: &Loaded, prepared: &Prepared, embedder: &Embedder) -> Result<Option<Latency>> {
    let rules = Rules::default();
    let tickets = loaded.texts();
    let step = (tickets.len() / TIMED).max(1);
    let mut times = Vec::new();
    for text in tickets.iter().step_by(step).take(TIMED) {
        let start = Instant::now();
        let words = readable(text, &rules);
        let embedding = embedder.embed_anew(&words)?;
        let best = prepared.vectors.iter().map(|v| crate::drafts::dot(v, &embedding.vector));
        std::hint::black_box(best.fold(f32::MIN, f32::max));
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    let all = at(0.5).zip(at(0.95)).zip(at(0.99));
    Ok(all.map(|((median_ms, p95_ms), p99_ms)| Latency {
        tickets: times.len(),
        median_ms,
        p95_ms,
        p99_ms,
        what: "Cleaning, redacting, embedding and comparing with every ticket of this history"
            .to_owned(),
    }))
}

/// The command line as it was typed, quoted for a shell.
fn command() -> String {
    report::shell(std::env::args().enumerate().map(
        |(n, word)| match word.rsplit(['/', '\\']).next() {
            Some(program) if n == 0 => program.to_owned(),
            _ => word,
        },
    ))
}

/// `deskhand-eval doctor`: what is wrong with labels, without judging a model.
pub(crate) mod labels {
    use super::{Bars, Context, Exports, Instant, ModelArgs, Path, PathBuf, Result, Rules, Silent};
    use super::{app, doctor, examine, inject, line, load, note, report};
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
        let mut loaded = load::read(&args.exports, app::SystemClock.now())?;
        let mut fields = report::fields(&mut loaded, std::slice::from_ref(&args.label))?;
        let mut labels = fields.swap_remove(0);
        let embedder = app::embedder(&model.config(None)?, &Silent).await?;
        let result = tokio::task::spawn_blocking(move || -> Result<_> {
            let bars = Bars::default();
            let prepared = report::prepare_all(&mut loaded, &Rules::default(), &embedder, &bars)?;
            let injected = args.inject.map(|share| inject::inject(&mut labels, share, args.seed));
            let found = examine(&loaded, &prepared, &labels, args.seed, &bars)?;
            bars.finish();
            if let Some(injected) = injected {
                let told = inject::told(&labels, &loaded, &injected, &found.doctor);
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
