//! The records of reports: that one is made, how far it is, that it goes. They are made elsewhere.

use serde_json::json;

use super::{Caller, Triage, TriageError};
use crate::domain::{ReportId, ReportRecord, ReportState, WorkspaceId};
use crate::store::AuditEntry;

impl Triage {
    /// Notes that a report of an uploaded file is to be made. The oldest go beyond the newest `keep`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin_report(
        &self,
        caller: &Caller,
        file: String,
        bytes: u64,
        keep: u32,
    ) -> Result<ReportRecord, TriageError> {
        let now = self.parts.clock.now();
        let record = ReportRecord {
            id: ReportId::new(self.parts.ids.next()),
            state: ReportState::Queued,
            file,
            bytes,
            by: caller.actor.clone(),
            created_at: now,
            updated_at: now,
            tickets: None,
            headline: None,
            failure: None,
        };
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        tx.put_report(&record).await?;
        let trimmed = tx.trim_reports(keep).await?;
        // Not the file's name: it may be a person's.
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "report.make",
            subject: record.id.to_string(),
            detail: json!({ "bytes": bytes }),
        })
        .await?;
        tx.commit().await?;
        if trimmed > 0 {
            self.scrub().await;
        }
        Ok(record)
    }

    /// Notes where a report stands, and what it says once it is done. False where it has ended or
    /// is gone: then there is nothing more to do.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_report(
        &self,
        workspace: &WorkspaceId,
        record: &mut ReportRecord,
        content: Option<&str>,
    ) -> Result<bool, TriageError> {
        record.updated_at = self.parts.clock.now();
        let mut tx = self.parts.store.begin(workspace).await?;
        let open = tx.update_report(record, content).await?;
        tx.commit().await?;
        Ok(open)
    }

    /// Calls a report off. Returns whether it was still under way.
    ///
    /// # Errors
    /// There is no such report, or the store failed.
    pub async fn cancel_report(&self, caller: &Caller, id: ReportId) -> Result<bool, TriageError> {
        let known = self.parts.store.report(&caller.workspace, id).await?;
        let mut record = known.ok_or(TriageError::NotFound("report"))?;
        record.state = ReportState::Cancelled;
        self.note_report(&caller.workspace, &mut record, None).await
    }

    /// Deletes a report; one under way ends with it.
    ///
    /// # Errors
    /// There is no such report, or the store failed.
    pub async fn delete_report(&self, caller: &Caller, id: ReportId) -> Result<(), TriageError> {
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        if !tx.drop_report(id).await? {
            return Err(TriageError::NotFound("report"));
        }
        tx.audit(&AuditEntry {
            at: self.parts.clock.now(),
            actor: caller.actor.clone(),
            action: "report.delete",
            subject: id.to_string(),
            detail: json!({}),
        })
        .await?;
        tx.commit().await?;
        self.scrub().await;
        Ok(())
    }
}
