//! Writing suggestions and what people decide about them.

use jiff::Timestamp;

use super::erasure;
use super::query::{Row, query};
use super::rows::{from_json, to_json, uuid};
use super::transaction::SqlTransaction;
use crate::domain::decision::Before;
use crate::domain::{DecisionId, Outcome, Status, Suggestion, SuggestionId, TicketId};
use crate::store::{StoreError, StoredDecision};

impl SqlTransaction {
    /// Writes a suggestion; open ones of the same ticket are superseded.
    pub(super) async fn insert_suggestion(
        &mut self,
        suggestion: &Suggestion,
        taxonomy_version: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let workspace = self.workspace.to_string();
        let (dialect, ticket) = (self.dialect, suggestion.ticket_id);
        query(
            "UPDATE suggestions SET status = 'superseded', version = version + 1
             WHERE workspace = $1 AND ticket_id = $2 AND status = 'open'",
        )
        .bind(&workspace)
        .bind(&ticket.as_bytes()[..])
        .execute(self.connection())
        .await?;
        let decision = serde_json::to_value(suggestion.category.decision)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default();
        let plain = Suggestion { draft: None, ..suggestion.clone() };
        let draft = suggestion.draft.as_ref().map(to_json).transpose()?;
        query(
            "INSERT INTO suggestions (id, workspace, ticket_id, created_at, version, status,
                 category, team, decision, language, bundle, policy, taxonomy_version, document,
                 priority, draft)
             VALUES ($1, $2, $3, $4, 1, 'open', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&suggestion.id.as_bytes()[..])
        .bind(&workspace)
        .bind(&ticket.as_bytes()[..])
        .bind(now.as_microsecond())
        .bind(dialect.maybe_text(suggestion.category.label.as_deref()))
        .bind(dialect.maybe_text(suggestion.team.decision.label.as_deref()))
        .bind(decision)
        .bind(&suggestion.language)
        .bind(&suggestion.model.bundle)
        .bind(&suggestion.model.policy)
        .bind(i64::from(taxonomy_version))
        .bind(to_json(&plain)?)
        .bind(dialect.maybe_text(suggestion.priority.label.as_deref()))
        .bind(draft)
        .execute(self.connection())
        .await?;
        let mentioned = erasure::mentions(suggestion);
        if !mentioned.is_empty() {
            let ids: Vec<u8> = mentioned.iter().flat_map(|id| *id.as_bytes()).collect();
            query("INSERT INTO mentions (workspace, suggestion_id, tickets) VALUES ($1, $2, $3)")
                .bind(&workspace)
                .bind(&suggestion.id.as_bytes()[..])
                .bind(ids)
                .execute(self.connection())
                .await?;
        }
        self.mention_articles(suggestion.id, &erasure::quoted_articles(suggestion)).await
    }

    /// Changes where a suggestion stands. One that is open again while its ticket has a newer one
    /// is superseded.
    pub(super) async fn update_status(
        &mut self,
        id: SuggestionId,
        status: Status,
    ) -> Result<(), StoreError> {
        query(
            "UPDATE suggestions SET version = version + 1, status = CASE
                 WHEN $3 = 'open' AND EXISTS (SELECT 1 FROM suggestions newer
                     WHERE newer.workspace = $1 AND newer.ticket_id = suggestions.ticket_id
                         AND newer.seq > suggestions.seq) THEN 'superseded'
                 ELSE $3 END
             WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(status.name())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes a decision down.
    pub(super) async fn insert_decision(
        &mut self,
        decision: &StoredDecision,
    ) -> Result<(), StoreError> {
        let made = &decision.decision;
        query(
            "INSERT INTO decisions (id, workspace, ticket_id, suggestion_id, action, actor, at,
                 document, previous)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&made.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(&decision.ticket.as_bytes()[..])
        .bind(decision.suggestion.map(|id| id.as_bytes().to_vec()))
        .bind(made.action.name())
        .bind(self.dialect.text(&made.by))
        .bind(made.at.as_microsecond())
        .bind(to_json(made)?)
        .bind(to_json(&(&decision.before, &decision.after))?)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The newest decision in force.
    pub(super) async fn decision_in_force(
        &mut self,
        ticket: TicketId,
        suggestion: Option<SuggestionId>,
    ) -> Result<Option<StoredDecision>, StoreError> {
        let resolved = i64::from(suggestion.is_none());
        let row = query(
            "SELECT document, previous FROM decisions
             WHERE workspace = $1 AND ticket_id = $2 AND undone_at IS NULL
                 AND (($3 = 1 AND action = 'resolve') OR suggestion_id = $4)
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(self.workspace.to_string())
        .bind(&ticket.as_bytes()[..])
        .bind(resolved)
        .bind(suggestion.map_or_else(Vec::new, |id| id.as_bytes().to_vec()))
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| decision(&row, ticket, suggestion)).transpose()
    }

    /// Those in force that came after one.
    pub(super) async fn in_force_since(
        &mut self,
        ticket: TicketId,
        id: DecisionId,
    ) -> Result<Vec<StoredDecision>, StoreError> {
        let rows = query(
            "SELECT document, previous, suggestion_id FROM decisions
             WHERE workspace = $1 AND ticket_id = $2 AND undone_at IS NULL
                 AND seq > (SELECT seq FROM decisions WHERE workspace = $1 AND id = $3)
             ORDER BY seq",
        )
        .bind(self.workspace.to_string())
        .bind(&ticket.as_bytes()[..])
        .bind(&id.as_bytes()[..])
        .fetch_all(self.connection())
        .await?;
        let about = |row: &Row| {
            let id: Option<Vec<u8>> = row.try_get(2)?;
            let id = id.map(|_| uuid(row, "suggestion_id").map(SuggestionId::new)).transpose()?;
            decision(row, ticket, id)
        };
        rows.iter().map(about).collect()
    }

    /// Replaces what a decision went from and led to.
    pub(super) async fn rewrite_change(
        &mut self,
        decision: &StoredDecision,
    ) -> Result<(), StoreError> {
        query("UPDATE decisions SET previous = $3 WHERE workspace = $1 AND id = $2")
            .bind(self.workspace.to_string())
            .bind(&decision.decision.id.as_bytes()[..])
            .bind(to_json(&(&decision.before, &decision.after))?)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Takes a decision back, once.
    pub(super) async fn take_back(
        &mut self,
        id: DecisionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(
            "UPDATE decisions SET undone_at = $3
             WHERE workspace = $1 AND id = $2 AND undone_at IS NULL",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(now.as_microsecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// The decision in a row of its document and what it changed.
fn decision(
    row: &Row,
    ticket: TicketId,
    suggestion: Option<SuggestionId>,
) -> Result<StoredDecision, StoreError> {
    let (before, after): (Before, Outcome) = from_json(row.try_get(1)?)?;
    let decision = from_json(row.try_get(0)?)?;
    Ok(StoredDecision { decision, ticket, suggestion, before, after })
}
