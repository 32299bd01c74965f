//! `/v1/suggestions`: reading them, and deciding about them.
#![expect(unused_qualifications, reason = "in what the macro for parameters writes")]

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{invalid, without_nul};
use crate::domain::{
    Action, AgentDecision, Decision, Degraded, ExternalRef, Labels, RejectReason, Status,
    Suggestion, SuggestionId, TicketId,
};
use crate::http::extract::{Desk, JsonBody, Params, PathId, if_match, may};
use crate::http::idempotency::{answer, once, respond, with_header};
use crate::http::{ApiError, ErrorCode};
use crate::store::{Answer, StoredSuggestion, SuggestionFilter};
use crate::triage::{Receipt, TriageError, Verdict};

/// Suggestions of one page, at most and unless asked otherwise.
const MAX_PAGE: u32 = 200;
const PAGE: u32 = 50;
/// Characters of a reply.
const MAX_REPLY: usize = 64 * 1024;

/// A suggestion and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SuggestionOut {
    #[serde(flatten)]
    suggestion: Suggestion,
    /// The ticket that it is for.
    ticket: TicketHead,
    status: Status,
    /// Grows with every change; the `ETag`.
    version: i64,
    created_at: Timestamp,
    /// The decision in force.
    decision: Option<AgentDecision>,
}

/// As much of a ticket as a list needs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TicketHead {
    subject: String,
    requester: Option<String>,
    source: Option<ExternalRef>,
}

impl SuggestionOut {
    fn new(stored: StoredSuggestion, degraded: Vec<Degraded>) -> Self {
        let StoredSuggestion {
            mut suggestion,
            ticket,
            status,
            version,
            created_at,
            decision,
            seq: _,
        } = stored;
        let more = degraded.into_iter().filter(|d| !suggestion.degraded.contains(d));
        let more: Vec<Degraded> = more.collect();
        suggestion.degraded.extend(more);
        let crate::store::TicketHead { subject, requester, source } = ticket;
        let ticket = TicketHead { subject, requester, source };
        Self { suggestion, ticket, status, version, created_at, decision }
    }
}

/// Which suggestions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListIn {
    /// Only those that stand so.
    status: Option<Status>,
    /// Only those whose category was decided so.
    decision: Option<Decision>,
    /// Only those that suggest this category.
    category: Option<String>,
    /// Only those that suggest this team.
    team: Option<String>,
    /// Only those for this ticket.
    ticket_id: Option<TicketId>,
    /// `next` of the page before.
    #[param(pattern = "^[0-7][0-9a-f]{15}$")]
    cursor: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// A page of suggestions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PageOut {
    suggestions: Vec<SuggestionOut>,
    /// The `cursor` of the next page; `null` on the last one. What arrives meanwhile comes before
    /// the first page and moves nothing.
    next: Option<String>,
}

/// Lists suggestions, newest first.
#[utoipa::path(
    get, path = "/v1/suggestions", operation_id = "list_suggestions", tag = "suggestions", params(ListIn),
    responses((status = 200, description = "A page", body = PageOut,
        headers(("Link" = String, description = "The next page, as RFC 8288 has it"))))
)]
pub(in crate::http) async fn list(
    desk: Desk<may::Triage>,
    uri: Uri,
    Params(wanted): Params<ListIn>,
) -> Result<Response, ApiError> {
    let parameter = |detail: String| ApiError::from(ErrorCode::InvalidParameter).detail(detail);
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(parameter(format!("limit: expected 1 to {MAX_PAGE}")));
    }
    let before = wanted.cursor.as_deref().map(|cursor| {
        read_cursor(cursor).ok_or_else(|| parameter("cursor: expected `next` of a page".into()))
    });
    let decision = wanted.decision.map(|decision| match decision {
        Decision::Auto => "auto",
        Decision::Suggest => "suggest",
        Decision::Abstain => "abstain",
    });
    let filter = SuggestionFilter {
        status: wanted.status,
        category: wanted.category.map(without_nul),
        team: wanted.team.map(without_nul),
        decision: decision.map(str::to_owned),
        ticket: wanted.ticket_id,
        before: before.transpose()?,
        limit,
        ..SuggestionFilter::default()
    };
    let page = desk.triage.store().suggestions(&desk.caller.workspace, &filter).await;
    let page = page.map_err(TriageError::from)?;
    let next = page.next.map(write_cursor);
    let suggestions = page.items.into_iter().map(|s| SuggestionOut::new(s, Vec::new())).collect();
    let link = next.as_ref().map(|next| {
        // The next page answers the same question.
        let asked = uri.query().unwrap_or_default().split('&');
        let asked = asked.filter(|p| !p.is_empty() && !p.starts_with("cursor="));
        let cursor = format!("cursor={next}");
        let query: Vec<&str> = asked.chain([cursor.as_str()]).collect();
        format!("</v1/suggestions?{}>; rel=\"next\"", query.join("&"))
    });
    let mut response = axum::Json(PageOut { suggestions, next }).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// A place in the list, opaque to callers.
fn write_cursor(seq: i64) -> String {
    format!("{seq:016x}")
}

fn read_cursor(text: &str) -> Option<i64> {
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let whole = text.len() == 16 && text.bytes().all(digits);
    whole.then(|| i64::from_str_radix(text, 16).ok()).flatten()
}

/// Reads a suggestion.
#[utoipa::path(
    get, path = "/v1/suggestions/{id}", operation_id = "read_suggestion", tag = "suggestions",
    params(("id" = SuggestionId, Path, description = "The suggestion's id")),
    responses(
        (status = 200, description = "The suggestion", body = SuggestionOut,
            headers(("ETag" = String, description = "The suggestion's version"))),
        (status = 304, description = "It is what the caller has"))
)]
pub(in crate::http) async fn read(
    desk: Desk<may::Triage>,
    PathId(id): PathId<SuggestionId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stored = desk.triage.store().suggestion(&desk.caller.workspace, id).await;
    let stored = stored.map_err(TriageError::from)?.ok_or(TriageError::NotFound("suggestion"))?;
    let etag = format!("\"{}\"", stored.version);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|have| have.as_bytes() == etag.as_bytes()) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        if let Ok(etag) = HeaderValue::try_from(etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        return Ok(response);
    }
    Ok(respond(&rendered(stored, Vec::new())))
}

fn rendered(stored: StoredSuggestion, degraded: Vec<Degraded>) -> Answer {
    let etag = format!("\"{}\"", stored.version);
    with_header(answer(StatusCode::OK, &SuggestionOut::new(stored, degraded)), "etag", etag)
}

/// What an agent makes of a suggestion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::http) enum DecisionIn {
    /// It is right as it is. The draft counts as the approved reply.
    Approve {},
    /// It is right with another reply, or other labels.
    #[schema(example = json!({"action": "edit", "reply": "Please install version 6.2.6."}))]
    Edit {
        /// In place of the draft.
        #[serde(default)]
        reply: Option<String>,
        /// In place of the suggested one.
        #[serde(default)]
        category: Option<String>,
        /// In place of the suggested one.
        #[serde(default)]
        team: Option<String>,
        /// In place of the suggested one.
        #[serde(default)]
        priority: Option<String>,
    },
    /// It belongs elsewhere. A category without a team brings its own.
    #[schema(example = json!({"action": "reroute", "category": "VPN", "team": "Network"}))]
    Reroute {
        /// In place of the suggested one.
        #[serde(default)]
        category: Option<String>,
        /// In place of the suggested one.
        #[serde(default)]
        team: Option<String>,
        /// In place of the suggested one.
        #[serde(default)]
        priority: Option<String>,
    },
    /// It is of no use. Its labels are not learned; a reason that speaks against the draft is.
    Reject {
        /// Why.
        #[serde(default)]
        reason: Option<RejectReason>,
    },
    /// The decision in force is taken back.
    Undo {},
}

impl DecisionIn {
    /// The verdict; `None` for an undo.
    fn verdict(self) -> Result<Option<Verdict>, ApiError> {
        let labels =
            |category: Option<String>, team: Option<String>, priority: Option<String>| Labels {
                category: category.map(without_nul),
                team: team.map(without_nul),
                priority: priority.map(without_nul),
            };
        let plain =
            |action| Verdict { action, labels: Labels::default(), reply: None, reason: None };
        Ok(Some(match self {
            Self::Approve {} => plain(Action::Approve),
            Self::Reject { reason } => Verdict { reason, ..plain(Action::Reject) },
            Self::Undo {} => return Ok(None),
            Self::Reroute { category, team, priority } => {
                Verdict { labels: labels(category, team, priority), ..plain(Action::Reroute) }
            }
            Self::Edit { reply, category, team, priority } => {
                if reply.as_ref().is_some_and(|r| r.chars().count() > MAX_REPLY) {
                    let most = format!("expected at most {MAX_REPLY} characters");
                    return Err(invalid("/reply", most));
                }
                let labels = labels(category, team, priority);
                Verdict { labels, reply: reply.map(without_nul), ..plain(Action::Edit) }
            }
        }))
    }
}

/// Decides about a suggestion. Unless it is rejected, its ticket votes on the very next one. With
/// `If-Match` and the `ETag` that the decision is based on, it is refused if that is another one now.
#[utoipa::path(
    post, path = "/v1/suggestions/{id}/decision", operation_id = "decide", tag = "suggestions", request_body = DecisionIn,
    params(("id" = SuggestionId, Path, description = "The suggestion's id")),
    responses((status = 200, description = "The suggestion as it stands now", body = SuggestionOut,
        headers(("ETag" = String, description = "The suggestion's version"))))
)]
pub(in crate::http) async fn decide(
    desk: Desk<may::Agent>,
    PathId(id): PathId<SuggestionId>,
    headers: HeaderMap,
    JsonBody { value, once: key }: JsonBody<DecisionIn>,
) -> Result<Response, ApiError> {
    let expected = if_match(&headers)?;
    let verdict = value.verdict()?;
    let render = |stored: &StoredSuggestion| rendered(stored.clone(), Vec::new());
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &render);
        let (stored, degraded) = match verdict {
            Some(verdict) => {
                desk.triage.decide(&desk.caller, id, verdict, expected, receipt).await?
            }
            None => desk.triage.undo(&desk.caller, id, expected, receipt).await?,
        };
        Ok(rendered(stored, degraded))
    })
    .await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_and_nothing_else_is_one(seq in 0i64.., text in "\\PC{0,40}") {
            prop_assert_eq!(read_cursor(&write_cursor(seq)), Some(seq));
            if let Some(read) = read_cursor(&text) {
                prop_assert_eq!(write_cursor(read), text);
            }
        }
    }
}
