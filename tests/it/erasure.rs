//! Erasure: not a word of a ticket stays anywhere.

use std::sync::Arc;

use deskhand::domain::{Scope, WorkspaceId};
use deskhand::store::WorkspaceSettings;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Desk, Gate, Setup, small_history};

/// A word that nothing else contains, and that nothing redacts.
const MARKER: &str = "zanzibarium";

fn ticket_path(suggestion: &Value) -> String {
    format!("/v1/tickets/{}", suggestion["ticket_id"].as_str().unwrap())
}

fn with_key(key: &str) -> [(&str, &str); 1] {
    [("idempotency-key", key)]
}

/// A desk with a decided and resolved ticket full of the marker, and another ticket whose
/// suggestion shows and quotes it and whose approved reply is the draft.
async fn desk_with_marker() -> (Desk, Value, Value) {
    let desk = Desk::with(&small_history()).await;
    desk.add_category("Kitchen", "Facilities").await;
    let ticket = json!({
        "subject": format!("coffee machine {MARKER} is broken"),
        "body": format!("The {MARKER} in the kitchen."),
        "messages": [{"author": "Bob", "text": format!("still {MARKER}")}],
        "requester": "Ann",
        "source": {"system": "s", "id": "1"}
    });
    let first = desk.ask("POST", "/v1/triage", &with_key("first"), &ticket).await.ok();
    let reroute = json!({"action": "reroute", "category": "Kitchen"});
    let decision = format!("/v1/suggestions/{}/decision", first["id"].as_str().unwrap());
    desk.ask("POST", &decision, &with_key("decide"), &reroute).await.ok();
    let resolution = json!({"resolution": format!("Descaled the {MARKER}.")});
    let path = format!("{}/resolution", ticket_path(&first));
    desk.ask("POST", &path, &with_key("resolve"), &resolution).await.ok();

    let other = json!({"subject": "coffee machine is broken", "requester": "Cleo"});
    let second = desk.ask("POST", "/v1/triage", &with_key("second"), &other).await.ok();
    assert_eq!(second["similar"][0]["ticket_id"], first["ticket_id"]);
    assert!(second["draft"]["text"].as_str().unwrap().contains(MARKER), "{second}");
    let batch = json!({"tickets": [other]});
    desk.ask("POST", "/v1/triage/batch", &with_key("batch"), &batch).await.ok();
    desk.decide(&second, &json!({"action": "approve"})).await.ok();
    (desk, first, second)
}

/// All that anybody can still read, in one text.
async fn all_that_can_be_read(desk: &Desk) -> String {
    let mut text = desk.get("/v1/export").await.text();
    text += &desk.get("/v1/suggestions?limit=200").await.text();
    let search = json!({"subject": format!("coffee machine {MARKER} is broken"), "limit": 100});
    text += &desk.post_to("/v1/similar", &search).await.text();
    text
}

#[tokio::test]
async fn an_erased_ticket_is_gone_from_everything_that_showed_it() {
    let (desk, first, second) = desk_with_marker().await;
    assert!(all_that_can_be_read(&desk).await.contains(MARKER));
    let erased = desk.delete(&ticket_path(&first)).await.ok();
    assert_eq!(erased, json!({"tickets": 1, "threads": 0}));

    assert_eq!(desk.get(&ticket_path(&first)).await.problem(), (404, "not_found".to_owned()));
    let own = format!("/v1/suggestions/{}", first["id"].as_str().unwrap());
    assert_eq!(desk.get(&own).await.status, 404);
    let left = all_that_can_be_read(&desk).await;
    assert!(!left.contains(MARKER), "{left}");
    let other = desk.get(&format!("/v1/suggestions/{}", second["id"].as_str().unwrap())).await.ok();
    assert_eq!(other["draft"], json!(null));
    assert_eq!(other["decision"].get("reply"), None, "it was the draft, word for word");
    assert_eq!(other["decision"]["category"], "Kitchen", "the decision itself stays");
    let similar = other["similar"].as_array().unwrap();
    assert!(similar.iter().all(|s| s["ticket_id"] != first["ticket_id"]));
    assert_eq!(desk.delete(&ticket_path(&first)).await.status, 404, "it is erased once");
}

#[tokio::test]
async fn a_stored_answer_that_showed_an_erased_ticket_says_that_it_is_gone() {
    let (desk, first, _) = desk_with_marker().await;
    let other = json!({"subject": "coffee machine is broken", "requester": "Cleo"});
    let batch = json!({"tickets": [other]});
    let erase =
        async || desk.ask("DELETE", &ticket_path(&first), &with_key("erase"), &Value::Null).await;
    let erased = erase().await;
    for (path, key, body) in
        [("/v1/triage", "second", &other), ("/v1/triage/batch", "batch", &batch)]
    {
        let replay = desk.ask("POST", path, &with_key(key), body).await;
        assert_eq!(replay.problem(), (410, "erased".to_owned()), "{path}");
        assert_eq!(replay.header("idempotency-replayed"), "true");
        assert_eq!((replay.header("etag"), replay.header("location")), ("", ""));
    }
    let again = erase().await;
    assert_eq!((again.status, &again.bytes), (200, &erased.bytes), "and this one is repeated");
}

#[tokio::test]
async fn not_a_byte_of_an_erased_ticket_stays_on_disk() {
    let (desk, first, _) = desk_with_marker().await;
    assert!(!desk.files_with(MARKER).is_empty(), "it was there");
    desk.delete(&ticket_path(&first)).await.ok();
    assert_eq!(desk.files_with(MARKER), Vec::<String>::new());
}

#[tokio::test]
async fn an_erased_person_is_gone_with_their_words_in_other_peoples_threads() {
    let (desk, first, _) = desk_with_marker().await;
    let messages = json!([
        {"author": "Ann", "text": format!("me too, the {MARKER}")},
        {"author": "Ann_", "text": "somebody else"},
        {"author": "ann", "text": "somebody else again"},
        {"author": "Cleo", "text": "so what"},
    ]);
    let thread = json!({"subject": "lift", "requester": "Cleo", "messages": messages});
    let thread = desk.triage(thread).await;
    desk.resolve(&thread, "Called the firm.").await.ok();
    desk.triage(json!({"subject": "not hers", "requester": "Ann%"})).await;
    let score = async |desk: &Desk| {
        let search = json!({"subject": format!("me too, the {MARKER}"), "limit": 100});
        let found = desk.post_to("/v1/similar", &search).await.ok();
        let found = found["similar"].as_array().unwrap().clone();
        found.iter().find(|s| s["ticket_id"] == thread["ticket_id"]).unwrap()["score"].clone()
    };
    let before = score(&desk).await;

    let erased = desk.delete("/v1/requesters/Ann").await.ok();
    assert_eq!(erased, json!({"tickets": 1, "threads": 1}));
    assert_eq!(desk.get(&ticket_path(&first)).await.status, 404);
    let left = desk.get(&ticket_path(&thread)).await.ok();
    assert_eq!(left["messages"], json!(messages.as_array().unwrap()[1..]));
    assert!(score(&desk).await.as_f64() < before.as_f64(), "its vector no longer knows them");
    assert!(!all_that_can_be_read(&desk).await.contains(MARKER));
    assert_eq!(desk.files_with(MARKER), Vec::<String>::new());
    let again = desk.delete("/v1/requesters/Ann").await.problem();
    assert_eq!(again, (404, "not_found".to_owned()));
    assert_eq!(desk.delete("/v1/requesters/Ann%25").await.ok()["tickets"], 1);
}

#[tokio::test]
async fn the_name_of_an_erased_person_stays_nowhere_not_even_in_the_request_for_it() {
    let desk = Desk::new().await;
    desk.triage(json!({"subject": "lift", "requester": "Quagmirefinch"})).await;
    assert!(!desk.files_with("Quagmirefinch").is_empty());
    let path = "/v1/requesters/Quagmirefinch";
    let erased = desk.ask("DELETE", path, &with_key("k"), &Value::Null).await;
    assert_eq!(erased.ok(), json!({"tickets": 1, "threads": 0}));
    assert_eq!(desk.files_with("Quagmirefinch"), Vec::<String>::new());
    let again = desk.ask("DELETE", path, &with_key("k"), &Value::Null).await;
    assert_eq!((again.status, again.bytes), (200, erased.bytes), "a retry still finds its answer");
}

#[tokio::test]
async fn a_stored_answer_does_not_keep_an_erased_persons_message() {
    let desk = Desk::new().await;
    let messages = json!([{"author": "Ann", "text": format!("the {MARKER}")}]);
    let thread = json!({"subject": "lift", "requester": "Cleo", "messages": messages});
    let thread = desk.triage(thread).await;
    let path = format!("{}/resolution", ticket_path(&thread));
    let body = json!({"resolution": "Called the firm."});
    desk.ask("POST", &path, &with_key("k"), &body).await.ok();
    desk.delete("/v1/requesters/Ann").await.ok();
    let replay = desk.ask("POST", &path, &with_key("k"), &body).await;
    assert!(!replay.text().contains(MARKER), "{}", replay.text());
    assert_eq!(desk.files_with(MARKER), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_erased_while_an_answer_is_being_made_does_not_come_back_with_it() {
    let gate = Arc::new(Gate::new());
    let setup = Setup { gate: Some(Arc::clone(&gate)), ..Setup::default() };
    let desk = Desk::set_up(setup).await;
    desk.import(&small_history()).await;
    let marked = desk.triage(json!({"subject": format!("VPN {MARKER} drops")})).await;
    desk.decide(&marked, &json!({"action": "approve"})).await.ok();
    desk.resolve(&marked, &format!("Installed the {MARKER}.")).await.ok();
    let ask = json!({"subject": format!("VPN {MARKER} drops again")});
    assert!(desk.triage(ask.clone()).await.to_string().contains(MARKER));
    let thread = desk.triage(ask.clone()).await;
    let messages = format!("{}/messages", ticket_path(&thread));
    let message = json!({"text": "and again"});

    gate.forget_searches();
    let held = gate.hold().await;
    let erase = async {
        gate.searched().await;
        gate.searched().await;
        desk.delete(&ticket_path(&marked)).await.ok();
        drop(held);
    };
    let (answer, second, ()) =
        tokio::join!(desk.triage(ask), desk.post_to(&messages, &message), erase);
    for answer in [answer, second.ok()] {
        assert!(!answer.to_string().contains(MARKER), "{answer}");
        assert_eq!(answer["draft"], json!(null), "{answer}");
        let path = format!("/v1/suggestions/{}", answer["id"].as_str().unwrap());
        let stored = desk.get(&path).await.ok();
        assert_eq!(stored["similar"], answer["similar"]);
    }
}

#[tokio::test]
async fn an_article_that_is_erased_while_an_answer_is_being_made_is_not_quoted_by_it() {
    let gate = Arc::new(Gate::new());
    let setup = Setup { gate: Some(Arc::clone(&gate)), ..Setup::default() };
    let desk = Desk::set_up(setup).await;
    let article = json!({ "articles": [{
        "id": "KB-1", "title": "VPN drops every few minutes", "category": "VPN", "language": "en",
        "text": format!("Turn off the {MARKER} of the network adapter when the VPN drops."),
        "updated_at": "2025-12-01T00:00:00Z",
    }] });
    desk.post_to("/v1/articles", &article).await.ok();
    let ask = json!({"subject": "VPN drops every few minutes"});
    assert!(desk.triage(ask.clone()).await.to_string().contains(MARKER));

    gate.forget_searches();
    let held = gate.hold().await;
    let erase = async {
        gate.searched().await;
        desk.delete("/v1/articles/KB-1").await.ok();
        drop(held);
    };
    let (answer, ()) = tokio::join!(desk.triage(ask), erase);
    assert_eq!(answer["draft"], json!(null), "{answer}");
    assert!(desk.files_with(MARKER).is_empty());
}

#[tokio::test]
async fn the_audit_trail_says_who_did_what_and_quotes_nobody() {
    let (desk, first, _) = desk_with_marker().await;
    let key = desk.key("main", Scope::Admin).await;
    let as_admin = [("authorization", key.as_str())];
    desk.ask("DELETE", "/v1/requesters/Cleo", &as_admin, &Value::Null).await.ok();
    desk.ask("DELETE", &ticket_path(&first), &as_admin, &Value::Null).await.ok();
    let trail = desk.rows("SELECT actor || ' ' || action FROM audit ORDER BY seq").await;
    assert_eq!(
        trail,
        [
            "anyone taxonomy.put",
            "anyone suggestion.reroute",
            "anyone ticket.resolve",
            "anyone suggestion.approve",
            "main admin erase",
            "main admin erase",
        ]
    );
    let all = desk.rows("SELECT subject || ' ' || detail FROM audit").await.join("\n");
    for words in [MARKER, "coffee", "Ann", "Cleo", "Descaled"] {
        assert!(!all.contains(words), "{words} in {all}");
    }
    assert!(all.contains(first["ticket_id"].as_str().unwrap()), "{all}");
}

#[tokio::test]
async fn retention_erases_exactly_what_is_older() {
    let desk = Desk::new().await;
    let day = SignedDuration::from_hours(24);
    let ask = |subject: &str, created: Value| json!({"subject": subject, "created_at": created});
    let late = desk.triage(ask("asked long ago", json!("2020-01-01T00:00:00Z"))).await;
    let old = desk.triage(ask("came in first", Value::Null)).await;
    let resolved = desk.triage(ask("came in first, solved later", Value::Null)).await;
    desk.clock.advance(SignedDuration::from_micros(1));
    let edge = desk.triage(ask("came in a moment later", Value::Null)).await;
    desk.clock.advance(day * 10);
    desk.resolve(&resolved, "Solved.").await.ok();
    desk.clock.advance(day * 20);
    // 30 days and a microsecond after the first, 30 days to the microsecond after the second.

    desk.triage.tidy().await.unwrap();
    assert_eq!(desk.get(&ticket_path(&late)).await.status, 200, "by default nothing is erased");
    let settings = WorkspaceSettings { retention_days: Some(30), ..WorkspaceSettings::default() };
    let store = desk.triage.store();
    store
        .save_settings(&desk.workspace, &settings, "2026-01-01T00:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let other = WorkspaceId::try_from("hr".to_owned()).unwrap();
    let key = desk.key("hr", Scope::Admin).await;
    let body = ask("another desk's", json!("2020-01-01T00:00:00Z"));
    let kept = desk.ask("POST", "/v1/triage", &[("authorization", &key)], &body).await.ok();
    desk.triage.tidy().await.unwrap();

    let key = desk.key("main", Scope::Admin).await;
    for (ticket, status) in [(&late, 404), (&old, 404), (&resolved, 200), (&edge, 200)] {
        let path = ticket_path(ticket);
        let found = desk.ask("GET", &path, &[("authorization", &key)], &Value::Null).await;
        assert_eq!(found.status, status, "{ticket}");
    }
    let id = kept["ticket_id"].as_str().unwrap().parse().unwrap();
    assert!(store.ticket(&other, id).await.unwrap().is_some());
    let trail = desk.rows("SELECT actor || ' ' || detail FROM audit WHERE action = 'erase'").await;
    assert_eq!(trail, [r#"retention {"threads":0,"tickets":2}"#]);
    desk.clock.advance(SignedDuration::from_micros(1));
    assert_eq!(desk.triage.enforce_retention(&desk.workspace).await.unwrap(), 1);
}
