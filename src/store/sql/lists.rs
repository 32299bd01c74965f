//! Reading lists. Conditions are put together from fixed pieces, so that each question gets a plan
//! of its own; what callers give is always bound.

use std::fmt::Write;

use async_trait::async_trait;

use super::query::{Query, Row, Value, query};
use super::rows::{self, SUGGESTION, from_json};
use super::{Dialect, SqlStore};
use crate::domain::{ImportRecord, WorkspaceId};
use crate::store::{
    AuditRow, Lists, Page, Pending, StoreError, StoredSuggestion, SuggestionFilter,
};

/// Conditions with what is bound in them, in order.
struct Conditions {
    dialect: Dialect,
    sql: String,
    bound: Vec<Value>,
    /// Whether tickets have to be joined.
    tickets: bool,
}

impl Conditions {
    fn new(dialect: Dialect, workspace: &WorkspaceId) -> Self {
        let bound = vec![workspace.as_str().into()];
        Self { dialect, sql: "s.workspace = $1".to_owned(), bound, tickets: false }
    }

    /// Binds a value and returns its placeholder.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.bound.push(value.into());
        format!("${}", self.bound.len())
    }

    fn text(&mut self, text: &str) -> String {
        let text = self.dialect.text(text);
        self.bind(text)
    }

    fn and(&mut self, condition: &str) {
        let _ = write!(self.sql, " AND {condition}");
    }

    /// What a filter lets through, wherever in the list it is.
    fn matching(&mut self, filter: &SuggestionFilter) {
        if let Some(status) = filter.status {
            // Literally, so that the index of open ones can be used.
            self.and(&format!("s.status = '{}'", status.name()));
        }
        let labels = [
            ("category", &filter.category),
            ("team", &filter.team),
            ("priority", &filter.priority),
            ("decision", &filter.decision),
        ];
        for (column, label) in labels {
            if let Some(label) = label {
                let at = self.text(label);
                self.and(&format!("s.{column} = {at}"));
            }
        }
        if let Some(ticket) = filter.ticket {
            let at = self.bind(ticket.as_bytes().to_vec());
            self.and(&format!("s.ticket_id = {at}"));
        }
        for (instant, how) in [(filter.from, ">="), (filter.until, "<")] {
            if let Some(instant) = instant {
                let at = self.bind(instant.as_microsecond());
                self.and(&format!("s.created_at {how} {at}"));
            }
        }
        if let Some(text) = &filter.text {
            self.tickets = true;
            let at = self.text(&pattern(text));
            let like = |column: &str| format!("lower({column}) LIKE lower({at}) ESCAPE '\\'");
            let any = ["t.subject", "t.body", "t.requester", "t.source_id"].map(like).join(" OR ");
            self.and(&format!("({any})"));
        }
    }

    /// What stands before the filter's place, and how the list is ordered.
    fn in_order(&mut self, filter: &SuggestionFilter) -> String {
        if filter.urgency.is_empty() {
            if let Some(before) = filter.before {
                let at = self.bind(before);
                self.and(&format!("s.seq < {at}"));
            }
            return "s.seq DESC".to_owned();
        }
        let mut rank = "CASE s.priority".to_owned();
        for priority in &filter.urgency {
            let label = self.text(priority);
            let _ = write!(rank, " WHEN {label} THEN {}", filter.rank(Some(priority)));
        }
        rank.push_str(" ELSE 0 END");
        if let (Some(before), Some(urgency)) = (filter.before, filter.before_rank) {
            let (seq, at) = (self.bind(before), self.bind(urgency));
            self.and(&format!("({rank} < {at} OR ({rank} = {at} AND s.seq < {seq}))"));
        }
        format!("{rank} DESC, s.seq DESC")
    }

    fn from(&self) -> &'static str {
        if self.tickets {
            "suggestions s JOIN tickets t ON t.id = s.ticket_id AND t.workspace = s.workspace"
        } else {
            "suggestions s"
        }
    }

    fn query(self, sql: String) -> Query {
        Query { values: self.bound, ..query(sql) }
    }
}

/// A pattern for what has this text in it, whatever signs are in it.
fn pattern(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[async_trait]
impl Lists for SqlStore {
    async fn suggestions(
        &self,
        workspace: &WorkspaceId,
        filter: &SuggestionFilter,
    ) -> Result<Page<StoredSuggestion>, StoreError> {
        let mut conditions = Conditions::new(self.dialect, workspace);
        conditions.matching(filter);
        let order = conditions.in_order(filter);
        // One more row than wanted, to know whether there is a next page.
        let limit = conditions.bind(i64::from(filter.limit) + 1);
        let (from, matching) = (conditions.from(), &conditions.sql);
        // The few that are wanted are found first, by index; documents are read of these alone.
        let sql = format!(
            "{SUGGESTION} WHERE s.seq IN (SELECT s.seq FROM {from} WHERE {matching}
                 ORDER BY {order} LIMIT {limit}) ORDER BY {order}"
        );
        let mut found = self.all(conditions.query(sql)).await?;
        let more = found.len() > filter.limit as usize;
        found.truncate(filter.limit as usize);
        let last = found.last().map(|row| row.try_get("seq")).transpose()?;
        Ok(Page {
            next: last.filter(|_| more),
            items: found.iter().map(rows::suggestion).collect::<Result<_, _>>()?,
        })
    }

    async fn count_suggestions(
        &self,
        workspace: &WorkspaceId,
        filter: &SuggestionFilter,
    ) -> Result<u64, StoreError> {
        let mut conditions = Conditions::new(self.dialect, workspace);
        conditions.matching(filter);
        let sql = format!("SELECT count(*) FROM {} WHERE {}", conditions.from(), conditions.sql);
        let row = self.one(conditions.query(sql).aside()).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
        Ok(count.unsigned_abs())
    }

    async fn pending(&self, workspace: &WorkspaceId) -> Result<Vec<Pending>, StoreError> {
        let query = query(
            "SELECT category, team, priority, decision, count(*) FROM suggestions
             WHERE workspace = $1 AND status = 'open' GROUP BY category, team, priority, decision",
        )
        .bind(workspace.to_string());
        let pending = |row: &Row| {
            Ok(Pending {
                category: row.try_get(0)?,
                team: row.try_get(1)?,
                priority: row.try_get(2)?,
                decision: row.try_get(3)?,
                count: row.try_get::<i64>(4)?.unsigned_abs(),
            })
        };
        self.all(query).await?.iter().map(pending).collect()
    }

    async fn decided(
        &self,
        workspace: &WorkspaceId,
        bundle: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredSuggestion>, StoreError> {
        let sql = format!(
            "{SUGGESTION} WHERE s.workspace = $1 AND ($2 = '' OR s.bundle = $2)
                 AND s.status IN ('approved', 'edited', 'rerouted', 'rejected')
             ORDER BY s.seq DESC LIMIT $3"
        );
        let query = query(sql)
            .bind(workspace.to_string())
            .bind(self.dialect.text(bundle.unwrap_or_default()))
            .bind(i64::from(limit));
        self.all(query).await?.iter().map(rows::suggestion).collect()
    }

    async fn audit_trail(
        &self,
        workspace: &WorkspaceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<AuditRow>, StoreError> {
        let query = query(
            "SELECT seq, at, actor, action, subject, detail FROM audit
             WHERE workspace = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        )
        .bind(workspace.to_string())
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1);
        let line = |row: &Row| {
            Ok(AuditRow {
                seq: row.try_get("seq")?,
                at: rows::time(row, "at")?,
                actor: row.try_get("actor")?,
                action: row.try_get("action")?,
                subject: row.try_get("subject")?,
                detail: from_json(row.try_get("detail")?)?,
            })
        };
        let found = self.all(query).await?;
        let mut items: Vec<AuditRow> = found.iter().map(line).collect::<Result<_, StoreError>>()?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        Ok(Page { next: items.last().map(|last| last.seq).filter(|_| more), items })
    }

    async fn imports(
        &self,
        workspace: &WorkspaceId,
        limit: u32,
    ) -> Result<Vec<ImportRecord>, StoreError> {
        let query = query(
            "SELECT document FROM imports WHERE workspace = $1
             ORDER BY created_at DESC, id DESC LIMIT $2",
        )
        .bind(workspace.to_string())
        .bind(i64::from(limit));
        self.all(query).await?.iter().map(|row| from_json(row.try_get(0)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_patterns_mean_themselves() {
        assert_eq!(pattern("50 %_\\"), "%50 \\%\\_\\\\%");
    }
}
