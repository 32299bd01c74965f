//! Bundles as folders: beside a bundle's own files stand where it comes from and which labels it
//! knows tickets by.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Active, BundleFault, BundleRecord};
use crate::classify::bundle::MANIFEST;
use crate::classify::{Bundle, BundleManifest};
use crate::domain::ids::hex;
use crate::domain::{LabelField, TicketId};
use crate::store::StoredTicket;
use crate::triage::TriageError;

/// Where a bundle comes from.
const ORIGIN: &str = "origin.json";
/// Marks of the labels that it knows tickets by: sorted little-endian u64.
const KNOWN: &str = "tickets.bin";

/// Where a bundle comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::triage) struct Origin {
    /// When it was fitted, or first activated if it was fitted elsewhere.
    pub(in crate::triage) fitted_at: Timestamp,
    /// The labelled tickets that there were then.
    pub(in crate::triage) tickets: u64,
    /// The tickets that search could find then, with labels or without.
    #[serde(default)]
    pub(in crate::triage) searchable: u64,
    /// SHA-256 of the manifest's file.
    manifest_sha256: String,
    /// SHA-256 of the marks' file.
    tickets_sha256: String,
}

/// How much history there was for a bundle.
#[derive(Debug, Clone, Copy)]
pub(in crate::triage) struct Extent {
    /// Tickets with a label.
    pub(in crate::triage) labelled: u64,
    /// Tickets that search can find.
    pub(in crate::triage) searchable: u64,
}

/// A ticket's label as a number, by which a bundle remembers having seen it. It says nothing of
/// what the ticket says.
pub(in crate::triage) fn mark(ticket: TicketId, field: LabelField, label: &str) -> u64 {
    let mut digest = Sha256::new();
    digest.update(ticket.as_bytes());
    digest.update(field.name());
    digest.update([0]);
    digest.update(label);
    let hash = digest.finalize();
    u64::from_le_bytes(std::array::from_fn(|i| hash[i]))
}

/// The marks of a ticket's labels.
pub(in crate::triage) fn marks(ticket: &StoredTicket) -> impl Iterator<Item = u64> {
    let labels = ticket.outcome.labels();
    LabelField::ALL.into_iter().filter_map(move |f| Some(mark(ticket.id, f, labels.get(f)?)))
}

/// Whether a name is one that bundles have; anything else names nothing, and no other folder.
pub(super) fn is_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a folder holds a bundle that was fitted elsewhere and put there.
pub(super) fn is_foreign(folder: &Path) -> bool {
    folder.join(MANIFEST).exists() && !folder.join(ORIGIN).exists()
}

/// Writes a fitted bundle below `parent` and returns its id. A folder with a name is whole.
pub(in crate::triage) fn save(
    parent: &Path,
    bundle: &Bundle,
    known: &[u64],
    history: Extent,
    now: Timestamp,
) -> Result<String, TriageError> {
    let id = bundle.id();
    let (part, folder) = (parent.join(format!(".{id}")), parent.join(&id));
    let fault = |reason: String| unusable(&id, parent, &reason);
    if folder.exists() {
        return Ok(id);
    }
    bundle.save(&part).map_err(|e| fault(e.to_string()))?;
    adopt(&part, known, history, now)?;
    std::fs::rename(&part, &folder).map_err(|e| fault(e.to_string()))?;
    Ok(id)
}

/// Writes beside a bundle which labels tickets carry as it comes in.
pub(super) fn adopt(
    folder: &Path,
    known: &[u64],
    history: Extent,
    now: Timestamp,
) -> Result<(), TriageError> {
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    let fault = |file: &str, e: &dyn std::fmt::Display| {
        unusable(id.trim_start_matches('.'), folder, &format!("{file}: {e}"))
    };
    let marks: Vec<u8> = known.iter().flat_map(|m| m.to_le_bytes()).collect();
    let manifest = std::fs::read(folder.join(MANIFEST)).map_err(|e| fault(MANIFEST, &e))?;
    let origin = Origin {
        fitted_at: now,
        tickets: history.labelled,
        searchable: history.searchable,
        manifest_sha256: hex(&Sha256::digest(manifest)),
        tickets_sha256: hex(&Sha256::digest(&marks)),
    };
    let origin = serde_json::to_vec_pretty(&origin).map_err(|e| fault(ORIGIN, &e))?;
    for (file, bytes) in [(KNOWN, marks), (ORIGIN, origin)] {
        let part = folder.join(file).with_extension("part");
        std::fs::write(&part, bytes)
            .and_then(|()| std::fs::File::open(&part)?.sync_all())
            .and_then(|()| std::fs::rename(&part, folder.join(file)))
            .map_err(|e| fault(file, &e))?;
    }
    Ok(())
}

/// Reads and verifies a bundle.
pub(super) fn load(folder: &Path, id: String, encoder: &str) -> Result<Active, TriageError> {
    if !folder.join(MANIFEST).exists() {
        return Err(TriageError::NotFound("bundle"));
    }
    let fault = |reason: String| unusable(&id, folder, &reason);
    let bundle = Bundle::load(folder, encoder).map_err(|e| fault(e.to_string()))?;
    let read =
        |file: &str| std::fs::read(folder.join(file)).map_err(|e| fault(format!("{file}: {e}")));
    let origin: Origin =
        serde_json::from_slice(&read(ORIGIN)?).map_err(|e| fault(format!("{ORIGIN}: {e}")))?;
    let marks = read(KNOWN)?;
    for (file, bytes, expected) in [
        (MANIFEST, &read(MANIFEST)?, &origin.manifest_sha256),
        (KNOWN, &marks, &origin.tickets_sha256),
    ] {
        let hash = hex(&Sha256::digest(bytes));
        if hash != *expected {
            let reason = format!("{file}: its SHA-256 is {hash}, {ORIGIN} says {expected}");
            return Err(fault(reason));
        }
    }
    let known = marks.chunks_exact(8);
    let known = known.map(|b| u64::from_le_bytes(std::array::from_fn(|i| b[i]))).collect();
    Ok(Active::new(id, bundle, origin, known))
}

/// Every bundle below a folder, the newest first; weights are not read.
pub(super) fn list(parent: &Path, encoder: &str) -> Vec<BundleRecord> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let ids = entries.map(|e| e.file_name().to_string_lossy().into_owned()).filter(|id| is_id(id));
    let mut found: Vec<BundleRecord> = ids
        .map(|id| {
            let folder = parent.join(&id);
            let json =
                |file: &str| std::fs::read(folder.join(file)).map_err(|e| format!("{file}: {e}"));
            let manifest = json(MANIFEST).and_then(|bytes| {
                serde_json::from_slice::<BundleManifest>(&bytes)
                    .map_err(|e| format!("{MANIFEST}: {e}"))
            });
            let origin = json(ORIGIN).ok();
            let origin = origin.and_then(|bytes| serde_json::from_slice::<Origin>(&bytes).ok());
            let (manifest, fault) = match manifest {
                Ok(manifest) => (Some(manifest), None),
                Err(fault) => (None, Some(fault)),
            };
            let other = manifest.as_ref().filter(|m| m.encoder != encoder);
            let other = other.map(|m| format!("it reads vectors of the encoder {}", m.encoder));
            BundleRecord {
                id,
                active: false,
                previous: false,
                fitted_at: origin.as_ref().map(|o| o.fitted_at),
                tickets: origin.as_ref().map(|o| o.tickets),
                manifest,
                fault: fault.or(other),
            }
        })
        .collect();
    found.sort_by(|a, b| b.fitted_at.cmp(&a.fitted_at).then_with(|| a.id.cmp(&b.id)));
    found
}

/// Callers hear of the file, not of where it lies.
fn unusable(id: &str, folder: &Path, reason: &str) -> TriageError {
    let reason = reason.replace(&format!("{}/", folder.display()), "");
    BundleFault::Unusable { id: id.to_owned(), reason }.into()
}
