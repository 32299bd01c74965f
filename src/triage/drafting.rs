//! From a ticket's neighbours to the sources of its draft.

use std::collections::HashMap;

use super::Triage;
use crate::domain::{Draft, DraftReason, Neighbour, SourceKind, SourceRef, Ticket, WorkspaceId};
use crate::drafts::{self, Refusal, Request, Source};
use crate::store::StoreError;

/// What a draft is made for.
pub(super) struct Occasion<'a> {
    pub(super) ticket: &'a Ticket,
    /// Cleaned and redacted.
    pub(super) text: &'a str,
    pub(super) language: &'a str,
    /// The category, unless it is too uncertain to answer by.
    pub(super) category: Option<&'a str>,
    pub(super) neighbours: &'a [Neighbour],
}

impl Triage {
    /// Drafts a reply, or says why not and what to ask.
    pub(super) async fn draft(
        &self,
        workspace: &WorkspaceId,
        occasion: &Occasion<'_>,
    ) -> Result<Result<Draft, Refusal>, StoreError> {
        let Occasion { ticket, text, language, category, neighbours } = *occasion;
        let refuse = |reason| Ok(Err(Refusal::new(reason, text, language)));
        if text.is_empty() {
            return refuse(DraftReason::Empty);
        }
        if neighbours.is_empty() {
            return refuse(DraftReason::NoSimilarResolution);
        }
        if category.is_none() {
            return refuse(DraftReason::UncertainCategory);
        }
        let settings = self.parts.store.settings(workspace).await?;
        let references: Vec<SourceRef> = neighbours
            .iter()
            .map(|n| SourceRef { kind: SourceKind::Ticket, id: n.ticket_id.to_string() })
            .collect();
        let sources: Vec<Source<'_>> = neighbours
            .iter()
            .zip(&references)
            .filter_map(|(n, reference)| {
                Some(Source {
                    reference,
                    score: n.score,
                    text: n.outcome.resolution.as_deref()?,
                    language: n.language.as_deref(),
                    category: n.outcome.category.as_deref(),
                    at: n.outcome.resolved_at,
                    stale: false,
                })
            })
            .collect();
        let near = neighbours.iter().any(|n| n.score >= drafts::MIN_SIMILARITY);
        if near && sources.is_empty() {
            return refuse(DraftReason::NoResolutionText);
        }
        let votes = HashMap::new();
        let request = Request {
            text,
            language,
            category,
            requester: ticket.requester.as_deref(),
            settings: &settings.drafts,
            votes: &votes,
        };
        Ok(drafts::draft(&request, &sources))
    }
}
