//! The HTTP service: routing, limits, errors. Handlers are thin; what they do stands in `triage`.

mod error;
mod extract;
mod health;
mod layers;
mod v1;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

pub use error::{ApiError, ErrorCode};
pub use extract::{Desk, JsonBody};
pub use health::{ImportStatus, Readiness};

use crate::domain::IdSource;
use crate::triage::Triage;

/// What handlers share. Clones are cheap.
#[derive(Clone)]
pub struct State {
    /// The service, once it is loaded.
    pub triage: Arc<OnceLock<Arc<Triage>>>,
    /// Whether it can answer yet.
    pub readiness: Arc<Readiness>,
    /// Request ids.
    pub ids: Arc<dyn IdSource>,
    /// What a request may cost.
    pub limits: Limits,
    /// Names that requests may be addressed to, besides this computer's own; `*` means every one.
    /// A page from elsewhere whose own name is made to point here (DNS rebinding) is refused.
    pub hosts: Arc<[String]>,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// Longest time.
    pub time: Duration,
}

/// Every route of the API, with `pages` (the console's) beside them.
pub fn router(state: State, pages: Router<State>) -> Router {
    Router::new()
        .route("/v1/triage", post(v1::triage::triage))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(pages)
        .fallback(async || ApiError::from(ErrorCode::NotFound))
        .method_not_allowed_fallback(async || ApiError::from(ErrorCode::MethodNotAllowed))
        .layer(axum::middleware::from_fn_with_state(state.clone(), layers::time_limit))
        .layer(axum::middleware::from_fn_with_state(state.clone(), layers::own_name))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(axum::middleware::from_fn(layers::security_headers))
        .layer(axum::middleware::from_fn_with_state(state.clone(), layers::trace))
        .with_state(state)
}

/// Serves until `stop` resolves, then lets requests in flight finish.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
