//! Erasure: a ticket and all that was made from it, or all that a person wrote.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::embed::Read;
use super::jobs::Promise;
use super::{Caller, Receipt, Triage, TriageError};
use crate::domain::{
    Draft, DraftReason, SourceKind, Suggestion, Ticket, TicketId, TicketText, WorkspaceId,
};
use crate::inference::Lane;
use crate::store::{AuditEntry, EntryRow, StoreError, Transaction};

/// Tickets that retention erases in one transaction.
const BATCH: u32 = 100;

/// What was read of a text, and its vector if anything was left to embed.
type Embedding = (Read, Option<Vec<f32>>);

/// What an erasure took out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Tickets that are gone.
    pub tickets: u64,
    /// Other tickets from whose threads messages are gone.
    pub threads: u64,
}

/// The articles that a suggestion's draft quotes.
fn articles(suggestion: &Suggestion) -> BTreeSet<String> {
    let sources = suggestion.draft.iter().flat_map(|d| &d.sentences).flat_map(|s| &s.sources);
    sources.filter(|s| s.kind == SourceKind::Article).map(|s| s.id.clone()).collect()
}

impl Triage {
    /// Erases a ticket from store, index and stored answers.
    ///
    /// # Errors
    /// There is no such ticket, or the store failed.
    pub async fn erase_ticket(
        &self,
        caller: &Caller,
        id: TicketId,
        receipt: Receipt<'_, Erased>,
    ) -> Result<Erased, TriageError> {
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        let promises = self.erase_all(&mut *tx, &[id]).await?;
        self.erase_reports(&mut *tx, caller, Timestamp::MAX).await?;
        let erased = Erased { tickets: 1, threads: 0 };
        self.finish_erasure(tx, caller, &id.to_string(), erased, receipt, promises).await
    }

    /// Erases what a person sent and wrote: their tickets, and their messages in other people's
    /// threads, which are then embedded anew.
    ///
    /// # Errors
    /// Nobody of that name sent or wrote anything, or the encoder or the store failed.
    pub async fn erase_requester(
        &self,
        caller: &Caller,
        requester: &str,
        receipt: Receipt<'_, Erased>,
    ) -> Result<Erased, TriageError> {
        // Embedding takes its time: nobody has to wait for the store meanwhile.
        let mut ahead = self.embed_without(&caller.workspace, requester).await?;
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        let own = tx.tickets_of(requester).await?;
        let mut promises = self.erase_all(&mut *tx, &own).await?;
        let mut threads = 0;
        for id in tx.threads_with(requester).await? {
            let Some(ticket) = without(&mut *tx, id, requester).await? else { continue };
            threads += 1;
            let (read, vector) = match ahead.remove(&id) {
                Some((text, known)) if text == ticket.text => known,
                _ => self.reread(&caller.workspace, &ticket.text).await?,
            };
            tx.erase_answers(id).await?;
            tx.rewrite_ticket(id, &ticket, read.language).await?;
            let entry = self.entry_to_rewrite(&mut *tx, id).await?;
            let terms = Some(read.terms);
            let entry = EntryRow { vector, terms, subject: read.subject, ..entry };
            promises.extend(self.put_entry(&mut *tx, id, &entry, entry.listed).await?);
        }
        let erased = Erased { tickets: own.len() as u64, threads };
        if erased.tickets + erased.threads == 0 {
            return Err(TriageError::NotFound("requester"));
        }
        self.erase_reports(&mut *tx, caller, Timestamp::MAX).await?;
        // The name is what is being erased, so the trail does not keep it.
        self.finish_erasure(tx, caller, "requester", erased, receipt, promises).await
    }

    /// What other people's threads will say without a person's messages, read and embedded.
    async fn embed_without(
        &self,
        workspace: &WorkspaceId,
        requester: &str,
    ) -> Result<HashMap<TicketId, (TicketText, Embedding)>, TriageError> {
        let mut tx = self.parts.store.begin(workspace).await?;
        // Their own tickets are erased as a whole.
        let own: BTreeSet<TicketId> = tx.tickets_of(requester).await?.into_iter().collect();
        let mut texts = Vec::new();
        for id in tx.threads_with(requester).await? {
            if !own.contains(&id)
                && let Some(ticket) = without(&mut *tx, id, requester).await?
            {
                texts.push((id, ticket.text));
            }
        }
        drop(tx);
        let mut embedded = HashMap::with_capacity(texts.len());
        for (id, text) in texts {
            let known = self.reread(workspace, &text).await?;
            embedded.insert(id, (text, known));
        }
        Ok(embedded)
    }

    async fn reread(
        &self,
        workspace: &WorkspaceId,
        text: &TicketText,
    ) -> Result<Embedding, TriageError> {
        let mut read = self.read(workspace, text).await?;
        let text = std::mem::take(&mut read.text);
        let vector = if text.is_empty() {
            None
        } else {
            Some(self.parts.inference.embed(text, Lane::Bulk).await?.vector)
        };
        Ok((read, vector))
    }

    /// Erases tickets that are older than their workspace keeps them. Returns how many.
    ///
    /// # Errors
    /// The store failed; what was erased before stays so.
    pub async fn enforce_retention(&self, workspace: &WorkspaceId) -> Result<u64, TriageError> {
        let settings = self.parts.store.settings(workspace).await?;
        let Some(days) = settings.retention_days else { return Ok(0) };
        let kept = SignedDuration::from_hours(24 * i64::from(days));
        let limit = self.parts.clock.now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let caller = Caller { workspace: workspace.clone(), actor: "retention".to_owned() };
        let mut tx = self.parts.store.begin(workspace).await?;
        if self.erase_reports(&mut *tx, &caller, limit).await? > 0 {
            tx.commit().await?;
            self.scrub().await;
        } else {
            drop(tx);
        }
        let mut total = 0;
        loop {
            let old = self.parts.store.tickets_before(workspace, limit, BATCH).await?;
            if old.is_empty() {
                return Ok(total);
            }
            let mut tx = self.parts.store.begin(workspace).await?;
            let promises = self.erase_all(&mut *tx, &old).await?;
            let erased = Erased { tickets: old.len() as u64, threads: 0 };
            let receipt = Receipt::none();
            self.finish_erasure(tx, &caller, "expired", erased, receipt, promises).await?;
            total += erased.tickets;
        }
    }

    /// Erases what has expired: tickets, stored answers, sessions, histories that were never sent
    /// to their end.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tidy(&self) -> Result<(), TriageError> {
        self.parts.store.sweep(self.parts.clock.now()).await?;
        self.scrub().await;
        for workspace in self.parts.store.workspaces().await? {
            self.give_up_stalled_imports(&workspace).await?;
            let erased = self.enforce_retention(&workspace).await?;
            if erased > 0 {
                tracing::info!(%workspace, erased, "tickets past their retention are erased");
            }
        }
        Ok(())
    }

    /// Takes out of a new suggestion what was erased while it was being made: it must not come
    /// back with it.
    pub(super) async fn leave_erased_out(
        &self,
        tx: &mut dyn Transaction,
        suggestion: &mut Suggestion,
    ) -> Result<(), StoreError> {
        let quoted = |draft: &Draft| -> BTreeSet<TicketId> {
            let sources = draft.sentences.iter().flat_map(|s| &s.sources);
            let tickets = sources.filter(|s| s.kind == SourceKind::Ticket);
            tickets.filter_map(|s| s.id.parse().ok()).collect()
        };
        let quoted = suggestion.draft.as_ref().map(quoted).unwrap_or_default();
        let mut named = quoted.clone();
        named.extend(suggestion.similar.iter().map(|s| s.ticket_id));
        let there = tx.present(&named).await?;
        suggestion.similar.retain(|s| there.contains(&s.ticket_id));
        let articles = articles(suggestion);
        let articles_there = articles.is_empty() || tx.articles_present(&articles).await?;
        if !quoted.is_subset(&there) || !articles_there {
            suggestion.draft = None;
            suggestion.draft_reason = Some(DraftReason::NoSimilarResolution);
        }
        Ok(())
    }

    /// Empties the database's log of what was erased. A reader may hold it back for a moment; what
    /// cannot be emptied now is when things are tidied next, and nobody can read it through us.
    pub(super) async fn scrub(&self) {
        for pause in [50, 200, 1000] {
            match self.parts.store.scrub().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "the log could not be emptied yet"),
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        if let Err(error) = self.parts.store.scrub().await {
            tracing::warn!(%error, "what was erased may stay in the database's log for up to an hour");
        }
    }

    async fn erase_all(
        &self,
        tx: &mut dyn Transaction,
        ids: &[TicketId],
    ) -> Result<Vec<Promise>, StoreError> {
        tx.erase(ids).await?;
        let mut promises = Vec::new();
        for &id in ids {
            promises.extend(self.promise(tx, id).await?);
        }
        Ok(promises)
    }

    /// Deletes the reports that were made before an instant. They show beginnings of tickets as a
    /// file had them, and nobody can tell whose: so an erasure takes them all.
    async fn erase_reports(
        &self,
        tx: &mut dyn Transaction,
        caller: &Caller,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let reports = tx.drop_reports_before(before).await?;
        if reports > 0 {
            tx.audit(&AuditEntry {
                at: self.parts.clock.now(),
                actor: caller.actor.clone(),
                action: "report.erase",
                subject: "all".to_owned(),
                detail: json!({ "reports": reports }),
            })
            .await?;
        }
        Ok(reports)
    }

    /// Forgets what was made of texts that may be erased: an embedding, too, says something of the
    /// words that it is of.
    pub(super) fn forget(&self) {
        self.parts.inference.forget();
        self.heard.clear();
        self.readings.clear();
    }

    async fn finish_erasure(
        &self,
        mut tx: Box<dyn Transaction>,
        caller: &Caller,
        subject: &str,
        erased: Erased,
        receipt: Receipt<'_, Erased>,
        promises: Vec<Promise>,
    ) -> Result<Erased, TriageError> {
        tx.audit(&AuditEntry {
            at: self.parts.clock.now(),
            actor: caller.actor.clone(),
            action: "erase",
            subject: subject.to_owned(),
            detail: json!({ "tickets": erased.tickets, "threads": erased.threads }),
        })
        .await?;
        receipt.settle(&mut *tx, &erased).await?;
        tx.commit().await?;
        self.forget();
        for promise in promises {
            self.keep(&caller.workspace, Some(promise)).await;
        }
        self.scrub().await;
        Ok(erased)
    }
}

/// A ticket without a person's messages, if they wrote any in its thread.
async fn without(
    tx: &mut dyn Transaction,
    id: TicketId,
    author: &str,
) -> Result<Option<Ticket>, StoreError> {
    let Some(stored) = tx.ticket(id).await? else { return Ok(None) };
    let mut ticket = stored.ticket;
    let before = ticket.text.messages.len();
    ticket.text.messages.retain(|m| m.author.as_deref() != Some(author));
    Ok((ticket.text.messages.len() < before).then_some(ticket))
}
