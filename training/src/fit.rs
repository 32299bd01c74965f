//! `deskhand-train fit`: a bundle from labelled tickets.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use deskhand::app;
use deskhand::backtest::{self, Prepared};
use deskhand::classify::bundle::FORMAT;
use deskhand::classify::{
    Bundle, BundleManifest, Calibration, FieldModel, Labelled, Options, UNKNOWN_CLASS, fit,
};
use deskhand::config::Layers;
use deskhand::domain::{Taxonomy, TicketText};
use deskhand::exports::{LabelledTicket, read_labelled};
use deskhand::inference::Embedder;
use deskhand::judge::splits;
use deskhand::model::sha256;

use crate::finetune::Silent;
use crate::output::{bar, line};

/// The share of dated tickets that is calibrated on, the latest, where the data name no part for
/// it. They are learned from too; a model without them tells what it would have said of them.
const LATEST: f64 = 0.2;
/// Tickets below which that share would say too little; parts left out in turn say more then.
const ENOUGH_TO_CALIBRATE: usize = 2_500;

/// Fit a bundle to labelled tickets.
///
/// Subject, body and messages are read, and no other field. Rows of the split `test` are left
/// alone, `calibration` only calibrates; without it `valid` or `tune` do, as a model without them
/// answers them, beside parts left out in turn, near-duplicates together. Without splits that is
/// the latest fifth of dated tickets, else those parts alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  deskhand-train fit --data tickets.jsonl.gz \
    --labels category,team --out bundle")]
pub(crate) struct Args {
    /// Labelled tickets: JSON lines or CSV, plain or gzip
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Fields that hold labels
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', default_value = "category")]
    labels: Vec<String>,
    /// Folder for the bundle
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the labels mean, as `deskhand` reads it
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
    /// The share of applied labels that should be right
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = target)]
    target_precision: f64,
    /// For all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The encoder: a name, or a folder with its manifest.toml
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// Open no connection for model files
    #[arg(long)]
    offline: bool,
}

fn target(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.5..1.0).contains(&share) { Ok(share) } else { Err("from 0.5 to below 1".to_owned()) }
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let config = Layers::new()
        .environment(std::env::vars())
        .flag("--encoder", "model", "name", args.encoder.clone())
        .flag("--offline", "model", "offline", args.offline.then(|| "true".to_owned()))
        .build()?;
    let encoder = app::manifest(&config)?.fingerprint();
    let embedder = app::embedder(&config, &Silent).await?;
    tokio::task::spawn_blocking(move || learn(&args, encoder, &embedder)).await?
}

fn learn(args: &Args, encoder: String, embedder: &Embedder) -> Result<()> {
    let name = args.data.display().to_string();
    let open = || File::open(&args.data).with_context(|| name.clone());
    let mut read = read_labelled(open()?, None).with_context(|| name.clone())?;
    read.tickets.retain(LabelledTicket::in_scope);
    let mut tickets = read.tickets;
    let taxonomy = match &args.taxonomy {
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
            Some(Taxonomy::from_toml(&text).with_context(|| name)?)
        }
        None => None,
    };
    let texts: Vec<&TicketText> = tickets.iter().map(|t| &t.text).collect();
    let progress = bar(texts.len(), "Embedding".to_owned());
    let mut data = backtest::prepare(&texts, embedder, |n| progress.inc(n as u64))?;
    progress.finish_and_clear();
    // What is learned from is made; of a large history the words themselves are much beside it.
    data.texts = Vec::new();
    for ticket in &mut tickets {
        ticket.text = TicketText::default();
    }
    let parts = Parts::of(&tickets, &data)?;
    let mut fields = BTreeMap::new();
    for field in &args.labels {
        let model = learn_field(args, field, &tickets, &data, &parts, taxonomy.as_ref(), embedder)?;
        fields.insert(field.clone(), model);
    }
    let manifest = BundleManifest {
        format: FORMAT,
        encoder,
        taxonomy: taxonomy.map(|t| format!("{}@{}", t.name, t.version)),
        data: sha256(&args.data)?,
        split: parts.how,
        seed: args.seed,
        target_precision: args.target_precision,
        fields: BTreeMap::new(),
    };
    let bundle = Bundle::new(manifest, fields);
    bundle.save(&args.out)?;
    for (name, field) in &bundle.manifest.fields {
        let Some(metrics) = &field.metrics else {
            line(&format!(
                "{name}: {} labels; too few tickets to say how good",
                field.classes.len()
            ))?;
            continue;
        };
        line(&format!(
            "{name}: {} labels, {:.3} right of {} held-out tickets; at a precision of {}, {:.3} of \
             tickets get their label without a person",
            field.classes.len(),
            metrics.accuracy,
            metrics.n,
            args.target_precision,
            metrics.coverage,
        ))?;
    }
    line(&format!("bundle {} in {}", bundle.id(), args.out.display()))
}

fn learn_field(
    args: &Args,
    field: &str,
    tickets: &[LabelledTicket],
    data: &Prepared,
    parts: &Parts,
    taxonomy: Option<&Taxonomy>,
    embedder: &Embedder,
) -> Result<FieldModel> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for label in parts.fit.iter().filter_map(|row| tickets[*row].label(field)) {
        numbers.entry(label).or_default();
    }
    if numbers.is_empty() {
        let mut known: Vec<&String> = tickets.iter().flat_map(|t| t.labels.keys()).collect();
        known.sort_unstable();
        known.dedup();
        bail!("no ticket has the label {field:?}; fields that may be labels: {known:?}");
    }
    numbers.values_mut().enumerate().for_each(|(at, number)| *number = at);
    let classes: Vec<String> = numbers.keys().map(|label| (*label).to_owned()).collect();
    let phrases: Vec<Vec<String>> =
        classes.iter().map(|class| phrases(class, field, taxonomy)).collect();
    let words = backtest::describe(&phrases, embedder)?;
    let number = |row: &usize| {
        let label = tickets[*row].label(field)?;
        Some((*row, numbers.get(label).copied().unwrap_or(UNKNOWN_CLASS)))
    };
    let labelled = |rows: &[usize]| Labelled::of(data.readings(), rows.iter().filter_map(number));
    let (learned, calibrated) = (labelled(&parts.fit), labelled(&parts.calibrate));
    let held = learned.positions(&parts.calibrate);
    let calibration = if calibrated.is_empty() {
        Calibration::Folds
    } else if held.is_empty() {
        Calibration::Apart(calibrated.history(&classes, &words))
    } else if parts.by_time {
        Calibration::Latest(&held)
    } else {
        Calibration::Held(&held)
    };
    let progress = bar(1, format!("Fitting {field}"));
    let model = fit(
        learned.history(&classes, &words),
        calibration,
        Options { seed: args.seed },
        &|done, of| {
            progress.set_length(of as u64);
            progress.set_position(done as u64);
        },
    )?;
    progress.finish_and_clear();
    Ok(model)
}

/// A label's name, and what the taxonomy says of it.
fn phrases(class: &str, field: &str, taxonomy: Option<&Taxonomy>) -> Vec<String> {
    let mut phrases = vec![class.to_owned()];
    match (field, taxonomy) {
        ("category", Some(taxonomy)) => {
            if let Some(category) = taxonomy.category(class) {
                phrases.push(category.description.clone());
                phrases.extend(category.examples.iter().cloned());
            }
        }
        ("team", Some(taxonomy)) => {
            phrases.extend(taxonomy.team(class).map(|team| team.description.clone()));
        }
        _ => {}
    }
    phrases
}

/// Which rows serve for what.
struct Parts {
    fit: Vec<usize>,
    calibrate: Vec<usize>,
    /// Whether those are the latest.
    by_time: bool,
    how: String,
}

impl Parts {
    fn of(tickets: &[LabelledTicket], data: &Prepared) -> Result<Self> {
        let named = tickets.iter().any(|t| t.split.is_some());
        let parts = if named {
            let of = |wanted: fn(&str) -> bool| {
                let name = |row: &usize| tickets[*row].split.as_deref().unwrap_or_default();
                (0..tickets.len()).filter(|row| wanted(name(row))).collect()
            };
            let apart = of(|name| name == "calibration");
            let held = of(|name| matches!(name, "valid" | "tune"));
            Self {
                fit: of(|name| !matches!(name, "test" | "calibration")),
                calibrate: if apart.is_empty() { held } else { apart },
                by_time: false,
                how: "the data's own".to_owned(),
            }
        } else {
            let times: Vec<_> = tickets.iter().map(|t| t.created_at).collect();
            let dated = times.iter().flatten().count();
            let in_order = dated * 2 > times.len() && tickets.len() >= ENOUGH_TO_CALIBRATE;
            match splits::by_time(&times, &data.groups, LATEST) {
                // Unless most came in at once: that is no order to go by.
                Ok(split) if in_order && split.test.len() <= split.train.len() => Self {
                    fit: (0..tickets.len()).collect(),
                    calibrate: split.test,
                    by_time: true,
                    how: "the latest fifth calibrates".to_owned(),
                },
                _ => Self {
                    fit: (0..tickets.len()).collect(),
                    calibrate: Vec::new(),
                    by_time: false,
                    how: "parts left out in turn, near-duplicates together".to_owned(),
                },
            }
        };
        ensure!(!parts.fit.is_empty(), "every ticket is of the split `test` or `calibration`");
        Ok(parts)
    }
}
