//! The committed `OpenAPI` document: what the program serves, sound, with examples that work.

use std::collections::HashSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Desk, json as read_json, small_history};

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let desk = Desk::new().await;
    let response = desk.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    let served = format!("{:#}\n", read_json(response).await);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        std::fs::write(&file, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == served, "docs/openapi.json is not what is served; run `make accept`");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = deskhand::http::openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        for status in ["401", "403", "429", "500", "503"] {
            assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn the_examples_of_request_bodies_are_answered() {
    let desk = Desk::with(&small_history()).await;
    let document = deskhand::http::openapi();
    let ticket = json!({"subject": "VPN drops", "source": {"system": "example", "id": "1"}});
    let made = desk.triage(ticket).await;
    let (suggestion, ticket) = (made["id"].as_str().unwrap(), made["ticket_id"].as_str().unwrap());
    let mut tried = 0;
    for (path, method, operation) in operations(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        let schema = resolve(&document, &content["schema"]);
        let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
        for example in variants.iter().chain([schema]).map(|s| &s["example"]) {
            if example.is_null() {
                continue;
            }
            // Those that need names of this very desk are tried with them elsewhere.
            if example.to_string().contains("\"team\":\"Network\"") {
                continue;
            }
            let place = if path.contains("suggestions") { suggestion } else { ticket };
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(path.replace("{id}", place))
                .header("content-type", "application/json");
            let response = desk.send(request.body(Body::from(example.to_string())).unwrap()).await;
            let status = response.status();
            let answer = read_json(response).await;
            assert_eq!(status, StatusCode::OK, "{method} {path} {example}: {answer}");
            tried += 1;
        }
    }
    assert!(tried >= 5, "only {tried} examples");
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    })
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|v| collect(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}
