//! From a ticket's neighbours and the desk's articles to the sources of its draft.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use simsimd::SpatialSimilarity;
use tokio::sync::Mutex;

use super::{Caller, Receipt, Triage, TriageError};
use crate::domain::{
    Draft, DraftReason, DraftSettings, Neighbour, Passage, SourceKind, SourceRef, Ticket,
    WorkspaceId,
};
use crate::drafts::{self, Material, Reading, Refusal, Request, Source};
use crate::inference::key;
use crate::store::{AuditEntry, StoreError, WorkspaceSettings};

/// An article is written for everybody, a resolution for one; so much it is ahead.
const ARTICLE_BONUS: f32 = 0.1;
/// Bytes of a source that are read.
const QUOTED: usize = 16 << 10;
/// A source of so many bytes is remembered as it was read; it takes some five times that.
const REMEMBERED: usize = 4 << 10;
/// Half as many readings as are remembered at most.
pub(super) const READINGS: usize = 2048;
/// Parts of articles that a draft may quote.
const PASSAGES: usize = 4;
/// A source this similar helps even where the category is uncertain.
const SURE: f32 = 0.55;

/// What a draft is made for.
pub(super) struct Occasion<'a> {
    pub(super) ticket: &'a Ticket,
    /// Cleaned and redacted.
    pub(super) text: &'a str,
    pub(super) language: &'a str,
    /// The best guess at the category.
    pub(super) category: Option<&'a str>,
    /// Whether that is sure enough to answer by.
    pub(super) certain: bool,
    pub(super) neighbours: &'a [Neighbour],
    /// Parts of the desk's articles.
    pub(super) passages: &'a [Passage],
    /// The ticket's embedding.
    pub(super) vector: Option<&'a [f32]>,
    /// How the desk drafts.
    pub(super) settings: &'a DraftSettings,
    /// How often readings had been forgotten before the sources were looked up.
    pub(super) forgotten: u64,
}

/// The parts of each workspace's articles, with the number of the change that they are from.
#[derive(Default)]
pub(super) struct Shelf(Mutex<HashMap<WorkspaceId, Read>>);

/// Parts, and the number of the last change that is in them.
type Read = (i64, Arc<Vec<Passage>>);

impl Triage {
    /// Drafts a reply, or says why not and what to ask.
    pub(super) async fn draft(
        &self,
        workspace: &WorkspaceId,
        occasion: &Occasion<'_>,
    ) -> Result<Result<Draft, Refusal>, StoreError> {
        let Occasion { ticket, text, language, category, certain, .. } = *occasion;
        let Occasion { neighbours, passages, vector, settings, .. } = *occasion;
        let refuse = |reason| Ok(Err(Refusal::new(reason, text, language)));
        let (false, Some(vector)) = (text.is_empty(), vector) else {
            return refuse(DraftReason::Empty);
        };
        let quotable = quotable(passages, vector);
        if neighbours.is_empty() && quotable.is_empty() {
            return refuse(DraftReason::NoSimilarResolution);
        }
        // On the safe side: what may be sensitive is.
        if drafts::is_sensitive(category, settings) {
            return refuse(DraftReason::Sensitive);
        }
        let mut scores = quotable.iter().map(|q| q.1).chain(neighbours.iter().map(|n| n.score));
        if !certain && !scores.any(|score| score >= SURE) {
            return refuse(DraftReason::UncertainCategory);
        }
        let references: Vec<SourceRef> =
            neighbours
                .iter()
                .map(|n| SourceRef { kind: SourceKind::Ticket, id: n.ticket_id.to_string() })
                .chain(quotable.iter().map(|(p, _)| SourceRef {
                    kind: SourceKind::Article,
                    id: p.article.id.clone(),
                }))
                .collect();
        let fresh_after = fresh_after(self.parts.clock.now(), settings);
        let sources = sources(neighbours, &quotable, &references, fresh_after);
        let near = neighbours.iter().any(|n| n.score >= drafts::MIN_SIMILARITY);
        if near && sources.iter().all(|s| s.score < drafts::MIN_SIMILARITY) {
            return refuse(DraftReason::NoResolutionText);
        }
        let read = |text: &str| self.reading(text, occasion.forgotten);
        let material = Material::of(language, &sources, read);
        let votes = self.parts.store.sentence_votes(workspace, &material.keys()).await?;
        let request = Request {
            text,
            language,
            category: category.filter(|_| certain),
            requester: ticket.requester.as_deref(),
            settings,
            votes: &votes,
        };
        Ok(drafts::draft(&request, &material))
    }

    /// What a source says, remembered for the next ticket unless it is long. What was erased since
    /// it was looked up is not.
    fn reading(&self, text: &str, forgotten: u64) -> Arc<Reading> {
        if text.len() > REMEMBERED {
            return Arc::new(Reading::of(text));
        }
        let key = key(text);
        self.readings.get(&key).unwrap_or_else(|| {
            let reading = Arc::new(Reading::of(text));
            self.readings.put(key, Arc::clone(&reading), forgotten);
            reading
        })
    }

    /// Changes how a desk drafts, from the next ticket on. Its templates are tried first.
    ///
    /// # Errors
    /// A template cannot be used, or the store failed.
    pub async fn put_draft_settings(
        &self,
        caller: &Caller,
        settings: &DraftSettings,
        receipt: Receipt<'_, DraftSettings>,
    ) -> Result<(), TriageError> {
        for (at, template) in settings.templates.iter().enumerate() {
            drafts::check_template(&template.text)
                .map_err(|error| TriageError::Template { at, error })?;
        }
        let (workspace, now) = (&caller.workspace, self.parts.clock.now());
        let mut tx = self.parts.store.begin(workspace).await?;
        let all = WorkspaceSettings { drafts: settings.clone(), ..tx.settings().await? };
        tx.save_settings(&all, now).await?;
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "drafts.settings",
            subject: workspace.to_string(),
            detail: json!({ "templates": settings.templates.len() }),
        })
        .await?;
        receipt.settle(&mut *tx, settings).await?;
        Ok(tx.commit().await?)
    }

    /// The parts of the desk's articles, read again when one has changed: when another number is
    /// theirs.
    pub(super) async fn passages(
        &self,
        workspace: &WorkspaceId,
        seq: i64,
    ) -> Result<Arc<Vec<Passage>>, StoreError> {
        let mut known = self.articles.0.lock().await;
        if let Some((_, passages)) = known.get(workspace).filter(|(at, _)| *at == seq) {
            return Ok(Arc::clone(passages));
        }
        let passages = Arc::new(self.parts.store.passages(workspace, &self.fingerprint).await?);
        known.insert(workspace.clone(), (seq, Arc::clone(&passages)));
        Ok(passages)
    }
}

/// An article that was changed before this is stale.
pub(super) fn fresh_after(now: Timestamp, settings: &DraftSettings) -> Timestamp {
    let days = SignedDuration::from_hours(24 * i64::from(settings.stale_after_days));
    now.saturating_sub(days).unwrap_or(Timestamp::MIN)
}

/// The parts most similar to a ticket, best first, with how similar they count.
fn quotable<'a>(passages: &'a [Passage], vector: &[f32]) -> Vec<(&'a Passage, f32)> {
    let score = |p: &Passage| f32::dot(vector, &p.vector).map_or(0.0, |d| d as f32);
    let mut found: Vec<(&Passage, f32)> = passages
        .iter()
        .map(|p| (p, score(p)))
        .filter(|(_, score)| *score >= drafts::MIN_SIMILARITY)
        .map(|(p, score)| (p, score + ARTICLE_BONUS))
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(PASSAGES);
    found
}

/// As much of a source as a draft is made of: comparing texts takes memory by the square of their
/// length, and nobody's answer is a log of megabytes.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUOTED)]
}

/// Everything that may be quoted, most similar first.
fn sources<'a>(
    neighbours: &'a [Neighbour],
    passages: &[(&'a Passage, f32)],
    references: &'a [SourceRef],
    fresh_after: Timestamp,
) -> Vec<Source<'a>> {
    let (tickets, articles) = references.split_at(neighbours.len());
    let tickets = neighbours.iter().zip(tickets).filter_map(|(n, reference)| {
        Some(Source {
            reference,
            score: n.score,
            words: n.words,
            text: beginning(n.outcome.resolution.as_deref()?),
            language: n.language.as_deref(),
            category: n.outcome.category.as_deref(),
            at: n.outcome.resolved_at,
            stale: false,
        })
    });
    let articles = passages.iter().zip(articles).map(|(&(passage, score), reference)| Source {
        reference,
        score,
        words: 0.0,
        text: beginning(&passage.text),
        language: Some(&passage.article.language),
        category: passage.article.category.as_deref(),
        at: Some(passage.article.updated_at),
        stale: passage.article.updated_at < fresh_after,
    });
    let mut sources: Vec<Source<'a>> = tickets.chain(articles).collect();
    sources.sort_by(|a, b| (b.score + b.words).total_cmp(&(a.score + a.words)));
    sources
}
