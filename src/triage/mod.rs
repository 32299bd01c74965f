//! The service itself: a ticket in, a suggestion out.
//!
//! [`Triage::assess`] cleans, embeds (one forward pass), searches (once) and decides, without
//! writing; [`Triage::triage`] also stores ticket and suggestion in one transaction.

mod draft;
mod import;
mod policy;
mod prototypes;
mod vote;

use std::sync::Arc;
use std::time::Instant;

use crate::domain::{
    Clock, Decision, Degraded, DraftReason, IdSource, LabelDecision, ModelVersions, Neighbour,
    Similar, Suggestion, SuggestionId, Taxonomy, TeamDecision, Ticket, TicketId, TicketText,
    Timings, WorkspaceId,
};
use crate::index::TicketIndex;
use crate::inference::{Inference, InferenceError, Lane};
use crate::model::Manifest;
use crate::store::{Store, StoreError, TriageRecord};
use crate::text::{self, CleanText, UNDETERMINED};
pub use import::{ImportError, ImportProgress, ImportReport};
pub use policy::Policy;
use policy::{Circumstances, decide};
use prototypes::Prototypes;

/// Neighbours that vote.
const NEIGHBOURS: usize = 20;
/// Neighbours that an answer shows.
const SHOWN: usize = 5;
/// The taxonomy of a desk that has neither history nor labels of its own.
const DEFAULT_TAXONOMY: &str = include_str!("../../models/taxonomy/default.toml");

/// Why there is no suggestion.
#[derive(Debug, thiserror::Error)]
pub enum TriageError {
    /// Subject, body and messages are all blank.
    #[error("the ticket is empty: subject, body and messages are all blank")]
    EmptyTicket,
    /// The encoder is busy, stopped or failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The store failed; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that triage works with, passed in.
pub struct Parts {
    /// The system of record.
    pub store: Arc<dyn Store>,
    /// Finds similar tickets.
    pub index: Arc<dyn TicketIndex>,
    /// Makes embeddings.
    pub inference: Inference,
    /// The encoder's manifest.
    pub encoder: Manifest,
    /// The thresholds.
    pub policy: Policy,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
}

/// The triage service.
pub struct Triage {
    parts: Parts,
    fingerprint: String,
    default_taxonomy: Taxonomy,
    prototypes: prototypes::Cache,
}

/// A suggestion that has not been stored, with what storing it needs.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The answer.
    pub suggestion: Suggestion,
    /// The ticket's embedding, unless nothing was left to embed.
    pub vector: Option<Vec<f32>>,
}

impl Triage {
    /// Puts the parts together.
    ///
    /// # Panics
    /// Never in a released build: the built-in taxonomy is read by a test.
    #[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
    pub fn new(parts: Parts) -> Self {
        let fingerprint = parts.encoder.fingerprint();
        let default_taxonomy =
            Taxonomy::from_toml(DEFAULT_TAXONOMY).expect("the built-in taxonomy");
        Self { parts, fingerprint, default_taxonomy, prototypes: prototypes::Cache::default() }
    }

    /// The store behind the service.
    pub fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    /// The labels of a workspace: its own, or the built-in ones while it has none.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn taxonomy(&self, workspace: &WorkspaceId) -> Result<Taxonomy, StoreError> {
        let own = self.parts.store.taxonomy(workspace).await?;
        Ok(own.unwrap_or_else(|| self.default_taxonomy.clone()))
    }

    /// Answers a ticket and stores it with its suggestion. When this returns, both are on disk.
    ///
    /// # Errors
    /// The ticket is blank, the encoder is busy, or the store failed. Nothing is stored then.
    pub async fn triage(
        &self,
        workspace: &WorkspaceId,
        ticket: Ticket,
    ) -> Result<Suggestion, TriageError> {
        let Assessment { suggestion, vector } =
            self.assess(workspace, &ticket, Lane::Interactive).await?;
        let language = suggestion.language.clone();
        let record = TriageRecord { ticket, language, vector, suggestion };
        let now = self.parts.clock.now();
        Ok(self.parts.store.record(workspace, &self.fingerprint, record, now).await?)
    }

    /// Answers a ticket without storing anything.
    ///
    /// # Errors
    /// As [`Triage::triage`].
    pub async fn assess(
        &self,
        workspace: &WorkspaceId,
        ticket: &Ticket,
        lane: Lane,
    ) -> Result<Assessment, TriageError> {
        let start = Instant::now();
        let mut timings = Timings::default();
        let mut degraded = Vec::new();
        if is_blank(ticket) {
            return Err(TriageError::EmptyTicket);
        }
        let (cleaned, language) = clean(ticket.text.clone()).await?;
        let taxonomy = self.taxonomy(workspace).await?;
        let known = match &ticket.source {
            Some(source) => self.parts.store.find(workspace, source).await?.map(|k| k.id),
            None => None,
        };
        timings.clean = milliseconds(start);

        let at = Instant::now();
        let empty = cleaned.text.is_empty();
        let mut truncated = cleaned.truncated;
        let vector = if empty {
            None
        } else {
            let embedding = self.parts.inference.embed(cleaned.text, lane).await?;
            truncated |= embedding.truncated;
            Some(embedding.vector)
        };
        if truncated {
            degraded.push(Degraded::TextTruncated);
        }
        timings.embed = milliseconds(at);

        let at = Instant::now();
        let neighbours = match &vector {
            Some(vector) => {
                match self.parts.index.search(workspace, vector, NEIGHBOURS, known).await {
                    Ok(neighbours) => neighbours,
                    // An answer from descriptions alone is better than none, and says so.
                    Err(error) => {
                        tracing::warn!(%error, "similarity search failed; answering without it");
                        degraded.push(Degraded::Index);
                        Vec::new()
                    }
                }
            }
            None => Vec::new(),
        };
        timings.search = milliseconds(at);

        let at = Instant::now();
        let prototypes = self.prototypes(workspace, &taxonomy).await?;
        let circumstances = Circumstances {
            empty,
            language_supported: language == UNDETERMINED
                || self.parts.encoder.languages.iter().any(|l| l == language),
        };
        let question = Question {
            vector: vector.as_deref(),
            neighbours: &neighbours,
            taxonomy: &taxonomy,
            prototypes: &prototypes,
            circumstances,
        };
        let (category, team, priority) = question.answer(&self.parts.policy);
        let draft = if empty {
            Err(DraftReason::Empty)
        } else if neighbours.is_empty() {
            Err(DraftReason::NoSimilarResolution)
        } else if category.decision == Decision::Abstain {
            Err(DraftReason::UncertainCategory)
        } else {
            draft::draft(&neighbours, category.label.as_deref(), language)
        };
        timings.decide = milliseconds(at);
        timings.total = milliseconds(start);

        let ids = &self.parts.ids;
        let suggestion = Suggestion {
            id: SuggestionId::new(ids.next()),
            ticket_id: known.unwrap_or_else(|| TicketId::new(ids.next())),
            category,
            team,
            priority,
            similar: neighbours.into_iter().take(SHOWN).map(similar).collect(),
            draft_reason: draft.as_ref().err().copied(),
            draft: draft.ok(),
            language: language.to_owned(),
            degraded,
            model: ModelVersions {
                bundle: format!("neighbours@taxonomy-{}", taxonomy.version),
                encoder: self.fingerprint.clone(),
                policy: self.parts.policy.version(),
            },
            timings_ms: timings,
        };
        Ok(Assessment { suggestion, vector })
    }

    /// Prepares what the first answers need, so that they are as fast as later ones.
    ///
    /// # Errors
    /// As [`Triage::triage`].
    pub async fn warm_up(&self, workspace: &WorkspaceId) -> Result<(), TriageError> {
        let taxonomy = self.taxonomy(workspace).await?;
        self.prototypes(workspace, &taxonomy).await?;
        // A search for nothing in particular loads the index.
        if let Err(error) = self.parts.index.search(workspace, &[0.0; 1], 0, None).await {
            tracing::warn!(%error, "similarity search is not ready");
        }
        Ok(())
    }

    /// The taxonomy's phrases as vectors, made once for each version of it.
    async fn prototypes(
        &self,
        workspace: &WorkspaceId,
        taxonomy: &Taxonomy,
    ) -> Result<Arc<Prototypes>, InferenceError> {
        self.prototypes.get(&self.parts.inference, workspace, taxonomy).await
    }
}

/// All that the labels are decided from.
struct Question<'a> {
    vector: Option<&'a [f32]>,
    neighbours: &'a [Neighbour],
    taxonomy: &'a Taxonomy,
    prototypes: &'a Prototypes,
    circumstances: Circumstances,
}

impl Question<'_> {
    fn answer(&self, policy: &Policy) -> (LabelDecision, TeamDecision, LabelDecision) {
        let taxonomy = self.taxonomy;
        let category_prior = self
            .vector
            .map(|vector| vote::described(&self.prototypes.similarities(vector)))
            .unwrap_or_default();
        let category_prior = if category_prior.is_empty() {
            vote::uniform(taxonomy.categories.iter().map(|c| &c.label))
        } else {
            category_prior
        };
        let team_prior = vote::described_teams(&category_prior, taxonomy);
        let team_prior = if team_prior.is_empty() {
            vote::uniform(taxonomy.teams.iter().map(|t| &t.label))
        } else {
            team_prior
        };
        let priority_prior = vote::described_priorities(taxonomy);
        let category = vote::vote(
            self.neighbours,
            |o| o.category.as_deref(),
            |label| taxonomy.category(label).is_some(),
            &category_prior,
        );
        let team = vote::vote(
            self.neighbours,
            |o| o.team.as_deref(),
            |label| taxonomy.team(label).is_some(),
            &team_prior,
        );
        let priority = vote::vote(
            self.neighbours,
            |o| o.priority.as_deref(),
            |label| taxonomy.priorities.iter().any(|p| p == label),
            &priority_prior,
        );
        let team = decide(policy, &team, self.circumstances);
        let department = team.label.as_deref().and_then(|label| taxonomy.team(label));
        let team = TeamDecision {
            department: department.and_then(|t| t.department.clone()),
            decision: team,
        };
        (
            decide(policy, &category, self.circumstances),
            team,
            decide(policy, &priority, self.circumstances),
        )
    }
}

/// Cleans a text and tells its language, away from the threads that serve requests: hostile text
/// may take its time.
async fn clean(text: TicketText) -> Result<(CleanText, &'static str), InferenceError> {
    let work = tokio::task::spawn_blocking(move || {
        let cleaned = text::clean(&text);
        let language = text::detect(&cleaned.text);
        (cleaned, language)
    });
    work.await.map_err(|_| InferenceError::Stopped)
}

/// Whether a ticket says nothing at all. One that says something which cleaning takes away (an
/// empty paragraph, say) is answered, with the reason `empty`.
fn is_blank(ticket: &Ticket) -> bool {
    let text = &ticket.text;
    [&text.subject, &text.body]
        .into_iter()
        .chain(text.messages.iter().map(|m| &m.text))
        .all(|part| part.chars().all(|c| c.is_whitespace() || c.is_control()))
}

fn similar(neighbour: Neighbour) -> Similar {
    Similar {
        ticket_id: neighbour.ticket_id,
        subject: neighbour.subject,
        score: (neighbour.score * 1e4).round() / 1e4,
        category: neighbour.outcome.category,
        team: neighbour.outcome.team,
        resolution: neighbour.outcome.resolution,
    }
}

fn milliseconds(since: Instant) -> f32 {
    (since.elapsed().as_secs_f32() * 1e5).round() / 1e2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_taxonomy_can_describe_every_category() {
        let taxonomy = Taxonomy::from_toml(DEFAULT_TAXONOMY).unwrap();
        assert!(taxonomy.categories.len() >= 30);
        for category in &taxonomy.categories {
            assert!(!category.description.is_empty(), "{}", category.label);
            assert!(category.examples.len() >= 3, "{}", category.label);
            let team = category.team.as_deref().and_then(|t| taxonomy.team(t));
            assert!(team.is_some_and(|t| t.department.is_some()), "{}", category.label);
        }
    }
}
