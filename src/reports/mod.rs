//! Back-tests made here, of exports that people upload: one at a time, others wait their turn.
//!
//! An upload is streamed to a file without a name, which goes with its last handle whatever
//! happens. It is embedded in the bulk lane of the service's own queue, behind everybody who waits
//! for an answer, and studied on one thread. Where it stands is in the store, so that every process
//! can tell; how far it is, here.

mod make;
mod upload;

use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex as Turn, mpsc};

use crate::backtest::report::shell;
use crate::backtest::{Stage, Watch};
use crate::domain::{ReportId, ReportRecord, ReportState, WorkspaceId};
use crate::exports::DateOrder;
use crate::triage::{Caller, Triage, TriageError};
pub use upload::{Upload, UploadError};

/// Reports that may be uploaded or wait at once, besides the one that is made.
pub const WAITING: usize = 4;
/// How often to say in the store that one is still being made.
const BEAT: Duration = Duration::from_secs(2);

/// What reports may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of an upload, and of the text in it once it is unpacked.
    pub bytes: u64,
    /// The latest tickets that are used.
    pub latest: usize,
    /// Reports that a desk keeps.
    pub keep: u32,
}

/// How an export is to be read, and which labels are judged: as the command line has it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The file's name, without folders.
    pub file: String,
    /// Columns named by hand: `subject=Summary,team=Assigned to`.
    pub map: String,
    /// `category`, `team`, `priority`; empty: category and team.
    pub labels: Vec<String>,
    /// How dates are written, where the column does not tell.
    pub dates: Option<DateOrder>,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
}

impl Asked {
    /// The command that makes the same report.
    fn command(&self, latest: usize) -> String {
        let mut words = vec!["deskhand-eval".to_owned(), "report".to_owned(), self.file.clone()];
        let dates = self.dates.map(|dates| match dates {
            DateOrder::DayFirst => "dmy".to_owned(),
            DateOrder::MonthFirst => "mdy".to_owned(),
        });
        let options = [
            ("--map", Some(self.map.clone()).filter(|map| !map.is_empty())),
            ("--label", Some(self.labels.join(",")).filter(|labels| !labels.is_empty())),
            ("--dates", dates),
            ("--sheet", self.sheet.clone()),
            ("--latest", Some(latest.to_string())),
        ];
        for (name, value) in options {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        shell(words)
    }
}

/// How far a report is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// The kind of label that it is about.
    pub field: Option<String>,
    /// Done: bytes, tickets or steps.
    pub done: usize,
    /// In all; 0 where nobody knows yet.
    pub of: usize,
}

/// Makes reports. Uploads are taken in from the start; they are made while [`Reports::work`] runs.
pub struct Reports {
    limits: Limits,
    folder: PathBuf,
    queue: mpsc::Sender<Job>,
    waiting: Turn<mpsc::Receiver<Job>>,
    live: Mutex<HashMap<ReportId, Arc<Live>>>,
}

/// A report that is to be made.
struct Job {
    asked: Asked,
    content: File,
    sha256: String,
    live: Arc<Live>,
}

/// What those who make a report and those who watch it share.
struct Live {
    workspace: WorkspaceId,
    record: Mutex<ReportRecord>,
    stop: AtomicBool,
    progress: Mutex<Option<Progress>>,
}

impl Live {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn record(&self) -> ReportRecord {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut ReportRecord)) {
        change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The only way out of the middle of a fit; nobody is left to hear of it.
    fn leave_if_stopped(&self) {
        if self.stopped() {
            std::panic::resume_unwind(Box::new("stopped"));
        }
    }
}

impl Watch for Live {
    fn begin(&self, stage: Stage, field: Option<&str>) {
        self.leave_if_stopped();
        let progress = Progress { stage, field: field.map(str::to_owned), done: 0, of: 0 };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn advance(&self, done: usize, of: usize) {
        self.leave_if_stopped();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = progress.as_mut() {
            // Threads of one step may report out of order.
            let again = progress.of != of;
            progress.done = if again { done } else { progress.done.max(done) };
            progress.of = of;
        }
    }
}

impl Reports {
    /// Reports whose uploads lie, unseen, in a folder of their own.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        Self { limits, folder, queue, waiting: Turn::new(waiting), live: Mutex::default() }
    }

    /// What reports may cost.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a place in the queue for an upload that begins.
    ///
    /// # Errors
    /// Too many wait already, or there is no room for a file.
    pub fn receive(&self) -> Result<Upload, UploadError> {
        let place = self.queue.clone().try_reserve_owned().map_err(|error| match error {
            TrySendError::Full(_) => UploadError::Busy,
            TrySendError::Closed(_) => UploadError::Stopped,
        })?;
        Upload::begin(&self.folder, self.limits.bytes, place)
    }

    /// All of an upload is here: it waits for its turn.
    ///
    /// # Errors
    /// The upload could not be written to its end, or the store failed.
    pub async fn enqueue(
        &self,
        triage: &Triage,
        caller: Caller,
        upload: Upload,
        asked: Asked,
    ) -> Result<ReportRecord, UploadError> {
        let received = upload.finish().await?;
        let keep = self.limits.keep;
        let begun = triage.begin_report(&caller, asked.file.clone(), received.bytes, keep);
        let record = begun.await?;
        let live = Arc::new(Live {
            workspace: caller.workspace,
            record: Mutex::new(record.clone()),
            stop: AtomicBool::new(false),
            progress: Mutex::default(),
        });
        self.lives().insert(record.id, Arc::clone(&live));
        let (content, sha256) = (received.content, received.sha256);
        received.place.send(Job { asked, content, sha256, live });
        Ok(record)
    }

    /// How far a report is that is made here; none where it waits, or is made elsewhere.
    pub fn progress(&self, id: ReportId) -> Option<Progress> {
        let live = self.lives().get(&id).cloned()?;
        live.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls a report off. Returns whether it was still under way.
    ///
    /// # Errors
    /// There is no such report, or the store failed.
    pub async fn cancel(
        &self,
        triage: &Triage,
        caller: &Caller,
        id: ReportId,
    ) -> Result<bool, TriageError> {
        let open = triage.cancel_report(caller, id).await?;
        self.stop(id);
        Ok(open)
    }

    /// Deletes a report; one under way ends with it.
    ///
    /// # Errors
    /// There is no such report, or the store failed.
    pub async fn delete(
        &self,
        triage: &Triage,
        caller: &Caller,
        id: ReportId,
    ) -> Result<(), TriageError> {
        triage.delete_report(caller, id).await?;
        self.stop(id);
        Ok(())
    }

    /// Makes what is uploaded, one after the other, until `stop` resolves. What is not done by then
    /// was interrupted.
    pub async fn work(&self, triage: Arc<Triage>, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            () = self.make_all(&triage) => {}
            () = self.beat(&triage) => {}
        }
        // Nothing more is taken in, and those who wait are told.
        self.waiting.lock().await.close();
        let left: Vec<_> = self.lives().drain().map(|(_, live)| live).collect();
        for live in left {
            live.stop();
            end(&triage, &live, ReportState::Interrupted).await;
        }
    }

    async fn make_all(&self, triage: &Arc<Triage>) {
        let mut waiting = self.waiting.lock().await;
        while let Some(job) = waiting.recv().await {
            let live = Arc::clone(&job.live);
            let id = live.record().id;
            self.make(triage, job, &live).await;
            self.lives().remove(&id);
        }
    }

    /// Says in the store every now and then that what is made here, or waits, is still wanted; and
    /// hears whether it is.
    async fn beat(&self, triage: &Triage) {
        loop {
            tokio::time::sleep(BEAT).await;
            let lives: Vec<_> = self.lives().values().cloned().collect();
            for live in lives {
                match triage.note_report(&live.workspace, &mut live.record(), None).await {
                    Ok(true) => {}
                    // Called off or deleted, here or elsewhere.
                    Ok(false) => live.stop(),
                    Err(error) => tracing::warn!(%error, "a report's progress could not be noted"),
                }
            }
        }
    }

    async fn make(&self, triage: &Arc<Triage>, job: Job, live: &Live) {
        live.change(|record| record.state = ReportState::Running);
        match triage.note_report(&live.workspace, &mut live.record(), None).await {
            Ok(true) => {}
            // Called off or deleted while it waited.
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "a report's progress could not be noted"),
        }
        let rules = match triage.rules(&live.workspace).await {
            Ok(rules) => rules,
            Err(error) => {
                tracing::error!(%error, "a report could not be made");
                return fail(triage, live, UNKNOWN.to_owned()).await;
            }
        };
        let (maker, limits) = (Arc::clone(triage), self.limits);
        let runtime = tokio::runtime::Handle::current();
        let making =
            tokio::task::spawn_blocking(move || make::make(job, &rules, limits, &maker, &runtime));
        match making.await {
            Ok(Ok(made)) => {
                live.change(|record| {
                    record.state = ReportState::Done;
                    record.headline = made.headline;
                });
                let content = Some(made.content.as_str());
                let kept = triage.note_report(&live.workspace, &mut live.record(), content).await;
                if let Err(error) = kept {
                    tracing::error!(%error, "a report could not be kept");
                    fail(triage, live, UNKNOWN.to_owned()).await;
                }
            }
            // What was called off has been said so already.
            _ if live.stopped() => {}
            Ok(Err(make::Fault::Told(reason))) => fail(triage, live, reason).await,
            Ok(Err(make::Fault::Ours(error))) => {
                tracing::error!(error, "a report could not be made");
                fail(triage, live, UNKNOWN.to_owned()).await;
            }
            Err(error) => {
                tracing::error!(%error, "a report could not be made");
                fail(triage, live, UNKNOWN.to_owned()).await;
            }
        }
    }

    fn stop(&self, id: ReportId) {
        if let Some(live) = self.lives().get(&id) {
            live.stop();
        }
    }

    fn lives(&self) -> std::sync::MutexGuard<'_, HashMap<ReportId, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody is told of a fault that is not theirs.
const UNKNOWN: &str = "something went wrong here, not with the file; the log says what";

async fn fail(triage: &Triage, live: &Live, reason: String) {
    live.change(|record| {
        record.failure = Some(reason);
        record.headline = None;
    });
    end(triage, live, ReportState::Failed).await;
}

async fn end(triage: &Triage, live: &Live, state: ReportState) {
    live.change(|record| record.state = state);
    if let Err(error) = triage.note_report(&live.workspace, &mut live.record(), None).await {
        tracing::warn!(%error, "a report's end could not be noted");
    }
}
