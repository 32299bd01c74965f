//! Promised work: kept at once where that is possible, and by whoever comes along after a crash.
//!
//! A job is a row that commits with what made it necessary. Bringing an external index in step is
//! tried right after the commit; the job's lease keeps others away meanwhile, and its end lets
//! them take over.

use std::future::Future;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Triage, TriageError};
use crate::domain::{ClaimId, JobId, TicketId, WorkspaceId};
use crate::index::{Entry, ExternalIndex, IndexError};
use crate::store::{EntryRow, Job, JobKind, NewJob, StoreError, Transaction};

/// How long a job is left alone by others once someone works on it.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause before a failed job is tried again.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// How often an idle worker looks for jobs.
const IDLE: Duration = Duration::from_millis(500);

/// Work that a transaction promised and its caller tries to keep at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    job: JobId,
    lease: ClaimId,
    ticket: TicketId,
}

impl Triage {
    /// A ticket's entry as it stands; an empty one if there is none.
    pub(super) async fn entry(
        &self,
        tx: &mut dyn Transaction,
        id: TicketId,
    ) -> Result<EntryRow, StoreError> {
        Ok(tx.entry(&self.fingerprint, id).await?.unwrap_or_default())
    }

    /// The same for a ticket that is given another text. One whose old text had no vector could not
    /// be listed, whatever became of the ticket; with the new one it is.
    pub(super) async fn entry_to_rewrite(
        &self,
        tx: &mut dyn Transaction,
        id: TicketId,
    ) -> Result<EntryRow, StoreError> {
        let mut entry = self.entry(tx, id).await?;
        if entry.vector.is_none() {
            let ticket = tx.ticket(id).await?;
            entry.listed = ticket.is_some_and(|ticket| !ticket.outcome.is_empty());
        }
        Ok(entry)
    }

    /// Writes a ticket's entry, and promises to tell an external index if it was, or is now, listed.
    pub(super) async fn put_entry(
        &self,
        tx: &mut dyn Transaction,
        id: TicketId,
        entry: &EntryRow,
        was_listed: bool,
    ) -> Result<Option<Promise>, StoreError> {
        tx.put_entry(&self.fingerprint, id, entry).await?;
        if was_listed || entry.listed { self.promise(tx, id).await } else { Ok(None) }
    }

    /// Promises to bring an external index in step with a ticket.
    pub(super) async fn promise(
        &self,
        tx: &mut dyn Transaction,
        ticket: TicketId,
    ) -> Result<Option<Promise>, StoreError> {
        if self.parts.external.is_none() {
            return Ok(None);
        }
        let promise = Promise {
            job: JobId::new(self.parts.ids.next()),
            lease: ClaimId::new(self.parts.ids.next()),
            ticket,
        };
        let now = self.parts.clock.now();
        let until = now.saturating_add(LEASE).unwrap_or(now);
        tx.enqueue(&NewJob {
            id: promise.job,
            kind: JobKind::Index,
            subject: ticket.to_string(),
            run_at: now,
            lease: Some((promise.lease, until)),
        })
        .await?;
        Ok(Some(promise))
    }

    /// Keeps a promise now. Returns whether the index is in step; if it is not, the job will see
    /// to it.
    pub(super) async fn keep(&self, workspace: &WorkspaceId, promise: Option<Promise>) -> bool {
        let (Some(promise), Some(index)) = (promise, &self.parts.external) else { return true };
        let kept = self.sync(&**index, workspace, promise.ticket).await;
        self.conclude(promise.job, promise.lease, 1, kept.map_err(|e| e.to_string())).await
    }

    /// Brings an external index in step with a ticket.
    pub(super) async fn sync(
        &self,
        index: &dyn ExternalIndex,
        workspace: &WorkspaceId,
        id: TicketId,
    ) -> Result<(), IndexError> {
        let mut written = None;
        loop {
            let current = self.parts.store.entry(workspace, &self.fingerprint, id).await?;
            let seq = current.as_ref().map(|(seq, _)| *seq);
            // Whoever writes last to the index has read the store after that, so what stays there
            // is the newest.
            if written == Some(seq) {
                return Ok(());
            }
            let ticket = self.parts.store.ticket(workspace, id).await?;
            let entry = current.and_then(|(_, entry)| {
                let EntryRow { vector, subject, resolution, .. } =
                    Some(entry).filter(|e| e.listed)?;
                let ticket = ticket?;
                let outcome = crate::domain::Outcome { resolution, ..ticket.outcome };
                let language = ticket.language;
                Some(Entry { ticket_id: id, vector: vector?, subject, outcome, language })
            });
            match entry {
                Some(entry) => index.upsert(workspace, &[entry]).await?,
                None => index.remove(workspace, &[id]).await?,
            }
            written = Some(seq);
        }
    }

    /// Does promised work until `stop` resolves. A job under way when it does is left where it is,
    /// and taken up again when its lease ends.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                worked = self.work_once() => {
                    if !worked {
                        tokio::select! {
                            () = &mut stop => return,
                            () = tokio::time::sleep(IDLE) => {}
                        }
                    }
                }
            }
        }
    }

    /// Does the next due job. Returns whether there was one.
    pub async fn work_once(&self) -> bool {
        let lease = ClaimId::new(self.parts.ids.next());
        let now = self.parts.clock.now();
        let until = now.saturating_add(LEASE).unwrap_or(now);
        match self.parts.store.lease_job(lease, now, until).await {
            Ok(Some(job)) => {
                let done = self.run(&job, lease).await;
                let done = done.map_err(|e| e.to_string());
                self.conclude(job.id, lease, job.attempts, done).await;
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, "jobs could not be read");
                false
            }
        }
    }

    async fn run(&self, job: &Job, lease: ClaimId) -> Result<(), TriageError> {
        let subject = &job.subject;
        let broken = || StoreError::Row(format!("job for {subject:?}"));
        let work = async {
            match (job.kind, &self.parts.external) {
                (JobKind::Index, Some(index)) => {
                    let ticket = subject.parse().map_err(|_| broken())?;
                    self.sync(&**index, &job.workspace, ticket).await.map_err(TriageError::from)
                }
                (JobKind::Reindex, Some(_)) => {
                    self.reindex(&job.workspace, &super::import::Silent).await.map(drop)
                }
                // The index has become a view of the store, which needs no telling.
                (JobKind::Index | JobKind::Reindex, None) => Ok(()),
                (JobKind::Import, _) => {
                    let import = subject.parse().map_err(|_| broken())?;
                    self.take_in(&job.workspace, import).await
                }
            }
        };
        // Both go on side by side: either may be waiting for the other's turn to write.
        let hold = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                let now = self.parts.clock.now();
                let until = now.saturating_add(LEASE).unwrap_or(now);
                match self.parts.store.extend_lease(job.id, lease, until).await {
                    Ok(true) => {}
                    // Another worker has it; two would only do the same twice.
                    Ok(false) => return Ok(()),
                    Err(error) => tracing::warn!(job = %job.id, %error, "a lease was not extended"),
                }
            }
        };
        tokio::select! {
            done = work => done,
            lost = hold => lost,
        }
    }

    /// Crosses a job off, or puts it back for later. Returns whether it is done.
    async fn conclude(
        &self,
        job: JobId,
        lease: ClaimId,
        attempts: u32,
        done: Result<(), String>,
    ) -> bool {
        let store = &self.parts.store;
        let noted = match &done {
            Ok(()) => store.finish_job(job, lease).await,
            Err(error) => {
                tracing::warn!(%job, attempts, error, "a job failed; it will be tried again");
                let pause = SignedDuration::from_secs(1 << attempts.min(9)).min(LONGEST_PAUSE);
                let now = self.parts.clock.now();
                let at = now.saturating_add(pause).unwrap_or(now);
                store.retry_job(job, lease, error, at).await
            }
        };
        if let Err(error) = noted {
            // Its lease runs out, and it is done again, which changes nothing.
            tracing::warn!(%job, %error, "a job's end could not be noted");
        }
        done.is_ok()
    }
}

impl From<IndexError> for TriageError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Store(error) => Self::Store(error),
            other => Self::Index(other),
        }
    }
}
