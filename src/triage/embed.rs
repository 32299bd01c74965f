//! From a ticket's words to what may be embedded, indexed and searched for.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::future::try_join_all;
use tokio::sync::Mutex;

use super::{NEIGHBOURS, Triage, TriageError, similar};
use crate::domain::{Degraded, Neighbour, Ranking, Similar, TicketId, TicketText, WorkspaceId};
use crate::index::{Both, IndexError};
use crate::inference::{Inference, InferenceError, Lane};
use crate::store::WorkspaceSettings;
use crate::text::{self, Rules, Terms};

/// A text of so many bytes is read in less time than it takes to hand it to another thread.
const READ_IN_PLACE: usize = 2 << 10;

/// A ticket's text as a model may read it.
pub(super) struct Read {
    /// Cleaned and redacted; empty if nothing was left.
    pub(super) text: String,
    /// The terms of that.
    pub(super) terms: Terms,
    /// The subject line, cleaned and redacted.
    pub(super) subject: String,
    /// ISO 639-1.
    pub(super) language: &'static str,
    /// Whether there was more than what is read.
    pub(super) truncated: bool,
}

impl Read {
    fn of(text: &TicketText, rules: &Rules) -> Self {
        let cleaned = text::clean(text);
        let subject = TicketText { subject: text.subject.clone(), ..TicketText::default() };
        let redacted = rules.redact(&cleaned.text).into_owned();
        Self {
            terms: Terms::of(&redacted),
            text: redacted,
            subject: rules.redact(&text::clean(&subject).text).into_owned(),
            language: text::detect(&cleaned.text),
            truncated: cleaned.truncated,
        }
    }
}

/// How many bytes there are to read.
fn length(text: &TicketText) -> usize {
    let messages = text.messages.iter().map(|message| message.text.len());
    text.subject.len() + text.body.len() + messages.sum::<usize>()
}

/// The vectors of texts, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Of unit length.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that were read.
    pub tokens: usize,
}

impl Triage {
    /// Cleans and redacts a text and tells its language, away from the threads that serve
    /// requests unless it is short: hostile text may take its time.
    pub(super) async fn read(
        &self,
        workspace: &WorkspaceId,
        text: &TicketText,
    ) -> Result<Read, TriageError> {
        let settings = self.parts.store.settings(workspace).await?;
        self.read_by(&settings, workspace, text).await
    }

    /// As [`Triage::read`], by settings that are known.
    pub(super) async fn read_by(
        &self,
        settings: &WorkspaceSettings,
        workspace: &WorkspaceId,
        text: &TicketText,
    ) -> Result<Read, TriageError> {
        let rules = self.rules_by(settings, workspace).await;
        let (length, text) = (length(text), text.clone());
        Ok(reading(length, move || Read::of(&text, &rules)).await?)
    }

    /// What a text's words mean by themselves.
    pub(super) async fn wording(&self, text: String) -> Result<Vec<i8>, InferenceError> {
        let inference = self.parts.inference.clone();
        reading(text.len(), move || inference.wording(&text)).await?
    }

    /// Takes out of a resolution what must not be shown to others.
    pub(super) async fn redact(
        &self,
        workspace: &WorkspaceId,
        text: &str,
    ) -> Result<String, TriageError> {
        let rules = self.rules(workspace).await?;
        let text = text.to_owned();
        let work = tokio::task::spawn_blocking(move || rules.redact(&text).into_owned());
        Ok(work.await.map_err(|error| InferenceError::given_up(&error))?)
    }

    /// The workspace's rules, compiled once for each change of its settings.
    ///
    /// # Errors
    /// The store failed.
    pub async fn rules(&self, workspace: &WorkspaceId) -> Result<Rules, TriageError> {
        let settings = self.parts.store.settings(workspace).await?;
        Ok(self.rules_by(&settings, workspace).await)
    }

    async fn rules_by(&self, settings: &WorkspaceSettings, workspace: &WorkspaceId) -> Rules {
        let mut known = self.rules.0.lock().await;
        if let Some((_, rules)) = known.get(workspace).filter(|(s, _)| s == settings) {
            return rules.clone();
        }
        let rules = Rules::new(&settings.redaction).unwrap_or_else(|error| {
            // Rules are checked when they are set; should one be unreadable all the same, the
            // built-in ones still hold.
            tracing::error!(%workspace, %error, "redaction rules; using the built-in ones");
            Rules::default()
        });
        known.insert(workspace.clone(), (settings.clone(), rules.clone()));
        rules
    }

    /// Searches the index. An external one may not have heard yet of what was erased or taken back,
    /// because it was down: what it finds is shown as the store has it, or not at all.
    pub(super) async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        let found = self.parts.index.search(workspace, vector, k, exclude).await?;
        if self.parts.external.is_none() {
            return Ok(found);
        }
        let found: Vec<_> = found.iter().map(|n| (n.ticket_id, n.score)).collect();
        Ok(self.parts.store.neighbours(workspace, &self.fingerprint, &found).await?)
    }

    /// What similar tickets are ordered by.
    pub fn ranking(&self) -> Ranking {
        self.parts.index.ranking()
    }

    /// The resolved tickets most like one, or none where the index does not answer.
    pub(super) async fn neighbours(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        terms: &Terms,
        known: Option<TicketId>,
        degraded: &mut Vec<Degraded>,
    ) -> Result<Both, TriageError> {
        let search = async {
            match self.ranking() {
                Ranking::VectorAndWords => {
                    self.parts.index.both(workspace, vector, terms, NEIGHBOURS, known).await
                }
                Ranking::Vector => {
                    let nearest = self.search(workspace, vector, NEIGHBOURS, known).await?;
                    Ok(Both { similar: nearest.clone(), nearest })
                }
            }
        };
        match search.await {
            Ok(found) => Ok(found),
            // An index that asks for a pause gets one: the caller comes back.
            Err(error @ IndexError::Overloaded { .. }) => Err(error.into()),
            // An answer without it is better than none, and says so.
            Err(error) => {
                tracing::warn!(%error, "similarity search failed; answering without it");
                degraded.push(Degraded::Index);
                Ok(Both::default())
            }
        }
    }

    /// The resolved tickets most like a text, best first, at most `k`, and what the search had to
    /// do without.
    ///
    /// # Errors
    /// There is no text, the encoder is busy, or the index failed.
    pub async fn similar(
        &self,
        workspace: &WorkspaceId,
        text: &TicketText,
        k: usize,
    ) -> Result<(Vec<Similar>, Vec<Degraded>), TriageError> {
        if super::is_blank_text(text) {
            return Err(TriageError::EmptyTicket);
        }
        let read = self.read(workspace, text).await?;
        if read.text.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let embedding = self.parts.inference.embed(read.text, Lane::Interactive).await?;
        let mut degraded = Vec::new();
        if read.truncated || embedding.truncated {
            degraded.push(Degraded::TextTruncated);
        }
        let search = async {
            match self.ranking() {
                Ranking::Vector => self.search(workspace, &embedding.vector, k, None).await,
                Ranking::VectorAndWords => {
                    let (vector, terms) = (&embedding.vector, &read.terms);
                    self.parts.index.similar(workspace, vector, terms, k, None).await
                }
            }
        };
        let found = match search.await {
            Ok(found) => found,
            Err(error @ IndexError::Overloaded { .. }) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "similarity search failed");
                degraded.push(Degraded::Index);
                Vec::new()
            }
        };
        Ok((found.into_iter().map(similar).collect(), degraded))
    }

    /// What reads texts.
    pub(crate) fn inference(&self) -> &Inference {
        &self.parts.inference
    }

    /// Whether the encoder was fine-tuned on this very text.
    pub(crate) fn was_taught(&self, text: &str) -> bool {
        self.parts.inference.was_taught(text)
    }

    /// Embeds texts as they are, for other programs.
    ///
    /// # Errors
    /// The encoder is busy or failed.
    pub async fn embed(&self, texts: Vec<String>, lane: Lane) -> Result<Embedded, TriageError> {
        let embed = |text| self.parts.inference.embed(text, lane);
        let made = try_join_all(texts.into_iter().map(embed)).await?;
        Ok(Embedded {
            tokens: made.iter().map(|e| e.tokens).sum(),
            vectors: made.into_iter().map(|e| e.vector).collect(),
        })
    }
}

/// Reads a text of so many bytes, away from the threads that serve requests unless it is short.
pub(super) async fn reading<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, InferenceError> {
    if length <= READ_IN_PLACE {
        // Should a text be too much for what reads it, that is this text's fault alone.
        return catch_unwind(AssertUnwindSafe(work)).map_err(|_| InferenceError::Unreadable);
    }
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|error| InferenceError::given_up(&error))
}

/// The rules of each workspace, with the settings that they were made from.
#[derive(Default)]
pub(super) struct RulesCache(Mutex<HashMap<WorkspaceId, (WorkspaceSettings, Rules)>>);
