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
use crate::console::pages::sign_in::Ways;
use crate::console::pages::{self, Theme, Visit};
use crate::console::words;
use crate::domain::WorkspaceId;
use crate::http::{
    ApiError, DESK_COOKIE, ErrorCode, State, ended_cookie, may, session_cookie, session_token,
    set_cookie, visitor,
};
use crate::identity::Provider;
use crate::triage::TriageError;

/// How long a browser remembers a preference.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Goes on to another page, with cookies.
pub(super) fn go_with(place: &str, cookies: impl IntoIterator<Item = String>) -> Response {
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
    let mut ways = ways(&state, next);
    let leave = state.accounts.get().and_then(|accounts| accounts.provider()?.sign_out_url());
    ways.leave = leave.as_deref().filter(|_| fields.filled("out").is_some());
    Visit::html(&parts.headers, pages::sign_in::page(&visit, &ways))
}

/// The ways in that there are.
fn ways<'a>(state: &'a State, next: &'a str) -> Ways<'a> {
    let accounts = state.accounts.get();
    Ways {
        next,
        provider: accounts.and_then(|accounts| accounts.provider()).map(Provider::name),
        passwords: accounts.is_none_or(|accounts| accounts.passwords()),
        ..Ways::default()
    }
}

/// The sign-in page, saying why somebody is not in.
pub(super) fn refused(
    state: &State,
    visit: &Visit,
    next: &str,
    status: StatusCode,
    said: &str,
) -> Response {
    again(visit, status, &Ways { refused: Some(said), ..ways(state, next) })
}

fn again(visit: &Visit, status: StatusCode, ways: &Ways<'_>) -> Response {
    let mut response = Visit::html(&HeaderMap::new(), pages::sign_in::page(visit, ways));
    *response.status_mut() = status;
    response
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
        again(&visit, status, &Ways { user, refused: Some(refused), ..ways(&state, next) })
    };
    if let Err(seconds) = state.sign_ins.take(user) {
        return Err(again(StatusCode::TOO_MANY_REQUESTS, &(w.too_many_attempts)(seconds)));
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
    let mut place = "/sign-in";
    if let (Some(accounts), Some(token)) = (state.accounts.get(), session_token(&headers)) {
        let failed = |error| visit.fail(ApiError::from(error));
        if accounts.is_provided(&visit.name).await.map_err(failed)? {
            place = "/sign-in?out=1";
        }
        accounts.sign_out(token).await.map_err(failed)?;
    }
    Ok(go_with(place, [ended_cookie()]))
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

/// Which desks somebody may go to: those of their account, or all where nobody needs one.
async fn open_to(state: &State, page: &Page<may::Triage>) -> Result<Vec<WorkspaceId>, ApiError> {
    let Page { desk, visit } = page;
    let mut desks = match state.accounts.get().filter(|_| visit.signed_in()) {
        Some(accounts) => {
            let member = accounts.desks(&visit.name).await?;
            member.into_iter().map(|member| member.workspace).collect()
        }
        None => desk.triage.store().workspaces().await.map_err(TriageError::from)?,
    };
    if !desks.contains(&desk.caller.workspace) {
        desks.push(desk.caller.workspace.clone());
    }
    Ok(desks)
}

pub(super) async fn desks(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    page: Page<may::Triage>,
) -> Answer {
    let desks = open_to(&state, &page).await.map_err(|error| page.visit.fail(error))?;
    let names: Vec<String> = desks.iter().map(ToString::to_string).collect();
    Ok(Visit::html(&headers, pages::desks::page(&page.visit, &names)))
}

pub(super) async fn switch(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    posted: Posted<may::Triage>,
) -> Answer {
    let visit = posted.page.visit;
    let Ok(wanted) = WorkspaceId::try_from(posted.fields.get("desk").to_owned()) else {
        return Err(visit.fail(ErrorCode::NotFound));
    };
    let (Some(accounts), Some(token)) = (state.accounts.get(), session_token(&headers)) else {
        let cookie = set_cookie(&headers, DESK_COOKIE, wanted.as_str(), REMEMBERED);
        return Ok(go_with("/", [cookie]));
    };
    match accounts.switch(token, &wanted).await {
        Ok(true) => Ok(see_other("/")),
        Ok(false) => Err(visit.fail(ErrorCode::NotFound)),
        Err(error) => Err(visit.fail(ApiError::from(error))),
    }
}
