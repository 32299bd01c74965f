//! Claims on requests, and promised work.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::SqlStore;
use super::query::query;
use super::rows::{from_json, uuid};
use super::transaction::SqlTransaction;
use crate::domain::{ClaimId, JobId, WorkspaceId};
use crate::store::{Answer, Claim, ClaimRequest, Claimed, Job, JobKind, StoreError, Work};

/// How long an attempt has before another one may take over. Nothing is done twice even if the
/// first one is only slow: whoever commits second finds its claim lost.
const CLAIM_LEASE: SignedDuration = SignedDuration::from_secs(5);
/// How long an answer is kept for a caller who asks again.
const ANSWERS_KEPT: SignedDuration = SignedDuration::from_hours(24);

#[async_trait]
impl Work for SqlStore {
    async fn claim(
        &self,
        workspace: &WorkspaceId,
        request: &ClaimRequest,
        id: ClaimId,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let ClaimRequest { route, key, body_hash } = request;
        let mut tx = SqlTransaction::begin(self, workspace).await?;
        let yours = Claimed::Yours(Claim { id, route: route.clone(), key: key.clone() });
        let row = query(
            "SELECT body_hash, claimed_at, expires_at, status, headers, body FROM receipts
             WHERE workspace = $1 AND route = $2 AND key = $3",
        )
        .bind(workspace.as_str())
        .bind(route)
        .bind(key)
        .fetch_optional(tx.connection())
        .await?;
        if let Some(row) = row {
            let at = |column| super::rows::time(&row, column);
            let (claimed, expires) = (at("claimed_at")?, at("expires_at")?);
            if expires > now {
                if row.try_get::<&str>("body_hash")? != body_hash {
                    return Ok(Claimed::OtherBody);
                }
                if let Some(status) = row.try_get::<Option<i64>>("status")? {
                    return Ok(Claimed::Answered(Answer {
                        status: status.try_into().unwrap_or(500),
                        headers: from_json(row.try_get("headers")?)?,
                        body: row.try_get("body")?,
                    }));
                }
                // A claim from the future was made before the clock was set back: it counts as
                // old, or its caller would wait for as long as the clock went back. From the near
                // future it was made by another replica, whose clock is a little ahead.
                if now.duration_since(claimed).abs() < CLAIM_LEASE {
                    return Ok(Claimed::InFlight);
                }
            }
        }
        query(
            "INSERT INTO receipts (workspace, route, key, body_hash, claim, claimed_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (workspace, route, key) DO UPDATE SET body_hash = excluded.body_hash,
                 claim = excluded.claim, claimed_at = excluded.claimed_at,
                 expires_at = excluded.expires_at, status = NULL, headers = NULL, body = NULL",
        )
        .bind(workspace.as_str())
        .bind(route)
        .bind(key)
        .bind(body_hash)
        .bind(&id.as_bytes()[..])
        .bind(now.as_microsecond())
        .bind(now.saturating_add(ANSWERS_KEPT).unwrap_or(Timestamp::MAX).as_microsecond())
        .execute(tx.connection())
        .await?;
        tx.finish().await?;
        Ok(yours)
    }

    async fn release(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<(), StoreError> {
        query(
            "DELETE FROM receipts WHERE workspace = $1 AND route = $2 AND key = $3 AND claim = $4
                 AND status IS NULL",
        )
        .bind(workspace.as_str())
        .bind(&claim.route)
        .bind(&claim.key)
        .bind(&claim.id.as_bytes()[..])
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn lease_job(
        &self,
        lease: ClaimId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        // A lease that ends much later than a new one would is from before the clock was set back;
        // only a little later, and another worker was a moment faster, or its clock is ahead.
        // Pauses are minutes long: a job that is due much later was promised before the clock was
        // set back.
        let sql = self.dialect.pick(
            "UPDATE jobs SET lease = $1, lease_until = $3, attempts = attempts + 1
             WHERE id = (SELECT id FROM jobs WHERE (run_at <= $2 OR run_at > $2 + 600000000)
                 AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3 + ($3 - $2))
                 ORDER BY run_at, id LIMIT 1)
             RETURNING id, workspace, kind, subject, attempts",
            "UPDATE jobs SET lease = $1, lease_until = $3, attempts = attempts + 1
             WHERE id = (SELECT id FROM jobs WHERE (run_at <= $2 OR run_at > $2 + 600000000)
                 AND (lease_until IS NULL OR lease_until <= $2 OR lease_until > $3 + ($3 - $2))
                 ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, workspace, kind, subject, attempts",
        );
        let row = query(sql)
            .bind(&lease.as_bytes()[..])
            .bind(now.as_microsecond())
            .bind(until.as_microsecond())
            .fetch_all(&self.writer)
            .await?;
        // To the end, not only the one row: an error of the commit comes after it.
        let Some(row) = row.into_iter().next() else { return Ok(None) };
        let kind: String = row.try_get("kind")?;
        let workspace: String = row.try_get("workspace")?;
        Ok(Some(Job {
            id: JobId::new(uuid(&row, "id")?),
            workspace: WorkspaceId::try_from(workspace)
                .map_err(|e| StoreError::Row(e.to_string()))?,
            kind: JobKind::ALL
                .into_iter()
                .find(|k| k.name() == kind)
                .ok_or_else(|| StoreError::Row(format!("job of kind {kind:?}")))?,
            subject: row.try_get("subject")?,
            attempts: row.try_get::<i64>("attempts")?.try_into().unwrap_or(u32::MAX),
        }))
    }

    async fn extend_lease(
        &self,
        id: JobId,
        lease: ClaimId,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let kept = query("UPDATE jobs SET lease_until = $3 WHERE id = $1 AND lease = $2")
            .bind(&id.as_bytes()[..])
            .bind(&lease.as_bytes()[..])
            .bind(until.as_microsecond())
            .execute(&self.writer)
            .await?;
        Ok(kept == 1)
    }

    async fn finish_job(&self, id: JobId, lease: ClaimId) -> Result<(), StoreError> {
        query("DELETE FROM jobs WHERE id = $1 AND lease = $2")
            .bind(&id.as_bytes()[..])
            .bind(&lease.as_bytes()[..])
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn retry_job(
        &self,
        id: JobId,
        lease: ClaimId,
        error: &str,
        run_at: Timestamp,
    ) -> Result<(), StoreError> {
        query(
            "UPDATE jobs SET lease = NULL, lease_until = NULL, last_error = $3, run_at = $4
             WHERE id = $1 AND lease = $2",
        )
        .bind(&id.as_bytes()[..])
        .bind(&lease.as_bytes()[..])
        .bind(self.dialect.text(error))
        .bind(run_at.as_microsecond())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn pending_jobs(&self) -> Result<u64, StoreError> {
        let row = query("SELECT count(*) FROM jobs").aside().fetch_one(&self.readers).await?;
        Ok(row.try_get::<i64>(0)?.unsigned_abs())
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        // What another transaction holds is left for the next time: waiting for one while holding
        // others could deadlock.
        for sql in [
            self.dialect.pick(
                "DELETE FROM receipts WHERE expires_at <= $1",
                "DELETE FROM receipts WHERE (workspace, route, key) IN
                     (SELECT workspace, route, key FROM receipts WHERE expires_at <= $1
                      FOR UPDATE SKIP LOCKED)",
            ),
            self.dialect.pick(
                "DELETE FROM sessions WHERE expires_at <= $1",
                "DELETE FROM sessions WHERE token_hash IN
                     (SELECT token_hash FROM sessions WHERE expires_at <= $1
                      FOR UPDATE SKIP LOCKED)",
            ),
            self.dialect.pick(
                "DELETE FROM sign_in_attempts WHERE expires_at <= $1",
                "DELETE FROM sign_in_attempts WHERE state_hash IN
                     (SELECT state_hash FROM sign_in_attempts WHERE expires_at <= $1
                      FOR UPDATE SKIP LOCKED)",
            ),
        ] {
            query(sql).bind(now.as_microsecond()).execute(&self.writer).await?;
        }
        Ok(())
    }
}
