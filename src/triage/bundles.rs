//! The trained bundles of each desk, one of which answers.
//!
//! Which one that is stands in the workspace's settings, so activating is one transaction and every
//! replica follows at its next ticket. The files lie in a folder that replicas share. A bundle is
//! read and verified before it takes over; one that cannot be used leaves the running one in its
//! place. An answer takes its bundle once and keeps it to its end.

mod files;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

pub(super) use files::{Extent, Origin, mark, marks, save};

use super::{Caller, Receipt, TriageError};
use crate::classify::{Bundle, BundleManifest, FieldModel, Promise, Terms, WordViews};
use crate::domain::{LabelField, Taxonomy, TicketId, WorkspaceId};
use crate::store::{ActiveBundle, AuditEntry, Store, StoreError, WorkspaceSettings};

/// Bundles of a workspace that stay in memory: the active one and the one before.
const KEPT: usize = 2;
/// When a bundle that could not be read is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Tickets that are read at once.
const BATCH: u32 = 1024;

/// Why a bundle is not used.
#[derive(Debug, thiserror::Error)]
pub enum BundleFault {
    /// It was made for another encoder, is damaged, or cannot be read.
    #[error("the bundle {id} cannot be used: {reason}")]
    Unusable {
        /// Which.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It would suggest labels that there are not.
    #[error(
        "the bundle {id} knows labels that the taxonomy lacks: {}; add them, or fit a new bundle",
        .labels.join(", ")
    )]
    Labels {
        /// Which.
        id: String,
        /// The labels, each with its field.
        labels: Vec<String>,
    },
    /// Nothing could be learned.
    #[error("no bundle could be fitted: {0}")]
    Fit(String),
}

/// A bundle as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleRecord {
    /// Its id, which answers name.
    pub id: String,
    /// Whether it answers.
    pub active: bool,
    /// Whether it answered before the active one.
    pub previous: bool,
    /// When it was fitted, or first activated if it was fitted elsewhere.
    pub fitted_at: Option<Timestamp>,
    /// The labelled tickets that there were then.
    pub tickets: Option<u64>,
    /// What it is.
    pub manifest: Option<BundleManifest>,
    /// Why it cannot be used.
    pub fault: Option<String>,
}

/// What the target precision comes to, by field.
pub(super) type Thresholds = BTreeMap<String, Promise>;

/// What a bundle makes of a ticket's words, by field.
pub(super) type Heard = BTreeMap<String, WordViews>;

/// A bundle that has been read and verified.
pub(super) struct Active {
    pub(super) id: String,
    pub(super) bundle: Bundle,
    pub(super) origin: Origin,
    /// The position of each label, by field.
    classes: BTreeMap<String, HashMap<String, usize>>,
    /// Marks of the labels that it knows tickets by, sorted.
    known: Vec<u64>,
    /// For the target that was asked for last.
    thresholds: Mutex<Option<(f64, Arc<Thresholds>)>>,
}

impl Active {
    pub(super) fn new(id: String, bundle: Bundle, origin: Origin, known: Vec<u64>) -> Self {
        let positions = |labels: &[String]| {
            labels.iter().enumerate().map(|(at, label)| (label.clone(), at)).collect()
        };
        let classes = bundle.fields.iter().map(|(f, m)| (f.clone(), positions(m.classes())));
        let classes = classes.collect();
        Self { id, bundle, origin, classes, known, thresholds: Mutex::default() }
    }

    /// What each field's model makes of a ticket's words.
    pub(super) fn read(&self, terms: &Terms, wording: &[i8]) -> Heard {
        let read = |model: &FieldModel| model.read(terms, wording);
        self.bundle.fields.iter().map(|(name, model)| (name.clone(), read(model))).collect()
    }

    /// The class of a label.
    pub(super) fn class(&self, field: LabelField, label: &str) -> Option<usize> {
        self.classes.get(field.name())?.get(label).copied()
    }

    /// Whether the ticket carried this label when the bundle was fitted.
    pub(super) fn knows(&self, ticket: TicketId, field: LabelField, label: &str) -> bool {
        self.known.binary_search(&mark(ticket, field, label)).is_ok()
    }

    /// What a target precision comes to; for the last one, at no cost.
    pub(super) fn thresholds(&self, target: f64) -> Arc<Thresholds> {
        let mut last = self.thresholds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = last.as_ref().filter(|(t, _)| t.to_bits() == target.to_bits()) {
            return Arc::clone(made);
        }
        let made = Arc::new(self.preview(target));
        *last = Some((target, Arc::clone(&made)));
        made
    }

    /// The same for a look at another target.
    pub(super) fn preview(&self, target: f64) -> Thresholds {
        let fields = self.bundle.fields.iter();
        fields.map(|(name, model)| (name.clone(), model.promises().at(target))).collect()
    }
}

/// The bundles of an installation.
pub struct Bundles {
    store: Arc<dyn Store>,
    folder: PathBuf,
    encoder: String,
    loaded: RwLock<HashMap<WorkspaceId, Loaded>>,
    /// Held by the one who reads a bundle from disk.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Loaded {
    /// What answered last comes first.
    bundles: VecDeque<Arc<Active>>,
    failed: Option<(String, Instant)>,
}

impl Bundles {
    /// Those below a folder, for vectors of the encoder with this fingerprint.
    pub fn new(store: Arc<dyn Store>, folder: PathBuf, encoder: String) -> Self {
        Self {
            store,
            folder,
            encoder,
            loaded: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Where a workspace's bundles lie, one a folder.
    pub(super) fn folder(&self, workspace: &WorkspaceId) -> PathBuf {
        self.folder.join(workspace.as_str())
    }

    /// The bundle that the settings name. While it cannot be read, the one that ran before goes on.
    pub(super) async fn active(
        &self,
        workspace: &WorkspaceId,
        settings: &WorkspaceSettings,
    ) -> Option<Arc<Active>> {
        let id = &settings.bundle.as_ref()?.id;
        let before = match self.look(workspace, id) {
            Ok(found) => return found,
            Err(before) => before,
        };
        let _turn = match &before {
            // Nobody waits for a disk as long as there is something to answer with.
            Some(before) => match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Some(Arc::clone(before)),
            },
            None => self.turn.lock().await,
        };
        if let Ok(found) = self.look(workspace, id) {
            return found;
        }
        match self.load(workspace, id).await {
            Ok(active) => {
                let active = Arc::new(active);
                self.keep(workspace, Arc::clone(&active));
                Some(active)
            }
            Err(error) => {
                tracing::error!(%workspace, %error, "answering without the active bundle");
                let now = Instant::now();
                let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
                loaded.entry(workspace.clone()).or_default().failed = Some((id.clone(), now));
                before
            }
        }
    }

    /// What is in memory: the bundle or what goes on in its place, or else the one before.
    fn look(
        &self,
        workspace: &WorkspaceId,
        id: &str,
    ) -> Result<Option<Arc<Active>>, Option<Arc<Active>>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = loaded.get(workspace) else { return Err(None) };
        if let Some(at) = held.bundles.iter().position(|b| b.id == id) {
            let found = held.bundles.get(at).cloned();
            drop(loaded);
            // It is what answers from now on, and goes on where the next one cannot be read.
            if let (1.., Some(found)) = (at, &found) {
                self.keep(workspace, Arc::clone(found));
            }
            return Ok(found);
        }
        let before = held.bundles.front().cloned();
        match &held.failed {
            Some((failed, at)) if failed == id && at.elapsed() < TRY_AGAIN => Ok(before),
            _ => Err(before),
        }
    }

    fn keep(&self, workspace: &WorkspaceId, active: Arc<Active>) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.entry(workspace.clone()).or_default();
        loaded.bundles.retain(|b| b.id != active.id);
        loaded.bundles.push_front(active);
        loaded.bundles.truncate(KEPT);
        loaded.failed = None;
    }

    async fn load(&self, workspace: &WorkspaceId, id: &str) -> Result<Active, TriageError> {
        if !files::is_id(id) {
            return Err(TriageError::NotFound("bundle"));
        }
        let (folder, id) = (self.folder(workspace).join(id), id.to_owned());
        let encoder = self.encoder.clone();
        let read = tokio::task::spawn_blocking(move || files::load(&folder, id, &encoder));
        read.await.map_err(|_| crate::inference::InferenceError::Stopped)?
    }

    /// Makes a bundle the one that answers; going back to an earlier one is the same.
    ///
    /// # Errors
    /// There is no such bundle, it cannot be used, or it knows labels that the taxonomy (`default`
    /// where the workspace has none) lacks. The running one stays.
    pub async fn activate(
        &self,
        caller: &Caller,
        id: &str,
        default: &Taxonomy,
        now: Timestamp,
        receipt: Receipt<'_, BundleRecord>,
    ) -> Result<BundleRecord, TriageError> {
        let workspace = &caller.workspace;
        if files::is_id(id) && files::is_foreign(&self.folder(workspace).join(id)) {
            let (known, labelled) = self.survey(workspace).await?;
            let searchable = self.store.counts(workspace).await?.searchable;
            let history = Extent { labelled, searchable };
            files::adopt(&self.folder(workspace).join(id), &known, history, now)?;
        }
        let active = Arc::new(self.load(workspace, id).await?);
        let mut tx = self.store.begin(workspace).await?;
        let taxonomy = tx.taxonomy().await?;
        let lacking = lacking(&active.bundle.manifest, taxonomy.as_ref().unwrap_or(default));
        if !lacking.is_empty() {
            return Err(BundleFault::Labels { id: id.to_owned(), labels: lacking }.into());
        }
        let mut settings = tx.settings().await?;
        let before = settings.bundle.take();
        let same = before.as_ref().is_some_and(|b| b.id == id);
        let previous = if same { before.and_then(|b| b.previous) } else { before.map(|b| b.id) };
        settings.bundle = Some(ActiveBundle { id: id.to_owned(), previous: previous.clone() });
        tx.save_settings(&settings, now).await?;
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "bundle.activate",
            subject: id.to_owned(),
            detail: json!({ "previous": previous }),
        })
        .await?;
        let record = BundleRecord {
            id: id.to_owned(),
            active: true,
            previous: false,
            fitted_at: Some(active.origin.fitted_at),
            tickets: Some(active.origin.tickets),
            manifest: Some(active.bundle.manifest.clone()),
            fault: None,
        };
        receipt.settle(&mut *tx, &record).await?;
        // Before others hear of it, so that nobody has to read it from disk.
        self.keep(workspace, active);
        tx.commit().await?;
        Ok(record)
    }

    /// All of a workspace's bundles, the newest first.
    ///
    /// # Errors
    /// The settings could not be read.
    pub async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<BundleRecord>, TriageError> {
        let settings = self.store.settings(workspace).await?;
        let (folder, encoder) = (self.folder(workspace), self.encoder.clone());
        let found = tokio::task::spawn_blocking(move || files::list(&folder, &encoder));
        let mut found = found.await.map_err(|_| crate::inference::InferenceError::Stopped)?;
        if let Some(ActiveBundle { id, previous }) = &settings.bundle {
            for record in &mut found {
                record.active = record.id == *id;
                record.previous = previous.as_ref() == Some(&record.id);
            }
        }
        Ok(found)
    }

    /// Marks of the labels that tickets carry now, sorted, and how many tickets carry any.
    async fn survey(&self, workspace: &WorkspaceId) -> Result<(Vec<u64>, u64), StoreError> {
        let (mut marks, mut labelled, mut after) = (Vec::new(), 0, None);
        loop {
            let tickets = self.store.tickets(workspace, after, BATCH).await?;
            let Some(last) = tickets.last() else { break };
            after = Some(last.id);
            for ticket in &tickets {
                let before = marks.len();
                marks.extend(files::marks(ticket));
                labelled += u64::from(marks.len() > before);
            }
        }
        marks.sort_unstable();
        Ok((marks, labelled))
    }
}

/// The labels of a bundle that a taxonomy does not have.
pub(super) fn lacking(manifest: &BundleManifest, taxonomy: &Taxonomy) -> Vec<String> {
    let mut lacking = Vec::new();
    for (name, field) in &manifest.fields {
        let Some(kind) = LabelField::ALL.into_iter().find(|f| f.name() == name) else { continue };
        let known: HashSet<&str> = taxonomy.labels(kind).collect();
        let unknown = field.classes.iter().filter(|c| !known.contains(c.as_str()));
        lacking.extend(unknown.map(|label| format!("{name} {label:?}")));
    }
    lacking
}
