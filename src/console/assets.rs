//! Style and scripts, embedded. Their address names their content, so browsers may keep them for
//! good, and a new version of the program is a new address.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::http::{ApiError, ErrorCode, State};

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Name, type, content.
const FILES: [(&str, &str, &str); 10] = [
    ("console.css", CSS, include_str!("assets/console.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("console.js", JS, include_str!("assets/console.js")),
    ("core.js", JS, include_str!("assets/core.js")),
    ("difference.js", JS, include_str!("assets/difference.js")),
    ("imports.js", JS, include_str!("assets/imports.js")),
    ("policy.js", JS, include_str!("assets/policy.js")),
    ("queue.js", JS, include_str!("assets/queue.js")),
    ("reports.js", JS, include_str!("assets/reports.js")),
    ("ticket.js", JS, include_str!("assets/ticket.js")),
];

/// The folder's name: a hash of all files, so that scripts can name each other relatively.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (name, _, content) in FILES {
        digest.update(name);
        digest.update([0]);
        digest.update(content);
        digest.update([0]);
    }
    digest.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
});

/// Where a file is served.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *FOLDER)
}

/// The routes of all files.
pub(super) fn routes() -> Router<State> {
    Router::new().route("/assets/{folder}/{name}", get(serve))
}

async fn serve(Path((folder, name)): Path<(String, String)>) -> Response {
    let file = FILES.iter().find(|(known, ..)| *known == name && folder == *FOLDER);
    let Some((_, content_type, content)) = file else {
        return ApiError::from(ErrorCode::NotFound).into_response();
    };
    let for_good = "public, max-age=31536000, immutable";
    let headers = [(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, for_good)];
    (headers, *content).into_response()
}
