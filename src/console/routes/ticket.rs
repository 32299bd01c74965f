//! One ticket: looking at it, and deciding about it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Extension, Path};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::queue::{asked, asked_again, behind, done};
use crate::console::desk::{Answer, Fields, Page, Posted, see_other, wants_json};
use crate::console::pages::Visit;
use crate::console::pages::suggested::{self, Source};
use crate::console::pages::ticket::{self as view, TicketView, Typed, changed_reply};
use crate::console::presence::Presence;
use crate::domain::{Action, LabelField, Labels, SourceKind, SourceRef, Suggestion, SuggestionId};
use crate::http::{ApiError, Desk, ErrorCode, may};
use crate::store::StoredSuggestion;
use crate::triage::{Receipt, TriageError, Verdict};

/// The draft's sources, each by its name.
pub(super) async fn sources<S>(
    desk: &Desk<S>,
    suggestion: &Suggestion,
) -> Result<HashMap<SourceRef, Source>, TriageError> {
    let mut sources = suggested::sources(suggestion);
    let (store, workspace) = (desk.triage.store(), &desk.caller.workspace);
    let unnamed = |kind: SourceKind| {
        sources.iter().any(|(source, named)| source.kind == kind && named.place.is_none())
    };
    let articles = if unnamed(SourceKind::Article) {
        store.articles(workspace, desk.triage.now()).await?
    } else {
        Vec::new()
    };
    for (source, named) in sources.iter_mut().filter(|(_, named)| named.place.is_none()) {
        match source.kind {
            SourceKind::Article => {
                if let Some(article) = articles.iter().find(|a| a.id == source.id) {
                    named.name.clone_from(&article.title);
                }
            }
            SourceKind::Ticket => {
                // As search may show it: redacted.
                let Ok(id) = source.id.parse() else { continue };
                if let Some((_, entry)) = store.entry(workspace, desk.triage.encoder(), id).await? {
                    named.name = entry.subject;
                }
            }
        }
    }
    Ok(sources)
}

async fn read<S>(
    desk: &Desk<S>,
    id: SuggestionId,
    fields: &Fields,
    visit: &Visit,
) -> Result<TicketView, TriageError> {
    let (store, workspace) = (desk.triage.store(), &desk.caller.workspace);
    let stored = store.suggestion(workspace, id).await?;
    let stored = stored.ok_or(TriageError::NotFound("suggestion"))?;
    let ticket = store.ticket(workspace, stored.suggestion.ticket_id).await?;
    Ok(TicketView {
        ticket: ticket.ok_or(TriageError::NotFound("ticket"))?,
        taxonomy: desk.triage.taxonomy(workspace).await?,
        sources: sources(desk, &stored.suggestion).await?,
        query: asked(fields).query(),
        done: done(visit.words, fields),
        refused: None,
        typed: Typed::default(),
        stored,
    })
}

pub(super) async fn show(
    headers: HeaderMap,
    uri: Uri,
    Path(name): Path<String>,
    page: Page<may::Agent>,
) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let id: SuggestionId = name.parse().map_err(|_| visit.fail(ErrorCode::NotFound))?;
    let view = read(&desk, id, &fields, &visit).await.map_err(|error| visit.fail(error))?;
    Ok(Visit::html(&headers, view::page(&visit, &view)))
}

/// What a form asks for. A changed category with the draft as it was is a reroute: the draft was
/// for something else.
fn verdict(fields: &Fields, suggestion: &Suggestion) -> Option<Verdict> {
    let changed = |field: LabelField| {
        let suggested = suggested::decided(suggestion, field).label.as_deref();
        let chosen = fields.filled(field.name()).filter(|label| Some(*label) != suggested);
        chosen.map(str::to_owned)
    };
    let labels = Labels {
        category: changed(LabelField::Category),
        team: changed(LabelField::Team),
        priority: changed(LabelField::Priority),
    };
    let reply = changed_reply(suggestion, fields.get("reply"));
    let plain = |action| Verdict { action, labels: Labels::default(), reply: None, reason: None };
    Some(match fields.get("action") {
        "approve" if reply.is_none() && labels.category.is_some() => {
            Verdict { labels, ..plain(Action::Reroute) }
        }
        "approve" if reply.is_none() && labels == Labels::default() => plain(Action::Approve),
        "approve" => Verdict { labels, reply, ..plain(Action::Edit) },
        "reroute" => Verdict { labels, ..plain(Action::Reroute) },
        "reject" => {
            let named = |r: &_| view::reason_name(*r) == fields.get("reason");
            Verdict { reason: view::REASONS.into_iter().find(named), ..plain(Action::Reject) }
        }
        _ => return None,
    })
}

pub(super) async fn decide(
    headers: HeaderMap,
    Path(name): Path<String>,
    posted: Posted<may::Agent>,
) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let id: SuggestionId = name.parse().map_err(|_| visit.fail(ErrorCode::NotFound))?;
    let version: Option<i64> = fields.get("version").parse().ok();
    let stored = desk.triage.store().suggestion(&desk.caller.workspace, id).await;
    let stored = stored.map_err(|error| visit.fail(TriageError::from(error)))?;
    let Some(stored) = stored else { return Err(visit.fail(ErrorCode::NotFound)) };
    let Some((verdict, version)) = verdict(&fields, &stored.suggestion).zip(version) else {
        return Err(visit.fail(ErrorCode::InvalidField));
    };
    let action = verdict.action;
    let refused =
        match desk.triage.decide(&desk.caller, id, verdict, Some(version), Receipt::none()).await {
            Ok(_) => return Ok(onwards(&desk, &visit, &headers, &fields, &stored, action).await),
            // An attempt whose answer was lost on the way: it is done, and by whom it was asked for.
            Err(TriageError::Stale { .. } | TriageError::AlreadyDecided { .. })
                if was_done(&stored, &desk.caller.actor, action, version) =>
            {
                return Ok(onwards(&desk, &visit, &headers, &fields, &stored, action).await);
            }
            Err(error) => error,
        };
    let said = explained(&desk, id, &refused, &visit).await;
    let error = ApiError::from(&refused);
    if wants_json(&headers) {
        return Err(error.detail(said).into_response());
    }
    let again = Fields::read(fields.get("query").as_bytes());
    let mut shown = read(&desk, id, &again, &visit).await.map_err(|e| visit.fail(e))?;
    shown.refused = Some(said);
    let typed = |name: &str| fields.filled(name).map(str::to_owned);
    shown.typed = Typed {
        reply: Some(fields.get("reply").to_owned()),
        category: typed("category"),
        team: typed("team"),
        priority: typed("priority"),
    };
    let mut response = Visit::html(&HeaderMap::new(), view::page(&visit, &shown));
    *response.status_mut() = error.code().status();
    Err(response)
}

/// Whether the newest decision is the one that was asked for.
fn was_done(stored: &StoredSuggestion, actor: &str, action: Action, version: i64) -> bool {
    let made = stored.decision.as_ref();
    stored.version == version + 1 && made.is_some_and(|d| d.by == actor && d.action == action)
}

/// On to the next ticket.
async fn onwards<S>(
    desk: &Desk<S>,
    visit: &Visit,
    headers: &HeaderMap,
    fields: &Fields,
    stored: &StoredSuggestion,
    action: Action,
) -> Response {
    let priority = stored.suggestion.priority.label.as_deref();
    let place = behind(desk, visit, asked_again(fields), Some(stored.seq), priority).await;
    // The decision is made: that the next one could not be looked up is no reason to deny it.
    let place = place.unwrap_or_else(|_| "/?".to_owned());
    let and = if place.ends_with('?') { "" } else { "&" };
    let next = format!("{place}{and}done={}&ids={}", action.name(), stored.suggestion.id);
    if wants_json(headers) {
        Json(json!({ "next": next })).into_response()
    } else {
        see_other(&next)
    }
}

/// Why a decision was refused, for the one who made it.
async fn explained<S>(
    desk: &Desk<S>,
    id: SuggestionId,
    error: &TriageError,
    visit: &Visit,
) -> String {
    let w = visit.words;
    let now = desk.triage.store().suggestion(&desk.caller.workspace, id).await.ok().flatten();
    let made = now.as_ref().and_then(|now| Some((now.status, now.decision.as_ref()?)));
    match (error, made) {
        (TriageError::Stale { .. } | TriageError::AlreadyDecided { .. }, Some((status, made))) => {
            (w.decided_meanwhile)(&made.by, w.status(status))
        }
        (TriageError::Stale { .. }, None) => w.changed_meanwhile.to_owned(),
        (TriageError::Superseded, _) => w.superseded_help.to_owned(),
        (TriageError::NoChange(_), _) => w.reroute_needs.to_owned(),
        _ => error.to_string(),
    }
}

/// A page says that it is open, and hears who else looks and where the suggestion stands.
pub(super) async fn presence(
    Extension(presence): Extension<Arc<Presence>>,
    Path(name): Path<String>,
    posted: Posted<may::Agent>,
) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let id: SuggestionId = name.parse().map_err(|_| visit.fail(ErrorCode::NotFound))?;
    let workspace = &desk.caller.workspace;
    let page: String = fields.get("page").chars().take(64).collect();
    if fields.get("leave") == "1" {
        presence.leave(workspace, id, &page);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stored = desk.triage.store().suggestion(workspace, id).await;
    let stored = stored.map_err(|error| visit.fail(TriageError::from(error)))?;
    let Some(stored) = stored else { return Err(visit.fail(ErrorCode::NotFound)) };
    let others = presence.look(workspace, id, &page, &visit.name, Instant::now());
    let w = visit.words;
    let made = stored.decision.as_ref();
    let said = made.map(|made| (w.decided_meanwhile)(&made.by, w.status(stored.status)));
    let others = (!others.is_empty()).then(|| (w.others_look)(&others.join(", ")));
    let now = json!({ "others": others, "version": stored.version, "said": said });
    Ok(Json(now).into_response())
}
