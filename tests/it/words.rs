//! What a ticket's words add to its vector, from the request to the index.

use std::time::Duration;

use deskhand::domain::{ExternalRef, TicketId};
use deskhand::store::EntryRow;
use deskhand::text::Terms;
use serde_json::{Value, json};

use crate::support::{Desk, NoProgress, inference, resolved};

/// What no encoder tells from its like.
const CODE: &str = "0x8004011d";

/// Tickets in nearly the same words, one of which names the code.
async fn desk() -> Desk {
    let codes = ["0x80040154", "0x80070005", "0x800ccc0e", CODE, "0x80040119", "0x8004010f"];
    let mut tickets = Vec::new();
    for (n, code) in codes.iter().enumerate() {
        let subject = format!("Outlook shows error {code} when sending");
        tickets.push(resolved(&format!("T-{n}"), &subject, "Mail", "Made the profile anew."));
    }
    tickets.push(resolved("T-9", "printer jams", "Printing", "Replaced the fuser."));
    Desk::with(&tickets).await
}

async fn similar(desk: &Desk, text: &str) -> Value {
    desk.post_to("/v1/similar", &json!({ "subject": text })).await.ok()
}

fn names_the_code(found: &Value) -> bool {
    found["similar"][0]["subject"].as_str().unwrap().contains(CODE)
}

async fn entry(desk: &Desk, id: TicketId) -> EntryRow {
    let found = desk.triage.store().entry(&desk.workspace, desk.triage.encoder(), id).await;
    found.unwrap().unwrap().1
}

async fn known(desk: &Desk, id: &str) -> TicketId {
    let source = ExternalRef { system: "test".to_owned(), id: id.to_owned(), url: None };
    desk.triage.store().find(&desk.workspace, &source).await.unwrap().unwrap().id
}

#[tokio::test]
async fn a_shared_error_code_comes_first_and_scores_stay_cosines() {
    let desk = desk().await;
    let asked = format!("sending fails in Outlook, it says {CODE}");
    let found = similar(&desk, &asked).await;
    assert_eq!(found["ranking"], "vector_and_words");
    assert!(names_the_code(&found), "{found}");
    let suggestion = desk.triage(json!({ "subject": asked })).await;
    assert!(names_the_code(&suggestion), "{suggestion}");
    assert_eq!(suggestion["similar"].as_array().unwrap().len(), 5);
    assert_eq!(suggestion["similar"][0]["score"], found["similar"][0]["score"]);
    assert_eq!(suggestion["category"]["label"], "Mail");
}

#[tokio::test]
async fn a_decision_brings_its_words_and_erasing_takes_them() {
    let desk = desk().await;
    let made = desk.triage(json!({"subject": "error zx81 in Outlook when sending"})).await;
    let ask = "Outlook error zx81";
    assert_ne!(similar(&desk, ask).await["similar"][0]["ticket_id"], made["ticket_id"]);
    desk.decide(&made, &json!({"action": "approve"})).await.ok();
    assert_eq!(similar(&desk, ask).await["similar"][0]["ticket_id"], made["ticket_id"]);
    let id: TicketId = made["ticket_id"].as_str().unwrap().parse().unwrap();
    let terms = Terms::of("error zx81 in Outlook when sending");
    assert_eq!(entry(&desk, id).await.terms, Some(terms));
    desk.delete(&format!("/v1/tickets/{id}")).await.ok();
    assert_eq!(entry(&desk, id).await, EntryRow::default(), "a tombstone has no words");
    assert_ne!(similar(&desk, ask).await["similar"][0]["ticket_id"], made["ticket_id"]);
}

#[tokio::test]
async fn what_is_redacted_is_no_term() {
    let desk = desk().await;
    let made = desk.triage(json!({"subject": "Outlook", "body": "write to jo@b.example"})).await;
    let id: TicketId = made["ticket_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(entry(&desk, id).await.terms, Some(Terms::of("Outlook write to [email]")));
}

#[tokio::test]
async fn a_new_message_is_words_too() {
    let desk = desk().await;
    let made = desk.triage(json!({"subject": "Outlook"})).await;
    let id: TicketId = made["ticket_id"].as_str().unwrap().parse().unwrap();
    let messages = format!("/v1/tickets/{id}/messages");
    desk.post_to(&messages, &json!({"text": "says zx81"})).await.ok();
    assert_eq!(entry(&desk, id).await.terms, Some(Terms::of("Outlook says zx81")));
}

#[tokio::test]
async fn entries_from_before_there_were_words_are_found_and_filled_by_reindexing() {
    let desk = desk().await;
    let asked = format!("sending fails, it says {CODE}");
    let id = known(&desk, "T-3").await;
    let whole = entry(&desk, id).await;
    let mut tx = desk.triage.store().begin(&desk.workspace).await.unwrap();
    let bare = EntryRow { terms: None, ..whole.clone() };
    tx.put_entry(desk.triage.encoder(), id, &bare).await.unwrap();
    tx.commit().await.unwrap();
    let found = similar(&desk, &asked).await;
    assert!(found.to_string().contains(CODE), "by its vector");

    let report = desk.triage.reindex(&desk.workspace, &NoProgress).await.unwrap();
    assert_eq!(report.embedded, 0, "words need no encoder");
    assert_eq!(entry(&desk, id).await, whole);
    assert!(names_the_code(&similar(&desk, &asked).await));
    let (seq, _) = desk
        .triage
        .store()
        .entry(&desk.workspace, desk.triage.encoder(), id)
        .await
        .unwrap()
        .unwrap();
    let report = desk.triage.reindex(&desk.workspace, &NoProgress).await.unwrap();
    assert_eq!(report.embedded, 0);
    let again = desk.triage.store().entry(&desk.workspace, desk.triage.encoder(), id).await;
    assert_eq!(again.unwrap().unwrap().0, seq, "a second time there is nothing to do");
}

#[tokio::test]
async fn entries_of_what_a_ticket_said_before_are_made_anew_by_reindexing() {
    let desk = desk().await;
    let id = known(&desk, "T-3").await;
    let whole = entry(&desk, id).await;
    let older = [
        EntryRow { terms: Some(Terms::of("what it said before")), ..whole.clone() },
        EntryRow { listed: false, ..whole.clone() },
        EntryRow { resolution: Some("another".to_owned()), ..whole.clone() },
    ];
    for older in older {
        let mut tx = desk.triage.store().begin(&desk.workspace).await.unwrap();
        tx.put_entry(desk.triage.encoder(), id, &older).await.unwrap();
        tx.commit().await.unwrap();
        let report = desk.triage.reindex(&desk.workspace, &NoProgress).await.unwrap();
        assert_eq!(report.embedded, 1);
        assert_eq!(entry(&desk, id).await, whole);
    }
}

#[tokio::test]
async fn what_is_erased_while_it_is_read_again_stays_erased() {
    let desk = Desk::new().await;
    for pause in [0, 1, 2, 4, 8, 16, 32, 64] {
        let name = format!("T-{pause}");
        // Long enough to be at the encoder for a while, and known to nothing that remembers.
        let text = format!("{name} {}", "the printer on the second floor jams again, ".repeat(25));
        desk.import(&[resolved(&name, &text, "Printing", "Replaced the fuser.")]).await;
        let id = known(&desk, &name).await;
        let stale = EntryRow { terms: Some(Terms::of("before")), ..entry(&desk, id).await };
        let mut tx = desk.triage.store().begin(&desk.workspace).await.unwrap();
        tx.put_entry(desk.triage.encoder(), id, &stale).await.unwrap();
        tx.commit().await.unwrap();
        // The imported text's own vector is remembered otherwise.
        inference().forget();
        let erase = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            desk.delete(&format!("/v1/tickets/{id}")).await.ok();
        };
        let (report, ()) = tokio::join!(desk.triage.reindex(&desk.workspace, &NoProgress), erase);
        report.unwrap();
        assert_eq!(entry(&desk, id).await, EntryRow::default(), "erased after {pause} ms");
    }
}
