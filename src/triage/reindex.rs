//! Rebuilding an index from the store, while it is in use.

use super::{ImportProgress, Triage, TriageError};
use crate::domain::{Outcome, TicketId, WorkspaceId};
use crate::index::{Entry, ExternalIndex};
use crate::inference::Lane;
use crate::store::{EntryRow, StoredTicket};

/// Tickets that are read at once.
const BATCH: u32 = 256;

/// What a rebuild did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReindexReport {
    /// Tickets that had no embedding of this encoder, or one of an older text, and have one now.
    pub embedded: u64,
    /// Tickets that the encoder failed on. They are as they were.
    pub failed: u64,
    /// Entries written to an external index.
    pub written: u64,
    /// Entries that it had and the store has not.
    pub removed: u64,
}

impl Triage {
    /// Brings a workspace's index in step with the store: embeds tickets that this encoder has not
    /// read as they are now, writes every listed one to an external index, and takes out what the
    /// store lacks. Searches go on meanwhile, and so do changes: what changes while its batch is
    /// written is written again.
    ///
    /// # Errors
    /// The store, the encoder or the index failed. Running it again goes on from there.
    pub async fn reindex(
        &self,
        workspace: &WorkspaceId,
        progress: &dyn ImportProgress,
    ) -> Result<ReindexReport, TriageError> {
        let mut report = ReindexReport::default();
        let mut after = None;
        loop {
            let tickets = self.parts.store.tickets(workspace, after, BATCH).await?;
            let Some(last) = tickets.last().map(|t| t.id) else { break };
            for ticket in &tickets {
                match self.renew(workspace, ticket).await {
                    Ok(embedded) => report.embedded += u64::from(embedded),
                    Err(TriageError::Inference(error)) if error.is_the_texts() => {
                        tracing::warn!(ticket = %ticket.id, %error, "not embedded");
                        report.failed += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
            if let Some(index) = &self.parts.external {
                report.written += self.copy(&**index, workspace, &tickets).await?;
                report.removed +=
                    self.remove_strangers(&**index, workspace, after, last, &tickets).await?;
            }
            progress.advance(tickets.len());
            after = Some(last);
        }
        if let Some(index) = &self.parts.external {
            // What lies behind the last ticket.
            loop {
                let ids = index.ids(workspace, after, BATCH).await?;
                if ids.is_empty() {
                    break;
                }
                report.removed += ids.len() as u64;
                index.remove(workspace, &ids).await?;
            }
        }
        Ok(report)
    }

    /// Brings a ticket's entry in step with it. Returns whether it was embedded.
    async fn renew(
        &self,
        workspace: &WorkspaceId,
        ticket: &StoredTicket,
    ) -> Result<bool, TriageError> {
        match self.parts.store.entry(workspace, &self.fingerprint, ticket.id).await? {
            Some((_, entry)) if entry.terms.is_none() => {
                self.add_terms(workspace, ticket).await?;
                Ok(false)
            }
            Some((_, entry)) if self.is_of(workspace, ticket, &entry).await? => Ok(false),
            _ => self.embed_anew(workspace, ticket.clone()).await.map(|()| true),
        }
    }

    /// Whether an entry says what its ticket says now. A process that still runs with another
    /// encoder changes tickets and its own entries, not these.
    async fn is_of(
        &self,
        workspace: &WorkspaceId,
        ticket: &StoredTicket,
        entry: &EntryRow,
    ) -> Result<bool, TriageError> {
        let read = self.read(workspace, &ticket.ticket.text).await?;
        Ok(entry.terms.as_ref() == Some(&read.terms)
            && entry.subject == read.subject
            && (entry.vector.is_some() || read.text.is_empty())
            && entry.resolution == self.shown(workspace, &ticket.outcome).await?
            && (entry.listed || entry.vector.is_none() || ticket.outcome.is_empty()))
    }

    /// A resolution as others may see it.
    async fn shown(
        &self,
        workspace: &WorkspaceId,
        outcome: &Outcome,
    ) -> Result<Option<String>, TriageError> {
        match &outcome.resolution {
            Some(text) => Ok(Some(self.redact(workspace, text).await?)),
            None => Ok(None),
        }
    }

    async fn embed_anew(
        &self,
        workspace: &WorkspaceId,
        mut ticket: StoredTicket,
    ) -> Result<(), TriageError> {
        loop {
            let read = self.read(workspace, &ticket.ticket.text).await?;
            let resolution = self.shown(workspace, &ticket.outcome).await?;
            let vector = if read.text.is_empty() {
                None
            } else {
                Some(self.parts.inference.embed(read.text, Lane::Bulk).await?.vector)
            };
            let mut tx = self.parts.store.begin(workspace).await?;
            // What was erased meanwhile stays so; what was changed is read again.
            let Some(now) = tx.ticket(ticket.id).await? else { return Ok(()) };
            if now != ticket {
                ticket = now;
                continue;
            }
            let before = self.entry(&mut *tx, ticket.id).await?;
            let listed = before.listed || !ticket.outcome.is_empty();
            let (terms, subject) = (Some(read.terms), read.subject);
            let entry = EntryRow { listed, vector, terms, subject, resolution };
            tx.put_entry(&self.fingerprint, ticket.id, &entry).await?;
            return Ok(tx.commit().await?);
        }
    }

    /// Gives an entry from before there were terms the ones that it lacks.
    async fn add_terms(
        &self,
        workspace: &WorkspaceId,
        ticket: &StoredTicket,
    ) -> Result<(), TriageError> {
        let read = self.read(workspace, &ticket.ticket.text).await?;
        let mut tx = self.parts.store.begin(workspace).await?;
        // Whoever rewrote the ticket meanwhile has added them; of an erased one nothing comes back.
        let unchanged = tx.ticket(ticket.id).await?.is_some_and(|now| now == *ticket);
        let known = tx.entry(&self.fingerprint, ticket.id).await?;
        if let Some(entry) = known.filter(|entry| unchanged && entry.terms.is_none()) {
            let entry = EntryRow { terms: Some(read.terms), ..entry };
            tx.put_entry(&self.fingerprint, ticket.id, &entry).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn copy(
        &self,
        index: &dyn ExternalIndex,
        workspace: &WorkspaceId,
        tickets: &[StoredTicket],
    ) -> Result<u64, TriageError> {
        let (mut entries, mut seqs) = (Vec::new(), Vec::new());
        for ticket in tickets {
            let entry = self.parts.store.entry(workspace, &self.fingerprint, ticket.id).await?;
            let Some((seq, entry)) = entry.filter(|(_, entry)| entry.listed) else { continue };
            let EntryRow { vector: Some(vector), subject, resolution, .. } = entry else {
                continue;
            };
            let outcome = Outcome { resolution, ..ticket.outcome.clone() };
            let language = ticket.language.clone();
            seqs.push((ticket.id, seq));
            entries.push(Entry { ticket_id: ticket.id, vector, subject, outcome, language });
        }
        index.upsert(workspace, &entries).await?;
        for (id, seq) in seqs {
            let now = self.parts.store.entry(workspace, &self.fingerprint, id).await?;
            if now.map(|(seq, _)| seq) != Some(seq) {
                self.sync(index, workspace, id).await?;
            }
        }
        Ok(entries.len() as u64)
    }

    /// Takes out what an index has between two tickets and the store does not list.
    async fn remove_strangers(
        &self,
        index: &dyn ExternalIndex,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        last: TicketId,
        tickets: &[StoredTicket],
    ) -> Result<u64, TriageError> {
        let (mut at, mut removed) = (after, 0);
        loop {
            let page = index.ids(workspace, at, BATCH).await?;
            let inside: Vec<_> = page.iter().copied().filter(|&id| id <= last).collect();
            let mut strangers = Vec::new();
            for &id in &inside {
                let listed = tickets.iter().any(|t| t.id == id)
                    && (self.parts.store.entry(workspace, &self.fingerprint, id).await?)
                        .is_some_and(|(_, e)| e.listed);
                if !listed {
                    strangers.push(id);
                }
            }
            removed += strangers.len() as u64;
            index.remove(workspace, &strangers).await?;
            // One that was listed only just now came after the page was read.
            for id in strangers {
                self.sync(index, workspace, id).await?;
            }
            if inside.len() < page.len() || page.is_empty() {
                return Ok(removed);
            }
            at = page.last().copied();
        }
    }
}
