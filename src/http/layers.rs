//! What every request passes through: a request id and one log line, headers, a time limit.

use std::any::Any;
use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::{ApiError, ErrorCode, State};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything comes from this server, and nothing is embedded anywhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Names the request, logs it once, and finishes its error document.
pub(super) async fn trace(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let given = request.headers().get(REQUEST_ID).filter(|id| is_sane(id)).cloned();
    let id = given.unwrap_or_else(|| {
        let fresh = format!("req_{}", state.ids.next().simple());
        HeaderValue::try_from(fresh).unwrap_or_else(|_| HeaderValue::from_static("req"))
    });
    let method = known(request.method());
    // Logs and figures name the route, not the path: a path may hold a person's name.
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "other".to_owned(), |m| m.as_str().to_owned());
    // Field names as OpenTelemetry has them, so that an exporter needs no mapping.
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request_id = id.to_str().unwrap_or_default(),
        traceparent = traceparent(&request),
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    super::metrics::request(method, &route, response.status().as_u16(), start.elapsed());
    let name = id.to_str().unwrap_or_default();
    let status = response.status().as_u16();
    let microseconds = start.elapsed().as_micros() as u64;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let mut named = error.respond(Some(name));
        let headers = std::mem::take(response.headers_mut());
        for (key, value) in headers.iter().filter(|(k, _)| **k != header::CONTENT_LENGTH) {
            named.headers_mut().insert(key.clone(), value.clone());
        }
        response = named;
        let code = error.code().code();
        if let Some(cause) = error.cause() {
            tracing::error!(request_id = name, method, route, status, code, cause, microseconds);
        } else {
            tracing::debug!(request_id = name, method, route, status, code, microseconds);
        }
    } else if matches!(route.as_str(), "/healthz" | "/readyz") {
        tracing::debug!(request_id = name, method, route, status, microseconds);
    } else {
        tracing::info!(request_id = name, method, route, status, microseconds);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// A method as logs and figures call it: a caller's invention is only another one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The caller's place in a distributed trace (W3C Trace Context), if it has the form of one.
fn traceparent(request: &Request) -> Option<&str> {
    let text = request.headers().get("traceparent")?.to_str().ok()?;
    let sound = text.len() == 55 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    sound.then_some(text)
}

fn is_sane(id: &HeaderValue) -> bool {
    (1..=64).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Headers that keep browsers strict.
pub(super) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Nothing is told to others; our own pages keep an `Origin`, which tells a form of ours from
    // one elsewhere.
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // A page that needs still less says so itself.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Refuses requests addressed to a name that this service does not go by.
pub(super) async fn own_name(
    Shared(state): Shared<State>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let listed =
        |host: &str| state.hosts.iter().any(|h| h.eq_ignore_ascii_case(without_port(host)));
    let any = state.hosts.iter().any(|h| h == "*");
    if any || host.is_some_and(|host| is_loopback(host) || listed(host)) {
        return next.run(request).await;
    }
    ApiError::from(ErrorCode::UnknownHost)
        .detail("add the name to server.hosts if requests may come by it")
        .into_response()
}

/// Whether a `Host` header, with or without a port, names this computer.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn without_port(host: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name)
}

/// Gives up on a request that takes too long. Its work in the queue is dropped with it.
pub(super) async fn time_limit(
    Shared(state): Shared<State>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(state.limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::from(ErrorCode::Timeout)
            .detail(format!("gave up after {} s", state.limits.time.as_secs()))
            .into_response(),
    }
}

/// A panic in a handler is an error of that request alone.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .map(|m| (*m).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    ApiError::from(ErrorCode::Internal).source(&format!("panic: {message}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computers_names_are_its_own() {
        for own in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "127.1.2.3"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "10.0.0.1"]
        {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
