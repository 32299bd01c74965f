//! One report, from the uploaded file on. Blocks.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Job, Limits, Live};
use crate::backtest::report::{self, Loaded, Origin, ReportError, Settings, Stages};
use crate::backtest::{Embed, Stage, Watch};
use crate::domain::Headline;
use crate::exports::{self, HistoryOptions, MapError};
use crate::inference::{InferenceError, Lane};
use crate::judge::report::{InputFile, Report};
use crate::text::Rules;
use crate::triage::{Triage, TriageError};

/// Texts that wait in the encoder's queue at once: fewer than it lets others wait.
const EMBEDDED: usize = 32;
/// Threads that study. People who wait for answers need the others.
const THREADS: usize = 1;

/// A report that is made.
pub(super) struct Made {
    pub(super) headline: Option<Headline>,
    /// The report as JSON.
    pub(super) content: String,
}

/// Why there is none.
pub(super) enum Fault {
    /// The file's; told to whoever sent it.
    Told(String),
    /// Ours; for the log.
    Ours(String),
}

impl From<ReportError> for Fault {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Inference(error) => Self::Ours(error.to_string()),
            told => Self::Told(told.to_string()),
        }
    }
}

pub(super) fn make(
    job: Job,
    rules: &Rules,
    limits: Limits,
    triage: &Arc<Triage>,
    runtime: &Handle,
) -> Result<Made, Fault> {
    let ours = |error: &dyn std::fmt::Display| Fault::Ours(error.to_string());
    // A pool of its own, so that whoever waits for an answer never waits for this.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build();
    let pool = pool.map_err(|e| ours(&e))?;
    let report = pool.install(|| study(job, rules, limits, triage, runtime))?;
    let content = serde_json::to_string(&report).map_err(|e| ours(&e))?;
    let headline = report.fields.first().map(|first| Headline {
        field: first.field.name.clone(),
        accuracy: first.field.accuracy.value,
        low: first.field.accuracy.low,
        high: first.field.accuracy.high,
        answer: report.answer.clone(),
    });
    Ok(Made { headline, content })
}

fn study(
    job: Job,
    rules: &Rules,
    limits: Limits,
    triage: &Arc<Triage>,
    runtime: &Handle,
) -> Result<Report, Fault> {
    let Job { asked, content, sha256, live } = job;
    let bytes = live.record().bytes;
    let mut stages = Stages::default();
    let now = triage.now();
    let command = asked.command(limits.latest);
    let options = HistoryOptions {
        map: asked.map.parse().map_err(|e: MapError| Fault::Told(e.to_string()))?,
        dates: asked.dates,
        sheet: asked.sheet,
        // A workbook is held as a whole, several times as large as its file.
        limits: exports::Limits { text: limits.bytes, workbook: limits.bytes / 8 },
    };
    live.begin(Stage::Reading, None);
    let mut loaded = Loaded::default();
    let inner = BufReader::with_capacity(1 << 20, content);
    let read = Counted { inner, done: 0, whole: bytes as usize, live: &live };
    let file = InputFile { name: asked.file, bytes, sha256 };
    loaded.read(file, read, &options, now).map_err(|e| Fault::Told(e.to_string()))?;
    loaded.settle((limits.latest, "reports.latest in the settings"), rules)?;
    let fields = report::fields(&mut loaded, &asked.labels)?;
    live.change(|record| record.tickets = Some(loaded.tickets.len() as u64));
    stages.done("reading");
    let encoder = Queued { triage, runtime };
    let prepared = report::prepare_all(&mut loaded, rules, &encoder, &*live)?;
    stages.done("embedding");
    let origin = Origin {
        made_at: now.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        command,
        encoder: triage.encoder().to_owned(),
        threads: THREADS,
    };
    let how = (origin, &Settings::default());
    let made = report::make(&loaded, &prepared, &fields, &encoder, how, &mut stages, &*live)?;
    let mut report = made.report;
    report.provenance.seconds = stages.into_seconds();
    Ok(report)
}

/// A file that says how far it has been read.
struct Counted<'a> {
    inner: BufReader<File>,
    done: usize,
    whole: usize,
    live: &'a Live,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let more = self.inner.read(buffer)?;
        self.done += more;
        self.live.advance(self.done, self.whole);
        Ok(more)
    }
}

/// The service's own encoder, in the lane of those who have time.
struct Queued<'a> {
    triage: &'a Triage,
    runtime: &'a Handle,
}

impl Embed for Queued<'_> {
    fn embed(
        &self,
        texts: &[String],
        advance: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, InferenceError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(EMBEDDED) {
            let made = self.runtime.block_on(self.triage.embed(chunk.to_vec(), Lane::Bulk));
            vectors.extend(match made {
                Ok(made) => made.vectors,
                Err(TriageError::Inference(error)) => return Err(error),
                Err(_) => return Err(InferenceError::Stopped),
            });
            advance(chunk.len());
        }
        Ok(vectors)
    }

    fn wording(&self, text: &str) -> Result<Vec<i8>, InferenceError> {
        self.triage.inference().wording(text)
    }

    fn was_taught(&self, text: &str) -> bool {
        self.triage.was_taught(text)
    }
}
