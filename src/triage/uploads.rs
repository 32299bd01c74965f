//! Histories that are sent over HTTP: kept piece by piece as they arrive, taken in by a job.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Caller, ImportProgress, Receipt, Triage, TriageError};
use crate::domain::{ImportId, ImportRecord, ImportState, JobId, LineFault, WorkspaceId};
use crate::exports::{self, Export, Options, RowFault};
use crate::store::{AuditEntry, JobKind, NewJob, StoreError};

/// Faults that are kept one by one; the rest is counted.
const KEPT_FAULTS: usize = 1000;
/// An import of which nothing was kept for so long is not being sent any more.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(24);

/// A history on its way in.
pub struct Upload<'a> {
    triage: &'a Triage,
    caller: &'a Caller,
    record: ImportRecord,
    chunks: u32,
}

impl Triage {
    /// Begins to receive a history, whose ids belong to the ticketing system `source`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin_import<'a>(
        &'a self,
        caller: &'a Caller,
        source: String,
    ) -> Result<Upload<'a>, TriageError> {
        let now = self.parts.clock.now();
        let record = ImportRecord {
            id: ImportId::new(self.parts.ids.next()),
            state: ImportState::Receiving,
            source,
            created_at: now,
            updated_at: now,
            bytes: 0,
            rows: None,
            done: 0,
            imported: 0,
            unchanged: 0,
            rejected: 0,
            errors: Vec::new(),
            warnings: Vec::new(),
            failure: None,
        };
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        tx.put_import(&record).await?;
        tx.commit().await?;
        Ok(Upload { triage: self, caller, record, chunks: 0 })
    }

    /// Gives up histories whose sender, or the server that received them, went away without a
    /// word: what has arrived is dropped.
    pub(super) async fn give_up_stalled_imports(
        &self,
        workspace: &WorkspaceId,
    ) -> Result<(), TriageError> {
        let now = self.parts.clock.now();
        let limit = now.saturating_sub(LONGEST_SILENCE).unwrap_or(Timestamp::MIN);
        for record in self.parts.store.stalled_imports(workspace, limit).await? {
            self.fail(workspace, record, "it was never sent to its end".to_owned()).await?;
        }
        Ok(())
    }

    /// Takes in what was sent for an import. Rows that are in already stay as they are, so it goes
    /// on where it was interrupted.
    pub(super) async fn take_in(
        &self,
        workspace: &WorkspaceId,
        id: ImportId,
    ) -> Result<(), TriageError> {
        let Some(mut record) = self.parts.store.import(workspace, id).await? else {
            return Ok(());
        };
        if matches!(record.state, ImportState::Done | ImportState::Failed) {
            return Ok(());
        }
        record.state = ImportState::Running;
        let mut bytes = Vec::new();
        for n in 0.. {
            let Some(chunk) = self.parts.store.import_chunk(id, n).await? else { break };
            bytes.extend(chunk);
        }
        let options = Options { system: record.source.clone(), ..Options::default() };
        let read = tokio::task::spawn_blocking(move || exports::read(&bytes, &options));
        let export = match read.await {
            Ok(Ok(export)) => export,
            Ok(Err(error)) => return self.fail(workspace, record, error.to_string()).await,
            Err(_) => return Err(crate::inference::InferenceError::Stopped.into()),
        };
        note(&mut record, &export);
        let counter = Counter::default();
        // Both go on side by side: either may be waiting for the other's turn to write.
        let watch = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                record.done = counter.0.load(Ordering::Relaxed);
                if let Err(error) = self.save(workspace, &mut record, false).await {
                    tracing::warn!(%error, "an import's progress could not be noted");
                }
            }
        };
        let report = tokio::select! {
            report = self.import(workspace, &export.rows, None, &counter) => report,
            never = watch => never,
        };
        let report = match report {
            Ok(report) => report,
            Err(super::ImportError::Triage(error)) => return Err(error),
            Err(error) => return self.fail(workspace, record, error.to_string()).await,
        };
        record.done = export.rows.len() as u64;
        record.imported = report.imported as u64;
        record.unchanged = report.unchanged as u64;
        record.rejected = (export.faults.len() + report.left_out.len()) as u64;
        for (position, why) in report.left_out {
            let line = export.lines.get(position).copied().unwrap_or_default();
            push(&mut record.errors, line, None, &why.to_string());
        }
        record.errors.sort_by_key(|fault| fault.line);
        record.state = ImportState::Done;
        self.save(workspace, &mut record, true).await?;
        Ok(())
    }

    async fn fail(
        &self,
        workspace: &WorkspaceId,
        mut record: ImportRecord,
        reason: String,
    ) -> Result<(), TriageError> {
        record.state = ImportState::Failed;
        record.failure = Some(reason);
        self.save(workspace, &mut record, true).await?;
        Ok(())
    }

    async fn save(
        &self,
        workspace: &WorkspaceId,
        record: &mut ImportRecord,
        ended: bool,
    ) -> Result<(), StoreError> {
        record.updated_at = self.parts.clock.now();
        let mut tx = self.parts.store.begin(workspace).await?;
        tx.put_import(record).await?;
        if ended {
            tx.drop_import_chunks(record.id).await?;
        }
        tx.commit().await
    }
}

impl Upload<'_> {
    /// Keeps the next piece. When this returns it is on disk.
    ///
    /// # Errors
    /// The store failed.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), TriageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut tx = self.triage.parts.store.begin(&self.caller.workspace).await?;
        tx.put_import_chunk(self.record.id, self.chunks, bytes).await?;
        self.chunks += 1;
        self.record.bytes += bytes.len() as u64;
        self.record.updated_at = self.triage.parts.clock.now();
        tx.put_import(&self.record).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All of it is here: promises to take it in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn finish(
        mut self,
        receipt: Receipt<'_, ImportRecord>,
    ) -> Result<ImportRecord, TriageError> {
        let parts = &self.triage.parts;
        let now = parts.clock.now();
        self.record.state = ImportState::Queued;
        self.record.updated_at = now;
        let mut tx = parts.store.begin(&self.caller.workspace).await?;
        tx.put_import(&self.record).await?;
        tx.enqueue(&NewJob {
            id: JobId::new(parts.ids.next()),
            kind: JobKind::Import,
            subject: self.record.id.to_string(),
            run_at: now,
            lease: None,
        })
        .await?;
        tx.audit(&AuditEntry {
            at: now,
            actor: self.caller.actor.clone(),
            action: "import",
            subject: self.record.id.to_string(),
            detail: json!({ "bytes": self.record.bytes }),
        })
        .await?;
        receipt.settle(&mut *tx, &self.record).await?;
        tx.commit().await?;
        Ok(self.record)
    }

    /// The sender went away or sent too much: what has arrived is dropped.
    ///
    /// # Errors
    /// The store failed.
    pub async fn abandon(self, reason: &str) -> Result<(), TriageError> {
        self.triage.fail(&self.caller.workspace, self.record, reason.to_owned()).await
    }
}

/// Notes what reading the rows found.
fn note(record: &mut ImportRecord, export: &Export) {
    record.rows = Some(export.rows.len() as u64);
    record.rejected = export.faults.len() as u64;
    let kept = |faults: &[RowFault]| {
        let mut kept = Vec::new();
        for fault in faults {
            push(&mut kept, fault.line, fault.column.clone(), &fault.reason);
        }
        kept
    };
    record.errors = kept(&export.faults);
    record.warnings = kept(&export.warnings);
}

fn push(faults: &mut Vec<LineFault>, line: u64, column: Option<String>, reason: &str) {
    if faults.len() < KEPT_FAULTS {
        faults.push(LineFault { line, column, reason: reason.to_owned() });
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

impl ImportProgress for Counter {
    fn advance(&self, rows: usize) {
        self.0.fetch_add(rows as u64, Ordering::Relaxed);
    }
}
