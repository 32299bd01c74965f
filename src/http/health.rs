//! Whether the process lives, and whether it can triage yet.

use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::{ApiError, ErrorCode, State};

/// How far work that runs beside the service has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Done: tickets of an import, steps of a fit.
    pub done: usize,
    /// In all.
    pub total: usize,
}

#[derive(Debug, Default)]
struct Status {
    ready: bool,
    stage: String,
    import: Option<Progress>,
    fit: Option<Progress>,
}

/// How far the service has come. Written by those who start it, read by `/readyz`.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Status>);

impl Readiness {
    fn status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being done now, for those who wait.
    pub fn stage(&self, stage: &str) {
        stage.clone_into(&mut self.status().stage);
    }

    /// From now on tickets can be triaged.
    pub fn ready(&self) {
        self.status().ready = true;
    }

    /// How far an import has come; `None` once it has ended.
    pub fn import(&self, import: Option<Progress>) {
        self.status().import = import;
    }

    /// How far learning has come; `None` once it has ended.
    pub fn fit(&self, fit: Option<Progress>) {
        self.status().fit = fit;
    }

    /// What is being done now.
    pub fn describe(&self) -> String {
        self.status().stage.clone()
    }
}

/// 200 while the process can answer at all.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// 200 once tickets can be triaged, 503 before.
pub(super) async fn ready(axum::extract::State(state): axum::extract::State<State>) -> Response {
    let status = state.readiness.status();
    if status.ready {
        Json(json!({ "status": "ready", "import": status.import, "fit": status.fit }))
            .into_response()
    } else {
        ApiError::from(ErrorCode::NotReady).detail(status.stage.clone()).into_response()
    }
}
