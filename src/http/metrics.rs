//! What Prometheus reads. Names follow its conventions; labels are routes, statuses and decisions,
//! never ids or text, so their number is bounded.

use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge, histogram};

use super::extract::{Desk, may};
use super::{ApiError, State};
use crate::triage::TriageError;

/// Counts an answered request.
pub(super) fn request(method: &str, route: &str, status: u16, took: Duration) {
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    counter!("deskhand_http_requests_total", &labels).increment(1);
    histogram!("deskhand_http_request_duration_seconds", &labels[..2]).record(took.as_secs_f64());
}

/// The figures, as Prometheus' text format.
pub(super) async fn metrics(
    Shared(state): Shared<State>,
    desk: Desk<may::Lead>,
) -> Result<Response, ApiError> {
    let counts = desk.triage.store().counts(&desk.caller.workspace).await;
    let counts = counts.map_err(TriageError::from)?;
    let jobs = desk.triage.store().pending_jobs().await.map_err(TriageError::from)?;
    let workspace = desk.caller.workspace.to_string();
    gauge!("deskhand_tickets", "workspace" => workspace.clone()).set(counts.tickets as f64);
    gauge!("deskhand_searchable_tickets", "workspace" => workspace).set(counts.searchable as f64);
    gauge!("deskhand_jobs_pending").set(jobs as f64);
    gauge!("deskhand_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let text = state.metrics.as_ref().map(|m| m()).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
