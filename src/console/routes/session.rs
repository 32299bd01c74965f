//! Signing in and out, and how somebody likes the pages.

use axum::extract::{Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::SignedDuration;

use crate::access::SignedIn;
use crate::console::desk::{
    Answer, Fields, LANGUAGE, Page, Posted, THEME, form, own_place, see_other,
};
use crate::console::pages::{self, Theme, Visit};
use crate::console::words;
use crate::domain::WorkspaceId;
use crate::http::{
    ApiError, DESK_COOKIE, ErrorCode, State, ended_cookie, may, session_cookie, session_token,
    set_cookie, visitor,
};
use crate::triage::TriageError;

/// How long a browser remembers a preference.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Goes on to another page, with cookies.
fn go_with(place: &str, cookies: impl IntoIterator<Item = String>) -> Response {
    let mut response = see_other(place);
    for cookie in cookies.into_iter().filter_map(|c| HeaderValue::try_from(c).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) async fn ask(Shared(state): Shared<State>, parts: Parts) -> Response {
    let fields = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let next = own_place(fields.get("next"));
    // Who is in already, or needs no way in, is not asked.
    if visitor(&state, &parts).await.is_ok() {
        return see_other(next);
    }
    let visit = Visit::new(&parts, None);
    Visit::html(&parts.headers, pages::sign_in::page(&visit, next, "", None))
}

pub(super) async fn sign_in(Shared(state): Shared<State>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let visit = Visit::new(&parts, None);
    let headers = parts.headers.clone();
    let fields = form(Request::from_parts(parts, body), &state, None).await;
    let fields = fields.map_err(|error| visit.fail(error))?;
    let Some(accounts) = state.accounts.get() else {
        return Err(visit.fail(ErrorCode::NotReady));
    };
    let (user, next) = (fields.get("user"), own_place(fields.get("next")));
    let w = visit.words;
    let again = |status: StatusCode, refused: &str| {
        let page = pages::sign_in::page(&visit, next, user, Some(refused));
        let mut response = Visit::html(&HeaderMap::new(), page);
        *response.status_mut() = status;
        response
    };
    if let Err(seconds) = state.sign_ins.take(user) {
        return Err(again(StatusCode::TOO_MANY_REQUESTS, &(w.too_many_attempts)(seconds as i64)));
    }
    let signed_in = accounts.sign_in(user, fields.get("password")).await;
    match signed_in.map_err(|error| visit.fail(ApiError::from(error)))? {
        Some(SignedIn { token, .. }) => Ok(go_with(next, [session_cookie(&headers, &token)])),
        None => Err(again(StatusCode::UNAUTHORIZED, w.wrong_password)),
    }
}

pub(super) async fn sign_out(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    posted: Posted<may::Triage>,
) -> Answer {
    let visit = posted.page.visit;
    if let (Some(accounts), Some(token)) = (state.accounts.get(), session_token(&headers)) {
        accounts.sign_out(token).await.map_err(|error| visit.fail(ApiError::from(error)))?;
    }
    Ok(go_with("/sign-in", [ended_cookie()]))
}

/// Anybody may, also who is not signed in; it changes nothing but two cookies.
pub(super) async fn prefer(Shared(state): Shared<State>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let visit = Visit::new(&parts, None);
    let headers = parts.headers.clone();
    let fields = form(Request::from_parts(parts, body), &state, None).await;
    let fields = fields.map_err(|error| visit.fail(error))?;
    let language = words::named(fields.get("language")).map(|w| (LANGUAGE, w.code));
    let theme = Some((THEME, Theme::named(fields.get("theme")).name()));
    let chosen = [language, theme].into_iter().flatten();
    let cookies = chosen.map(|(name, value)| set_cookie(&headers, name, value, REMEMBERED));
    Ok(go_with(own_place(fields.get("next")), cookies))
}

pub(super) async fn desks(headers: HeaderMap, page: Page<may::Triage>) -> Answer {
    let Page { desk, visit } = page;
    if visit.signed_in() {
        return Err(visit.fail(ErrorCode::NotFound));
    }
    let known = desk.triage.store().workspaces().await;
    let known = known.map_err(|error| visit.fail(TriageError::from(error)))?;
    let mut names: Vec<String> = known.iter().map(ToString::to_string).collect();
    if !names.contains(&visit.workspace) {
        names.push(visit.workspace.clone());
    }
    Ok(Visit::html(&headers, pages::desks::page(&visit, &names)))
}

pub(super) async fn switch(headers: HeaderMap, posted: Posted<may::Triage>) -> Answer {
    let visit = posted.page.visit;
    let wanted = WorkspaceId::try_from(posted.fields.get("desk").to_owned());
    let Some(desk) = wanted.ok().filter(|_| !visit.signed_in()) else {
        return Err(visit.fail(ErrorCode::NotFound));
    };
    Ok(go_with("/", [set_cookie(&headers, DESK_COOKIE, desk.as_str(), REMEMBERED)]))
}
