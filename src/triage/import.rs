//! Taking in a desk's history.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use super::{Triage, TriageError, is_blank};
use crate::domain::ids::hex;
use crate::domain::{ResolvedTicket, Taxonomy, TicketId, WorkspaceId};
use crate::inference::Lane;
use crate::store::{EntryRow, StoreError};

/// Rows of one transaction: few enough that a crash costs little work.
const BATCH: usize = 64;

/// For work that nobody watches.
pub(super) struct Silent;

impl ImportProgress for Silent {
    fn advance(&self, _: usize) {}
}

/// Hears how an import is getting on.
pub trait ImportProgress: Send + Sync {
    /// So many more rows are dealt with: on disk, or found unchanged.
    fn advance(&self, rows: usize);
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Rows that are new or have changed.
    pub imported: usize,
    /// Rows that were there already, word for word.
    pub unchanged: usize,
    /// Rows that were left out, by position, and why. Importing them again tries them again.
    pub left_out: Vec<(usize, LeftOut)>,
}

/// Why a row was not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It has no text.
    #[error("the ticket says nothing")]
    Blank,
    /// Its ticket is in the file more than once.
    #[error("the same ticket comes again further down; the last one counts")]
    Repeated,
    /// The encoder, or what prepares texts for it, failed on this very row. Of a ticket that is in
    /// the file more than once the last row counts all the same.
    #[error("{0}")]
    Failed(String),
}

/// Why an import stopped. What was reported as dealt with before is on disk; running the import
/// again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It failed on all that was new, so it is hardly the rows' fault.
    #[error("none of the {0} rows could be embedded; the first: {1}")]
    AllFailed(usize, LeftOut),
    /// A row has no name in its source system, so a second import could not find it again.
    #[error("row {0} has no source id")]
    NoSource(usize),
    /// The store or the encoder failed.
    #[error(transparent)]
    Triage(#[from] TriageError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Triage(error.into())
    }
}

impl Triage {
    /// Imports resolved tickets: each is searchable, and votes, once it is reported as dealt with.
    /// Importing the same rows again changes nothing.
    ///
    /// Labels that the workspace's taxonomy lacks are added to it. A workspace without a taxonomy
    /// starts from `taxonomy`, or else from these labels; what they do not name at all (teams, say)
    /// stays as the built-in taxonomy has it.
    ///
    /// # Errors
    /// The store or the encoder failed, or the encoder failed on every row for itself.
    pub async fn import(
        &self,
        workspace: &WorkspaceId,
        rows: &[ResolvedTicket],
        taxonomy: Option<Taxonomy>,
        progress: &dyn ImportProgress,
    ) -> Result<ImportReport, ImportError> {
        self.learn_labels(workspace, rows, taxonomy).await?;
        let mut report = ImportReport::default();
        let newest = newest(rows);
        for (at, batch) in rows.chunks(BATCH).enumerate() {
            let mut changed = Vec::new();
            for (offset, row) in batch.iter().enumerate() {
                let position = at * BATCH + offset;
                let source = row.ticket.source.as_ref().ok_or(ImportError::NoSource(position))?;
                if !newest.contains(&position) {
                    report.left_out.push((position, LeftOut::Repeated));
                    continue;
                }
                let hash = row_hash(row);
                let known = self.parts.store.find(workspace, source).await?;
                if is_blank(&row.ticket) {
                    report.left_out.push((position, LeftOut::Blank));
                } else if known.is_some_and(|k| k.import_hash.as_ref() == Some(&hash)) {
                    report.unchanged += 1;
                } else {
                    changed.push((position, row, hash));
                }
            }
            let embed = async |(position, row, hash)| {
                (position, self.embed_row(workspace, row, hash).await)
            };
            let mut written = Vec::new();
            for (position, row) in join_all(changed.into_iter().map(embed)).await {
                match row {
                    Ok(row) => written.push(row),
                    Err(TriageError::Inference(error)) if error.is_the_texts() => {
                        report.left_out.push((position, LeftOut::Failed(error.to_string())));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            report.imported += written.len();
            self.write_rows(workspace, written).await?;
            progress.advance(batch.len());
        }
        let mut failed =
            report.left_out.iter().filter(|(_, why)| matches!(why, LeftOut::Failed(_)));
        if report.imported + report.unchanged == 0
            && let Some((_, first)) = failed.next()
        {
            return Err(ImportError::AllFailed(1 + failed.count(), first.clone()));
        }
        self.learning.look_again();
        Ok(report)
    }

    /// Writes a batch of rows: all of them, or none.
    async fn write_rows(
        &self,
        workspace: &WorkspaceId,
        rows: Vec<ImportRow<'_>>,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut promises = Vec::new();
        let mut tx = self.parts.store.begin(workspace).await?;
        let now = self.parts.clock.now();
        for ImportRow { new_id, row, hash, language, entry } in rows {
            let id = tx.put_ticket(new_id, &row.ticket, language, now).await?;
            tx.set_outcome(id, &row.outcome, Some(&hash)).await?;
            // One that has just been made was not there before.
            let listed = id != new_id && self.entry(&mut *tx, id).await?.listed;
            promises.push(self.put_entry(&mut *tx, id, &entry, listed).await?);
        }
        tx.commit().await?;
        for promise in promises {
            self.keep(workspace, promise).await;
        }
        Ok(())
    }

    async fn embed_row<'a>(
        &self,
        workspace: &WorkspaceId,
        row: &'a ResolvedTicket,
        hash: String,
    ) -> Result<ImportRow<'a>, TriageError> {
        // Before anything is waited for, so that ids follow the order of the rows.
        let new_id = TicketId::new(self.parts.ids.next());
        let read = self.read(workspace, &row.ticket.text).await?;
        let resolution = match &row.outcome.resolution {
            Some(text) => Some(self.redact(workspace, text).await?),
            None => None,
        };
        // A row that cleaning empties still has a subject line's worth of nothing to embed; its
        // raw text is no better and no worse than that.
        let readable = if read.text.is_empty() { read.subject.clone() } else { read.text };
        let embedding = self.parts.inference.embed(readable, Lane::Bulk).await?;
        let entry = EntryRow {
            listed: true,
            vector: Some(embedding.vector),
            terms: Some(read.terms),
            subject: read.subject,
            resolution,
        };
        Ok(ImportRow { new_id, row, hash, language: read.language, entry })
    }

    async fn learn_labels(
        &self,
        workspace: &WorkspaceId,
        rows: &[ResolvedTicket],
        given: Option<Taxonomy>,
    ) -> Result<(), StoreError> {
        let mut tx = self.parts.store.begin(workspace).await?;
        let own = tx.taxonomy().await?;
        let fresh = own.is_none();
        let worth_saving = fresh && given.is_some();
        let mut taxonomy = own.or(given).unwrap_or_else(|| Taxonomy::empty(workspace.as_str()));
        let grown = taxonomy.learn_labels(rows.iter().map(|row| &row.outcome));
        if !grown && !worth_saving {
            return Ok(());
        }
        if fresh {
            // What the history does not name is decided by the built-in labels.
            taxonomy.fill_from(&self.default_taxonomy);
        }
        tx.save_taxonomy(&taxonomy, self.parts.clock.now()).await?;
        tx.commit().await
    }
}

/// A resolved ticket on its way into the store.
struct ImportRow<'a> {
    /// Its id if it is new; a known ticket keeps its own.
    new_id: TicketId,
    row: &'a ResolvedTicket,
    /// Tells whether the row has changed since it was last imported.
    hash: String,
    language: &'static str,
    entry: EntryRow,
}

/// The rows to import: of those with one source, the last. A ticket that an export lists twice has
/// changed in between.
fn newest(rows: &[ResolvedTicket]) -> HashSet<usize> {
    let mut last = HashMap::new();
    for (position, row) in rows.iter().enumerate() {
        last.insert(row.ticket.source.as_ref().map(|s| (&s.system, &s.id)), position);
    }
    last.into_values().collect()
}

/// Tells whether a row still says the same. `Debug` prints every field, so none can be forgotten.
fn row_hash(row: &ResolvedTicket) -> String {
    hex(&Sha256::digest(format!("{row:?}")))
}
