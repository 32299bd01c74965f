//! What is behind each page: what it shows is read here, what its forms ask for is done here.

mod audit;
mod bundles;
mod imports;
mod keys;
mod labels;
mod policy;
mod provider;
mod quality;
mod queue;
mod reports;
mod session;
mod ticket;
mod try_it;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension};
use axum::routing::{get, post};

use super::presence::Presence;
use crate::http::State;
use crate::identity::CALLBACK;
use crate::reports::Reports;

/// The routes of uploads, which take as long as they take.
pub(super) fn streams(reports: Arc<Reports>) -> Router<State> {
    Router::new()
        .route("/reports", post(reports::send))
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(reports))
}

/// The routes of every page.
pub(super) fn routes(reports: Arc<Reports>) -> Router<State> {
    Router::new()
        .route("/", get(queue::show))
        .route("/bulk", post(queue::bulk))
        .route("/undo", post(queue::undo))
        .route("/next", get(queue::next))
        .route("/suggestions/{id}", get(ticket::show))
        .route("/suggestions/{id}/decision", post(ticket::decide))
        .route("/suggestions/{id}/presence", post(ticket::presence))
        .route("/try", get(try_it::show).post(try_it::assess))
        .route("/quality", get(quality::show))
        .route("/policy", get(policy::show).post(policy::save))
        .route("/bundles", get(bundles::show).post(bundles::activate))
        .route("/labels", get(labels::show).post(labels::save))
        .route("/imports", get(imports::list))
        .route("/imports/{id}", get(imports::show))
        .route("/reports", get(reports::list))
        .route("/reports/{id}", get(reports::show))
        .route("/reports/{id}/cancel", post(reports::cancel))
        .route("/reports/{id}/delete", post(reports::delete))
        .route("/reports/{id}/page", get(reports::read))
        .route("/reports/{id}/{file}", get(reports::download))
        .route("/keys", get(keys::show).post(keys::create))
        .route("/keys/revoke", post(keys::revoke))
        .route("/audit", get(audit::show))
        .route("/sign-in", get(session::ask).post(session::sign_in))
        .route("/sign-in/provider", get(provider::begin))
        .route(CALLBACK, get(provider::callback))
        .route("/sign-out", post(session::sign_out))
        .route("/preferences", post(session::prefer))
        .route("/desks", get(session::desks).post(session::switch))
        .layer(Extension(Arc::new(Presence::default())))
        .layer(Extension(reports))
}
