//! `Idempotency-Key`: what is sent again is not done again.

use std::sync::Arc;

use deskhand::domain::{ClaimId, Scope};
use deskhand::inference::Inference;
use deskhand::store::{ClaimRequest, Claimed, SqlStore};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{Desk, Gate, Reply, Setup, load, small_history};

async fn send(desk: &Desk, path: &str, key: &str, body: &Value) -> Reply {
    desk.ask("POST", path, &[("idempotency-key", key)], body).await
}

fn ticket() -> Value {
    json!({"subject": "VPN drops every few minutes"})
}

async fn suggestions(desk: &Desk) -> u64 {
    desk.triage.store().counts(&desk.workspace).await.unwrap().suggestions
}

#[tokio::test]
async fn a_request_that_is_sent_again_gets_the_same_answer_byte_for_byte() {
    let desk = Desk::with(&small_history()).await;
    let first = send(&desk, "/v1/triage", "k", &ticket()).await;
    first.ok();
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = send(&desk, "/v1/triage", "k", &ticket()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.bytes), (first.status, &first.bytes));
    for header in ["etag", "location", "content-type"] {
        assert!(!first.header(header).is_empty(), "{header}");
        assert_eq!(again.header(header), first.header(header));
    }
    assert_eq!(suggestions(&desk).await, 1);
}

#[tokio::test]
async fn every_route_that_changes_something_is_done_once() {
    let desk = Desk::with(&small_history()).await;
    let made = desk.triage(ticket()).await;
    let ticket_path = format!("/v1/tickets/{}", made["ticket_id"].as_str().unwrap());
    let decision = format!("/v1/suggestions/{}/decision", made["id"].as_str().unwrap());
    let resolution = format!("{ticket_path}/resolution");
    let mut taxonomy = desk.get("/v1/taxonomy").await.ok();
    taxonomy["name"] = json!("renamed");
    let steps = [
        ("POST", "/v1/triage/batch", json!({"tickets": [ticket(), {"subject": ""}]})),
        ("POST", &decision, json!({"action": "approve"})),
        ("POST", &resolution, json!({"resolution": "Rebooted it."})),
        ("DELETE", &resolution, Value::Null),
        ("POST", &decision, json!({"action": "undo"})),
        ("POST", &format!("{ticket_path}/messages"), json!({"text": "still so"})),
        ("PUT", "/v1/taxonomy", taxonomy),
        ("DELETE", &ticket_path, Value::Null),
        ("DELETE", "/v1/requesters/Ann", Value::Null),
    ];
    desk.triage(json!({"subject": "printer", "requester": "Ann"})).await;
    for (n, (method, path, body)) in steps.iter().enumerate() {
        let key = format!("step {n}");
        let headers = [("idempotency-key", key.as_str())];
        let first = desk.ask(method, path, &headers, body).await;
        assert_eq!(first.status, 200, "{method} {path}: {}", first.text());
        let trail = desk.rows("SELECT action FROM audit").await.len();
        let count = suggestions(&desk).await;
        let again = desk.ask(method, path, &headers, body).await;
        assert_eq!(again.header("idempotency-replayed"), "true", "{method} {path}");
        assert_eq!((again.status, &again.bytes), (first.status, &first.bytes));
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!(desk.rows("SELECT action FROM audit").await.len(), trail);
        assert_eq!(suggestions(&desk).await, count, "{method} {path}");
    }
}

#[tokio::test]
async fn a_key_stands_for_one_body_on_one_route_of_one_workspace() {
    let desk = Desk::with(&small_history()).await;
    send(&desk, "/v1/triage", "k", &ticket()).await.ok();
    let other = json!({"subject": "printer jams"});
    let reused = send(&desk, "/v1/triage", "k", &other).await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".to_owned()));
    let batch = json!({"tickets": [ticket()]});
    let elsewhere = send(&desk, "/v1/triage/batch", "k", &batch).await;
    elsewhere.ok();
    assert_eq!(elsewhere.header("idempotency-replayed"), "");

    let (main, hr) = (desk.key("main", Scope::Triage).await, desk.key("hr", Scope::Triage).await);
    let ask = async |who: &str, body: &Value| {
        let headers = [("idempotency-key", "k"), ("authorization", who)];
        desk.ask("POST", "/v1/triage", &headers, body).await
    };
    let fresh = ask(&hr, &other).await;
    fresh.ok();
    assert_eq!(fresh.header("idempotency-replayed"), "", "another desk knows nothing of it");
    let same = ask(&main, &ticket()).await;
    assert_eq!(same.header("idempotency-replayed"), "true", "the key is the workspace's");
}

#[tokio::test]
async fn quoted_and_bare_keys_are_the_same_and_odd_ones_are_refused() {
    let desk = Desk::new().await;
    let first = send(&desk, "/v1/triage", "order 66", &ticket()).await;
    let again = send(&desk, "/v1/triage", "\"order 66\"", &ticket()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.bytes, again.bytes);
    send(&desk, "/v1/triage", &"x".repeat(255), &ticket()).await.ok();
    for bad in ["", "\"\"", "\"", "a\"b", "\"a", "tab\tbed", "café", &"x".repeat(256)] {
        let refused = send(&desk, "/v1/triage", bad, &ticket()).await;
        assert_eq!(refused.problem(), (400, "invalid_idempotency_key".to_owned()), "{bad:?}");
    }
    let delete = "/v1/tickets/tkt_00000000000000000000000000000001";
    let refused = desk.ask("DELETE", delete, &[("idempotency-key", "")], &Value::Null).await;
    assert_eq!(refused.problem().0, 400);
    assert_eq!(suggestions(&desk).await, 2);
}

#[tokio::test]
async fn a_request_that_is_under_way_is_not_begun_again() {
    let gate = Arc::new(Gate::new());
    let setup = Setup { gate: Some(Arc::clone(&gate)), ..Setup::default() };
    let desk = Desk::set_up(setup).await;
    let held = gate.hold().await;
    let second = async {
        gate.searched().await;
        let second = send(&desk, "/v1/triage", "k", &ticket()).await;
        let other = send(&desk, "/v1/triage", "k", &json!({"subject": "other"})).await;
        drop(held);
        (second, other)
    };
    let body = ticket();
    let (first, (second, other)) = tokio::join!(send(&desk, "/v1/triage", "k", &body), second);
    assert_eq!(second.problem(), (409, "request_in_flight".to_owned()));
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()));
    let again = send(&desk, "/v1/triage", "k", &ticket()).await;
    assert_eq!((again.status, again.bytes), (200, first.bytes));
    assert_eq!(suggestions(&desk).await, 1);
}

#[tokio::test]
async fn an_attempt_that_was_taken_for_dead_answers_as_the_one_that_took_over() {
    let gate = Arc::new(Gate::new());
    let setup = Setup { gate: Some(Arc::clone(&gate)), ..Setup::default() };
    let desk = Desk::set_up(setup).await;
    let held = gate.hold().await;
    let body = ticket();
    let take_over = async {
        gate.searched().await;
        desk.clock.advance(jiff::SignedDuration::from_secs(6));
        // Both now wait in their search; whoever of them commits first has the answer.
        let finish = async {
            gate.searched().await;
            drop(held);
        };
        tokio::join!(send(&desk, "/v1/triage", "k", &body), finish).0
    };
    let (slow, second) = tokio::join!(send(&desk, "/v1/triage", "k", &body), take_over);
    let again = send(&desk, "/v1/triage", "k", &ticket()).await;
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(again.bytes, second.bytes);
    // The slow one hears the other's answer, or that it is not there yet.
    match slow.status {
        200 => assert_eq!(slow.bytes, second.bytes),
        _ => assert_eq!(slow.problem(), (409, "request_in_flight".to_owned())),
    }
    assert_eq!(suggestions(&desk).await, 1);
}

#[tokio::test]
async fn an_attempt_whose_successor_has_failed_leaves_the_key_free() {
    let gate = Arc::new(Gate::new());
    let setup = Setup { gate: Some(Arc::clone(&gate)), ..Setup::default() };
    let desk = Desk::set_up(setup).await;
    let held = gate.hold().await;
    let take_over = async {
        gate.searched().await;
        desk.clock.advance(jiff::SignedDuration::from_secs(6));
        let one = async |sql| desk.rows(sql).await.remove(0);
        let request = ClaimRequest {
            route: one("SELECT route FROM receipts").await,
            key: "k".to_owned(),
            body_hash: one("SELECT body_hash FROM receipts").await,
        };
        let (store, id) = (desk.triage.store(), ClaimId::new(desk.triage.fresh_id()));
        let claimed = store.claim(&desk.workspace, &request, id, desk.triage.now()).await;
        let Ok(Claimed::Yours(claim)) = claimed else { unreachable!("{claimed:?}") };
        store.release(&desk.workspace, &claim).await.unwrap();
        drop(held);
    };
    let body = ticket();
    let (slow, ()) = tokio::join!(send(&desk, "/v1/triage", "k", &body), take_over);
    assert_eq!(slow.problem(), (409, "request_in_flight".to_owned()));
    assert_eq!(suggestions(&desk).await, 0);
    send(&desk, "/v1/triage", "k", &body).await.ok();
}

#[tokio::test]
async fn twenty_at_once_make_one_suggestion() {
    let desk = Desk::with(&small_history()).await;
    let (body, key) = (ticket(), "k");
    let sent = (0..20).map(|_| send(&desk, "/v1/triage", key, &body));
    let replies = join_all(sent).await;
    let made: Vec<_> = replies.iter().filter(|r| r.status == 200).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|r| r.bytes == made[0].bytes));
    for other in replies.iter().filter(|r| r.status != 200) {
        assert_eq!(other.problem(), (409, "request_in_flight".to_owned()));
        assert_eq!(other.header("retry-after"), "1");
    }
    let counts = desk.triage.store().counts(&desk.workspace).await.unwrap();
    assert_eq!((counts.tickets, counts.suggestions), (10, 1));
    assert_eq!(send(&desk, "/v1/triage", key, &body).await.bytes, made[0].bytes);
}

#[tokio::test]
async fn a_refused_request_gives_its_key_back() {
    let desk = Desk::with(&small_history()).await;
    let blank = send(&desk, "/v1/triage", "k", &json!({"subject": " "})).await;
    assert_eq!(blank.problem(), (422, "empty_ticket".to_owned()));
    let made = send(&desk, "/v1/triage", "k", &ticket()).await.ok();
    let decision = format!("/v1/suggestions/{}/decision", made["id"].as_str().unwrap());
    let wrong = json!({"action": "reroute", "category": "No such label"});
    assert_eq!(send(&desk, &decision, "k", &wrong).await.problem().1, "unknown_label");
    let right = json!({"action": "reroute", "category": "Printing"});
    assert_eq!(send(&desk, &decision, "k", &right).await.ok()["status"], "rerouted");
    let empty = send(&desk, "/v1/triage/batch", "b", &json!({"tickets": []})).await;
    assert_eq!(empty.problem().0, 422);
    send(&desk, "/v1/triage/batch", "b", &json!({"tickets": [ticket()]})).await.ok();
}

#[tokio::test]
async fn a_request_that_failed_here_gives_its_key_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
    let (encoder, tokenizer) = load();
    let stopped = Inference::start(encoder, tokenizer).unwrap();
    assert!(stopped.close(Duration::from_mins(1)).await);
    let setup = Setup { inference: Some(stopped), ..Setup::default() };
    let broken = Desk::build(store.clone(), folder, setup);
    for path in ["/v1/triage", "/v1/triage/batch"] {
        let body = if path == "/v1/triage" { ticket() } else { json!({"tickets": [ticket()]}) };
        let failed = send(&broken, path, "k", &body).await;
        assert_eq!(failed.problem(), (503, "unavailable".to_owned()), "{path}");
        assert_eq!(failed.header("retry-after"), "1");
    }
    let sound = Desk::over(store, tempfile::tempdir().unwrap());
    let made = send(&sound, "/v1/triage", "k", &json!({"subject": "printer jams"})).await;
    made.ok();
    assert_eq!(made.header("idempotency-replayed"), "");
    send(&sound, "/v1/triage/batch", "k", &json!({"tickets": [ticket()]})).await.ok();
    assert_eq!(suggestions(&sound).await, 2);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let desk = Desk::new().await;
    let first = send(&desk, "/v1/triage", "k", &ticket()).await;
    desk.clock.advance(jiff::SignedDuration::from_hours(23));
    desk.triage.tidy().await.unwrap();
    assert_eq!(send(&desk, "/v1/triage", "k", &ticket()).await.bytes, first.bytes);
    desk.clock.advance(jiff::SignedDuration::from_hours(1));
    let fresh = send(&desk, "/v1/triage", "k", &json!({"subject": "another"})).await;
    fresh.ok();
    assert_eq!(fresh.header("idempotency-replayed"), "");
}
