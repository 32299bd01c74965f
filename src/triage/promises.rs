//! The precision that a desk asks for, and what that comes to. It counts on the next ticket.

use std::collections::BTreeMap;

use serde_json::json;

use super::{BundleRecord, Bundles, Caller, Receipt, Triage, TriageError};
use crate::classify::Promise;
use crate::domain::WorkspaceId;
use crate::store::{AuditEntry, PolicySettings};

/// A desk's policy, and what a target precision comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyView {
    /// What is in force.
    pub settings: PolicySettings,
    /// The target that the fields are shown for.
    pub shown_for: f64,
    /// The bundle that they are of; none: fixed thresholds decide.
    pub bundle: Option<String>,
    /// By field.
    pub fields: BTreeMap<String, FieldPromise>,
}

/// What a target precision comes to in one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPromise {
    /// Held-out tickets that it rests on.
    pub held_out: usize,
    /// Thresholds, coverage and precision.
    pub promise: Promise,
    /// The labels, by class.
    pub labels: Vec<String>,
}

impl Triage {
    /// A desk's policy; `preview` is a target to look at in place of the one in force.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn policy(
        &self,
        workspace: &WorkspaceId,
        preview: Option<f64>,
    ) -> Result<PolicyView, TriageError> {
        let settings = self.parts.store.settings(workspace).await?;
        let bundle = self.bundles.active(workspace, &settings).await;
        let shown_for = preview.unwrap_or(settings.policy.target_precision);
        let mut view = PolicyView {
            settings: settings.policy,
            shown_for,
            bundle: bundle.as_ref().map(|b| b.id.clone()),
            fields: BTreeMap::new(),
        };
        let Some(bundle) = bundle else { return Ok(view) };
        // Bounds of thousands of answers: not on a thread that serves requests.
        let made = tokio::task::spawn_blocking(move || {
            let field = |(name, promise): (String, Promise)| {
                let model = bundle.bundle.fields.get(&name)?;
                let (held_out, labels) = (model.promises().len(), model.classes().to_vec());
                Some((name, FieldPromise { held_out, promise, labels }))
            };
            bundle.preview(shown_for).into_iter().filter_map(field).collect()
        });
        view.fields = made.await.map_err(|_| crate::inference::InferenceError::Stopped)?;
        Ok(view)
    }

    /// Asks for another precision, above 0 and below 1. The receipt's answer is the policy as it
    /// then stands.
    ///
    /// # Errors
    /// It is based on another version than `expected`, or the store failed.
    pub async fn put_policy(
        &self,
        caller: &Caller,
        target_precision: f64,
        expected: Option<i64>,
        receipt: Receipt<'_, PolicyView>,
    ) -> Result<PolicyView, TriageError> {
        let workspace = &caller.workspace;
        let mut view = self.policy(workspace, Some(target_precision)).await?;
        let mut tx = self.parts.store.begin(workspace).await?;
        let mut settings = tx.settings().await?;
        let current = settings.policy.version;
        if let Some(expected) = expected.filter(|e| *e != current) {
            return Err(TriageError::Stale { expected, current });
        }
        let before = settings.policy.target_precision;
        settings.policy = PolicySettings { version: current + 1, target_precision };
        view.settings = settings.policy;
        let now = self.parts.clock.now();
        tx.save_settings(&settings, now).await?;
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "policy.put",
            subject: workspace.to_string(),
            detail: json!({ "target_precision": target_precision, "before": before }),
        })
        .await?;
        receipt.settle(&mut *tx, &view).await?;
        tx.commit().await?;
        Ok(view)
    }

    /// The trained bundles.
    pub fn bundles(&self) -> &Bundles {
        &self.bundles
    }

    /// Makes a bundle the one that answers; see [`Bundles::activate`].
    ///
    /// # Errors
    /// As there.
    pub async fn activate_bundle(
        &self,
        caller: &Caller,
        id: &str,
        receipt: Receipt<'_, BundleRecord>,
    ) -> Result<BundleRecord, TriageError> {
        let now = self.parts.clock.now();
        self.bundles.activate(caller, id, &self.default_taxonomy, now, receipt).await
    }
}
