//! Any text, triaged without being kept.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode};

use super::ticket::sources;
use crate::console::desk::{Answer, Page, Posted};
use crate::console::pages::Visit;
use crate::console::pages::try_it::{self as view, TryView};
use crate::domain::{Ticket, TicketText};
use crate::http::{ApiError, may};
use crate::inference::Lane;

pub(super) async fn show(headers: HeaderMap, page: Page<may::Triage>) -> Answer {
    Ok(Visit::html(&headers, view::page(&page.visit, &TryView::default())))
}

pub(super) async fn assess(posted: Posted<may::Triage>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let text = TicketText {
        subject: fields.get("subject").to_owned(),
        body: fields.get("body").to_owned(),
        messages: Vec::new(),
    };
    let mut shown =
        TryView { subject: text.subject.clone(), body: text.body.clone(), ..TryView::default() };
    let ticket = Ticket { text, requester: None, created_at: None, source: None };
    let workspace = &desk.caller.workspace;
    let mut status = StatusCode::OK;
    match desk.triage.assess(workspace, &ticket, None, Lane::Interactive).await {
        Ok(assessment) => {
            let suggestion = assessment.suggestion;
            let named: HashMap<_, _> =
                sources(&desk, &suggestion).await.map_err(|error| visit.fail(error))?;
            shown.answer = Some((suggestion, named));
        }
        Err(error) => {
            let api = ApiError::from(&error);
            status = api.code().status();
            if status.is_server_error() {
                return Err(visit.fail(api));
            }
            shown.refused = Some(match error {
                crate::triage::TriageError::EmptyTicket => visit.words.empty_ticket.to_owned(),
                other => other.to_string(),
            });
        }
    }
    let mut response = Visit::html(&HeaderMap::new(), view::page(&visit, &shown));
    *response.status_mut() = status;
    Ok(response)
}
