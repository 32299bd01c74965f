//! The HTTP service: routing, limits, errors. Handlers are thin; what they do stands in `triage`.

mod auth;
mod error;
mod extract;
mod health;
mod idempotency;
mod layers;
mod metrics;
mod openapi;
mod serve;
mod v1;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::{
    DESK_COOKIE, RateLimit, Visitor, cookie, ended_cookie, is_from_our_page, session_cookie,
    session_token, set_cookie, visitor,
};
pub use error::{ApiError, ErrorCode, FieldError, Problem};
pub use extract::{Desk, JsonBody, Needs, Once, may};
pub use health::{Progress, Readiness};
pub use serve::serve;

use crate::access::Accounts;
use crate::domain::IdSource;
use crate::triage::Triage;

/// Attempts to sign in that one user has in a minute.
const SIGN_INS_A_MINUTE: u32 = 10;
/// Sign-ins that may begin at a provider in a minute, of everybody together.
const BEGINNINGS_A_MINUTE: u32 = 600;

/// What handlers share. Clones are cheap.
#[derive(Clone)]
pub struct State {
    /// The service, once it is loaded.
    pub triage: Arc<OnceLock<Arc<Triage>>>,
    /// The accounts, once the store is open.
    pub accounts: Arc<OnceLock<Arc<Accounts>>>,
    /// Whether callers need no key while nobody has one: only where no other machine can call.
    pub open: bool,
    /// Whether it can answer yet.
    pub readiness: Arc<Readiness>,
    /// Request ids.
    pub ids: Arc<dyn IdSource>,
    /// What a request may cost.
    pub limits: Limits,
    /// How much one caller may ask.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// How often one user may try to sign in.
    pub sign_ins: Arc<SignIns>,
    /// Names that requests may be addressed to, besides this computer's own; `*` means every one.
    /// A page from elsewhere whose own name is made to point here (DNS rebinding) is refused.
    pub hosts: Arc<[String]>,
    /// Origins whose pages may call from a browser.
    pub origins: Arc<[HeaderValue]>,
    /// Renders the figures that were counted; `None` where nothing counts them.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

/// Holds back those who guess passwords, and those who begin sign-ins that never end. Names fall
/// into a fixed number of counters, so that invented ones take no memory.
pub struct SignIns {
    names: [Option<RateLimit>; 64],
    beginnings: Option<RateLimit>,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            names: std::array::from_fn(|_| RateLimit::per_minute(SIGN_INS_A_MINUTE)),
            beginnings: RateLimit::per_minute(BEGINNINGS_A_MINUTE),
        }
    }
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// Longest history in bytes.
    pub import_bytes: u64,
    /// Longest time.
    pub time: Duration,
}

/// The API's routes that need a caller who is let in, with their description.
fn api() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(v1::triage::triage))
        .routes(routes!(v1::triage::batch))
        .routes(routes!(v1::suggestions::list))
        .routes(routes!(v1::suggestions::read))
        .routes(routes!(v1::suggestions::decide))
        .routes(routes!(v1::tickets::read, v1::tickets::erase))
        .routes(routes!(v1::tickets::add_message))
        .routes(routes!(v1::tickets::resolve, v1::tickets::reopen))
        .routes(routes!(v1::requesters::erase))
        .routes(routes!(v1::similar::similar))
        .routes(routes!(v1::imports::read))
        .routes(routes!(v1::taxonomy::read, v1::taxonomy::put))
        .routes(routes!(v1::policy::read, v1::policy::put))
        .routes(routes!(v1::bundles::list))
        .routes(routes!(v1::bundles::activate))
        .routes(routes!(v1::articles::list, v1::articles::put))
        .routes(routes!(v1::articles::erase))
        .routes(routes!(v1::drafts::read, v1::drafts::put))
        .routes(routes!(v1::embeddings::embeddings))
}

/// Those that take as long as their stream.
fn streams() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(v1::imports::send))
        .routes(routes!(v1::export::export))
        .routes(routes!(v1::drafts::rewrite))
}

/// Signing in, which needs nobody, beside what a session is asked.
fn sign_in() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(v1::session::sign_in))
}

fn session() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(v1::session::read, v1::session::sign_out))
}

/// The `OpenAPI` document of everything.
pub fn openapi() -> serde_json::Value {
    let document = api().merge(streams()).merge(session()).merge(sign_in()).into_openapi();
    openapi::complete(&document)
}

/// The console's routes.
pub struct Pages {
    /// Those that are answered soon.
    pub quick: Router<State>,
    /// Those that take as long as their stream.
    pub streams: Router<State>,
}

/// Every route of the API, with the console's pages beside them.
pub fn router(state: State, pages: Pages) -> Router {
    let document = format!("{:#}", openapi());
    let described = get(async move || {
        ([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response()
    });
    let metrics = Router::new().route("/metrics", get(metrics::metrics));
    let authenticate = from_fn_with_state(state.clone(), auth::authenticate);
    let quick = Router::from(api().merge(session()))
        .merge(metrics)
        .layer(authenticate.clone())
        .merge(Router::from(sign_in()))
        .layer(from_fn_with_state(state.clone(), layers::time_limit));
    Router::new()
        .merge(quick)
        .merge(Router::from(streams()).layer(authenticate))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", described)
        .merge(pages.quick.layer(from_fn_with_state(state.clone(), layers::time_limit)))
        .merge(pages.streams)
        .fallback(async || ApiError::from(ErrorCode::NotFound))
        .method_not_allowed_fallback(async || ApiError::from(ErrorCode::MethodNotAllowed))
        .layer(from_fn_with_state(state.clone(), layers::own_name))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn(layers::security_headers))
        .layer(cors(&state.origins))
        .layer(from_fn_with_state(state.clone(), layers::trace))
        // Outermost: the layer before it writes error documents anew.
        .layer(CompressionLayer::new())
        .with_state(state)
}

/// Closed unless origins are named. Cookies are for our own pages only: other origins use keys.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    const SENT: [HeaderName; 5] = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        HeaderName::from_static("idempotency-key"),
    ];
    const READ: [HeaderName; 4] = [
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        HeaderName::from_static("x-request-id"),
    ];
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(SENT)
        .expose_headers(READ)
}
