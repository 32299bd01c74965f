//! The `OpenAPI` document, made from the handlers.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Type};
use utoipa::{Modify, OpenApi as _};

use super::ErrorCode;
use super::error::Problem;

/// What handlers do not say: title, licence, how callers identify themselves.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Deskhand",
        description = "Self-hosted ticket triage. Errors are problem documents (RFC 9457) with a \
            stable `code`; docs/API.md lists them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "triage", description = "Tickets in, suggestions out"),
        (name = "suggestions", description = "What was suggested, and what agents decide"),
        (name = "tickets", description = "Threads, resolutions, erasure"),
        (name = "imports", description = "Histories in and out"),
        (name = "taxonomy", description = "A desk's labels"),
        (name = "session", description = "Agents signing in from a browser"),
    ),
    components(schemas(Problem)),
    modifiers(&Security),
    security(("key" = []), ("session" = [])),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let key = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key: `deskhand keys create`"))
            .build();
        components.add_security_scheme("key", SecurityScheme::Http(key));
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            super::auth::COOKIE,
            "A session; what changes something also needs `X-CSRF-Token`",
        ));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The document before any handler is in it.
pub(super) fn document() -> OpenApi {
    Document::openapi()
}

/// Adds to every operation what all of them share: the ways to fail, the request id, and the
/// `Idempotency-Key` where something is changed.
pub(super) fn complete(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = &mut item.get {
            share(operation, false);
        }
        for operation in [&mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            share(operation, true);
        }
    }
}

/// Routes that change nothing, or must not be held back by a key.
const WITHOUT_KEY: [&str; 4] = ["similar", "embeddings", "sign_in", "sign_out"];

fn share(operation: &mut Operation, changes: bool) {
    let has_body = operation.request_body.is_some();
    let has_path_id = operation
        .parameters
        .iter()
        .flatten()
        .any(|p| matches!(p, RefOr::T(p) if matches!(p.parameter_in, ParameterIn::Path)));
    for code in ErrorCode::ALL {
        let status = code.status().as_u16();
        let possible = match status {
            404 | 410 => has_path_id || (status == 410 && changes),
            409 | 412 => changes,
            413 | 415 => has_body,
            405 => false,
            422 => has_body || changes || operation.parameters.is_some(),
            _ => true,
        };
        if !possible {
            continue;
        }
        let name = status.to_string();
        let responses = &mut operation.responses.responses;
        if responses.contains_key(&name) {
            continue;
        }
        let codes = ErrorCode::ALL.iter().filter(|c| c.status() == code.status());
        let codes: Vec<String> = codes.map(|c| format!("`{}`", c.code())).collect();
        let problem = ContentBuilder::new()
            .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
            .build();
        let response = ResponseBuilder::new()
            .description(codes.join(", "))
            .content("application/problem+json", problem)
            .build();
        responses.insert(name, RefOr::T(response));
    }
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let header = HeaderBuilder::new()
                .schema(Some(text()))
                .description(Some("Names the request in logs"))
                .build();
            response.headers.insert("X-Request-Id".to_owned(), header.into());
        }
    }
    let id = operation.operation_id.as_deref().unwrap_or_default();
    if changes && !WITHOUT_KEY.contains(&id) && id != "send" {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[!#-~]+$"));
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .schema(Some(schema.build()))
            .description(Some(
                "The same request with the same key is done once; the answer is kept for 24 hours",
            ))
            .build();
        operation.parameters.get_or_insert_default().push(key.into());
    }
}
