//! The queue, and what is done to many at once.

use axum::http::{HeaderMap, Uri};
use jiff::SignedDuration;

use crate::console::desk::{Answer, Fields, Page, Posted, own_place, see_other};
use crate::console::pages::Visit;
use crate::console::pages::queue::{self as view, Asked, Done, QueueView, decision_name};
use crate::console::words::Words;
use crate::domain::{Action, Decision, Labels, Status, SuggestionId, Taxonomy};
use crate::http::{Desk, may};
use crate::store::{Pending, StoreError, SuggestionFilter};
use crate::triage::{Receipt, TriageError, Verdict};

/// Rows of a page.
const PAGE: u32 = 50;

/// What an address asks of the queue. What makes no sense is not asked.
pub(super) fn asked(fields: &Fields) -> Asked {
    let text = |name: &str| fields.filled(name).map(str::to_owned);
    let decisions = [Decision::Auto, Decision::Suggest, Decision::Abstain];
    let status = view::STATUSES.into_iter().find(|s| s.name() == fields.get("status"));
    Asked {
        status: status.filter(|s| *s != Status::Open),
        team: text("team"),
        category: text("category"),
        decision: decisions.into_iter().find(|d| decision_name(*d) == fields.get("decision")),
        hours: fields.get("hours").parse().ok().filter(|h| view::HOURS.contains(h)),
        text: text("q").map(|q| q.trim().chars().take(200).collect()),
        urgent: fields.get("order") == "urgent",
    }
}

/// The same as the store is asked.
fn filter(asked: &Asked, taxonomy: &Taxonomy, now: jiff::Timestamp) -> SuggestionFilter {
    let hours = asked.hours.map(|h| SignedDuration::from_hours(i64::from(h)));
    SuggestionFilter {
        status: Some(asked.status.unwrap_or(Status::Open)),
        team: asked.team.clone(),
        category: asked.category.clone(),
        decision: asked.decision.map(|d| decision_name(d).to_owned()),
        until: hours.and_then(|hours| now.checked_sub(hours).ok()),
        text: asked.text.clone(),
        urgency: if asked.urgent { taxonomy.priorities.clone() } else { Vec::new() },
        limit: PAGE,
        ..SuggestionFilter::default()
    }
}

/// What was just done, as addresses say it.
pub(super) fn done(w: &Words, fields: &Fields) -> Option<Done> {
    let undo: Vec<String> = fields
        .get("ids")
        .split('.')
        .filter_map(|id| id.parse::<SuggestionId>().ok())
        .map(|id| id.to_string())
        .collect();
    let n = undo.len();
    let mut said = match fields.get("done") {
        "approve" => (w.done_approved)(n.max(1)),
        "edit" => w.done_edited.to_owned(),
        "reroute" => w.done_rerouted.to_owned(),
        "reject" => w.done_rejected.to_owned(),
        "undo" => return Some(Done { said: w.done_undone.to_owned(), undo: Vec::new() }),
        _ => return None,
    };
    if let Some(left) = fields.get("left").parse().ok().filter(|left: &usize| *left > 0) {
        said.push(' ');
        said.push_str(&(w.left_alone)(left));
    }
    Some(Done { said, undo })
}

/// What filters offer, most first.
fn facet(pending: &[Pending], of: impl Fn(&Pending) -> Option<&String>) -> Vec<(String, u64)> {
    let mut counted = std::collections::BTreeMap::new();
    for (label, count) in pending.iter().filter_map(|p| Some((of(p)?, p.count))) {
        *counted.entry(label.clone()).or_insert(0) += count;
    }
    let mut counted: Vec<(String, u64)> = counted.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
}

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Agent>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let asked = asked(&fields);
    let (store, workspace) = (desk.triage.store(), &desk.caller.workspace);
    let read = async {
        let taxonomy = desk.triage.taxonomy(workspace).await?;
        let mut filter = filter(&asked, &taxonomy, visit.now);
        filter.before = fields.get("before").parse().ok();
        filter.before_rank = fields.get("rank").parse().ok();
        let rows = store.suggestions(workspace, &filter).await?;
        let pending = store.pending(workspace).await?;
        let count = |of: &dyn Fn(&Pending) -> bool| {
            pending.iter().filter(|p| of(p)).map(|p| p.count).sum::<u64>()
        };
        let open = count(&|_| true);
        let found =
            if asked.narrows() { store.count_suggestions(workspace, &filter).await? } else { open };
        let older = rows.next.and_then(|seq| {
            let last = rows.items.last()?;
            let rank = filter.rank(last.suggestion.priority.label.as_deref());
            let and = if asked.query().is_empty() { "" } else { "&" };
            Some(format!("/?{}{and}before={seq}&rank={rank}", asked.query()))
        });
        let history =
            if rows.items.is_empty() { store.counts(workspace).await?.searchable } else { 1 };
        Ok::<_, StoreError>(QueueView {
            rows: rows.items,
            found,
            open,
            safe: count(&|p| p.decision == decision_name(Decision::Auto)),
            teams: facet(&pending, |p| p.team.as_ref()),
            categories: facet(&pending, |p| p.category.as_ref()),
            older,
            later: filter.before.is_some(),
            done: done(visit.words, &fields),
            history,
            asked: asked.clone(),
        })
    };
    let view = read.await.map_err(|error| visit.fail(TriageError::from(error)))?;
    Ok(Visit::html(&headers, view::page(&visit, &view)))
}

/// Approves many at once: only those that are sure enough, and as they were seen.
pub(super) async fn bulk(posted: Posted<may::Agent>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let (mut approved, mut left) = (Vec::new(), 0);
    for (id, version) in fields.all("id").take(PAGE as usize).filter_map(picked) {
        let stored = desk.triage.store().suggestion(&desk.caller.workspace, id).await;
        let stored = stored.map_err(|error| visit.fail(TriageError::from(error)))?;
        let safe = stored.is_some_and(|s| s.suggestion.category.decision == Decision::Auto);
        if !safe {
            left += 1;
            continue;
        }
        let approve = Verdict {
            action: Action::Approve,
            labels: Labels::default(),
            reply: None,
            reason: None,
        };
        let receipt = Receipt::none();
        match desk.triage.decide(&desk.caller, id, approve, Some(version), receipt).await {
            Ok(_) => approved.push(id.to_string()),
            Err(
                TriageError::Stale { .. }
                | TriageError::AlreadyDecided { .. }
                | TriageError::Superseded
                | TriageError::NotFound(_)
                | TriageError::UnknownLabel { .. },
            ) => left += 1,
            Err(error) => return Err(visit.fail(error)),
        }
    }
    if approved.is_empty() && left == 0 {
        return Ok(see_other(&format!("/?{}", asked_again(&fields).query())));
    }
    let ids = approved.join(".");
    let query = asked_again(&fields).query();
    let and = if query.is_empty() { "" } else { "&" };
    Ok(see_other(&format!("/?{query}{and}done=approve&ids={ids}&left={left}")))
}

/// The list that a form was sent from.
pub(super) fn asked_again(fields: &Fields) -> Asked {
    asked(&Fields::read(fields.get("query").as_bytes()))
}

/// A suggestion's id and the version that was seen.
fn picked(value: &str) -> Option<(SuggestionId, i64)> {
    let (id, version) = value.split_once('.')?;
    Some((id.parse().ok()?, version.parse().ok()?))
}

/// Takes decisions back.
pub(super) async fn undo(posted: Posted<may::Agent>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let ids: Vec<SuggestionId> =
        fields.all("id").take(PAGE as usize).filter_map(|id| id.parse().ok()).collect();
    for id in &ids {
        match desk.triage.undo(&desk.caller, *id, None, Receipt::none()).await {
            // Somebody else was faster: it is as it was asked to be.
            Ok(_) | Err(TriageError::NothingToUndo) => {}
            Err(error) => return Err(visit.fail(error)),
        }
    }
    let place = match (fields.filled("next"), ids.as_slice()) {
        (Some(next), _) => own_place(next).to_owned(),
        (None, [id]) => format!("/suggestions/{id}?done=undo"),
        (None, _) => "/?done=undo".to_owned(),
    };
    Ok(see_other(&place))
}

/// Goes on to the next one of a list.
pub(super) async fn next(uri: Uri, page: Page<may::Agent>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let after = fields.get("after").parse().ok();
    let place = behind(&desk, &visit, asked(&fields), after, fields.filled("priority")).await;
    place.map(|place| see_other(&place)).map_err(|error| visit.fail(TriageError::from(error)))
}

/// Where the next one of a list is, seen from one with this number and priority: the one behind, or
/// else the first. The list itself where there is no other.
pub(super) async fn behind<S>(
    desk: &Desk<S>,
    visit: &Visit,
    mut asked: Asked,
    after: Option<i64>,
    priority: Option<&str>,
) -> Result<String, StoreError> {
    asked.status = None;
    let (store, workspace) = (desk.triage.store(), &desk.caller.workspace);
    let taxonomy = desk.triage.taxonomy(workspace).await?;
    let mut filter = filter(&asked, &taxonomy, visit.now);
    filter.limit = 1;
    let first = filter.clone();
    filter.before = after;
    filter.before_rank = Some(filter.rank(priority));
    let mut found = store.suggestions(workspace, &filter).await?.items.pop();
    if found.is_none() {
        found = store.suggestions(workspace, &first).await?.items.pop();
    }
    let query = asked.query();
    Ok(match found.filter(|found| Some(found.seq) != after) {
        Some(found) => format!("/suggestions/{}?{query}", found.suggestion.id),
        None => format!("/?{query}"),
    })
}
