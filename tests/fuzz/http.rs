//! Garbage in paths, parameters, headers and bodies: each is refused with a problem document, and
//! nothing is ever the server's own fault.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use deskhand::access::Accounts;
use deskhand::app::{self, SystemClock, SystemEntropy, SystemIds};
use deskhand::config::Layers;
use deskhand::http::{Limits, Readiness, State, openapi, router};
use deskhand::index::EmbeddedIndex;
use deskhand::inference::Inference;
use deskhand::model::{Encoder, Manifest, Tokenizer};
use deskhand::reports::{self, Reports};
use deskhand::store::{SqlStore, Store};
use deskhand::triage::{Parts, Triage};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::hostile;
use crate::runner::fuzz;

/// A service on a folder of its own: with the encoder, or as it is before that is loaded.
struct Service {
    runtime: Runtime,
    router: Router,
    accounts: Arc<Accounts>,
    _folder: TempDir,
}

fn triage(store: &Arc<dyn Store>) -> Triage {
    let config = Layers::new().environment(std::env::vars()).build().unwrap();
    let manifest = Manifest::find("all-MiniLM-L6-v2").unwrap();
    let folder = app::model_cache(&config).unwrap().folder(&manifest);
    let encoder = Encoder::load(&manifest, &folder, 1).expect("run `deskhand models fetch` first");
    let tokenizer = Tokenizer::load(&folder, manifest.max_tokens).unwrap();
    Triage::new(Parts {
        index: Arc::new(EmbeddedIndex::new(
            Arc::clone(store),
            manifest.fingerprint(),
            manifest.dimensions,
        )),
        external: None,
        store: Arc::clone(store),
        inference: Inference::start(encoder, tokenizer).unwrap(),
        encoder: manifest,
        writer: None,
        policy: config.policy,
        bundles: folder.join("bundles"),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    })
}

impl Service {
    fn new(ready: bool) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = runtime.block_on(SqlStore::open_folder(folder.path())).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let loaded = OnceLock::new();
        let readiness = Readiness::default();
        if ready {
            let _ = loaded.set(Arc::new(triage(&store)));
            readiness.ready();
        }
        let entropy = Arc::new(SystemEntropy);
        let accounts = Accounts::new(store, Arc::new(SystemClock), Arc::new(SystemIds), entropy);
        let accounts = Arc::new(accounts);
        let limits =
            Limits { body_bytes: 1 << 16, import_bytes: 1 << 20, time: Duration::from_mins(1) };
        let reports = reports::Limits { bytes: 1 << 16, latest: 1000, keep: 10 };
        let reports = Arc::new(Reports::new(folder.path().join("uploads"), reports));
        let router = router(
            State {
                triage: Arc::new(loaded),
                accounts: Arc::new(OnceLock::from(Arc::clone(&accounts))),
                open: true,
                readiness: Arc::new(readiness),
                ids: Arc::new(SystemIds),
                limits,
                rate_limit: None,
                sign_ins: Arc::default(),
                hosts: Arc::default(),
                origins: Arc::default(),
                metrics: None,
            },
            deskhand::console::routes(&reports),
        );
        Self { runtime, router, accounts, _folder: folder }
    }

    /// Status, media type, whether the body is said to be compressed, body.
    fn send(&self, request: Request<Body>) -> (StatusCode, String, bool, Bytes) {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let kind = response.headers().get("content-type");
            let kind = kind.map_or("", |v| v.to_str().unwrap()).to_owned();
            let compressed = response.headers().contains_key("content-encoding");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (status, kind, compressed, body)
        })
    }

    /// Sends garbage. What is refused is refused with a problem document, or a page where a page was
    /// asked for, and for the caller's fault or because the service is not ready.
    fn check(&self, garbage: &Garbage, ready: bool) -> Result<(), TestCaseError> {
        let Some(request) = garbage.request() else { return Ok(()) };
        let (status, kind, compressed, body) = self.send(request);
        prop_assert_eq!(compressed, body.starts_with(b"\x1f\x8b"), "{}", status);
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        // Pages are for people, and so is what they say instead.
        if !garbage.target.starts_with("/v1")
            && (kind.starts_with("text/html") || status.is_redirection())
        {
            let waiting = !ready && status == StatusCode::SERVICE_UNAVAILABLE;
            prop_assert!(
                status.is_client_error() || status.is_redirection() || waiting,
                "{status}"
            );
            return Ok(());
        }
        let shown = String::from_utf8_lossy(&body);
        prop_assert_eq!(&kind, "application/problem+json", "{} {}", status, shown);
        if compressed {
            prop_assert!(status.is_client_error() || !ready, "{status}");
            return Ok(());
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        prop_assert_eq!(&problem["status"], &json!(status.as_u16()), "{}", shown);
        prop_assert!(problem["code"].is_string() && problem["title"].is_string(), "{shown}");
        let not_ready = !ready && problem["code"] == "not_ready";
        prop_assert!(status.is_client_error() || not_ready, "{shown}");
        Ok(())
    }
}

/// A request that nobody sane would send.
#[derive(Debug, Clone)]
struct Garbage {
    method: Method,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Garbage {
    /// `None` where not even HTTP can carry it.
    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.target);
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value).ok()?;
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Body::from(self.body.clone())).ok()
    }
}

/// Any text as part of a URL; sometimes raw.
fn escaped() -> impl Strategy<Value = String> {
    let escape = |bytes: &[u8]| bytes.iter().fold(String::new(), |url, b| format!("{url}%{b:02x}"));
    prop_oneof![
        3 => hostile::text().prop_map(move |text| escape(text.chars().take(40).collect::<String>().as_bytes())),
        2 => "[!-~]{0,20}",
        1 => prop::collection::vec(any::<u8>(), 0..12)
            .prop_map(move |bytes| escape(&bytes)),
    ]
}

fn target() -> impl Strategy<Value = String> {
    let document = openapi();
    let paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(paths.len() > 10);
    let id = prop_oneof![
        2 => escaped(),
        1 => "(tkt|sug|imp|dec|key)_[0-9a-f]{32}",
        1 => "(tkt|sug|imp)_[0-9a-fA-F{}-]{0,40}",
    ];
    let name = prop::sample::select(vec![
        "limit",
        "cursor",
        "status",
        "decision",
        "category",
        "team",
        "ticket_id",
        "source",
        "",
    ]);
    let value = prop_oneof![
        2 => escaped(),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => "[A-Za-z0-9_-]{8,16}",
        1 => prop::sample::select(vec!["open", "auto", "1", "200", "AAAAAAAAAAE"]).prop_map(str::to_owned),
    ];
    let query = prop::collection::vec((name, value), 0..4);
    let path =
        prop_oneof![8 => prop::sample::select(paths), 1 => escaped().prop_map(|p| format!("/{p}"))];
    (path, id, query).prop_map(|(path, id, query)| {
        let path = path.replace("{id}", &id);
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => hostile::text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(json!("approve")),
        1 => Just(json!("2026-01-01T00:00:00Z")),
    ];
    leaf.prop_recursive(5, 32, 5, |inner| {
        let name = prop::sample::select(vec![
            "subject",
            "body",
            "messages",
            "text",
            "author",
            "at",
            "requester",
            "created_at",
            "source",
            "system",
            "id",
            "url",
            "tickets",
            "limit",
            "action",
            "reply",
            "category",
            "team",
            "priority",
            "resolution",
            "resolved_at",
            "handling_minutes",
            "input",
            "encoding_format",
            "dimensions",
            "user",
            "password",
            "name",
            "version",
            "teams",
            "categories",
            "label",
            "mappings",
            "taxonomy",
            "examples",
            "stray",
        ]);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            3 => prop::collection::vec((name, inner), 0..6).prop_map(|pairs| {
                let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(pairs.collect())
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let ticket =
        (hostile::text(), hostile::text(), any_json()).prop_map(|(subject, body, stray)| {
            json!({"subject": subject, "body": body, "source": {"system": body, "id": subject},
            "messages": [{"text": body, "author": subject}], "requester": stray})
            .to_string()
            .into_bytes()
        });
    let deep = (prop::sample::select(vec!["[", "{\"a\":", "[{\"messages\":"]), 1..3000usize)
        .prop_map(|(piece, n)| piece.repeat(n).into_bytes());
    let cut = (any_json(), any::<prop::sample::Index>()).prop_map(|(value, at)| {
        let mut text = value.to_string().into_bytes();
        text.truncate(at.index(text.len() + 1));
        text
    });
    prop_oneof![
        4 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => ticket,
        2 => cut,
        1 => deep,
        2 => hostile::bytes(),
        1 => Just(Vec::new()),
    ]
}

fn garbage() -> impl Strategy<Value = Garbage> {
    let method = prop::sample::select(vec![
        Method::GET,
        Method::POST,
        Method::POST,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
    ]);
    let host = prop_oneof![
        20 => Just(b"localhost".to_vec()),
        1 => hostile::bytes(),
        1 => Just(b"127.0.0.1:99999".to_vec()),
    ];
    let kind = prop_oneof![
        10 => Just(b"application/json".to_vec()),
        1 => Just(b"text/csv".to_vec()),
        1 => Just(b"application/x-ndjson".to_vec()),
        1 => hostile::bytes(),
    ];
    let odd = |likely: &'static [u8]| {
        prop_oneof![
            2 => Just(likely.to_vec()),
            1 => "[ -~]{0,40}".prop_map(String::into_bytes),
            1 => hostile::bytes(),
        ]
    };
    let others = (
        prop::option::weighted(0.3, odd(b"\"k\"")),
        prop::option::weighted(0.2, odd(b"\"1\"")),
        prop::option::weighted(0.1, odd(b"Bearer dh_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5_x")),
        prop::option::weighted(0.1, odd(b"deskhand_session=x")),
        prop::option::weighted(0.1, odd(b"req-1")),
        prop::option::weighted(0.1, odd(b"gzip")),
    );
    (method, target(), host, kind, others, body()).prop_map(
        |(method, target, host, kind, others, body)| {
            let mut headers = vec![("host", host), ("content-type", kind)];
            let names = [
                "idempotency-key",
                "if-match",
                "authorization",
                "cookie",
                "x-request-id",
                "accept-encoding",
            ];
            let values = [others.0, others.1, others.2, others.3, others.4, others.5];
            headers.extend(names.into_iter().zip(values).filter_map(|(n, v)| Some((n, v?))));
            Garbage { method, target, headers, body }
        },
    )
}

#[test]
fn requests() {
    let service = Service::new(true);
    fuzz("requests", &garbage(), |garbage| service.check(&garbage, true));
}

#[test]
fn requests_before_it_is_ready() {
    let service = Service::new(false);
    fuzz("requests before it is ready", &garbage(), |garbage| service.check(&garbage, false));
}

#[test]
fn cursors() {
    let service = Service::new(true);
    let cursor = prop_oneof![escaped(), "[A-Za-z0-9_-]{0,24}", Just("AAAAAAAAAAE".to_owned())];
    fuzz("cursors", &(cursor, prop::option::of("-?[0-9]{0,12}")), |(cursor, limit)| {
        let limit = limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let garbage = Garbage {
            method: Method::GET,
            target: format!("/v1/suggestions?cursor={cursor}{limit}"),
            headers: vec![("host", b"localhost".to_vec())],
            body: Vec::new(),
        };
        service.check(&garbage, true)
    });
}

#[test]
fn keys() {
    let service = Service::new(false);
    let main = deskhand::domain::WorkspaceId::main();
    let scopes = vec![deskhand::domain::Scope::Triage];
    let made = service.accounts.create_key(main, "desk".to_owned(), scopes, None);
    let (_, key) = service.runtime.block_on(made).unwrap();
    let (id, secret) = key.strip_prefix("dh_").unwrap().split_once('_').unwrap();
    let like = (id.to_owned(), secret.to_owned());
    let text = prop_oneof![
        hostile::text(),
        "dh_[0-9a-f]{30,34}_[A-Za-z0-9_-]{0,50}",
        (0..200usize, "[A-Za-z0-9_ -]?").prop_map(move |(at, new)| {
            // One character of the real one is changed, put in or taken out.
            let mut text = format!("dh_{}_{}", like.0, like.1);
            let at = at % (text.len() + 1);
            text.replace_range(at..(at + 1).min(text.len()), &new);
            text
        }),
    ];
    fuzz("keys", &text, |text| {
        let let_in = service.runtime.block_on(service.accounts.with_key(&text)).unwrap();
        // The public part may be written in other ways; the secret may not.
        let parts = text.strip_prefix("dh_").and_then(|rest| rest.split_once('_'));
        let same = parts.is_some_and(|(its_id, its_secret)| {
            uuid::Uuid::try_parse(its_id) == uuid::Uuid::try_parse(id) && its_secret == secret
        });
        prop_assert_eq!(let_in.is_some(), same, "{}", text);
        Ok(())
    });
}
