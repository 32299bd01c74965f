//! The service itself: a ticket in, a suggestion out; people's decisions in, memory out.
//!
//! [`Triage::assess`] cleans, redacts, embeds (one forward pass), searches (once) and decides,
//! without writing. Every other use case writes in one transaction: ticket, suggestion, entry in
//! the index, stored answer, jobs and audit together.

mod answer;
mod articles;
mod bundles;
mod drafting;
mod embed;
mod erase;
mod error;
mod feedback;
mod figures;
mod import;
mod jobs;
mod labels;
mod learn;
mod policy;
mod promises;
mod prototypes;
mod quality;
mod recall;
mod receipt;
mod reindex;
mod reports;
mod rewriting;
mod surroundings;
mod uploads;
mod vote;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::{
    Clock, Decision, Degraded, IdSource, ModelVersions, Neighbour, Similar, Suggestion,
    SuggestionId, Taxonomy, Ticket, TicketId, TicketText, Timings, WorkspaceId,
};
use crate::drafts::Reading;
use crate::index::{Both, ExternalIndex, TicketIndex};
use crate::inference::{Inference, InferenceError, Lane, Memory};
use crate::model::Manifest;
use crate::store::{EntryRow, Store, StoreError, Transaction};
use crate::text::{Terms, UNDETERMINED};
use crate::writing::Writer;
use answer::{Question, Trained};
pub use articles::ArticleReport;
use bundles::Heard;
pub use bundles::{BundleFault, BundleRecord, Bundles};
pub use embed::Embedded;
pub use erase::Erased;
pub use error::TriageError;
pub use feedback::{Resolution, Verdict};
pub use import::{ImportError, ImportProgress, ImportReport, LeftOut};
pub use labels::Mappings;
pub use learn::{Learning, Outcome as FitOutcome, Progress as FitProgress};
use policy::Circumstances;
pub use policy::Policy;
pub use promises::{FieldPromise, PolicyView};
use prototypes::Prototypes;
pub use quality::{FieldQuality, Quality};
pub use receipt::Receipt;
pub use reindex::ReindexReport;
use surroundings::Surroundings;
pub use uploads::Upload;

/// Neighbours that vote.
const NEIGHBOURS: usize = 20;
/// Neighbours that an answer shows.
const SHOWN: usize = 5;
/// How long a start waits for a busy encoder before it asks again.
const BUSY: Duration = Duration::from_millis(200);
/// The taxonomy of a desk that has neither history nor labels of its own.
const DEFAULT_TAXONOMY: &str = include_str!("../../models/taxonomy/default.toml");

/// Everything that triage works with, passed in.
pub struct Parts {
    /// The system of record.
    pub store: Arc<dyn Store>,
    /// Finds similar tickets.
    pub index: Arc<dyn TicketIndex>,
    /// The same, where it has to be told of every change.
    pub external: Option<Arc<dyn ExternalIndex>>,
    /// Makes embeddings.
    pub inference: Inference,
    /// The encoder's manifest.
    pub encoder: Manifest,
    /// Rewrites drafts, where one is wanted.
    pub writer: Option<Writer>,
    /// The thresholds.
    pub policy: Policy,
    /// Where trained bundles lie, a folder a workspace.
    pub bundles: PathBuf,
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
    rules: embed::RulesCache,
    bundles: Bundles,
    learning: learn::State,
    articles: drafting::Shelf,
    /// What sources of drafts say.
    readings: Memory<Arc<Reading>>,
    /// What bundles make of texts' words.
    heard: Memory<Arc<Heard>>,
}

/// Who asks, and for which desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose tickets.
    pub workspace: WorkspaceId,
    /// A key's or a user's name, for the audit trail.
    pub actor: String,
}

/// A suggestion that has not been stored, with what storing it needs.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The answer.
    pub suggestion: Suggestion,
    /// Whether the ticket had come before.
    pub known: bool,
    /// The ticket's embedding, unless nothing was left to embed.
    pub vector: Option<Vec<f32>>,
    /// The terms of what was embedded.
    pub terms: Terms,
    /// The subject line as the index may keep it.
    pub subject: String,
    /// The taxonomy that the labels are from.
    pub taxonomy_version: u32,
}

/// The labels of a desk that has none of its own.
///
/// # Panics
/// Never in a released build: a test reads it.
#[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
pub fn built_in_taxonomy() -> Taxonomy {
    Taxonomy::from_toml(DEFAULT_TAXONOMY).expect("the built-in taxonomy")
}

impl Triage {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let fingerprint = parts.encoder.fingerprint();
        let default_taxonomy = built_in_taxonomy();
        let bundles =
            Bundles::new(Arc::clone(&parts.store), parts.bundles.clone(), fingerprint.clone());
        Self {
            parts,
            fingerprint,
            default_taxonomy,
            prototypes: prototypes::Cache::default(),
            rules: embed::RulesCache::default(),
            bundles,
            learning: learn::State::default(),
            articles: drafting::Shelf::default(),
            readings: Memory::new(drafting::READINGS),
            heard: Memory::new(surroundings::HEARD),
        }
    }

    /// The store behind the service.
    pub fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    /// A fresh identifier, for what happens around a use case.
    pub fn fresh_id(&self) -> uuid::Uuid {
        self.parts.ids.next()
    }

    /// The time that use cases go by.
    pub fn now(&self) -> jiff::Timestamp {
        self.parts.clock.now()
    }

    /// Numbers in a vector.
    pub fn dimensions(&self) -> usize {
        self.parts.encoder.dimensions
    }

    /// The encoder's fingerprint.
    pub fn encoder(&self) -> &str {
        &self.fingerprint
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
        receipt: Receipt<'_, Suggestion>,
    ) -> Result<Suggestion, TriageError> {
        let assessment = self.assess(workspace, &ticket, None, Lane::Interactive).await?;
        let mut tx = self.parts.store.begin(workspace).await?;
        let (mut suggestion, promise) =
            self.record(&mut *tx, workspace, &ticket, assessment).await?;
        receipt.settle(&mut *tx, &suggestion).await?;
        tx.commit().await?;
        degrade(&mut suggestion, self.keep(workspace, promise).await);
        Ok(suggestion)
    }

    /// Answers many tickets, each for itself, and stores those that have an answer, together. They
    /// wait behind single ones.
    ///
    /// # Errors
    /// The store failed. Nothing is stored then.
    pub async fn triage_batch(
        &self,
        workspace: &WorkspaceId,
        tickets: Vec<Ticket>,
        receipt: Receipt<'_, Vec<Result<Suggestion, TriageError>>>,
    ) -> Result<Vec<Result<Suggestion, TriageError>>, TriageError> {
        let assess = |ticket| self.assess(workspace, ticket, None, Lane::Bulk);
        let mut assessed = futures_util::future::join_all(tickets.iter().map(assess)).await;
        if assessed.iter().all(Result::is_err) {
            // No ticket is to blame for what failed here, and nothing was done: it can be asked
            // again as a whole.
            let ours = |a: &Result<_, _>| !matches!(a, Err(TriageError::EmptyTicket));
            if let Some(at) = assessed.iter().position(ours) {
                assessed.swap_remove(at)?;
            }
        }
        let mut tx = self.parts.store.begin(workspace).await?;
        let (mut answers, mut promises) = (Vec::new(), Vec::new());
        for (ticket, assessment) in tickets.iter().zip(assessed) {
            answers.push(match assessment {
                Ok(assessment) => {
                    let (suggestion, promise) =
                        self.record(&mut *tx, workspace, ticket, assessment).await?;
                    promises.push(promise);
                    Ok(suggestion)
                }
                Err(error) => Err(error),
            });
        }
        receipt.settle(&mut *tx, &answers).await?;
        tx.commit().await?;
        for (answer, promise) in answers.iter_mut().flatten().zip(promises) {
            degrade(answer, self.keep(workspace, promise).await);
        }
        Ok(answers)
    }

    /// Writes a ticket and its suggestion. A ticket that search can find gets its new vector.
    async fn record(
        &self,
        tx: &mut dyn Transaction,
        workspace: &WorkspaceId,
        ticket: &Ticket,
        assessment: Assessment,
    ) -> Result<(Suggestion, Option<jobs::Promise>), TriageError> {
        let Assessment { mut suggestion, known, vector, terms, subject, taxonomy_version } =
            assessment;
        let now = self.parts.clock.now();
        let id = suggestion.ticket_id;
        suggestion.ticket_id = tx.put_ticket(id, ticket, &suggestion.language, now).await?;
        let before = if known || suggestion.ticket_id != id {
            self.entry_to_rewrite(tx, suggestion.ticket_id).await?
        } else {
            EntryRow::default()
        };
        let entry = EntryRow { vector, terms: Some(terms), subject, ..before };
        let promise = self.put_entry(tx, suggestion.ticket_id, &entry, entry.listed).await?;
        self.leave_erased_out(tx, &mut suggestion).await?;
        tx.put_suggestion(&suggestion, taxonomy_version, now).await?;
        tracing::debug!(%workspace, suggestion = %suggestion.id, "recorded");
        Ok((suggestion, promise))
    }

    /// Answers a ticket without storing anything. `id` is the ticket's, where it is known.
    ///
    /// # Errors
    /// As [`Triage::triage`].
    pub async fn assess(
        &self,
        workspace: &WorkspaceId,
        ticket: &Ticket,
        id: Option<TicketId>,
        lane: Lane,
    ) -> Result<Assessment, TriageError> {
        let start = Instant::now();
        let mut timings = Timings::default();
        let mut degraded = Vec::new();
        if is_blank(ticket) {
            return Err(TriageError::EmptyTicket);
        }
        let source = ticket.source.as_ref().filter(|_| id.is_none());
        let state = self.parts.store.desk_state(workspace, source).await?;
        let (settings, known) = (&state.settings, id.or(state.ticket));
        let read = self.read_by(settings, workspace, &ticket.text).await?;
        let (language, subject, terms) = (read.language, read.subject, read.terms);
        timings.clean = milliseconds(start);

        let at = Instant::now();
        let empty = read.text.is_empty();
        let embedding = async {
            let embedding = self.vector(&read.text, lane).await?;
            Ok::<_, TriageError>((embedding, milliseconds(at)))
        };
        // What else an answer needs is read while the encoder is at it.
        let desk = self.surroundings(workspace, &state, &read.text);
        let (((vector, cut), took), desk) = tokio::try_join!(embedding, desk)?;
        let Surroundings { prototypes, bundle, words, passages } = desk;
        let taxonomy = &prototypes.taxonomy;
        if cut || read.truncated {
            degraded.push(Degraded::TextTruncated);
        }
        timings.embed = took;

        let at = Instant::now();
        let forgotten = self.readings.forgotten();
        let Both { nearest: neighbours, similar: alike } = match &vector {
            Some(vector) => {
                self.neighbours(workspace, vector, &terms, known, &mut degraded).await?
            }
            None => Both::default(),
        };
        timings.search = milliseconds(at);

        let at = Instant::now();
        let circumstances = Circumstances {
            empty,
            language_supported: language == UNDETERMINED
                || self.parts.encoder.languages.iter().any(|l| l == language),
        };
        let target = settings.policy.target_precision;
        let thresholds = bundle.as_ref().map(|b| b.thresholds(target));
        let trained = bundle.as_ref().zip(thresholds.as_ref());
        let trained =
            trained.map(|(bundle, thresholds)| Trained { bundle, words: &words, thresholds });
        let question = Question {
            vector: vector.as_deref(),
            neighbours: &neighbours,
            prototypes: &prototypes,
            trained,
            circumstances,
        };
        let (category, team, priority) = question.answer(&self.parts.policy);
        let occasion = drafting::Occasion {
            ticket,
            text: &read.text,
            language,
            category: category.label.as_deref(),
            certain: category.decision != Decision::Abstain,
            neighbours: &alike,
            passages: &passages,
            vector: vector.as_deref(),
            settings: &settings.drafts,
            forgotten,
        };
        let draft = self.draft(workspace, &occasion).await?;
        timings.decide = milliseconds(at);
        timings.total = milliseconds(start);
        figures::count(&timings, &category);

        let ids = &self.parts.ids;
        let suggestion = Suggestion {
            id: SuggestionId::new(ids.next()),
            ticket_id: known.unwrap_or_else(|| TicketId::new(ids.next())),
            category,
            team,
            priority,
            similar: alike.into_iter().take(SHOWN).map(similar).collect(),
            draft_reason: draft.as_ref().err().map(|r| r.reason),
            draft_question: draft.as_ref().err().and_then(|r| r.question.map(str::to_owned)),
            draft: draft.ok(),
            language: language.to_owned(),
            degraded,
            model: ModelVersions {
                policy: match bundle {
                    Some(_) => format!("target:{target}"),
                    None => self.parts.policy.version(),
                },
                bundle: bundle.map_or_else(
                    || format!("neighbours@taxonomy-{}", taxonomy.version),
                    |bundle| bundle.id.clone(),
                ),
                encoder: self.fingerprint.clone(),
            },
            timings_ms: timings,
        };
        let (known, taxonomy_version) = (known.is_some(), taxonomy.version);
        Ok(Assessment { suggestion, known, vector, terms, subject, taxonomy_version })
    }

    /// Prepares what the first answers need, so that they are as fast as later ones. Where the
    /// encoder is busy, it waits: nobody is told to come back to a service that is starting.
    ///
    /// # Errors
    /// The encoder or the store failed.
    pub async fn warm_up(&self, workspace: &WorkspaceId) -> Result<(), TriageError> {
        let state = self.parts.store.desk_state(workspace, None).await?;
        loop {
            match self.prototypes(workspace, state.taxonomy).await {
                // What is embedded already is remembered, so each turn gets further.
                Err(TriageError::Inference(InferenceError::Overloaded)) => {
                    tokio::time::sleep(BUSY).await;
                }
                made => break made.map(drop)?,
            }
        }
        self.bundles.active(workspace, &state.settings).await;
        // A search for nothing in particular loads the index.
        if let Err(error) = self.parts.index.search(workspace, &[0.0; 1], 0, None).await {
            tracing::warn!(%error, "similarity search is not ready");
        }
        Ok(())
    }

    /// The taxonomy with its phrases as vectors, made once for each version of it. `None` is the
    /// version of the built-in one.
    async fn prototypes(
        &self,
        workspace: &WorkspaceId,
        version: Option<u32>,
    ) -> Result<Arc<Prototypes>, TriageError> {
        let read = async || self.taxonomy(workspace).await;
        self.prototypes.get(&self.parts.inference, workspace, version, read).await
    }
}

/// Notes in an answer that the index could not be brought in step, once.
fn degrade(suggestion: &mut Suggestion, in_step: bool) {
    if !in_step && !suggestion.degraded.contains(&Degraded::Index) {
        suggestion.degraded.push(Degraded::Index);
    }
}

/// Whether a ticket says nothing at all. One that says something which cleaning takes away (an
/// empty paragraph, say) is answered, with the reason `empty`.
fn is_blank(ticket: &Ticket) -> bool {
    is_blank_text(&ticket.text)
}

fn is_blank_text(text: &TicketText) -> bool {
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
