//! From an export to a whole report: read, embedded, judged, its labels examined, replies drafted.
//! The command line and the console make theirs here; they differ in what embeds and who watches.

mod drafts;
mod load;
mod study;

use std::time::Instant;

use super::{Embed, Prepared, RunError, Stage, Watch, prepare_by};
use crate::inference::InferenceError;
use crate::judge::doctor::{Work, worklist};
use crate::judge::report::{FieldReport, Provenance, Report};
use crate::text::Rules;
pub use load::{Labels, Loaded, fields};
pub use study::{Examined, divide, examine, machine, shell};

/// How to judge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For all that is left to chance.
    pub seed: u64,
    /// Judge by this part of divided data.
    pub score: Option<String>,
    /// Minutes to read and route a ticket by hand.
    pub triage: f64,
    /// Minutes lost by a ticket with the wrong label.
    pub misroute: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, score: None, triage: 3.0, misroute: 20.0 }
    }
}

/// What a report is made with, to be told in it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// When, in UTC, as it is shown.
    pub made_at: String,
    /// The command line, or what was asked for.
    pub command: String,
    /// The encoder's fingerprint.
    pub encoder: String,
    /// Threads that study.
    pub threads: usize,
}

/// Why there is no report; told to whoever brought the export.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The export cannot be judged.
    #[error("{0}")]
    Unfit(String),
    /// Nothing could be fitted or judged.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The encoder failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

/// A report, and what belongs beside it.
#[derive(Debug)]
pub struct Made {
    /// The report.
    pub report: Report,
    /// Doubtful labels, one by one.
    pub works: Vec<Work>,
    /// A draft of a cleaned taxonomy, as TOML.
    pub taxonomy: String,
}

/// Time by stage.
#[derive(Debug)]
pub struct Stages {
    last: Instant,
    seconds: Vec<(String, f64)>,
}

impl Default for Stages {
    fn default() -> Self {
        Self { last: Instant::now(), seconds: Vec::new() }
    }
}

impl Stages {
    /// A stage has ended.
    pub fn done(&mut self, stage: &str) {
        self.seconds.push((stage.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }

    /// The seconds that each took.
    pub fn into_seconds(self) -> Vec<(String, f64)> {
        self.seconds
    }
}

/// Embeds a history that is settled, and groups what belongs together. Blocks.
///
/// # Errors
/// The encoder failed.
pub fn prepare_all(
    loaded: &mut Loaded,
    rules: &Rules,
    encoder: &dyn Embed,
    watch: &dyn Watch,
) -> Result<Prepared, ReportError> {
    watch.begin(Stage::Embedding, None);
    let (mut done, texts) = (0, loaded.texts());
    let mut prepared = prepare_by(rules, &texts, encoder, |more| {
        done += more;
        watch.advance(done, texts.len());
    })?;
    loaded.group(&mut prepared);
    Ok(prepared)
}

/// Judges every field and examines its labels. All but how fast it is, which only somebody with the
/// encoder to themselves can tell. Blocks, and takes long.
///
/// # Errors
/// Nothing could be judged.
pub fn make(
    loaded: &Loaded,
    prepared: &Prepared,
    fields: &[Labels],
    encoder: &dyn Embed,
    (origin, settings): (Origin, &Settings),
    stages: &mut Stages,
    watch: &dyn Watch,
) -> Result<Made, ReportError> {
    let mut report = Report {
        title: loaded.title.clone(),
        answer: String::new(),
        provenance: Provenance {
            made_at: origin.made_at,
            command: origin.command,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            encoder: origin.encoder,
            seed: settings.seed,
            files: loaded.files.clone(),
            machine: machine(),
            threads: origin.threads,
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
        let judged = study::judge(loaded, prepared, labels, settings, encoder, watch)?;
        stages.done(if n == 0 { "judging the first field" } else { "judging the second field" });
        report.warnings.extend(judged.warnings);
        if n == 0 {
            report.similar = Some(judged.similar);
            report.drafts = drafts::judge(loaded, prepared, &judged.scored, settings.seed, watch);
            stages.done("drafts");
        }
        let found = examine(loaded, prepared, labels, settings.seed, watch)?;
        works.extend(worklist(&labels.field, &found.doctor));
        if taxonomy.is_none() || labels.field == "category" {
            taxonomy = Some(found.taxonomy);
        }
        stages.done(if n == 0 { "label doctor" } else { "label doctor, second field" });
        report.fields.push(FieldReport { field: judged.field, doctor: found.doctor });
    }
    report.answer = report.sentence();
    Ok(Made { report, works, taxonomy: taxonomy.unwrap_or_default() })
}

#[cfg(test)]
mod tests;
