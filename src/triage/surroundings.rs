//! What an answer needs beside search: the ticket's vector, and what the desk knows of it.

use std::sync::Arc;

use super::bundles::{Active, Heard};
use super::embed::reading;
use super::prototypes::Prototypes;
use super::{Triage, TriageError};
use crate::classify::Terms;
use crate::domain::{Passage, WorkspaceId};
use crate::inference::{InferenceError, Lane};
use crate::store::DeskState;

/// What an answer needs beside its ticket's vector.
pub(super) struct Surroundings {
    /// The labels, with their phrases as vectors.
    pub(super) prototypes: Arc<Prototypes>,
    pub(super) bundle: Option<Arc<Active>>,
    /// What the bundle makes of the ticket's words, by field.
    pub(super) words: Heard,
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
            Some(bundle) => self.heard(Arc::clone(bundle), text.to_owned()).await?,
            None => Heard::default(),
        };
        let passages = self.passages(workspace, state.articles).await?;
        Ok(Surroundings { prototypes, bundle, words, passages })
    }

    /// What a bundle makes of a text's words.
    async fn heard(&self, bundle: Arc<Active>, text: String) -> Result<Heard, InferenceError> {
        let (inference, length) = (self.parts.inference.clone(), text.len());
        let hear = move || Ok(bundle.read(&Terms::of(&text), &inference.wording(&text)?));
        reading(length, hear).await?
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
