//! What handlers of pages ask for: who looks, in which language, and what a form sent.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::Markup;
use sha2::{Digest, Sha256};

use super::pages::{self, Theme, Visit};
use super::words;
use crate::access::{Principal, same_secret};
use crate::domain::ids::hex;
use crate::http::{
    ApiError, Desk, ErrorCode, Needs, State, Visitor, cookie, is_from_our_page, visitor,
};

/// The cookies that remember how somebody likes the pages.
pub(super) const LANGUAGE: &str = "deskhand_language";
pub(super) const THEME: &str = "deskhand_theme";

/// A page of a desk, for somebody who may see it at least as `S` says.
pub(super) struct Page<S> {
    /// The service, and who asks.
    pub(super) desk: Desk<S>,
    /// Who looks, and how.
    pub(super) visit: Visit,
}

/// A form that was sent from such a page.
pub(super) struct Posted<S> {
    /// The page.
    pub(super) page: Page<S>,
    /// What was filled in.
    pub(super) fields: Fields,
}

/// What was filled in, in its order.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

/// What a handler of a page answers.
pub(super) type Answer = Result<Response, Response>;

impl Fields {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let read = form_urlencoded::parse(bytes).map(|(name, value)| {
            // Databases cannot keep NUL; browsers write line breaks as CR LF.
            (name.into_owned(), value.replace('\0', "").replace("\r\n", "\n"))
        });
        Self(read.collect())
    }

    /// A field's value; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// A field's value unless it is blank.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.trim().is_empty())
    }

    /// The values of a field that may come more than once.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Visit {
    /// Somebody, as their browser describes them.
    pub(super) fn new(parts: &Parts, visitor: Option<&Visitor>) -> Self {
        let headers = &parts.headers;
        let principal = visitor.map(|v| v.principal.clone());
        let session = visitor.and_then(|v| v.session.as_ref());
        Self {
            words: language(headers),
            theme: cookie(headers, THEME).map_or(Theme::System, Theme::named),
            name: principal.as_ref().map(|p| p.name.clone()).unwrap_or_default(),
            workspace: principal.as_ref().map(|p| p.workspace.to_string()).unwrap_or_default(),
            scopes: principal.map(|p: Principal| p.scopes),
            csrf: session.map(|s| s.csrf.clone()).unwrap_or_default(),
            here: path_and_query(&parts.uri),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// A page as it is sent. Scripts that ask again are told when nothing has changed.
    pub(super) fn html(headers: &HeaderMap, page: Markup) -> Response {
        let page = page.into_string();
        let etag = format!("\"{}\"", &hex(&Sha256::digest(&page))[..16]);
        let known = headers.get(header::IF_NONE_MATCH);
        let mut response = if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        };
        if let Ok(etag) = HeaderValue::try_from(etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }

    /// A page that says what went wrong.
    pub(super) fn fail(&self, error: impl Into<ApiError>) -> Response {
        let error = error.into();
        if let Some(cause) = error.cause() {
            tracing::error!(code = error.code().code(), cause, "a page could not be shown");
        }
        let problem = error.respond(None);
        let page = pages::problem::page(self, &error).into_string();
        let mut response = (error.code().status(), page).into_response();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        if let Some(wait) = problem.headers().get(header::RETRY_AFTER) {
            response.headers_mut().insert(header::RETRY_AFTER, wait.clone());
        }
        response
    }
}

/// Whether a script of ours asks, which reads problem documents.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json")
}

fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// The language that was chosen, or else the first that the browser asks for and there is.
fn language(headers: &HeaderMap) -> &'static words::Words {
    if let Some(chosen) = cookie(headers, LANGUAGE).and_then(words::named) {
        return chosen;
    }
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    words::accepted(asked.unwrap_or_default())
}

impl<S: Needs> FromRequestParts<State> for Page<S> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let visitor = match visitor(state, parts).await {
            Ok(visitor) => visitor,
            Err(error) => return Err(turned_away(parts, error)),
        };
        let mut visit = Visit::new(parts, Some(&visitor));
        parts.extensions.insert(Arc::new(visitor.principal));
        match Desk::from_request_parts(parts, state).await {
            Ok(desk) => {
                visit.now = desk.triage.now();
                Ok(Self { desk, visit })
            }
            Err(error) if wants_json(&parts.headers) => Err(error.into_response()),
            Err(error) => Err(visit.fail(error)),
        }
    }
}

/// Who is not signed in goes to sign in, and comes back.
fn turned_away(parts: &Parts, error: ApiError) -> Response {
    if wants_json(&parts.headers) {
        return error.into_response();
    }
    if error.code() != ErrorCode::Unauthorized {
        return Visit::new(parts, None).fail(error);
    }
    let back = if parts.method == Method::GET { path_and_query(&parts.uri) } else { "/".into() };
    see_other(&format!("/sign-in?next={}", encoded(&back)))
}

/// A text as a part of a query.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Goes on to another page.
pub(super) fn see_other(place: &str) -> Response {
    let place = HeaderValue::try_from(place).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// A place of ours that somebody is to be sent to: never another site.
pub(super) fn own_place(place: &str) -> &str {
    let own = place.starts_with('/')
        && !place.starts_with("//")
        && place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if own { place } else { "/" }
}

/// Reads a form. `csrf` is the token that it must carry; none where there are no sessions.
pub(super) async fn form(
    request: Request,
    state: &State,
    csrf: Option<&str>,
) -> Result<Fields, ApiError> {
    let (parts, body) = request.into_parts();
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = media_type.and_then(|m| m.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ErrorCode::UnsupportedMediaType.into());
    }
    if !is_from_our_page(&parts.headers) {
        return Err(ApiError::from(ErrorCode::CsrfMismatch).detail("the form is not from here"));
    }
    let limit = state.limits.body_bytes;
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| {
        ApiError::from(ErrorCode::BodyTooLarge).detail(format!("at most {limit} bytes are read"))
    })?;
    let fields = Fields::read(&bytes);
    match csrf {
        Some(csrf) if !same_secret(fields.get("csrf"), csrf) => Err(ErrorCode::CsrfMismatch.into()),
        _ => Ok(fields),
    }
}

impl<S: Needs> FromRequest<State> for Posted<S> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let json = wants_json(&parts.headers);
        let page = Page::<S>::from_request_parts(&mut parts, state).await?;
        let csrf = Some(page.visit.csrf.clone()).filter(|csrf| !csrf.is_empty());
        let request = Request::from_parts(parts, body);
        match form(request, state, csrf.as_deref()).await {
            Ok(fields) => Ok(Self { page, fields }),
            Err(error) if json => Err(error.into_response()),
            Err(error) => Err(page.visit.fail(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for own in ["/", "/suggestions/sug_1?team=A%20B", "/?a=b#c"] {
            assert_eq!(own_place(own), own);
        }
        for other in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "x"]
        {
            assert_eq!(own_place(other), "/", "{other}");
        }
    }

    #[test]
    fn fields_come_in_their_order_and_without_what_databases_refuse() {
        let fields = Fields::read(b"id=1&id=2&reply=a%0D%0Ab%00c&blank=+");
        assert_eq!(fields.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.get("reply"), "a\nbc");
        assert_eq!((fields.filled("blank"), fields.filled("none")), (None, None));
    }
}
