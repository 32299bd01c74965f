//! Back-tests of exports.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::{ReportId, ReportRecord, WorkspaceId};

/// Reading a desk's reports.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Reports, newest first, at most `limit`.
    async fn reports(
        &self,
        workspace: &WorkspaceId,
        limit: u32,
    ) -> Result<Vec<ReportRecord>, StoreError>;

    /// Where a report stands.
    async fn report(
        &self,
        workspace: &WorkspaceId,
        id: ReportId,
    ) -> Result<Option<ReportRecord>, StoreError>;

    /// What it says, as JSON; none while it is not done.
    async fn report_content(
        &self,
        workspace: &WorkspaceId,
        id: ReportId,
    ) -> Result<Option<String>, StoreError>;
}

/// Writing them.
#[async_trait]
pub trait WriteReports: Send {
    /// Adds a report.
    async fn put_report(&mut self, report: &ReportRecord) -> Result<(), StoreError>;

    /// Says where a report stands that is not ended, and what it says once it is. False where it
    /// has ended, or is gone: then nothing is written.
    async fn update_report(
        &mut self,
        report: &ReportRecord,
        content: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// Deletes a report. Returns whether it was there.
    async fn drop_report(&mut self, id: ReportId) -> Result<bool, StoreError>;

    /// Deletes those that were made before an instant. Returns how many.
    async fn drop_reports_before(&mut self, instant: Timestamp) -> Result<u64, StoreError>;

    /// Deletes all but the newest. Returns how many.
    async fn trim_reports(&mut self, keep: u32) -> Result<u64, StoreError>;
}
