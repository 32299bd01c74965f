//! `/v1/drafts`: how a desk drafts, and drafts in a language model's words.

use axum::Json;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc::unbounded_channel;

use super::{invalid, without_nul};
use crate::domain::{DraftSettings, DraftTemplate, Rewriting, SuggestionId};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, PathId, may};
use crate::http::idempotency::{answer, once};
use crate::triage::{Receipt, TriageError};

/// Templates of a desk, and words for what is sensitive.
const MOST: usize = 200;

/// Reads how the desk drafts.
#[utoipa::path(
    get, path = "/v1/drafts/settings", operation_id = "read_draft_settings", tag = "drafts",
    responses((status = 200, description = "The settings in force", body = DraftSettings))
)]
pub(in crate::http) async fn read(desk: Desk<may::Triage>) -> Result<Response, ApiError> {
    let settings = desk.triage.store().settings(&desk.caller.workspace).await;
    Ok(Json(settings.map_err(TriageError::from)?.drafts).into_response())
}

/// Changes how the desk drafts: tone, categories that people answer themselves, templates. A
/// template is tried on samples first; one that leaves steps out, does too much or is none is
/// refused with its line.
#[utoipa::path(
    put, path = "/v1/drafts/settings", operation_id = "put_draft_settings", tag = "drafts",
    request_body = DraftSettings,
    responses((status = 200, description = "The settings in force now", body = DraftSettings))
)]
pub(in crate::http) async fn put(
    desk: Desk<may::Lead>,
    JsonBody { value, once: key }: JsonBody<DraftSettings>,
) -> Result<Response, ApiError> {
    if value.templates.len() > MOST {
        return Err(invalid("/templates", format!("expected at most {MOST}")));
    }
    if value.sensitive.len() > MOST {
        return Err(invalid("/sensitive", format!("expected at most {MOST}")));
    }
    let template = |t: DraftTemplate| DraftTemplate {
        category: t.category.map(without_nul),
        language: t.language.map(without_nul),
        text: without_nul(t.text),
    };
    let settings = DraftSettings {
        sensitive: value.sensitive.into_iter().map(without_nul).collect(),
        templates: value.templates.into_iter().map(template).collect(),
        ..value
    };
    let render = |settings: &DraftSettings| answer(StatusCode::OK, settings);
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &render);
        desk.triage.put_draft_settings(&desk.caller, &settings, receipt).await?;
        Ok(render(&settings))
    })
    .await
}

/// Puts a suggestion's draft into a language model's words, where one is configured. It is given
/// the draft's cited sentences and nothing of the ticket; each of its sentences is checked against
/// them and comes as a server-sent event once it has passed. The last event holds the whole reply.
/// Nothing is stored; closing the connection ends the work.
#[utoipa::path(
    post, path = "/v1/suggestions/{id}/rewrite", operation_id = "rewrite_draft", tag = "drafts",
    params(("id" = SuggestionId, Path, description = "The suggestion's id")),
    responses((status = 200, description = "Events as they happen",
        body = Rewriting, content_type = "text/event-stream"))
)]
pub(in crate::http) async fn rewrite(
    desk: Desk<may::Agent>,
    PathId(id): PathId<SuggestionId>,
) -> Result<Response, ApiError> {
    // What can be refused is refused before the stream begins.
    if !desk.triage.rewrites() {
        return Err(TriageError::NotFound("language model").into());
    }
    let stored = desk.triage.store().suggestion(&desk.caller.workspace, id).await;
    let stored = stored.map_err(TriageError::from)?.ok_or(TriageError::NotFound("suggestion"))?;
    if stored.suggestion.draft.is_none() {
        return Err(TriageError::NotFound("draft").into());
    }
    let (events, arriving) = unbounded_channel::<Rewriting>();
    let work =
        Box::pin(async move { desk.triage.rewrite(&desk.caller.workspace, id, &events).await });
    // The stream drives the work: when the caller leaves, both are dropped.
    let events = stream::unfold((arriving, Some(work)), async |(mut arriving, mut work)| {
        loop {
            let Some(working) = &mut work else {
                let event = arriving.recv().await?;
                return Some((sent(&event), (arriving, None)));
            };
            tokio::select! {
                biased;
                event = arriving.recv() => {
                    return event.map(|event| (sent(&event), (arriving, work)));
                }
                done = working => {
                    work = None;
                    if let Err(error) = done {
                        let problem = ApiError::from(error).problem(None);
                        let event = Event::default().event("error").json_data(problem);
                        return Some((event, (arriving, None)));
                    }
                }
            }
        }
    });
    Ok(Sse::new(events).into_response())
}

fn sent(event: &Rewriting) -> Result<Event, axum::Error> {
    let name = match event {
        Rewriting::Sentence { .. } => "sentence",
        Rewriting::Dropped { .. } => "dropped",
        Rewriting::Draft { .. } => "draft",
    };
    Event::default().event(name).json_data(event)
}
