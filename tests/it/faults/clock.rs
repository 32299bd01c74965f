//! A clock that is set back by an hour: nothing is lost, doubled or put in another order, and
//! nobody waits for the clock to catch up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use deskhand::access::Accounts;
use deskhand::app::SystemEntropy;
use deskhand::domain::{ClaimId, Clock, IdSource, Scope, WorkspaceId};
use deskhand::store::{ClaimRequest, Claimed, SqlStore, Store};
use deskhand::triage::{Caller, Receipt};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Desk, json as read_json, small_history};

const HOUR: i64 = 3600;

/// A clock that can be set.
struct SettableClock(AtomicI64);

impl SettableClock {
    fn step(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for SettableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Ids that begin with the time, as another process's would that starts after the clock was set.
struct TimedIds(Arc<SettableClock>, AtomicU64);

impl IdSource for TimedIds {
    fn next(&self) -> Uuid {
        let time = self.0.0.load(Ordering::Relaxed).unsigned_abs();
        let count = self.1.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u128(u128::from(time) << 80 | u128::from(count))
    }
}

struct Stepping {
    desk: Desk,
    clock: Arc<SettableClock>,
    store: Arc<dyn Store>,
}

async fn stepping() -> Stepping {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
    let start: Timestamp = "2026-03-04T05:06:07Z".parse().unwrap();
    let clock = Arc::new(SettableClock(AtomicI64::new(start.as_second())));
    let ids = Arc::new(TimedIds(Arc::clone(&clock), AtomicU64::new(1)));
    let desk = Desk::at(Arc::clone(&store), folder, Arc::clone(&clock) as Arc<dyn Clock>, ids);
    desk.import(&small_history()).await;
    Stepping { desk, clock, store }
}

impl Stepping {
    async fn post(
        &self,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = self.desk.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (response.status(), response.headers().clone(), read_json(response).await)
    }

    async fn get(&self, path: &str) -> Value {
        read_json(self.desk.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    }

    async fn ticket(&self, n: usize) -> String {
        let source = json!({"system": "clock", "id": n.to_string()});
        let ticket = json!({"subject": format!("printer {n} jams"), "source": source});
        self.desk.triage(ticket).await["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn lists_and_decisions_go_on_when_the_clock_is_set_back() {
    let it = stepping().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(it.ticket(n).await);
        it.clock.step(1);
    }
    let page = it.get("/v1/suggestions?limit=2").await;
    it.clock.step(-HOUR);
    for n in 5..8 {
        made.push(it.ticket(n).await);
    }
    // The list goes on where it was, and the newest still come first.
    let mut seen: Vec<Value> = page["suggestions"].as_array().unwrap().clone();
    let mut next = page["next"].clone();
    while let Some(cursor) = next.as_str() {
        let page = it.get(&format!("/v1/suggestions?limit=2&cursor={cursor}")).await;
        seen.extend(page["suggestions"].as_array().unwrap().clone());
        next = page["next"].clone();
    }
    let ids = |all: &[Value]| -> Vec<String> {
        all.iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    let backwards = |made: &[String]| made.iter().rev().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&seen), backwards(&made[..5]));
    let all = it.get("/v1/suggestions").await;
    assert_eq!(ids(all["suggestions"].as_array().unwrap()), backwards(&made));

    // Decisions, and taking them back: the newest counts, whatever the clock said.
    let path = format!("/v1/suggestions/{}/decision", made[0]);
    let decide = async |action: &str| it.post(&path, None, &json!({ "action": action })).await;
    assert_eq!(decide("approve").await.2["status"], "approved");
    assert_eq!(decide("undo").await.2["status"], "open");
    it.clock.step(-HOUR);
    assert_eq!(decide("reject").await.2["status"], "rejected");
    it.clock.step(-HOUR);
    let (status, _, undone) = decide("undo").await;
    assert_eq!((status, &undone["status"]), (StatusCode::OK, &json!("open")), "{undone}");
    assert_eq!(undone["decision"], json!(null));
    assert_eq!(decide("undo").await.2["code"], "nothing_to_undo");
    let (status, _, approved) = decide("approve").await;
    assert_eq!((status, &approved["version"]), (StatusCode::OK, &json!(6)), "{approved}");

    // A message, and the same ticket again, after the clock went back once more.
    it.clock.step(-HOUR);
    let ticket = approved["ticket_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/tickets/{ticket}/messages");
    let (status, _, answer) = it.post(&path, None, &json!({"text": "still jams"})).await;
    assert_eq!((status, &answer["ticket_id"]), (StatusCode::OK, &json!(ticket)), "{answer}");
    let again = it.ticket(0).await;
    let newest = it.get(&format!("/v1/suggestions?ticket_id={ticket}")).await;
    assert_eq!(newest["suggestions"][0]["id"], again.as_str());
    assert_eq!(newest["suggestions"][1]["status"], "superseded");

    // Everything once.
    let export = Request::get("/v1/export").body(Body::empty()).unwrap();
    let export = it.desk.send(export).await.into_body();
    let export = axum::body::to_bytes(export, usize::MAX).await.unwrap();
    let export = String::from_utf8(export.to_vec()).unwrap();
    let names: BTreeSet<String> = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["ticket_id"].to_string())
        .collect();
    assert_eq!((names.len(), export.lines().count()), (17, 17));
}

#[tokio::test]
async fn answers_and_claims_outlive_a_clock_that_is_set_back() {
    let it = stepping().await;
    let ticket = json!({"subject": "printer jams"});
    let (status, _, first) = it.post("/v1/triage", Some("k"), &ticket).await;
    assert_eq!(status, StatusCode::OK);
    for _ in 0..3 {
        it.clock.step(-HOUR);
        let (status, headers, again) = it.post("/v1/triage", Some("k"), &ticket).await;
        assert_eq!((status, &again), (StatusCode::OK, &first));
        assert!(headers.contains_key("idempotency-replayed"));
    }
    // One who claimed and died: nobody waits an hour for what should take seconds.
    let main = WorkspaceId::main();
    let claim = ClaimRequest {
        route: "POST /v1/triage".to_owned(),
        key: "died".to_owned(),
        body_hash: "00".to_owned(),
    };
    let id = |n| ClaimId::new(Uuid::from_u128(n));
    let now = it.clock.now();
    let claimed = it.store.claim(&main, &claim, id(1), now).await.unwrap();
    assert!(matches!(claimed, Claimed::Yours(_)));
    let claimed = it.store.claim(&main, &claim, id(2), now).await.unwrap();
    assert_eq!(claimed, Claimed::InFlight);
    it.clock.step(-HOUR);
    let claimed = it.store.claim(&main, &claim, id(3), it.clock.now()).await.unwrap();
    assert!(matches!(claimed, Claimed::Yours(_)), "{claimed:?}");
    it.store.sweep(it.clock.now()).await.unwrap();
    let (_, headers, again) = it.post("/v1/triage", Some("k"), &ticket).await;
    assert!(headers.contains_key("idempotency-replayed"), "{again}");
}

#[tokio::test]
async fn sessions_and_keys_outlive_a_clock_that_is_set_back() {
    let it = stepping().await;
    let accounts = Accounts::new(
        Arc::clone(&it.store),
        Arc::clone(&it.clock) as Arc<dyn Clock>,
        Arc::new(TimedIds(Arc::clone(&it.clock), AtomicU64::new(1))),
        Arc::new(SystemEntropy),
    );
    let main = WorkspaceId::main();
    let scopes = vec![Scope::Agent];
    accounts.put_user(main.clone(), "ann".to_owned(), "a long password", scopes).await.unwrap();
    let signed_in = accounts.sign_in("ann", "a long password").await.unwrap().unwrap();
    let lasts = Some(jiff::SignedDuration::from_hours(2));
    let (_, key) =
        accounts.create_key(main, "desk".to_owned(), vec![Scope::Triage], lasts).await.unwrap();
    assert!(accounts.with_key(&key).await.unwrap().is_some());
    it.clock.step(-HOUR);
    assert!(accounts.required().await.unwrap());
    assert!(accounts.session(&signed_in.token).await.unwrap().is_some());
    assert!(accounts.with_key(&key).await.unwrap().is_some());
    let again = accounts.sign_in("ann", "a long password").await.unwrap().unwrap();
    assert!(accounts.session(&again.token).await.unwrap().is_some());
    // They still end when they should.
    it.clock.step(HOUR + 2 * HOUR);
    assert!(accounts.with_key(&key).await.unwrap().is_none());
    it.clock.step(12 * HOUR);
    assert!(accounts.session(&signed_in.token).await.unwrap().is_none());
}

async fn promise_an_import(it: &Stepping) {
    let caller = Caller { workspace: WorkspaceId::main(), actor: "test".to_owned() };
    let mut upload = it.desk.triage.begin_import(&caller, "later".to_owned()).await.unwrap();
    upload.push(b"id,subject,category\n1,coffee machine leaks,Kitchen\n").await.unwrap();
    upload.finish(Receipt::none()).await.unwrap();
}

#[tokio::test]
async fn work_that_was_begun_goes_on_when_the_clock_is_set_back() {
    let it = stepping().await;
    promise_an_import(&it).await;
    // A worker took the job and died.
    let now = it.clock.now();
    let lease = ClaimId::new(Uuid::from_u128(1));
    let until = now.saturating_add(jiff::SignedDuration::from_secs(30)).unwrap();
    assert!(it.store.lease_job(lease, now, until).await.unwrap().is_some());
    assert!(!it.desk.triage.work_once().await, "it is leased");
    it.clock.step(31);
    assert!(it.desk.triage.work_once().await, "its lease has run out");
    assert_eq!(it.desk.triage.store().counts(&WorkspaceId::main()).await.unwrap().tickets, 10);
}

#[tokio::test]
async fn promised_work_does_not_wait_for_a_clock_that_was_set_back() {
    let it = stepping().await;
    promise_an_import(&it).await;
    it.clock.step(-HOUR);
    assert!(it.desk.triage.work_once().await, "the job waits until the clock has caught up");
    assert_eq!(it.desk.triage.store().counts(&WorkspaceId::main()).await.unwrap().tickets, 10);
}
