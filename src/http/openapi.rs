//! The `OpenAPI` document, made from the handlers.

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
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
        (name = "policy", description = "How sure labels must be, and what was learned"),
        (name = "drafts", description = "What drafts are made from, and how"),
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

/// Text in which something can be seen, as JSON Schema says it.
const VISIBLE: &str = r"[^\s\x00-\x1f\x7f-\x9f]";

/// Operations that an `Idempotency-Key` does nothing for.
const WITHOUT_KEY: [&str; 7] = [
    "similar",
    "embeddings",
    "put_articles",
    "rewrite_draft",
    "sign_in",
    "sign_out",
    "send_import",
];

/// Finishes the document: adds to every operation what all of them share, and to schemas what
/// types cannot say.
pub(super) fn complete(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for code in ErrorCode::ALL {
        document["components"]["responses"][response_name(code.status())] = problem(*code);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                share(path, method, operation);
            }
        }
    }
    // A stream of lines is no JSON value: nothing can be said of it as one.
    for media in ["application/x-ndjson", "text/csv"] {
        document["paths"]["/v1/imports"]["post"]["requestBody"]["content"][media]["schema"] =
            json!({});
    }
    let schemas = &mut document["components"]["schemas"];
    let says = |field: &str| json!({ "required": [field], "properties": { field: { "pattern": VISIBLE } } });
    let text = json!({ "required": ["text"], "properties": { "text": { "pattern": VISIBLE } } });
    let messages =
        json!({ "required": ["messages"], "properties": { "messages": { "contains": text } } });
    schemas["TicketIn"]["anyOf"] = json!([says("subject"), says("body"), messages]);
    for variant in schemas["DecisionIn"]["oneOf"].as_array_mut().into_iter().flatten() {
        variant["additionalProperties"] = json!(false);
        let fields = variant["properties"].as_object();
        let fields: Vec<String> = fields.into_iter().flat_map(|f| f.keys().cloned()).collect();
        let changes = fields.iter().filter(|f| !matches!(f.as_str(), "action" | "reason")).map(
            |field| json!({ "required": [field], "properties": { field: { "type": "string" } } }),
        );
        let changes: Vec<Value> = changes.collect();
        if !changes.is_empty() {
            variant["anyOf"] = json!(changes);
        }
    }
    schemas["Input"]["oneOf"] = json!([
        { "type": "string", "minLength": 1 },
        { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 2048 },
    ]);
    schemas["TaxonomyIn"]["properties"]["priorities"]["items"]["pattern"] = json!(VISIBLE);
    schemas["SimilarIn"]["anyOf"] = json!([says("subject"), says("body")]);
    document
}

/// All that a status may mean.
fn problem(code: ErrorCode) -> Value {
    let same = ErrorCode::ALL.iter().filter(|c| c.status() == code.status());
    let codes: Vec<String> = same.map(|c| format!("`{}`: {}", c.code(), c.title())).collect();
    let mut response = json!({
        "description": codes.join("\n"),
        "headers": { "X-Request-Id": request_id() },
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
        },
    });
    if matches!(code.status().as_u16(), 429 | 503) {
        response["headers"]["Retry-After"] = json!({
            "description": "In how many seconds to try again",
            "schema": { "type": "integer", "minimum": 0 },
        });
    }
    response
}

fn request_id() -> Value {
    json!({ "description": "Names the request in logs", "schema": { "type": "string" } })
}

fn response_name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().replace(' ', "")
}

fn share(path: &str, method: &str, operation: &mut Value) {
    let changes = method != "get";
    let body = operation.get("requestBody").is_some();
    let parameters = operation.get("parameters").is_some();
    for code in ErrorCode::ALL {
        let possible = match code.status().as_u16() {
            404 => path.contains('{'),
            405 => false,
            409 | 410 | 412 => changes,
            413 | 415 => body,
            422 => changes || parameters,
            _ => true,
        };
        let status = code.status();
        if possible && operation["responses"].get(status.as_str()).is_none() {
            let name = response_name(status);
            operation["responses"][status.as_str()] =
                json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
    for response in operation["responses"].as_object_mut().into_iter().flatten() {
        if response.1.get("$ref").is_none() {
            response.1["headers"]["X-Request-Id"] = request_id();
        }
    }
    let id = operation["operationId"].as_str().unwrap_or_default();
    if changes && !WITHOUT_KEY.contains(&id) {
        // In words: a generator that made up keys would meet its own earlier requests.
        let said = operation["description"].as_str().unwrap_or_default();
        let key = "With an `Idempotency-Key` the same request is done once; its answer is kept \
                   for 24 hours.";
        operation["description"] = json!(format!("{said} {key}").trim());
    }
}
