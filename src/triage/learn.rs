//! Learning from a desk's own labelled tickets: a bundle is fitted when there are enough, and
//! again when they have grown, on one thread beside the answers.

mod material;

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use self::material::{Material, Plan};
use super::bundles::{BundleFault, BundleRecord, Extent, lacking};
use super::{Caller, Receipt, Triage, TriageError};
use crate::classify::{
    Bundle, BundleManifest, Calibration, FieldModel, Labelled, Options, Readings, Terms, fit,
};
use crate::domain::WorkspaceId;
use crate::domain::ids::hex;
use crate::inference::{Inference, InferenceError};
use crate::judge::duplicates;
use crate::text::{Rules, clean};

/// Labelled tickets from which on a bundle is fitted.
const ENOUGH: u64 = 200;
/// A new one is fitted once the labelled tickets have grown to so many times as many.
const GROWN: f64 = 1.2;
/// The newest labelled tickets that are learned from; bounds time and memory.
const MOST: usize = 20_000;
/// What happens at once is looked at together.
const PAUSE: Duration = Duration::from_secs(5);
/// How often to look even if nothing is known to have happened.
const AT_LATEST: Duration = Duration::from_mins(10);
/// For folds and samples.
const SEED: u64 = 1;
/// Parts of a field's progress.
const PARTS: usize = 100;

/// Hears how far a fit has come: so much of so much.
pub type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// How a fit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There are too few labelled tickets.
    TooLittle {
        /// So many.
        labelled: u64,
    },
    /// Another process is fitting one.
    Elsewhere,
    /// The running bundle is better on its own held-out tickets, and stays.
    NotBetter {
        /// The new one, which can be activated all the same.
        id: String,
        /// Where it falls short.
        field: String,
    },
    /// The new one answers.
    Activated(Box<BundleRecord>),
}

/// Hears of fits that happen by themselves.
pub trait Learning: Send + Sync {
    /// So much of so much is done.
    fn advance(&self, done: usize, total: usize);
    /// One has ended; `None`: it failed.
    fn ended(&self, outcome: Option<&Outcome>);
}

/// When to look whether there is something to learn.
#[derive(Default)]
pub(super) struct State {
    due: Notify,
    /// The last attempt of each workspace.
    attempts: Mutex<HashMap<WorkspaceId, Attempt>>,
}

/// A fit that was begun.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// The searchable tickets and the taxonomy's version of then.
    searchable: u64,
    taxonomy: u32,
    /// It failed: the disk was full, say.
    failed: bool,
}

impl State {
    fn attempts(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What failed may be tried again.
    fn forgive(&self) {
        self.attempts().retain(|_, attempt| !attempt.failed);
    }

    /// Labels have changed.
    pub(super) fn look_again(&self) {
        self.due.notify_one();
    }
}

/// Ends a fit that nobody waits for any longer.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All that a fit needs, to be moved to its thread.
struct Work {
    material: Material,
    plans: Vec<Plan>,
    rules: Rules,
    inference: Inference,
    stop: Arc<AtomicBool>,
    progress: Progress,
}

impl Triage {
    /// Fits bundles where there is enough to learn, at the start and whenever labels change, until
    /// `stop` resolves. One fit at a time.
    pub async fn keep_learning(&self, stop: impl Future<Output = ()>, watch: Arc<dyn Learning>) {
        tokio::pin!(stop);
        let mut forgiven = Instant::now();
        loop {
            // Not with every label that changes: a fit that fails at its end takes minutes too.
            if forgiven.elapsed() >= AT_LATEST {
                self.learning.forgive();
                forgiven = Instant::now();
            }
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.learn_where_due(&watch) => {}
            }
            let later = async {
                tokio::select! {
                    () = self.learning.due.notified() => tokio::time::sleep(PAUSE).await,
                    // Other processes import and decide too.
                    () = tokio::time::sleep(AT_LATEST) => {}
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = later => {}
            }
        }
    }

    async fn learn_where_due(&self, watch: &Arc<dyn Learning>) {
        let workspaces = match self.parts.store.workspaces().await {
            Ok(workspaces) => workspaces,
            Err(error) => return tracing::warn!(%error, "workspaces could not be read"),
        };
        for workspace in workspaces {
            match self.is_due(&workspace).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%workspace, %error, "whether to learn is not known");
                    continue;
                }
            }
            let heard = Arc::clone(watch);
            let progress: Progress = Arc::new(move |done, total| heard.advance(done, total));
            let caller = Caller { workspace, actor: "deskhand".to_owned() };
            let fitted = self.fit_bundle(&caller, progress).await;
            if fitted.is_err()
                && let Some(attempt) = self.learning.attempts().get_mut(&caller.workspace)
            {
                attempt.failed = true;
            }
            match fitted {
                Ok(outcome) => {
                    tracing::info!(workspace = %caller.workspace, ?outcome, "a fit ended");
                    watch.ended(Some(&outcome));
                }
                Err(error) => {
                    tracing::warn!(workspace = %caller.workspace, %error, "no bundle was fitted");
                    watch.ended(None);
                }
            }
        }
    }

    /// Whether a workspace has more to learn from than its bundle, and the last attempt, had, or
    /// labels have gone that the bundle knows.
    async fn is_due(&self, workspace: &WorkspaceId) -> Result<bool, TriageError> {
        let now = self.parts.store.counts(workspace).await?.searchable;
        if now < ENOUGH {
            return Ok(false);
        }
        let settings = self.parts.store.settings(workspace).await?;
        let active = self.bundles.active(workspace, &settings).await;
        let taxonomy = self.taxonomy(workspace).await?;
        let gone =
            active.as_ref().is_some_and(|b| !lacking(&b.bundle.manifest, &taxonomy).is_empty());
        let mut attempts = self.learning.attempts();
        let last = attempts.get(workspace).copied().unwrap_or_default();
        // Searchable ones both times: where many carry no label, the labelled ones of then would
        // always be fewer than all of now.
        let learned = active.map_or(0, |b| b.origin.searchable.max(b.origin.tickets));
        let learned = learned.max(last.searchable);
        let due =
            now as f64 >= learned as f64 * GROWN || (gone && last.taxonomy != taxonomy.version);
        if due {
            let (searchable, taxonomy) = (now, taxonomy.version);
            let attempt = Attempt { searchable, taxonomy, failed: false };
            attempts.insert(workspace.clone(), attempt);
        }
        Ok(due)
    }

    /// Fits a bundle to a workspace's labelled tickets and activates it, unless it is worse than
    /// the running one.
    ///
    /// # Errors
    /// The store, the encoder or a file failed. The running bundle stays.
    pub async fn fit_bundle(
        &self,
        caller: &Caller,
        progress: Progress,
    ) -> Result<Outcome, TriageError> {
        let workspace = &caller.workspace;
        let folder = self.bundles.folder(workspace);
        // Of replicas that share the folder, one is enough.
        let Some(_lock) = material::lock(&folder)? else { return Ok(Outcome::Elsewhere) };
        let material = self.gather(workspace, MOST).await?;
        let labelled = material.labelled;
        let searchable = self.parts.store.counts(workspace).await?.searchable;
        let taxonomy = self.taxonomy(workspace).await?;
        let plans = self.plans(&material, &taxonomy).await?;
        if plans.is_empty() || labelled < ENOUGH {
            return Ok(Outcome::TooLittle { labelled });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let rules = self.rules(workspace).await?;
        let inference = self.parts.inference.clone();
        let work = Work { material, plans, rules, inference, stop, progress };
        let about = (self.fingerprint.clone(), format!("{} {}", taxonomy.name, taxonomy.version));
        let target = self.parts.store.settings(workspace).await?.policy.target_precision;
        let now = self.parts.clock.now();
        let parent = folder.clone();
        let made = tokio::task::spawn_blocking(move || {
            let (bundle, known) = work.fit(about, target)?;
            let history = Extent { labelled, searchable };
            let id = super::bundles::save(&parent, &bundle, &known, history, now)?;
            Ok::<_, TriageError>((id, bundle.manifest))
        });
        let (id, manifest) = made.await.map_err(|_| InferenceError::Stopped)??;
        let settings = self.parts.store.settings(workspace).await?;
        if let Some(running) = self.bundles.active(workspace, &settings).await
            && lacking(&running.bundle.manifest, &taxonomy).is_empty()
            && let Some(field) = worse(&manifest, &running.bundle.manifest)
        {
            return Ok(Outcome::NotBetter { id, field });
        }
        let now = self.parts.clock.now();
        let default = &self.default_taxonomy;
        let record = self.bundles.activate(caller, &id, default, now, Receipt::none()).await?;
        Ok(Outcome::Activated(Box::new(record)))
    }
}

/// The models by field, and the hash of what they were fitted on.
type Fitted = (std::collections::BTreeMap<String, FieldModel>, String);

impl Work {
    /// Fits every field; also returns the marks of the labels that it knows tickets by.
    fn fit(
        mut self,
        (encoder, taxonomy): (String, String),
        target_precision: f64,
    ) -> Result<(Bundle, Vec<u64>), TriageError> {
        let failed = |e: &dyn std::fmt::Display| BundleFault::Fit(e.to_string());
        // A pool of its own, so that whoever waits for an answer never waits for this.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|e| failed(&e))?;
        let known = std::mem::take(&mut self.material.known);
        let (fields, data) = pool.install(|| self.fields()).map_err(|e| failed(&e))?;
        let manifest = BundleManifest {
            format: 0,
            encoder,
            taxonomy: Some(taxonomy),
            data,
            split: "folds left out in turn, near-duplicates together".to_owned(),
            seed: SEED,
            target_precision,
            fields: std::collections::BTreeMap::new(),
        };
        Ok((Bundle::new(manifest, fields), known))
    }

    /// The models by field, and the hash of what they were fitted on.
    fn fields(self) -> Result<Fitted, Box<dyn std::error::Error + Send + Sync>> {
        let Self { material, plans, rules, inference, stop, progress } = self;
        let texts: Vec<String> = material
            .rows
            .iter()
            .map(|row| rules.redact(&clean(&row.text).text).into_owned())
            .collect();
        let groups = duplicates::groups(&texts);
        let terms: Vec<Terms> = texts.iter().map(|text| Terms::of(text)).collect();
        let wordings = texts.iter().map(|text| inference.wording(text));
        let wordings: Vec<Vec<i8>> = wordings.collect::<Result<_, _>>()?;
        let taught: Vec<bool> = texts.iter().map(|text| inference.was_taught(text)).collect();
        let mut digest = Sha256::new();
        for (row, text) in material.rows.iter().zip(&texts) {
            digest.update(format!("{:?} {text:?}\n", row.labels));
        }
        drop(texts);
        let vectors: Vec<Vec<f32>> = material.rows.into_iter().map(|row| row.vector).collect();
        let readings = Readings {
            vectors: &vectors,
            terms: &terms,
            wordings: &wordings,
            groups: &groups,
            taught: &taught,
        };
        let total = plans.len() * PARTS;
        progress(0, total);
        let mut fields = std::collections::BTreeMap::new();
        for (at, plan) in plans.into_iter().enumerate() {
            let labelled = Labelled::of(readings, plan.labels);
            let history = labelled.history(&plan.classes, &plan.words);
            let advance = |done: usize, steps: usize| {
                if stop.load(Ordering::Relaxed) {
                    // The only way out of the middle of a fit; nobody is left to hear of it.
                    std::panic::resume_unwind(Box::new("stopped"));
                }
                progress(at * PARTS + done * PARTS / steps.max(1), total);
            };
            let model = fit(history, Calibration::Folds, Options { seed: SEED }, &advance)?;
            fields.insert(plan.field.name().to_owned(), model);
        }
        Ok((fields, hex(&digest.finalize())))
    }
}

/// The first field in which a new bundle falls short of the running one beyond chance, each on
/// tickets that it had not seen.
fn worse(new: &BundleManifest, running: &BundleManifest) -> Option<String> {
    let falls_short = |(name, running): &(&String, &crate::classify::bundle::FieldManifest)| {
        let Some(running) = &running.metrics else { return false };
        let new = new.fields.get(*name).and_then(|f| f.metrics.as_ref());
        new.is_none_or(|new| new.accuracy.value < running.accuracy.low)
    };
    running.fields.iter().find(falls_short).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_is_tried_again() {
        let state = State::default();
        let main = WorkspaceId::main();
        let attempt = Attempt { searchable: 300, taxonomy: 1, failed: false };
        state.attempts().insert(main.clone(), attempt);
        state.forgive();
        assert!(state.attempts().contains_key(&main));
        state.attempts().insert(main.clone(), Attempt { failed: true, ..attempt });
        state.forgive();
        assert!(!state.attempts().contains_key(&main));
    }
}
