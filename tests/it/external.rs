//! An index outside the store: what happens while it is down, and afterwards.

use std::sync::Arc;

use deskhand::index::TicketIndex;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Desk, DoubleIndex, Setup, small_history};

async fn desk() -> (Desk, Arc<DoubleIndex>) {
    let index = Arc::new(DoubleIndex::default());
    let external = Some(Arc::clone(&index));
    let desk = Desk::set_up(Setup { external, ..Setup::default() }).await;
    desk.import(&small_history()).await;
    (desk, index)
}

/// Does what is due until nothing is.
async fn work(desk: &Desk) {
    while desk.triage.work_once().await {}
}

async fn nearest(desk: &Desk, text: &str) -> Value {
    let found = desk.post_to("/v1/similar", &json!({ "subject": text })).await.ok();
    found["similar"][0]["subject"].clone()
}

const LIFT: &str = "the lift is stuck on the third floor";

#[tokio::test]
async fn a_decision_is_in_the_index_before_its_answer_and_its_undo_too() {
    let (desk, index) = desk().await;
    assert_eq!(index.count(&desk.workspace).await.unwrap(), 9);
    let made = desk.triage(json!({"subject": LIFT})).await;
    assert_eq!(index.count(&desk.workspace).await.unwrap(), 9, "an open ticket has no vote");
    let decided = desk.decide(&made, &json!({"action": "approve"})).await.ok();
    assert_eq!(decided["degraded"], json!([]));
    assert_eq!(nearest(&desk, LIFT).await, LIFT);
    desk.decide(&made, &json!({"action": "undo"})).await.ok();
    assert_eq!(index.count(&desk.workspace).await.unwrap(), 9);
    assert_eq!(desk.triage.store().pending_jobs().await.unwrap(), 0);
}

#[tokio::test]
async fn a_decision_while_the_index_is_down_is_kept_and_reaches_it_later() {
    let (desk, index) = desk().await;
    let made = desk.triage(json!({"subject": LIFT})).await;
    index.switch(true);
    let decided = desk.decide(&made, &json!({"action": "approve"})).await.ok();
    assert_eq!(decided["status"], "approved");
    assert_eq!(decided["degraded"], json!(["index"]));
    let path = format!("/v1/suggestions/{}", made["id"].as_str().unwrap());
    assert_eq!(desk.get(&path).await.ok()["degraded"], json!([]), "it was that answer's alone");
    assert_eq!(desk.triage.store().pending_jobs().await.unwrap(), 1);
    desk.clock.advance(SignedDuration::from_secs(3));
    work(&desk).await;
    assert_eq!(desk.triage.store().pending_jobs().await.unwrap(), 1, "it is still down");

    index.switch(false);
    assert_ne!(nearest(&desk, LIFT).await, LIFT);
    desk.clock.advance(SignedDuration::from_mins(6));
    work(&desk).await;
    assert_eq!(nearest(&desk, LIFT).await, LIFT);
    assert_eq!(desk.triage.store().pending_jobs().await.unwrap(), 0);

    index.switch(true);
    let undone = desk.decide(&made, &json!({"action": "undo"})).await.ok();
    assert_eq!(undone["degraded"], json!(["index"]));
    index.switch(false);
    desk.clock.advance(SignedDuration::from_secs(3));
    work(&desk).await;
    assert_ne!(nearest(&desk, LIFT).await, LIFT, "the undo has reached it too");
}

#[tokio::test]
async fn answers_without_the_index_say_so_and_are_given_all_the_same() {
    let (desk, index) = desk().await;
    index.switch(true);
    let answer = desk.triage(json!({"subject": "VPN drops"})).await;
    assert_eq!(answer["degraded"], json!(["index"]));
    assert_eq!((&answer["similar"], &answer["draft"]), (&json!([]), &json!(null)));
    let found = desk.post_to("/v1/similar", &json!({"subject": "VPN"})).await.ok();
    assert_eq!(found, json!({"similar": [], "ranking": "vector", "degraded": ["index"]}));
    let resolved = desk.resolve(&answer, "Installed it.").await.ok();
    assert_eq!(resolved["degraded"], json!(["index"]));
    let messages = format!("/v1/tickets/{}/messages", answer["ticket_id"].as_str().unwrap());
    let message = desk.post_to(&messages, &json!({"text": "still so"})).await.ok();
    assert_eq!(message["degraded"], json!(["index"]), "once, however often it was asked");
    let source = json!({"system": "test", "id": "T-0"});
    let batch = json!({"tickets": [{"subject": "VPN, moved", "source": source}]});
    let batch = desk.post_to("/v1/triage/batch", &batch).await.ok();
    assert_eq!(batch["results"][0]["suggestion"]["degraded"], json!(["index"]));
    let single = json!({"subject": "VPN, moved again", "source": source});
    assert_eq!(desk.triage(single).await["degraded"], json!(["index"]));
}

#[tokio::test]
async fn what_was_erased_while_the_index_was_down_is_not_shown_when_it_is_up_again() {
    let (desk, index) = desk().await;
    let made = desk.triage(json!({"subject": LIFT})).await;
    desk.decide(&made, &json!({"action": "approve"})).await.ok();
    desk.resolve(&made, "Called the zanzibarium.").await.ok();
    index.switch(true);
    desk.delete(&format!("/v1/tickets/{}", made["ticket_id"].as_str().unwrap())).await.ok();
    index.switch(false);
    let found = desk.post_to("/v1/similar", &json!({"subject": LIFT})).await.ok().to_string();
    assert!(!found.contains("zanzibarium"), "{found}");
    let answer = desk.triage(json!({"subject": LIFT})).await.to_string();
    assert!(!answer.contains("zanzibarium"), "{answer}");
    desk.clock.advance(SignedDuration::from_secs(3));
    work(&desk).await;
    assert_eq!(index.count(&desk.workspace).await.unwrap(), 9);
}

#[tokio::test]
async fn mapped_labels_reach_the_index_by_a_job() {
    let (desk, index) = desk().await;
    let mut taxonomy = desk.get("/v1/taxonomy").await.ok();
    let categories = taxonomy["categories"].as_array_mut().unwrap();
    categories.retain(|c| c["label"] != "VPN");
    categories.push(json!({"label": "Remote access", "team": "VPN team"}));
    taxonomy["mappings"] = json!({"category": {"VPN": "Remote access"}});
    desk.ask("PUT", "/v1/taxonomy", &[], &taxonomy).await.ok();
    assert_eq!(desk.triage.store().pending_jobs().await.unwrap(), 1);
    work(&desk).await;
    let answer = desk.triage(json!({"subject": "VPN drops every few minutes"})).await;
    assert_eq!(answer["category"]["label"], "Remote access");
    assert_eq!(answer["similar"][0]["category"], "Remote access");
    assert_eq!(index.count(&desk.workspace).await.unwrap(), 9);
}
