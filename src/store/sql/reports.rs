//! Back-tests of exports.

use async_trait::async_trait;
use jiff::Timestamp;

use super::SqlStore;
use super::query::query;
use super::rows::{from_json, to_json};
use super::transaction::SqlTransaction;
use crate::domain::{ReportId, ReportRecord, WorkspaceId};
use crate::store::{Reports, StoreError, WriteReports};

#[async_trait]
impl Reports for SqlStore {
    async fn reports(
        &self,
        workspace: &WorkspaceId,
        limit: u32,
    ) -> Result<Vec<ReportRecord>, StoreError> {
        let query = query(
            "SELECT document FROM reports WHERE workspace = $1
             ORDER BY created_at DESC, id DESC LIMIT $2",
        )
        .bind(workspace.to_string())
        .bind(i64::from(limit));
        self.all(query).await?.iter().map(|row| from_json(row.try_get(0)?)).collect()
    }

    async fn report(
        &self,
        workspace: &WorkspaceId,
        id: ReportId,
    ) -> Result<Option<ReportRecord>, StoreError> {
        let query = query("SELECT document FROM reports WHERE workspace = $1 AND id = $2")
            .bind(workspace.to_string())
            .bind(id.as_bytes().to_vec());
        self.one(query).await?.map(|row| from_json(row.try_get(0)?)).transpose()
    }

    async fn report_content(
        &self,
        workspace: &WorkspaceId,
        id: ReportId,
    ) -> Result<Option<String>, StoreError> {
        let query = query("SELECT content FROM reports WHERE workspace = $1 AND id = $2")
            .bind(workspace.to_string())
            .bind(id.as_bytes().to_vec())
            .aside();
        let content = self.one(query).await?.map(|row| row.try_get(0)).transpose()?;
        Ok(content.flatten())
    }
}

#[async_trait]
impl WriteReports for SqlTransaction {
    async fn put_report(&mut self, report: &ReportRecord) -> Result<(), StoreError> {
        query(
            "INSERT INTO reports (id, workspace, open, created_at, document)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&report.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(i64::from(!report.ended()))
        .bind(report.created_at.as_microsecond())
        .bind(self.dialect.text(&to_json(report)?))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn update_report(
        &mut self,
        report: &ReportRecord,
        content: Option<&str>,
    ) -> Result<bool, StoreError> {
        let updated = query(
            "UPDATE reports SET open = $3, document = $4, content = $5
             WHERE workspace = $1 AND id = $2 AND open = 1",
        )
        .bind(self.workspace.to_string())
        .bind(&report.id.as_bytes()[..])
        .bind(i64::from(!report.ended()))
        .bind(self.dialect.text(&to_json(report)?))
        .bind(self.dialect.maybe_text(content))
        .aside()
        .execute(self.connection())
        .await?;
        Ok(updated == 1)
    }

    async fn drop_report(&mut self, id: ReportId) -> Result<bool, StoreError> {
        let dropped = query("DELETE FROM reports WHERE workspace = $1 AND id = $2")
            .bind(self.workspace.to_string())
            .bind(&id.as_bytes()[..])
            .execute(self.connection())
            .await?;
        Ok(dropped == 1)
    }

    async fn drop_reports_before(&mut self, instant: Timestamp) -> Result<u64, StoreError> {
        let dropped = query("DELETE FROM reports WHERE workspace = $1 AND created_at < $2")
            .bind(self.workspace.to_string())
            .bind(instant.as_microsecond())
            .aside()
            .execute(self.connection())
            .await?;
        Ok(dropped)
    }

    async fn trim_reports(&mut self, keep: u32) -> Result<u64, StoreError> {
        let dropped = query(
            "DELETE FROM reports WHERE workspace = $1 AND id NOT IN
                 (SELECT id FROM reports WHERE workspace = $1
                  ORDER BY created_at DESC, id DESC LIMIT $2)",
        )
        .bind(self.workspace.to_string())
        .bind(i64::from(keep))
        .aside()
        .execute(self.connection())
        .await?;
        Ok(dropped)
    }
}
