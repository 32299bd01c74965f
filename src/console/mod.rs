//! The console: pages for people, embedded in the program.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::http::State;

/// The console's routes.
pub fn routes() -> Router<State> {
    let page = |content_type: &'static str, content: &'static str| {
        get(async move || asset(content_type, content))
    };
    Router::new()
        .route("/", page("text/html; charset=utf-8", include_str!("assets/index.html")))
        .route(
            "/assets/console.css",
            page("text/css; charset=utf-8", include_str!("assets/console.css")),
        )
        .route("/assets/icon.svg", page("image/svg+xml", include_str!("assets/icon.svg")))
        .route(
            "/assets/console.js",
            page("text/javascript; charset=utf-8", include_str!("assets/console.js")),
        )
}

fn asset(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], content)
}
