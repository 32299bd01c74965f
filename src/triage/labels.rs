//! Changing a desk's labels.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Caller, Receipt, Triage, TriageError};
use crate::domain::{JobId, LabelField, Taxonomy};
use crate::store::{AuditEntry, JobKind, NewJob};

/// For each field, which label takes which one's place.
pub type Mappings = BTreeMap<LabelField, BTreeMap<String, String>>;

impl Triage {
    /// Gives a desk another taxonomy, as the next version. Tickets whose labels are mapped get
    /// their new ones.
    ///
    /// # Errors
    /// The taxonomy contradicts itself, is based on another version than `expected`, or lacks a
    /// label that is in use and not mapped.
    pub async fn put_taxonomy(
        &self,
        caller: &Caller,
        mut taxonomy: Taxonomy,
        mappings: &Mappings,
        expected: Option<i64>,
        receipt: Receipt<'_, Taxonomy>,
    ) -> Result<Taxonomy, TriageError> {
        taxonomy.check()?;
        for (&field, mapping) in mappings {
            if let Some((from, to)) = mapping.iter().find(|(_, to)| !has(&taxonomy, field, to)) {
                let (from, to) = (from.clone(), to.clone());
                return Err(TriageError::UnknownTarget { field, from, to });
            }
        }
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        let current = tx.taxonomy().await?.map_or(self.default_taxonomy.version, |t| t.version);
        match expected {
            Some(expected) if expected != i64::from(current) => {
                return Err(TriageError::Stale { expected, current: i64::from(current) });
            }
            _ => taxonomy.version = current + 1,
        }
        let (mut orphans, mut mapped) = (Vec::new(), 0);
        for field in LabelField::ALL {
            for (label, n) in tx.labels_in_use(field).await? {
                if has(&taxonomy, field, &label) {
                    continue;
                }
                match mappings.get(&field).and_then(|m| m.get(&label)) {
                    Some(to) => mapped += tx.relabel(field, &label, to).await?,
                    None => orphans.push((field, label, n)),
                }
            }
        }
        if !orphans.is_empty() {
            return Err(TriageError::LabelsInUse(orphans));
        }
        let now = self.parts.clock.now();
        tx.save_taxonomy(&taxonomy, now).await?;
        if mapped > 0 && self.parts.external.is_some() {
            // An external index shows labels too; it hears of so many at once by a job.
            tx.enqueue(&NewJob {
                id: JobId::new(self.parts.ids.next()),
                kind: JobKind::Reindex,
                subject: caller.workspace.to_string(),
                run_at: now,
                lease: None,
            })
            .await?;
        }
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "taxonomy.put",
            subject: caller.workspace.to_string(),
            detail: json!({ "version": taxonomy.version, "tickets_relabelled": mapped }),
        })
        .await?;
        receipt.settle(&mut *tx, &taxonomy).await?;
        tx.commit().await?;
        self.learning.look_again();
        Ok(taxonomy)
    }
}

fn has(taxonomy: &Taxonomy, field: LabelField, label: &str) -> bool {
    taxonomy.labels(field).any(|known| known == label)
}
