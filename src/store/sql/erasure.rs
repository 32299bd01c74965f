//! Taking a ticket out of everything that holds a word of it.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Dialect;
use super::database::Turn;
use super::query::query;
use super::rows::{from_json, to_json, uuid};
use crate::domain::{Draft, SourceKind, Suggestion, SuggestionId, TicketId, WorkspaceId};
use crate::store::StoreError;

/// Suggestions whose mentions are read at once.
const AT_ONCE: i64 = 1_000;
/// What stands in place of a stored answer that showed an erased ticket: a retry hears that the
/// answer was given, and that it is gone.
const GONE: &str = r#"{"type":"about:blank","title":"The answer was erased.","status":410,"code":"erased","detail":"this request was answered before, and a ticket that its answer showed has been erased since"}"#;

/// The tickets whose words a suggestion shows, besides its own ticket's.
pub(super) fn mentions(suggestion: &Suggestion) -> BTreeSet<TicketId> {
    let shown = suggestion.similar.iter().map(|s| s.ticket_id);
    let sentences = suggestion.draft.iter().flat_map(|d| &d.sentences);
    let sources = sentences.flat_map(|s| &s.sources).filter(|s| s.kind == SourceKind::Ticket);
    shown.chain(sources.filter_map(|s| s.id.parse().ok())).collect()
}

/// Erases tickets. Returns how many were there.
pub(super) async fn erase(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    ids: &[TicketId],
) -> Result<u64, StoreError> {
    let ids: BTreeSet<TicketId> = ids.iter().copied().collect();
    erase_mentions(connection, workspace, &ids).await?;
    let mut gone = 0;
    for id in ids {
        gone += erase_ticket(connection, workspace, id).await?;
    }
    Ok(gone)
}

/// Takes tickets out of what suggestions for others show. Who shows them is found by reading what
/// all of them show: erasing is rare, and each answer would pay for an index by ticket.
async fn erase_mentions(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    erased: &BTreeSet<TicketId>,
) -> Result<(), StoreError> {
    let mut last = Vec::new();
    loop {
        let rows = query(
            "SELECT suggestion_id, tickets FROM mentions
             WHERE workspace = $1 AND suggestion_id > $2 ORDER BY suggestion_id LIMIT $3",
        )
        .bind(workspace.as_str())
        .bind(last)
        .bind(AT_ONCE)
        .aside()
        .fetch_all(&mut *connection)
        .await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.try_get("suggestion_id")?;
        for row in &rows {
            let ids = row.try_get::<&[u8]>("tickets")?.as_chunks::<16>().0;
            let is_erased = |id: &[u8; 16]| erased.contains(&TicketId::new(Uuid::from_bytes(*id)));
            if !ids.iter().any(is_erased) {
                continue;
            }
            let kept: Vec<u8> = ids.iter().filter(|id| !is_erased(id)).flatten().copied().collect();
            let suggestion = SuggestionId::new(uuid(row, "suggestion_id")?);
            query("UPDATE mentions SET tickets = $3 WHERE workspace = $1 AND suggestion_id = $2")
                .bind(workspace.as_str())
                .bind(&suggestion.as_bytes()[..])
                .bind(kept)
                .execute(&mut *connection)
                .await?;
            redact_suggestion(connection, workspace, suggestion, erased).await?;
        }
    }
}

/// Erases a ticket and what is its own. Returns how many there were.
async fn erase_ticket(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    id: TicketId,
) -> Result<u64, StoreError> {
    let key = &id.as_bytes()[..];
    erase_answers(connection, workspace, id).await?;
    for sql in [
        "DELETE FROM mentions WHERE workspace = $1 AND suggestion_id IN
             (SELECT id FROM suggestions WHERE workspace = $1 AND ticket_id = $2)",
        "DELETE FROM article_mentions WHERE suggestion_id IN
             (SELECT id FROM suggestions WHERE workspace = $1 AND ticket_id = $2)",
        "DELETE FROM sentence_votes WHERE decision_id IN
             (SELECT id FROM decisions WHERE workspace = $1 AND ticket_id = $2)",
        "DELETE FROM decisions WHERE workspace = $1 AND ticket_id = $2",
        "DELETE FROM suggestions WHERE workspace = $1 AND ticket_id = $2",
    ] {
        query(sql).bind(workspace.as_str()).bind(key).execute(&mut *connection).await?;
    }
    // A tombstone under a new number, so that every view hears of it.
    let entries = query("SELECT encoder FROM entries WHERE workspace = $1 AND ticket_id = $2")
        .bind(workspace.as_str())
        .bind(key)
        .fetch_all(&mut *connection)
        .await?;
    query("DELETE FROM entries WHERE workspace = $1 AND ticket_id = $2")
        .bind(workspace.as_str())
        .bind(key)
        .execute(&mut *connection)
        .await?;
    for row in entries {
        query(
            "INSERT INTO entries (workspace, encoder, ticket_id, listed, subject)
             VALUES ($1, $2, $3, 0, '')",
        )
        .bind(workspace.as_str())
        .bind(row.try_get::<String>(0)?)
        .bind(key)
        .execute(&mut *connection)
        .await?;
    }
    query("DELETE FROM tickets WHERE workspace = $1 AND id = $2")
        .bind(workspace.as_str())
        .bind(key)
        .execute(connection)
        .await
}

/// Takes tickets out of what a suggestion for another one shows. A draft that quotes one goes.
async fn redact_suggestion(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    suggestion: SuggestionId,
    erased: &BTreeSet<TicketId>,
) -> Result<(), StoreError> {
    let key = &suggestion.as_bytes()[..];
    let row = query("SELECT document, draft FROM suggestions WHERE workspace = $1 AND id = $2")
        .bind(workspace.as_str())
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let mut document: Suggestion = from_json(row.try_get(0)?)?;
    document.similar.retain(|s| !erased.contains(&s.ticket_id));
    query(
        "UPDATE suggestions SET document = $3, version = version + 1
         WHERE workspace = $1 AND id = $2",
    )
    .bind(workspace.as_str())
    .bind(key)
    .bind(to_json(&document)?)
    .execute(&mut *connection)
    .await?;
    let draft: Option<&str> = row.try_get("draft")?;
    let Some(draft) = draft.map(from_json::<Draft>).transpose()? else { return Ok(()) };
    let names: BTreeSet<String> = erased.iter().map(ToString::to_string).collect();
    let quotes = draft.sentences.iter().flat_map(|s| &s.sources).any(|s| names.contains(&s.id));
    if quotes {
        erase_draft(connection, workspace, suggestion).await?;
    }
    Ok(())
}

/// Erases a suggestion's draft, and the replies that may be the draft word for word.
pub(super) async fn erase_draft(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    suggestion: SuggestionId,
) -> Result<(), StoreError> {
    query("UPDATE suggestions SET draft = NULL WHERE workspace = $1 AND id = $2")
        .bind(workspace.as_str())
        .bind(&suggestion.as_bytes()[..])
        .execute(&mut *connection)
        .await?;
    erase_replies(connection, workspace, suggestion).await
}

/// A reply that was approved may be the draft word for word.
async fn erase_replies(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    suggestion: SuggestionId,
) -> Result<(), StoreError> {
    let key = &suggestion.as_bytes()[..];
    let rows =
        query("SELECT id, document FROM decisions WHERE workspace = $1 AND suggestion_id = $2")
            .bind(workspace.as_str())
            .bind(key)
            .fetch_all(&mut *connection)
            .await?;
    for row in rows {
        let mut decision: crate::domain::AgentDecision = from_json(row.try_get(1)?)?;
        decision.reply = None;
        query("UPDATE decisions SET document = $2 WHERE id = $1")
            .bind(row.try_get::<Vec<u8>>(0)?)
            .bind(to_json(&decision)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Blanks stored answers that name the ticket.
pub(super) async fn erase_answers(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    id: TicketId,
) -> Result<(), StoreError> {
    // An id holds no character that LIKE would read as a pattern, besides the one underscore.
    query(
        "UPDATE receipts SET status = 410, headers = $3, body = $4
         WHERE workspace = $1 AND status IS NOT NULL AND body LIKE $2",
    )
    .bind(workspace.as_str())
    .bind(format!("%{id}%"))
    .bind(r#"[["content-type","application/problem+json"]]"#)
    .bind(GONE)
    .aside()
    .execute(connection)
    .await?;
    Ok(())
}

/// Blanks stored answers that hold a text.
pub(super) async fn erase_answers_with(
    connection: &mut Turn,
    workspace: &WorkspaceId,
    dialect: Dialect,
    text: &str,
) -> Result<(), StoreError> {
    let sql = dialect.pick(
        "UPDATE receipts SET status = 410, headers = $3, body = $4
         WHERE workspace = $1 AND status IS NOT NULL AND instr(body, $2) > 0",
        "UPDATE receipts SET status = 410, headers = $3, body = $4
         WHERE workspace = $1 AND status IS NOT NULL AND strpos(body, $2) > 0",
    );
    query(sql)
        .bind(workspace.as_str())
        .bind(text)
        .bind(r#"[["content-type","application/problem+json"]]"#)
        .bind(GONE)
        .aside()
        .execute(connection)
        .await?;
    Ok(())
}

/// The articles that a suggestion's draft quotes.
pub(super) fn quoted_articles(suggestion: &Suggestion) -> BTreeSet<String> {
    let sentences = suggestion.draft.iter().flat_map(|d| &d.sentences);
    let sources = sentences.flat_map(|s| &s.sources).filter(|s| s.kind == SourceKind::Article);
    sources.map(|s| s.id.clone()).collect()
}
