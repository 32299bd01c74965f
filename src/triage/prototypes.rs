//! The taxonomy's own words as vectors: what answers rest on before there is any history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use simsimd::SpatialSimilarity;

use crate::domain::{Taxonomy, WorkspaceId};
use crate::inference::{Inference, InferenceError, Lane};

/// Every category's phrases, embedded.
pub(super) struct Prototypes {
    taxonomy: (String, u32),
    categories: Vec<(String, Vec<Vec<f32>>)>,
}

impl Prototypes {
    /// Embeds the label with its description, and each example. A category with neither is left
    /// out: a bare label says too little.
    pub(super) async fn make(
        inference: &Inference,
        taxonomy: &Taxonomy,
    ) -> Result<Self, InferenceError> {
        let described = taxonomy
            .categories
            .iter()
            .filter(|c| !c.description.is_empty() || !c.examples.is_empty());
        let mut categories = Vec::new();
        for category in described {
            let definition = format!("{}. {}", category.label, category.description);
            let phrases = std::iter::once(&definition).chain(&category.examples);
            let embedded = phrases.map(|p| inference.embed(p.clone(), Lane::Interactive));
            let vectors = try_join_all(embedded).await?.into_iter().map(|e| e.vector).collect();
            categories.push((category.label.clone(), vectors));
        }
        Ok(Self { taxonomy: key(taxonomy), categories })
    }

    /// For each category, the cosines of a unit vector to its phrases.
    pub(super) fn similarities(&self, vector: &[f32]) -> Vec<(&str, Vec<f32>)> {
        let dot = |phrase: &Vec<f32>| f32::dot(vector, phrase).map_or(0.0, |d| d as f32);
        self.categories
            .iter()
            .map(|(label, phrases)| (label.as_str(), phrases.iter().map(dot).collect()))
            .collect()
    }
}

fn key(taxonomy: &Taxonomy) -> (String, u32) {
    (taxonomy.name.clone(), taxonomy.version)
}

/// The newest prototypes of each workspace.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<WorkspaceId, Arc<Prototypes>>>);

impl Cache {
    /// Those of this version of the taxonomy, if they were made already.
    pub(super) fn get(
        &self,
        workspace: &WorkspaceId,
        taxonomy: &Taxonomy,
    ) -> Option<Arc<Prototypes>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(workspace).filter(|p| p.taxonomy == key(taxonomy)).cloned()
    }

    pub(super) fn put(&self, workspace: &WorkspaceId, made: Prototypes) -> Arc<Prototypes> {
        let made = Arc::new(made);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(workspace.clone(), Arc::clone(&made));
        made
    }
}
