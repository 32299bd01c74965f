//! What an answer needs beside search: the ticket's vector, and what the desk knows of it.

use std::sync::Arc;

use super::bundles::{Active, Heard};
use super::embed::reading;
use super::prototypes::Prototypes;
use super::{Triage, TriageError};
use crate::classify::Terms;
use crate::domain::{Passage, WorkspaceId};
use crate::inference::{InferenceError, Lane, key};
use crate::store::DeskState;

/// Half as many texts as are remembered at most by what a bundle makes of their words.
pub(super) const HEARD: usize = 1024;

/// What an answer needs beside its ticket's vector.
pub(super) struct Surroundings {
    /// The labels, with their phrases as vectors.
    pub(super) prototypes: Arc<Prototypes>,
    pub(super) bundle: Option<Arc<Active>>,
    /// What the bundle makes of the ticket's words, by field.
    pub(super) words: Arc<Heard>,
    /// Parts of articles that a draft may quote.
    pub(super) passages: Arc<Vec<Passage>>,
}

impl Triage {
    /// Gathers that.
    pub(super) async fn surroundings(
        &self,
        workspace: &WorkspaceId,
        state: &DeskState,
        text: &str,
    ) -> Result<Surroundings, TriageError> {
        let prototypes = self.prototypes(workspace, state.taxonomy).await?;
        // Taken once: an answer never mixes two bundles.
        let bundle = self.bundles.active(workspace, &state.settings).await;
        let words = match &bundle {
            Some(bundle) => self.heard(Arc::clone(bundle), text).await?,
            None => Arc::default(),
        };
        let passages = self.passages(workspace, state.articles).await?;
        Ok(Surroundings { prototypes, bundle, words, passages })
    }

    /// What a bundle makes of a text's words; remembered, because nothing hides what it takes where
    /// the text's embedding is.
    async fn heard(&self, bundle: Arc<Active>, text: &str) -> Result<Arc<Heard>, InferenceError> {
        // Another bundle makes something else of the same words.
        let key = key(&format!("{} {text}", bundle.id));
        let forgotten = self.heard.forgotten();
        if let Some(heard) = self.heard.get(&key) {
            return Ok(heard);
        }
        let inference = self.parts.inference.clone();
        let (length, text) = (text.len(), text.to_owned());
        let hear = move || {
            let wording = inference.wording(&text)?;
            Ok::<_, InferenceError>(bundle.read(&Terms::of(&text), &wording))
        };
        let heard = Arc::new(reading(length, hear).await??);
        self.heard.put(key, Arc::clone(&heard), forgotten);
        Ok(heard)
    }

    /// A text's vector, none for an empty one, and whether it was too long to be read whole.
    pub(super) async fn vector(
        &self,
        text: &str,
        lane: Lane,
    ) -> Result<(Option<Vec<f32>>, bool), TriageError> {
        if text.is_empty() {
            return Ok((None, false));
        }
        let embedding = self.parts.inference.embed(text.to_owned(), lane).await?;
        Ok((Some(embedding.vector), embedding.truncated))
    }
}
