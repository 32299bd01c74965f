//! `deskhand-train finetune`: the encoder, taught a desk's own distinctions.

mod batches;
mod checkpoint;
mod curves;
mod head;
mod kernels;
mod model;
mod noise;
mod ops;
mod optimiser;
mod result;
mod trainer;
mod workers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use deskhand::app;
use deskhand::config::Layers;
use deskhand::model::{Encoder, Manifest, Progress, Taught, Tokenizer, sha256};
use serde_json::json;

use crate::data::{self, Dataset, Row};
use crate::output::{bar, line};
use batches::Split;
use checkpoint::Identity;
use model::Model;
use result::{Comparison, Court, judge};
use trainer::{Examples, Settings, Trainer};
use workers::Workers;

/// Steps between two checkpoints within an epoch.
const CHECKPOINT_STEPS: usize = 50;

/// Fine-tune the encoder on labelled tickets.
///
/// Data are JSON lines or CSV with `subject`, `body` and the label; `split` (`train` fits, `valid`
/// and `tune` select, anything else is left alone) and `scope` are honoured. The result is a folder
/// that holds an encoder like any other: name it as `model.name`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  deskhand-train finetune --data tickets.jsonl.gz --out tuned\n  \
    deskhand-train finetune --data tickets.jsonl.gz --out tuned --resume"
)]
pub(crate) struct Args {
    /// Labelled tickets: JSON lines or CSV, plain or gzip
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The label's field
    #[arg(long, value_name = "FIELD", default_value = "category")]
    label: String,
    /// Folder for the result
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The encoder to begin with: a name, or a folder with its manifest.toml
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// Threads; 0 means one a core. The result does not depend on it
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Go on where an interrupted run with the same settings stopped
    #[arg(long)]
    resume: bool,
    /// Open no connection for model files
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    args.settings.check()?;
    let config = Layers::new()
        .environment(std::env::vars())
        .flag("--encoder", "model", "name", args.encoder.clone())
        .flag("--offline", "model", "offline", args.offline.then(|| "true".to_owned()))
        .build()?;
    let base = app::manifest(&config)?;
    let folder = app::fetcher(&config)?.ensure(&base, &Silent).await?;
    tokio::task::spawn_blocking(move || tune(&args, &base, &folder)).await?
}

fn tune(args: &Args, base: &Manifest, base_folder: &Path) -> Result<()> {
    let settings = &args.settings;
    let rows = data::read(&args.data, &args.label)?;
    let split = batches::split(&rows.rows, settings.validation_share, settings.seed);
    let labels = labels(&rows.rows, &split)?;
    line(&format!(
        "{} rows to learn from, {} to select by ({}), {} labels; left out: {} of other splits, {} \
         out of scope, {} without text or label",
        split.train.len(),
        split.valid.len(),
        if split.carved { "carved from the training rows" } else { "the file's own" },
        labels.len(),
        rows.rows.len() - split.train.len() - split.valid.len(),
        rows.out_of_scope,
        rows.unusable,
    ))?;
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    ensure!(
        fs::canonicalize(&args.out)? != fs::canonicalize(base_folder)?,
        "--out is the folder of the encoder to begin with; name another"
    );
    let identity = Identity {
        data: sha256(&args.data)?,
        label: args.label.clone(),
        encoder: base.fingerprint(),
        settings: settings.clone(),
    };
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let encoder = Encoder::load(base, base_folder, threads)?;
    let tokenizer = Tokenizer::load(base_folder, settings.max_tokens.min(base.max_tokens))?
        .prefixed(&base.prefix)?;
    let examples =
        |rows_: &[usize], what: &str| examples(&rows, rows_, &labels, &tokenizer, &encoder, what);
    let train = examples(&split.train, "Embedding, training")?;
    let valid = examples(&split.valid, "Embedding, validation")?;
    let base_taught = encoder.taught().clone();

    let device = Device::cuda_if_available(0)?;
    // A GPU is one queue; more threads would only wait for it in turn.
    let workers = Workers::new(if device.is_cpu() { threads } else { 1 })?;
    let texts = |rows_: &[usize]| rows_.iter().map(|n| rows.rows[*n].text.as_str()).collect();
    let taught: Vec<&str> = texts(&split.train);
    let classes: Vec<&str> = labels.keys().copied().collect();
    let court =
        Court::new([&taught, &texts(&split.valid)], [&train, &valid], &classes, &base_taught);
    let judged = |encoder: &Encoder, known: &[Vec<f32>], asked: &[Vec<f32>]| {
        let parts = ((known, &train), (asked, &valid));
        workers.together(|| judge(encoder, parts.0, parts.1, &court, settings.seed))
    };
    let frozen = judged(&encoder, &train.frozen, &valid.frozen)?;
    drop(encoder);
    let model = Model::load(base, base_folder, &device)?;
    let mut trainer = Trainer::new(settings, &model, &workers, [&train, &valid], labels.len())?;
    if args.resume && args.out.join(checkpoint::FILE).exists() {
        checkpoint::load(&args.out, &identity, &mut trainer)?;
        line(&format!("resumed after {} steps", trainer.optimiser.steps))?;
    }
    train_epochs(&mut trainer, &args.out, &identity)?;
    trainer.restore_best()?;

    let name = format!("{}-{}-{}", base.name, stem(&args.data), args.label);
    let taught = base_taught.and(&Taught::of(taught));
    let manifest = result::write(&model, base, base_folder, &args.out, &name, &taught)?;
    let encoder = Encoder::load(&manifest, &args.out, threads)?;
    let vectors = |examples: &Examples, what: &str| {
        let progress = bar(examples.tokens.len(), what.to_owned());
        result::embed(&encoder, &examples.tokens, |n| progress.inc(n as u64))
    };
    let (known, asked) = (vectors(&train, "Judging, training")?, vectors(&valid, "Judging")?);
    let tuned = judged(&encoder, &known, &asked)?;
    let comparison = Comparison { frozen, tuned };
    let history = &trainer.standing.history;
    let best = trainer.standing.best.unwrap_or_default();
    let curves = curves::svg(history, comparison.frozen.accuracies(), best);
    fs::write(args.out.join("training.svg"), curves)?;
    let report = json!({
        "name": manifest.name,
        "fingerprint": manifest.fingerprint(),
        "base": identity.encoder,
        "data": { "file": stem(&args.data), "sha256": identity.data, "label": args.label },
        "rows": {
            "train": split.train.len(), "valid": split.valid.len(), "carved": split.carved,
            "labels": labels.len(), "other_splits":
                rows.rows.len() - split.train.len() - split.valid.len(),
            "out_of_scope": rows.out_of_scope, "unusable": rows.unusable,
        },
        // What the encoder has not learned from: what is fitted on top of it is selected by these.
        "validation_lines": split.valid.iter().map(|n| rows.rows[*n].line).collect::<Vec<_>>(),
        "settings": settings,
        "steps": trainer.optimiser.steps,
        "best_epoch": best + 1,
        "epochs": history,
        "validation": comparison.json(),
    });
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    fs::write(args.out.join("training.json"), text)?;
    let _ = fs::remove_file(args.out.join(checkpoint::FILE));
    line(&format!("frozen  {}", comparison.frozen.line()))?;
    line(&format!("tuned   {}", comparison.tuned.line()))?;
    line(&format!("on {} validation rows {}", split.valid.len(), comparison.verdict()))?;
    line(&format!("the encoder is in {}; use it with model.name = that folder", args.out.display()))
}

/// Trains to the end, leaving a checkpoint every so often.
fn train_epochs(trainer: &mut Trainer<'_>, out: &Path, identity: &Identity) -> Result<()> {
    let per_epoch = trainer.batches().len() as u64;
    let total = per_epoch * trainer.settings.epochs;
    while !trainer.done() {
        let batches = trainer.batches();
        let number = trainer.standing.history.len() + 1;
        let progress = bar(batches.len(), format!("Epoch {number} of {}", trainer.settings.epochs));
        progress.set_position(trainer.standing.batches as u64);
        progress.reset_eta();
        for batch in batches.iter().skip(trainer.standing.batches) {
            trainer.step(batch, total)?;
            progress.inc(1);
            if trainer.standing.batches.is_multiple_of(CHECKPOINT_STEPS) {
                checkpoint::save(out, identity, trainer)?;
            }
        }
        progress.finish_and_clear();
        let epoch = trainer.finish_epoch()?;
        checkpoint::save(out, identity, trainer)?;
        line(&format!(
            "epoch {number}: cross-entropy {:.4}, contrastive {:.4}; validation {:.2} % by class \
             vectors, {:.2} % by neighbours",
            epoch.cross_entropy,
            epoch.contrastive,
            100.0 * epoch.head,
            100.0 * epoch.neighbours,
        ))?;
    }
    Ok(())
}

/// The training rows' labels, numbered in their order.
fn labels<'r>(rows: &'r [Row], split: &Split) -> Result<BTreeMap<&'r str, u32>> {
    let mut labels: BTreeMap<&str, u32> =
        split.train.iter().map(|n| (rows[*n].label.as_str(), 0)).collect();
    for (number, label) in labels.values_mut().enumerate() {
        *label = number as u32;
    }
    ensure!(
        labels.len() > 1,
        "the training rows have {} label(s); at least two are needed",
        labels.len()
    );
    ensure!(
        !split.valid.is_empty(),
        "there are no rows to select by; give some the split `valid`, or raise --validation-share"
    );
    Ok(labels)
}

fn examples(
    rows: &Dataset,
    chosen: &[usize],
    labels: &BTreeMap<&str, u32>,
    tokenizer: &Tokenizer,
    encoder: &Encoder,
    what: &str,
) -> Result<Examples> {
    let (mut tokens, mut numbers) = (Vec::new(), Vec::new());
    for row in chosen.iter().map(|n| &rows.rows[*n]) {
        tokens.push(tokenizer.beginning(&row.text)?);
        // A label that only validation has is one that no answer can be.
        numbers.push(labels.get(row.label.as_str()).copied().unwrap_or(u32::MAX));
    }
    let progress = bar(tokens.len(), what.to_owned());
    let frozen = result::embed(encoder, &tokens, |n| progress.inc(n as u64))?;
    progress.finish_and_clear();
    Ok(Examples { tokens, labels: numbers, frozen })
}

/// A file's name without its endings.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').find(|part| !part.is_empty()).unwrap_or("data").to_owned()
}

/// Training's own bars are enough; a download of weights that are missing goes on unseen.
pub(crate) struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self, _: &str) {}
    fn note(&self, _: &str) {}
}
