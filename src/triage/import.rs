//! Taking in a desk's history.

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};

use super::{Triage, TriageError, clean, is_blank};
use crate::domain::ids::hex;
use crate::domain::{ResolvedTicket, Taxonomy, TicketId, WorkspaceId};
use crate::inference::Lane;
use crate::store::{ImportRow, StoreError};

/// Rows of one transaction: few enough that a crash costs little work.
const BATCH: usize = 64;

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
    /// Rows whose ticket comes again further down; the last one counts.
    pub repeated: usize,
    /// Rows without any text, by position.
    pub blank: Vec<usize>,
}

/// Why an import stopped. What was reported as dealt with before is on disk; running the import
/// again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
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
    /// The store or the encoder failed.
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
                    report.repeated += 1;
                    continue;
                }
                let hash = row_hash(row);
                let known = self.parts.store.find(workspace, source).await?;
                if is_blank(&row.ticket) {
                    report.blank.push(position);
                } else if known.is_some_and(|k| k.import_hash.as_ref() == Some(&hash)) {
                    report.unchanged += 1;
                } else {
                    changed.push((row, hash));
                }
            }
            let written = try_join_all(changed.into_iter().map(|(r, h)| self.embed_row(r, h)));
            let written = written.await?;
            let now = self.parts.clock.now();
            self.parts.store.import(workspace, &self.fingerprint, &written, now).await?;
            report.imported += written.len();
            progress.advance(batch.len());
        }
        Ok(report)
    }

    async fn embed_row(
        &self,
        row: &ResolvedTicket,
        import_hash: String,
    ) -> Result<ImportRow, TriageError> {
        let (cleaned, language) = clean(row.ticket.text.clone()).await?;
        // A row that cleaning empties still has a subject line's worth of nothing to embed; its
        // raw text is no better and no worse than that.
        let readable =
            if cleaned.text.is_empty() { row.ticket.text.subject.clone() } else { cleaned.text };
        let embedding = self.parts.inference.embed(readable, Lane::Bulk).await?;
        Ok(ImportRow {
            new_id: TicketId::new(self.parts.ids.next()),
            resolved: row.clone(),
            import_hash,
            language: language.to_owned(),
            vector: embedding.vector,
        })
    }

    async fn learn_labels(
        &self,
        workspace: &WorkspaceId,
        rows: &[ResolvedTicket],
        given: Option<Taxonomy>,
    ) -> Result<(), StoreError> {
        loop {
            let own = self.parts.store.taxonomy(workspace).await?;
            let fresh = own.is_none();
            let worth_saving = fresh && given.is_some();
            let mut taxonomy = own
                .or_else(|| given.clone())
                .unwrap_or_else(|| Taxonomy::empty(workspace.as_str()));
            let grown = taxonomy.learn_labels(rows.iter().map(|row| &row.outcome));
            if !grown && !worth_saving {
                return Ok(());
            }
            if fresh {
                // What the history does not name is decided by the built-in labels.
                taxonomy.fill_from(&self.default_taxonomy);
            }
            // Another process may have saved this version first; then its labels come first.
            let now = self.parts.clock.now();
            if self.parts.store.save_taxonomy(workspace, &taxonomy, now).await? {
                return Ok(());
            }
        }
    }
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
