//! The taxonomy's own words as vectors: what answers rest on before there is any history.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use simsimd::SpatialSimilarity;
use tokio::sync::Mutex;

use super::TriageError;
use crate::domain::{Taxonomy, WorkspaceId};
use crate::inference::{Inference, InferenceError, Lane};
use crate::store::StoreError;

/// Phrases that are embedded together: even the longest are then no more than may wait.
const TOGETHER: usize = 4;

/// A taxonomy, and every category's phrases, embedded.
pub(super) struct Prototypes {
    pub(super) taxonomy: Taxonomy,
    categories: Vec<(String, Vec<Vec<f32>>)>,
}

impl Prototypes {
    /// Embeds the label with its description, and each example. A category with neither is left
    /// out: a bare label says too little.
    pub(super) async fn make(
        inference: &Inference,
        taxonomy: Taxonomy,
    ) -> Result<Self, InferenceError> {
        let described = taxonomy
            .categories
            .iter()
            .filter(|c| !c.description.is_empty() || !c.examples.is_empty());
        let mut categories = Vec::new();
        for category in described {
            let definition = format!("{}. {}", category.label, category.description);
            let phrases = std::iter::once(&definition).chain(&category.examples);
            let phrases: Vec<&String> = phrases.collect();
            let mut vectors = Vec::with_capacity(phrases.len());
            for some in phrases.chunks(TOGETHER) {
                // Someone waits for these, so they go before a running import.
                let embed = |p: &&String| inference.embed((*p).clone(), Lane::Interactive);
                let made = try_join_all(some.iter().map(embed)).await?;
                vectors.extend(made.into_iter().map(|e| e.vector));
            }
            categories.push((category.label.clone(), vectors));
        }
        Ok(Self { taxonomy, categories })
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

/// The newest prototypes of each workspace. Desks do not wait for each other's.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<WorkspaceId, Arc<Newest>>>);

/// Those of one desk, once they are made, with the version that was asked for.
type Newest = Mutex<Option<(Option<u32>, Arc<Prototypes>)>>;

impl Cache {
    /// Those of this version of the taxonomy, which is read if it is another than the last. The
    /// first who asks makes them, the others wait.
    pub(super) async fn get(
        &self,
        inference: &Inference,
        workspace: &WorkspaceId,
        version: Option<u32>,
        read: impl AsyncFnOnce() -> Result<Taxonomy, StoreError>,
    ) -> Result<Arc<Prototypes>, TriageError> {
        let desk = Arc::clone(self.0.lock().await.entry(workspace.clone()).or_default());
        let mut newest = desk.lock().await;
        if let Some((_, made)) = newest.as_ref().filter(|(of, _)| *of == version) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Prototypes::make(inference, read().await?).await?);
        *newest = Some((version, Arc::clone(&made)));
        Ok(made)
    }
}
