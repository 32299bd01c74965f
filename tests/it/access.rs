//! Keys: who comes in, and how far.

use std::collections::BTreeSet;

use axum::http::HeaderValue;
use deskhand::domain::{Scope, WorkspaceId};
use deskhand::http::{RateLimit, openapi};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Desk, Reply, Setup};

/// A desk that asks everybody for a key.
async fn closed() -> Desk {
    Desk::set_up(Setup { adjust: Box::new(|state| state.open = false), ..Setup::default() }).await
}

async fn with(desk: &Desk, authorization: &str) -> Reply {
    desk.ask("GET", "/v1/taxonomy", &[("authorization", authorization)], &Value::Null).await
}

#[tokio::test]
async fn nobody_comes_in_without_a_key_that_is_known() {
    let desk = closed().await;
    let without = desk.get("/v1/taxonomy").await;
    assert_eq!(without.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(without.header("www-authenticate"), "Bearer");
    let key = desk.key("main", Scope::Triage).await;
    with(&desk, &key).await.ok();
    let secret = key.strip_prefix("Bearer ").unwrap();
    with(&desk, &format!("bearer  {secret} ")).await.ok();
    let last = secret.chars().last().unwrap();
    let wrong = format!("{}{}", &secret[..secret.len() - 1], if last == 'A' { 'Q' } else { 'A' });
    let unknown = secret.replace("dh_0", "dh_f");
    for refused in [
        secret,
        "Bearer",
        "Bearer ",
        "Bearer dh_",
        "Bearer dh_x_y",
        &format!("Basic {secret}"),
        &format!("Bearer {wrong}"),
        &format!("Bearer {unknown}"),
        &format!("Bearer {}", &secret[..40]),
        &format!("Bearer {secret}A"),
    ] {
        let reply = with(&desk, refused).await;
        assert_eq!(reply.problem(), (401, "unauthorized".to_owned()), "{refused}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(!reply.text().contains(&secret[36..]), "{}", reply.text());
    }
}

#[tokio::test]
async fn an_expired_or_revoked_key_opens_nothing() {
    let desk = closed().await;
    let lasts = Some(SignedDuration::from_hours(1));
    let workspace = WorkspaceId::main();
    let make = |lasts| {
        desk.accounts.create_key(workspace.clone(), "x".to_owned(), vec![Scope::Lead], lasts)
    };
    let (_, short) = make(lasts).await.unwrap();
    let (record, long) = make(None).await.unwrap();
    let (short, long) = (format!("Bearer {short}"), format!("Bearer {long}"));
    with(&desk, &short).await.ok();
    desk.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(with(&desk, &short).await.problem().0, 401);
    with(&desk, &long).await.ok();
    let store = desk.triage.store();
    assert!(store.revoke_key(record.id, desk.triage.now()).await.unwrap());
    assert_eq!(with(&desk, &long).await.problem().0, 401);
}

#[tokio::test]
async fn an_open_desk_closes_with_its_first_key() {
    let desk = Desk::new().await;
    let session = desk.get("/v1/session").await.ok();
    assert_eq!((&session["name"], &session["scopes"]), (&json!("anyone"), &json!("admin")));
    assert_eq!(with(&desk, "Bearer dh_x_y").await.status, 401, "a wrong key is not no key");
    let key = desk.key("main", Scope::Triage).await;
    assert_eq!(desk.get("/v1/session").await.status, 401);
    let session = desk.ask("GET", "/v1/session", &[("authorization", &key)], &Value::Null).await;
    assert_eq!(session.ok()["name"], "main triage");
}

/// Every route with the least scope that it asks for, and something to send.
fn routes() -> Vec<(&'static str, &'static str, Scope, Value)> {
    const TICKET: &str = "/v1/tickets/tkt_000000000000000000000000000000ff";
    const SUGGESTION: &str = "/v1/suggestions/sug_000000000000000000000000000000ff";
    const IMPORT: &str = "/v1/imports/imp_000000000000000000000000000000ff";
    let path = |base: &str, end: &str| -> &'static str { format!("{base}{end}").leak() };
    let none = Value::Null;
    let taxonomy = json!({"name": "x", "colour": "red"});
    vec![
        ("POST", "/v1/triage", Scope::Triage, json!({"subject": "a"})),
        ("POST", "/v1/triage/batch", Scope::Triage, json!({"tickets": [{"subject": "a"}]})),
        ("GET", "/v1/suggestions", Scope::Triage, none.clone()),
        ("GET", SUGGESTION, Scope::Triage, none.clone()),
        ("POST", path(SUGGESTION, "/decision"), Scope::Agent, json!({"action": "approve"})),
        ("GET", TICKET, Scope::Agent, none.clone()),
        ("DELETE", TICKET, Scope::Admin, none.clone()),
        ("POST", path(TICKET, "/messages"), Scope::Triage, json!({"text": "a"})),
        ("POST", path(TICKET, "/resolution"), Scope::Agent, json!({"resolution": "a"})),
        ("DELETE", path(TICKET, "/resolution"), Scope::Agent, none.clone()),
        ("DELETE", "/v1/requesters/nobody", Scope::Admin, none.clone()),
        ("POST", "/v1/similar", Scope::Triage, json!({"subject": "a"})),
        ("POST", "/v1/imports", Scope::Lead, json!({})),
        ("GET", IMPORT, Scope::Lead, none.clone()),
        ("GET", "/v1/taxonomy", Scope::Triage, none.clone()),
        ("PUT", "/v1/taxonomy", Scope::Lead, taxonomy),
        ("GET", "/v1/articles", Scope::Triage, none.clone()),
        ("POST", "/v1/articles", Scope::Lead, json!({"articles": []})),
        ("DELETE", "/v1/articles/nobody", Scope::Admin, none.clone()),
        ("GET", "/v1/drafts/settings", Scope::Triage, none.clone()),
        ("PUT", "/v1/drafts/settings", Scope::Lead, json!({"tone": "loud"})),
        ("POST", path(SUGGESTION, "/rewrite"), Scope::Agent, none.clone()),
        ("GET", "/v1/policy", Scope::Triage, none.clone()),
        ("PUT", "/v1/policy", Scope::Lead, json!({"target_precision": 2})),
        ("GET", "/v1/bundles", Scope::Triage, none.clone()),
        ("POST", "/v1/bundles/nobody/activate", Scope::Lead, none.clone()),
        ("POST", "/v1/embeddings", Scope::Triage, json!({"input": "a"})),
        ("GET", "/v1/export", Scope::Lead, none.clone()),
        ("GET", "/metrics", Scope::Lead, none.clone()),
        ("GET", "/v1/session", Scope::Triage, none.clone()),
        ("DELETE", "/v1/session", Scope::Triage, none),
    ]
}

#[tokio::test]
async fn every_route_lets_in_exactly_the_scopes_that_it_should() {
    let desk = closed().await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        keys.push((scope, desk.key("main", scope).await));
    }
    for (method, path, least, body) in routes() {
        assert_eq!(desk.ask(method, path, &[], &body).await.status, 401, "{method} {path}");
        for (scope, key) in &keys {
            let reply = desk.ask(method, path, &[("authorization", key)], &body).await;
            if *scope >= least {
                let in_vain = matches!(reply.status, 200 | 204 | 404 | 415 | 422);
                assert!(in_vain, "{method} {path} {scope}: {}", reply.text());
            } else {
                assert_eq!(
                    reply.problem(),
                    (403, "forbidden".to_owned()),
                    "{method} {path} {scope}"
                );
            }
        }
    }
}

#[tokio::test]
async fn no_route_is_left_out_of_the_table_above() {
    let document = openapi();
    let mut described = BTreeSet::from([("GET".to_owned(), "/metrics".to_owned())]);
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete"] {
            if item.get(method).is_some() {
                described.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(described.remove(&("POST".to_owned(), "/v1/session".to_owned())), "it needs nobody");
    let plain = |part: &str| {
        let id = part.contains("00ff") || part == "nobody";
        if id { "{id}".to_owned() } else { part.to_owned() }
    };
    let tabled = routes().into_iter().map(|(method, path, ..)| {
        let path: Vec<String> = path.split('/').map(plain).collect();
        (method.to_owned(), path.join("/"))
    });
    assert_eq!(tabled.collect::<BTreeSet<_>>(), described);
}

#[tokio::test]
async fn a_key_stands_nowhere_in_the_clear() {
    let desk = closed().await;
    let key = desk.key("main", Scope::Admin).await;
    with(&desk, &key).await.ok();
    let body = json!({"subject": "a"});
    let headers = [("authorization", key.as_str()), ("idempotency-key", "k")];
    desk.ask("POST", "/v1/triage", &headers, &body).await.ok();
    let secret = key.splitn(3, '_').nth(2).unwrap();
    assert_eq!(secret.len(), 43);
    assert_eq!(desk.files_with(secret), Vec::<String>::new());
    assert!(!desk.files_with("main admin").is_empty(), "its name does");
}

#[tokio::test]
async fn what_a_caller_may_ask_in_a_minute_is_counted_for_each_alone() {
    let adjust = Box::new(|state: &mut deskhand::http::State| {
        state.rate_limit = RateLimit::per_minute(3).map(Arc::new);
    });
    let desk = Desk::set_up(Setup { adjust, ..Setup::default() }).await;
    let (one, other) =
        (desk.key("main", Scope::Triage).await, desk.key("main", Scope::Triage).await);
    for left in [2, 1, 0] {
        let reply = with(&desk, &one).await;
        reply.ok();
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=3;w=60");
        assert_eq!(reply.header("ratelimit"), format!("\"default\";r={left};t=60"));
    }
    let refused = with(&desk, &one).await;
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit"), format!("\"default\";r=0;t={wait}"));
    with(&desk, &other).await.ok();
    assert_eq!(with(&desk, "Bearer dh_x_y").await.status, 401);
    assert_eq!(desk.get("/healthz").await.status, 200, "what needs nobody is not counted");
}

const ALLOWED: &str = "access-control-allow-origin";

#[tokio::test]
async fn pages_from_elsewhere_may_call_only_if_their_origin_is_named() {
    let named = HeaderValue::from_static("https://intranet.example");
    let adjust = Box::new(|state: &mut deskhand::http::State| state.origins = Arc::from([named]));
    let open = Desk::set_up(Setup { adjust, ..Setup::default() }).await;
    let closed = Desk::new().await;
    let preflight = async |desk: &Desk, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type,idempotency-key"),
        ];
        desk.ask("OPTIONS", "/v1/triage", &headers, &Value::Null).await
    };
    let answered = preflight(&open, "https://intranet.example").await;
    assert_eq!(answered.header(ALLOWED), "https://intranet.example");
    let methods = answered.header("access-control-allow-methods");
    assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|m| methods.contains(m)), "{methods}");
    let headers = answered.header("access-control-allow-headers");
    assert!(["authorization", "if-match", "idempotency-key"].iter().all(|h| headers.contains(h)));
    assert_eq!(answered.header("access-control-allow-credentials"), "", "cookies are ours alone");
    assert_eq!(preflight(&open, "https://evil.example").await.header(ALLOWED), "");
    assert_eq!(preflight(&closed, "https://intranet.example").await.header(ALLOWED), "");

    let origin = [("origin", "https://intranet.example")];
    let body = json!({"subject": "a"});
    let called = open.ask("POST", "/v1/triage", &origin, &body).await;
    assert_eq!(called.header(ALLOWED), "https://intranet.example");
    let readable = called.header("access-control-expose-headers");
    assert!(["etag", "location", "retry-after"].iter().all(|h| readable.contains(h)), "{readable}");
    let refused = open.ask("GET", "/v1/nowhere", &origin, &Value::Null).await;
    assert_eq!((refused.status, refused.header(ALLOWED)), (404, "https://intranet.example"));
    assert!(refused.headers.get_all("vary").iter().any(|v| v.to_str().unwrap().contains("origin")));
    let elsewhere = closed.ask("POST", "/v1/triage", &origin, &body).await;
    assert_eq!(elsewhere.header(ALLOWED), "");
    assert_eq!(elsewhere.problem().1, "csrf_mismatch", "and changes nothing where no key is asked");
}
