//! Deciding about suggestions: who may do what when, and what it says afterwards.

use serde_json::{Value, json};

use crate::support::{Desk, small_history};

/// A desk with history, and a suggestion that has a draft.
async fn desk_and_suggestion() -> (Desk, Value) {
    let desk = Desk::with(&small_history()).await;
    let ticket = json!({"subject": "VPN drops every few minutes", "requester": "Ann"});
    let suggestion = desk.triage(ticket).await;
    assert!(suggestion["draft"].is_object(), "{suggestion}");
    (desk, suggestion)
}

fn path(suggestion: &Value) -> String {
    format!("/v1/suggestions/{}", suggestion["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_approved_suggestion_says_who_decided_what() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let open = desk.get(&path(&suggestion)).await;
    assert_eq!(open.header("etag"), "\"1\"");
    let open = open.ok();
    assert_eq!((&open["status"], &open["version"]), (&json!("open"), &json!(1)));
    assert_eq!(open["decision"], json!(null));
    assert_eq!(open["ticket"]["requester"], "Ann");

    let approved = desk.decide(&suggestion, &json!({"action": "approve"})).await;
    assert_eq!(approved.header("etag"), "\"2\"");
    let approved = approved.ok();
    assert_eq!((&approved["status"], &approved["version"]), (&json!("approved"), &json!(2)));
    let decision = &approved["decision"];
    assert_eq!(decision["action"], "approve");
    assert_eq!(decision["by"], "anyone");
    assert_eq!(decision["at"], "2026-01-02T03:04:05Z");
    assert_eq!(decision["reply"], suggestion["draft"]["text"]);
    for field in ["category", "team", "priority"] {
        assert_eq!(decision[field], suggestion[field]["label"], "{field}");
    }
    assert_eq!(desk.get(&path(&suggestion)).await.ok(), approved, "it is what is stored");
    let ticket = format!("/v1/tickets/{}", suggestion["ticket_id"].as_str().unwrap());
    let ticket = desk.get(&ticket).await.ok();
    assert_eq!(ticket["category"], suggestion["category"]["label"]);
    assert_eq!(ticket["resolution"], json!(null), "a reply is not how it was solved");
}

#[tokio::test]
async fn every_verdict_has_its_status_and_undo_opens_it_again() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let rerouted = json!({"category": "Printing", "team": "Printing team", "priority": "normal"});
    let suggested = json!({"category": "VPN", "team": "VPN team", "priority": "normal"});
    let relabelled = json!({"category": "VPN", "team": "Printing team", "priority": "normal"});
    let cases = [
        (json!({"action": "approve"}), "approved", suggested.clone()),
        (json!({"action": "edit", "reply": "Please wait."}), "edited", suggested),
        (json!({"action": "edit", "team": "Printing team"}), "edited", relabelled),
        (json!({"action": "reroute", "category": "Printing"}), "rerouted", rerouted),
        (json!({"action": "reject"}), "rejected", json!({})),
    ];
    let mut version = 1;
    for (decision, status, labels) in cases {
        let decided = desk.decide(&suggestion, &decision).await.ok();
        version += 1;
        assert_eq!(decided["status"], status);
        assert_eq!(decided["version"], version, "{decision}");
        assert_eq!(decided["decision"]["action"], decision["action"]);
        for field in ["category", "team", "priority"] {
            assert_eq!(decided["decision"].get(field), labels.get(field), "{decision} {field}");
        }
        let undone = desk.decide(&suggestion, &json!({"action": "undo"})).await.ok();
        version += 1;
        assert_eq!((&undone["status"], &undone["decision"]), (&json!("open"), &json!(null)));
        assert_eq!(undone["version"], version);
        assert_eq!(undone["category"], suggestion["category"], "what was suggested stays");
    }
}

#[tokio::test]
async fn an_edited_reply_takes_the_place_of_the_draft_and_a_rejected_one_is_none() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let edit = json!({"action": "edit", "reply": "Please\u{0} wait."});
    let edited = desk.decide(&suggestion, &edit).await.ok();
    assert_eq!(edited["decision"]["reply"], "Please wait.");
    desk.decide(&suggestion, &json!({"action": "undo"})).await.ok();
    let reroute = json!({"action": "reroute", "team": "Printing team"});
    let rerouted = desk.decide(&suggestion, &reroute).await.ok();
    assert_eq!(rerouted["decision"].get("reply"), None, "the draft was for something else");
    desk.decide(&suggestion, &json!({"action": "undo"})).await.ok();
    let rejected = desk.decide(&suggestion, &json!({"action": "reject"})).await.ok();
    assert_eq!(rejected["decision"].get("reply"), None);
    let long = json!({"action": "edit", "reply": "x".repeat(65_537)});
    let (status, code) = desk.decide(&suggestion, &long).await.problem();
    assert_eq!((status, code.as_str()), (422, "invalid_field"));
}

#[tokio::test]
async fn a_decision_that_is_based_on_an_older_version_is_refused() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let decision = format!("{}/decision", path(&suggestion));
    let with = async |version: &str, action: &str| {
        let body = json!({ "action": action });
        desk.ask("POST", &decision, &[("if-match", version)], &body).await
    };
    let code = |reply: crate::support::Reply| reply.problem();
    for stale in ["\"2\"", "\"0\"", "1", "W/\"1\"", "\"x\"", ""] {
        let (status, code) = code(with(stale, "approve").await);
        assert_eq!((status, code.as_str()), (412, "precondition_failed"), "{stale}");
    }
    assert_eq!(with("\"1\"", "approve").await.ok()["version"], 2);
    assert_eq!(code(with("\"1\"", "undo").await).0, 412);
    assert_eq!(with("\"2\"", "undo").await.ok()["version"], 3);
    assert_eq!(with("*", "reject").await.ok()["version"], 4);
}

#[tokio::test]
async fn a_caller_who_has_the_newest_version_is_spared_the_body() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let ask = async |etag: &str| {
        desk.ask("GET", &path(&suggestion), &[("if-none-match", etag)], &Value::Null).await
    };
    let same = ask("\"1\"").await;
    assert_eq!((same.status, same.header("etag"), same.bytes.len()), (304, "\"1\"", 0));
    desk.decide(&suggestion, &json!({"action": "approve"})).await.ok();
    assert_eq!(ask("\"1\"").await.ok()["version"], 2);
}

#[tokio::test]
async fn what_was_decided_superseded_or_never_decided_says_so() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let (approve, undo) = (json!({"action": "approve"}), json!({"action": "undo"}));
    let expect = async |suggestion: &Value, decision: &Value, code: &str| {
        let (status, found) = desk.decide(suggestion, decision).await.problem();
        assert_eq!((status, found.as_str()), (409, code), "{decision}");
    };
    expect(&suggestion, &undo, "nothing_to_undo").await;
    desk.decide(&suggestion, &approve).await.ok();
    expect(&suggestion, &approve, "already_decided").await;
    expect(&suggestion, &json!({"action": "reject"}), "already_decided").await;
    desk.decide(&suggestion, &undo).await.ok();
    expect(&suggestion, &undo, "nothing_to_undo").await;

    let again = json!({"subject": "VPN", "source": {"system": "s", "id": "1"}});
    let first = desk.triage(again.clone()).await;
    desk.triage(again).await;
    assert_eq!(desk.get(&path(&first)).await.ok()["status"], "superseded");
    expect(&first, &approve, "superseded").await;
    expect(&first, &undo, "nothing_to_undo").await;
    let unknown = json!({"id": "sug_00000000000000000000000000abcdef"});
    assert_eq!(desk.decide(&unknown, &approve).await.problem().0, 404);
    assert_eq!(desk.decide(&json!({"id": "tkt_1"}), &approve).await.problem().0, 404);
}

#[tokio::test]
async fn a_decision_that_was_taken_back_after_its_ticket_went_on_does_not_open_again() {
    let (desk, first) = desk_and_suggestion().await;
    desk.decide(&first, &json!({"action": "approve"})).await.ok();
    let messages = format!("/v1/tickets/{}/messages", first["ticket_id"].as_str().unwrap());
    let second = desk.post_to(&messages, &json!({"text": "it is worse now"})).await.ok();
    let undone = desk.decide(&first, &json!({"action": "undo"})).await.ok();
    assert_eq!(undone["status"], "superseded", "a newer suggestion has its place");
    let listed = desk.get("/v1/suggestions?status=open").await.ok();
    assert_eq!(listed["suggestions"].as_array().unwrap().len(), 1);
    assert_eq!(listed["suggestions"][0]["id"], second["id"]);
}

#[tokio::test]
async fn decisions_that_are_taken_back_oldest_first_leave_the_ticket_as_it_came() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let ticket = format!("/v1/tickets/{}", suggestion["ticket_id"].as_str().unwrap());
    let came = desk.get(&ticket).await.ok();
    desk.decide(&suggestion, &json!({"action": "approve"})).await.ok();
    let resolution = json!({"resolution": "Replaced the fuser.", "category": "Printing"});
    let resolved = desk.post_to(&format!("{ticket}/resolution"), &resolution).await.ok();
    assert_eq!(
        (&resolved["category"], &resolved["team"]),
        (&json!("Printing"), &json!("VPN team"))
    );
    desk.decide(&suggestion, &json!({"action": "undo"})).await.ok();
    let still = desk.get(&ticket).await.ok();
    assert_eq!((&still["category"], &still["team"]), (&json!("Printing"), &json!(null)));
    let reopened = desk.delete(&format!("{ticket}/resolution")).await.ok();
    assert_eq!(reopened, came);
}

#[tokio::test]
async fn a_label_that_the_desk_lacks_is_refused_by_name() {
    let (desk, suggestion) = desk_and_suggestion().await;
    for action in ["edit", "reroute"] {
        for field in ["category", "team", "priority"] {
            let decision = json!({"action": action, field: "No such label"});
            let refused = desk.decide(&suggestion, &decision).await;
            assert_eq!(refused.problem(), (409, "unknown_label".to_owned()), "{decision}");
            assert_eq!(refused.json()["errors"][0]["pointer"], format!("/{field}"));
        }
    }
    let resolution = json!({"resolution": "Done so.", "team": "No such team"});
    let ticket = format!("/v1/tickets/{}/resolution", suggestion["ticket_id"].as_str().unwrap());
    let refused = desk.post_to(&ticket, &resolution).await;
    assert_eq!(refused.problem(), (409, "unknown_label".to_owned()));
    assert_eq!(desk.get(&path(&suggestion)).await.ok()["version"], 1, "nothing has happened");
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_refused() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let draft = suggestion["draft"]["text"].clone();
    for decision in [
        json!({"action": "edit"}),
        json!({"action": "reroute"}),
        json!({"action": "reroute", "category": "VPN"}),
        json!({"action": "reroute", "category": "VPN", "team": "VPN team", "priority": "normal"}),
        json!({"action": "edit", "team": "VPN team"}),
        json!({"action": "edit", "team": "VPN team", "reply": draft}),
    ] {
        let refused = desk.decide(&suggestion, &decision).await;
        assert_eq!(refused.problem(), (422, "no_change".to_owned()), "{decision}");
    }
    assert_eq!(desk.get(&path(&suggestion)).await.ok()["status"], "open");
}

#[tokio::test]
async fn a_decision_that_is_none_is_refused() {
    let (desk, suggestion) = desk_and_suggestion().await;
    for (decision, code) in [
        (json!({}), "invalid_field"),
        (json!({"action": "resolve"}), "invalid_field"),
        (json!({"action": "approve", "category": "VPN"}), "unknown_field"),
        (json!({"action": "edit", "reply": 7}), "invalid_field"),
        (json!({"action": "reroute", "reply": "no"}), "unknown_field"),
    ] {
        let refused = desk.decide(&suggestion, &decision).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{decision}");
    }
}

#[tokio::test]
async fn of_two_agents_who_decide_at_once_one_is_told_that_it_is_too_late() {
    let (desk, suggestion) = desk_and_suggestion().await;
    let (approve, reject) = (json!({"action": "approve"}), json!({"action": "reject"}));
    let (a, b) =
        tokio::join!(desk.decide(&suggestion, &approve), desk.decide(&suggestion, &reject));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(desk.get(&path(&suggestion)).await.ok()["version"], 2);
}

#[tokio::test]
async fn the_list_goes_page_by_page_and_keeps_to_what_was_asked_for() {
    let desk = Desk::with(&small_history()).await;
    let mut vpn = Vec::new();
    for n in 0..7 {
        let subject = if n % 2 == 0 { "VPN drops every few minutes" } else { "printer jams" };
        let made = desk.triage(json!({"subject": subject, "requester": format!("R{n}")})).await;
        if n % 2 == 0 {
            assert_eq!(made["category"]["label"], "VPN");
            vpn.insert(0, made["id"].clone());
        }
    }
    let mut next = Some("/v1/suggestions?status=open&category=VPN&limit=3".to_owned());
    let mut seen = Vec::new();
    while let Some(page) = next {
        let page = desk.get(&page).await;
        // As RFC 8288 has it: a client need not know what a cursor is.
        let link = page.header("link").strip_prefix('<').and_then(|l| l.split_once('>'));
        next = link.map(|(target, _)| target.to_owned());
        let page = page.ok();
        assert_eq!(next.is_some(), page["next"].is_string(), "{page}");
        seen.extend(page["suggestions"].as_array().unwrap().iter().map(|s| s["id"].clone()));
    }
    assert_eq!(seen, vpn, "newest first, each once, and no printers");
    for bad in ["limit=0", "limit=201", "limit=x", "status=done", "cursor=x", "colour=red"] {
        let refused = desk.get(&format!("/v1/suggestions?{bad}")).await.problem();
        assert_eq!(refused, (422, "invalid_parameter".to_owned()), "{bad}");
    }
}
