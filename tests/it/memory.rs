//! Decisions as memory: the very next answer knows them, and forgets them again when asked to.

use serde_json::{Value, json};

use crate::support::{Desk, resolved, small_history};

/// All that an answer says about labels and neighbours.
fn answer(suggestion: &Value) -> Value {
    json!([
        suggestion["category"],
        suggestion["team"],
        suggestion["priority"],
        suggestion["similar"],
        suggestion["draft"],
    ])
}

/// A desk that knows the label Kitchen but no such ticket.
async fn desk() -> Desk {
    let desk = Desk::with(&small_history()).await;
    desk.add_category("Kitchen", "Facilities").await;
    desk
}

fn coffee(n: u32) -> Value {
    let subjects = [
        "the coffee machine in the kitchen is broken",
        "coffee machine in the kitchen does not work",
        "our kitchen's coffee machine makes no coffee",
    ];
    json!({"subject": subjects[n as usize % 3]})
}

#[tokio::test]
async fn a_ticket_that_was_decided_before_it_said_anything_is_remembered_once_it_does() {
    let desk = desk().await;
    let source = json!({"system": "s", "id": "1"});
    let blank = desk.triage(json!({"body": "<p>&nbsp;</p>", "source": source})).await;
    assert_eq!(blank["category"]["reason"], "empty", "{blank}");
    desk.decide(&blank, &json!({"action": "reroute", "category": "Printing"})).await.ok();
    let mut told = coffee(0);
    told["source"] = source;
    let told = desk.triage(told).await;
    assert_eq!(told["ticket_id"], blank["ticket_id"]);
    let next = desk.triage(coffee(0)).await;
    assert_eq!(next["similar"][0]["ticket_id"], blank["ticket_id"], "{next}");
    assert_eq!(next["category"]["label"], "Printing");
}

#[tokio::test]
async fn one_correction_is_known_to_the_very_next_answer_and_its_undo_too() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    assert_eq!(first["category"]["decision"], "abstain", "{}", first["category"]);
    let before = desk.triage(coffee(1)).await;
    assert_ne!(before["category"]["label"], "Kitchen");

    desk.decide(&first, &json!({"action": "reroute", "category": "Kitchen"})).await.ok();
    let after = desk.triage(coffee(1)).await;
    assert_eq!(after["category"]["label"], "Kitchen", "{}", after["category"]);
    assert_eq!(after["team"]["label"], "Facilities", "a category brings its team");
    assert_ne!(after["category"]["decision"], "abstain");
    assert_eq!(after["similar"][0]["ticket_id"], first["ticket_id"]);

    desk.decide(&first, &json!({"action": "undo"})).await.ok();
    let undone = desk.triage(coffee(1)).await;
    assert_eq!(answer(&undone), answer(&before), "labels and probabilities as before");
}

#[tokio::test]
async fn an_approval_and_an_edit_are_remembered_like_a_correction() {
    for decision in [json!({"action": "approve"}), json!({"action": "edit", "reply": "Soon."})] {
        let desk = desk().await;
        let ask = json!({"subject": "VPN is slow in the new building"});
        let before = desk.triage(ask.clone()).await;
        let p = |s: &Value| s["category"]["probability"].as_f64().unwrap();
        desk.decide(&before, &decision).await.ok();
        let after = desk.triage(ask.clone()).await;
        assert_eq!(after["category"]["label"], before["category"]["label"]);
        assert!(p(&after) > p(&before), "{decision}: {} is not over {}", p(&after), p(&before));
        desk.decide(&before, &json!({"action": "undo"})).await.ok();
        assert_eq!(answer(&desk.triage(ask).await), answer(&before));
    }
}

#[tokio::test]
async fn a_rejection_teaches_nothing() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    let before = desk.triage(coffee(1)).await;
    desk.decide(&first, &json!({"action": "reject"})).await.ok();
    assert_eq!(answer(&desk.triage(coffee(1)).await), answer(&before));
    desk.decide(&first, &json!({"action": "undo"})).await.ok();
    assert_eq!(answer(&desk.triage(coffee(1)).await), answer(&before));
}

#[tokio::test]
async fn a_resolution_is_quoted_from_now_on_and_no_longer_once_it_is_taken_back() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    desk.decide(&first, &json!({"action": "reroute", "category": "Kitchen"})).await.ok();
    let decided = desk.triage(coffee(1)).await;
    assert_eq!(decided["draft_reason"], "no_resolution_text");

    let path = format!("/v1/tickets/{}/resolution", first["ticket_id"].as_str().unwrap());
    let ticket = desk.resolve(&first, "Descaled it with citric acid.").await.ok();
    assert_eq!(ticket["resolution"], "Descaled it with citric acid.");
    assert_eq!(ticket["resolved_at"], "2026-01-02T03:04:05Z");
    assert_eq!(ticket["category"], "Kitchen", "what is left out stays");
    let quoted = desk.triage(coffee(1)).await;
    assert_eq!(quoted["similar"][0]["resolution"], "Descaled it with citric acid.");
    assert!(quoted["draft"]["text"].as_str().unwrap().contains("citric acid"));

    let reopened = desk.delete(&path).await.ok();
    for field in ["resolution", "resolved_at", "handling_minutes"] {
        assert_eq!(reopened[field], json!(null), "{field}");
    }
    assert_eq!(reopened["category"], "Kitchen");
    assert_eq!(answer(&desk.triage(coffee(1)).await), answer(&decided));
    let twice = desk.delete(&path).await.problem();
    assert_eq!(twice, (409, "nothing_to_undo".to_owned()));
}

#[tokio::test]
async fn of_two_resolutions_the_earlier_one_comes_back() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    desk.resolve(&first, "Descaled it.").await.ok();
    desk.resolve(&first, "Bought a new one.").await.ok();
    let path = format!("/v1/tickets/{}/resolution", first["ticket_id"].as_str().unwrap());
    assert_eq!(desk.delete(&path).await.ok()["resolution"], "Descaled it.");
    let asked = desk.triage(coffee(1)).await;
    assert_eq!(asked["similar"][0]["resolution"], "Descaled it.");
    assert_eq!(desk.delete(&path).await.ok()["resolution"], json!(null));
    let blank = json!({"resolution": " \u{0}\n"});
    assert_eq!(desk.post_to(&path, &blank).await.problem().1, "invalid_field");
}

#[tokio::test]
async fn an_undo_leaves_what_others_have_changed_since() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    desk.decide(&first, &json!({"action": "reroute", "category": "Kitchen"})).await.ok();
    let path = format!("/v1/tickets/{}/resolution", first["ticket_id"].as_str().unwrap());
    let resolution = json!({"resolution": "Descaled it.", "team": "Printing team"});
    desk.post_to(&path, &resolution).await.ok();
    desk.decide(&first, &json!({"action": "undo"})).await.ok();
    let ticket = desk.get(&format!("/v1/tickets/{}", first["ticket_id"].as_str().unwrap())).await;
    let ticket = ticket.ok();
    assert_eq!(ticket["category"], json!(null), "this the decision had changed");
    assert_eq!(ticket["resolution"], "Descaled it.");
    assert_eq!(ticket["team"], "Printing team");
    assert_eq!(desk.triage(coffee(1)).await["similar"][0]["resolution"], "Descaled it.");
}

#[tokio::test]
async fn once_all_is_taken_back_in_whatever_order_search_finds_nothing() {
    let desk = desk().await;
    let before = desk.triage(coffee(1)).await;
    let first = desk.triage(coffee(0)).await;
    desk.decide(&first, &json!({"action": "reroute", "category": "Kitchen"})).await.ok();
    desk.resolve(&first, "Descaled it.").await.ok();
    desk.decide(&first, &json!({"action": "undo"})).await.ok();
    let path = format!("/v1/tickets/{}/resolution", first["ticket_id"].as_str().unwrap());
    desk.delete(&path).await.ok();
    assert_eq!(answer(&desk.triage(coffee(1)).await), answer(&before));
}

#[tokio::test]
async fn taking_back_what_was_decided_about_an_imported_ticket_leaves_it_as_it_came() {
    let desk = desk().await;
    desk.import(&[resolved("T-50", "the lift is stuck", "Printing", "Called the firm.")]).await;
    let ask = json!({"subject": "lift stuck on the third floor"});
    let before = desk.triage(ask.clone()).await;
    let source = json!({"system": "test", "id": "T-50"});
    let known = desk.triage(json!({"subject": "the lift is stuck", "source": source})).await;
    desk.decide(&known, &json!({"action": "reroute", "category": "Kitchen"})).await.ok();
    assert_eq!(desk.triage(ask.clone()).await["category"]["label"], "Kitchen");
    desk.decide(&known, &json!({"action": "undo"})).await.ok();
    assert_eq!(answer(&desk.triage(ask).await), answer(&before));
}

#[tokio::test]
async fn a_message_takes_the_open_suggestions_place_and_changes_the_answer() {
    let desk = desk().await;
    let first = desk.triage(json!({"subject": "it does not work any more"})).await;
    let path = format!("/v1/tickets/{}/messages", first["ticket_id"].as_str().unwrap());
    let message = json!({"author": "Ann", "text": "the printer on the second floor jams, I mean"});
    let reply = desk.post_to(&path, &message).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    let second = reply.ok();
    assert_eq!(
        reply.header("location"),
        format!("/v1/suggestions/{}", second["id"].as_str().unwrap())
    );
    assert_eq!(second["ticket_id"], first["ticket_id"]);
    assert_eq!(second["category"]["label"], "Printing");
    let p = |s: &Value| s["category"]["probability"].as_f64().unwrap();
    assert!(p(&second) > p(&first));
    let status = async |s: &Value| {
        let path = format!("/v1/suggestions/{}", s["id"].as_str().unwrap());
        desk.get(&path).await.ok()["status"].clone()
    };
    assert_eq!(status(&first).await, "superseded");
    assert_eq!(status(&second).await, "open");
    let ticket = format!("/v1/tickets/{}", first["ticket_id"].as_str().unwrap());
    assert_eq!(desk.get(&ticket).await.ok()["messages"], json!([message]));
}

#[tokio::test]
async fn two_messages_at_once_are_both_kept() {
    let desk = desk().await;
    let first = desk.triage(coffee(0)).await;
    let path = format!("/v1/tickets/{}/messages", first["ticket_id"].as_str().unwrap());
    let (one, two) = (json!({"text": "one"}), json!({"text": "two"}));
    let (a, b) = tokio::join!(desk.post_to(&path, &one), desk.post_to(&path, &two));
    assert_eq!((a.status, b.status), (200, 200));
    let ticket = desk.get(&format!("/v1/tickets/{}", first["ticket_id"].as_str().unwrap())).await;
    assert_eq!(ticket.ok()["messages"].as_array().unwrap().len(), 2);
    let open = desk.get("/v1/suggestions?status=open").await.ok();
    assert_eq!(open["suggestions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_personal_in_a_ticket_reaches_another_one() {
    let desk = desk().await;
    let secrets = ["mary.poppins@example.com", "+44 20 7946 0958", "hunter2-Sesame!"];
    let [email, phone, password] = secrets;
    let first = desk
        .triage(json!({
            "subject": format!("coffee machine broken, write to {email}"),
            "body": format!("Call me at {phone}. My password is {password}"),
            "requester": email,
        }))
        .await;
    let reroute = json!({"action": "reroute", "category": "Kitchen"});
    desk.decide(&first, &reroute).await.ok();
    let fix = format!("Wrote to {email}, rang {phone}. Password: {password}. Descaled it.");
    let ticket = desk.resolve(&first, &fix).await.ok();
    assert_eq!(ticket["resolution"], fix, "the ticket itself is kept as it was written");

    let next = desk.triage(json!({"subject": "coffee machine broken again"})).await;
    assert_eq!(next["similar"][0]["ticket_id"], first["ticket_id"]);
    let shown = next.to_string();
    assert!(next["draft"].is_object(), "{shown}");
    let search = json!({"subject": "coffee machine"});
    let search = desk.post_to("/v1/similar", &search).await.ok().to_string();
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
        assert!(!search.contains(secret), "{secret} in {search}");
    }
    let subject = next["similar"][0]["subject"].as_str().unwrap();
    assert!(subject.starts_with("coffee machine broken, write to"), "{subject}");
    assert_ne!(subject, format!("coffee machine broken, write to {email}"));
    let resolution = next["similar"][0]["resolution"].as_str().unwrap();
    for placeholder in ["[email]", "[phone]", "[password]"] {
        assert!(resolution.contains(placeholder), "{resolution}");
    }
    assert!(next["draft"]["text"].as_str().unwrap().contains("Descaled it."));
}
