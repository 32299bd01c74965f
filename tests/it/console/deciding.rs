//! The queue, and decisions through forms.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Browser, desk, form, place};
use crate::support::{Desk, resolved, small_history};

/// The suggestions that a page of the queue lists, in order.
fn listed(html: &str) -> Vec<String> {
    html.split("data-id=\"").skip(1).map(|p| p.split('"').next().unwrap().to_owned()).collect()
}

fn id(suggestion: &Value) -> String {
    suggestion["id"].as_str().unwrap().to_owned()
}

async fn status(desk: &Desk, suggestion: &Value) -> String {
    let read = desk.get(&format!("/v1/suggestions/{}", id(suggestion))).await.ok();
    read["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_queue_goes_page_by_page_in_either_order() {
    let desk = Desk::with(&small_history()).await;
    let mut made = Vec::new();
    for n in 0..120 {
        made.insert(0, id(&desk.triage(json!({"subject": format!("VPN drops {n}")})).await));
    }
    for order in ["", "order=urgent"] {
        let (mut next, mut seen) = (Some(format!("/?{order}")), Vec::new());
        while let Some(path) = next {
            let html = desk.get(&path).await.text();
            seen.extend(listed(&html));
            let older = html.split("rel=\"next\" href=\"").nth(1);
            next = older.map(|o| o.split('"').next().unwrap().replace("&amp;", "&"));
        }
        assert_eq!(seen, made, "all alike: the newest first, each once");
    }
}

#[tokio::test]
async fn the_most_urgent_come_first_and_filters_narrow() {
    let mut history = small_history();
    for ticket in &mut history {
        let urgent = ticket.outcome.category.as_deref() == Some("Printing");
        ticket.outcome.priority = Some(if urgent { "urgent" } else { "low" }.to_owned());
    }
    let desk = Desk::with(&history).await;
    let taxonomy = desk.get("/v1/taxonomy").await.ok();
    let mut priorities = taxonomy.clone();
    priorities["priorities"] = json!(["low", "urgent"]);
    desk.ask("PUT", "/v1/taxonomy", &[], &priorities).await.ok();
    let printer = id(&desk.triage(json!({"subject": "printer jams on the second floor"})).await);
    let vpn =
        desk.triage(json!({"subject": "VPN 100%_drops every few minutes", "requester": "Ann"}));
    let vpn = id(&vpn.await);
    let at = async |path: &str| listed(&desk.get(path).await.text());
    assert_eq!(at("/").await, [vpn.clone(), printer.clone()]);
    assert_eq!(at("/?order=urgent").await, [printer.clone(), vpn.clone()]);
    assert_eq!(at("/?team=VPN+team").await, std::slice::from_ref(&vpn));
    assert_eq!(at("/?category=Printing").await, std::slice::from_ref(&printer));
    for found in ["100%25_", "DROPS", "ann"] {
        assert_eq!(at(&format!("/?q={found}")).await, std::slice::from_ref(&vpn), "{found}");
    }
    assert!(at("/?q=1000").await.is_empty());
    assert!(at("/?hours=8").await.is_empty());
    desk.clock.advance(SignedDuration::from_hours(9));
    assert_eq!(at("/?hours=8").await.len(), 2);
    assert!(at("/?hours=24").await.is_empty());
    let next = desk.get("/next?order=urgent").await;
    assert_eq!(place(&next), format!("/suggestions/{printer}?order=urgent"));
}

#[tokio::test]
async fn a_form_decides_and_goes_on_to_the_next() {
    let desk = Desk::with(&small_history()).await;
    let first = desk.triage(json!({"subject": "printer jams on the second floor"})).await;
    let second = desk.triage(json!({"subject": "VPN drops every few minutes"})).await;
    let path = format!("/suggestions/{}", id(&second));
    let page = desk.get(&path).await.text();
    let draft = second["draft"]["text"].as_str().unwrap();
    assert!(page.contains("name=\"version\" value=\"1\"") && page.contains("<mark>VPN</mark>"));
    assert!(page.contains("role=\"tooltip\""), "each sentence says where it is from");
    let labels = [("category", "VPN"), ("team", "VPN team"), ("priority", "normal")];
    let all = |more: &[(&'static str, &'static str)]| {
        labels.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let mut approve = all(&[("action", "approve"), ("version", "1")]);
    approve.push(("reply", draft));
    let sent = form(&desk, &format!("{path}/decision"), &[], &approve).await;
    assert!(place(&sent).starts_with(&format!("/suggestions/{}?done=approve", id(&first))));
    let shown = desk.get(place(&sent)).await.text();
    assert!(shown.contains("Approved.") && shown.contains(&format!("value=\"{}\"", id(&second))));
    assert_eq!(status(&desk, &second).await, "approved", "what is sent as suggested is no edit");
    let undone = form(&desk, "/undo", &[], &[("id", &id(&second))]).await;
    assert_eq!(place(&undone), format!("{path}?done=undo"));
    assert_eq!(status(&desk, &second).await, "open");
    for (fields, becomes, version) in [
        (all(&[("action", "approve"), ("reply", "Please wait."), ("version", "3")]), "edited", 4),
        (
            vec![
                ("action", "approve"),
                ("category", "Printing"),
                ("reply", draft),
                ("version", "5"),
            ],
            "rerouted",
            6,
        ),
        (vec![("action", "reroute"), ("team", "Printing team"), ("version", "7")], "rerouted", 8),
        (vec![("action", "reject"), ("reason", "out_of_date"), ("version", "9")], "rejected", 10),
    ] {
        let sent = form(&desk, &format!("{path}/decision"), &[], &fields).await;
        assert_eq!(sent.status, 303, "{becomes}: {}", sent.text());
        let read = desk.get(&format!("/v1{path}")).await.ok();
        assert_eq!((&read["status"], &read["version"]), (&json!(becomes), &json!(version)));
        form(&desk, "/undo", &[], &[("id", &id(&second))]).await;
    }
}

#[tokio::test]
async fn of_two_agents_the_second_is_told_and_loses_nothing() {
    let desk = desk().await;
    let (ann, ben) =
        (Browser::signed_in(&desk, "agent").await, Browser::signed_in(&desk, "lead").await);
    let sent = json!({"subject": "VPN drops every few minutes"});
    let key = desk.key("main", deskhand::domain::Scope::Triage).await;
    let headers = [("authorization", key.as_str())];
    let suggestion = desk.ask("POST", "/v1/triage", &headers, &sent).await.ok();
    let path = format!("/suggestions/{}", id(&suggestion));
    let open = async |browser: &Browser, page: &str| {
        let fields = [("page", page), ("csrf", browser.csrf.as_str())];
        let headers = [("cookie", browser.cookie.as_str()), ("accept", "application/json")];
        form(&desk, &format!("{path}/presence"), &headers, &fields).await.ok()
    };
    assert_eq!(open(&ann, "a").await["others"], json!(null));
    assert_eq!(open(&ben, "b").await["others"], "Also here: agent");
    let decision = format!("{path}/decision");
    let reject = [("action", "reject"), ("reason", "tone"), ("version", "1")];
    assert_eq!(ann.post(&desk, &decision, &reject).await.status, 303);
    assert!(open(&ben, "b").await["said"].as_str().unwrap().contains("agent"));
    let typed = "I had typed <all> of this.";
    let edit = [("action", "approve"), ("reply", typed), ("version", "1")];
    let refused = ben.post(&desk, &decision, &edit).await;
    assert_eq!(refused.status, 412);
    let page = refused.text();
    assert!(page.contains("agent has decided this meanwhile: Rejected."), "{page}");
    assert!(page.contains("I had typed &lt;all&gt; of this."), "what was typed is there");
    let headers = [("cookie", ben.cookie.as_str()), ("accept", "application/json")];
    let fields = [edit[0], edit[1], edit[2], ("csrf", ben.csrf.as_str())];
    let problem = form(&desk, &decision, &headers, &fields).await;
    assert_eq!(problem.problem(), (412, "precondition_failed".to_owned()));
    // An attempt of hers whose answer was lost is done once.
    let again = ann.post(&desk, &decision, &reject).await;
    assert_eq!(again.status, 303, "{}", again.text());
    let audit = ben.get(&desk, "/audit").await.text();
    assert_eq!(audit.matches("suggestion.reject").count(), 1);
}

#[tokio::test]
async fn many_are_approved_at_once_only_where_they_are_sure_and_as_they_were_seen() {
    let mut history = small_history();
    let known = |n| resolved(&format!("V-{n}"), "VPN drops every few minutes", "VPN", "Rebooted.");
    history.extend((0..8).map(known));
    let desk = Desk::with(&history).await;
    let mut sure = Vec::new();
    for _ in 0..4 {
        let made = desk.triage(json!({"subject": "VPN drops every few minutes"})).await;
        assert_eq!(made["category"]["decision"], "auto", "{made}");
        sure.push(made);
    }
    let unsure = desk.triage(json!({"subject": "something else entirely"})).await;
    assert_ne!(unsure["category"]["decision"], "auto");
    let page = desk.get("/").await.text();
    let offered: BTreeSet<&str> =
        page.split("name=\"id\" value=\"").skip(1).map(|p| p.split('"').next().unwrap()).collect();
    assert_eq!(offered.len(), 4, "only sure ones can be picked");
    desk.decide(&sure[3], &json!({"action": "reject"})).await.ok();
    desk.decide(&sure[3], &json!({"action": "undo"})).await.ok();
    let mut fields: Vec<(&str, String)> =
        sure.iter().map(|s| ("id", format!("{}.1", id(s)))).collect();
    fields.push(("id", format!("{}.1", id(&unsure))));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let done = form(&desk, "/bulk", &[], &fields).await;
    let shown = desk.get(place(&done)).await.text();
    assert!(shown.contains("3 approved. 2 had changed"), "{shown}");
    for (at, suggestion) in sure.iter().enumerate() {
        let expected = if at == 3 { "open" } else { "approved" };
        assert_eq!(status(&desk, suggestion).await, expected);
    }
    assert_eq!(status(&desk, &unsure).await, "open");
    let undo: Vec<&str> =
        shown.split("name=\"id\" value=\"sug_").skip(1).map(|p| &p[..32]).take(3).collect();
    let undo: Vec<String> = undo.iter().map(|id| format!("sug_{id}")).collect();
    let fields: Vec<(&str, &str)> = undo.iter().map(|id| ("id", id.as_str())).collect();
    assert_eq!(place(&form(&desk, "/undo", &[], &fields).await), "/?done=undo");
    for suggestion in &sure {
        assert_eq!(status(&desk, suggestion).await, "open");
    }
}

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let desk = Desk::with(&small_history()).await;
    let page = desk.get("/").await;
    let etag = page.header("etag").to_owned();
    let again = desk.ask("GET", "/", &[("if-none-match", &etag)], &Value::Null).await;
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    desk.triage(json!({"subject": "VPN drops"})).await;
    assert_eq!(desk.ask("GET", "/", &[("if-none-match", &etag)], &Value::Null).await.status, 200);
}

#[tokio::test]
async fn what_is_tried_out_is_not_kept() {
    let desk = Desk::with(&small_history()).await;
    let before = desk.triage.store().counts(&desk.workspace).await.unwrap();
    let fields = [("subject", "VPN drops every few minutes"), ("body", "since the update")];
    let page = form(&desk, "/try", &[], &fields).await;
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(html.contains("VPN team") && html.contains("Installed client 6.2.6."), "{html}");
    assert_eq!(desk.triage.store().counts(&desk.workspace).await.unwrap(), before);
    let blank = form(&desk, "/try", &[], &[("subject", " "), ("body", "")]).await;
    assert_eq!(blank.status, 422);
    assert!(blank.text().contains("The ticket is empty"));
}

#[tokio::test]
async fn ten_thousand_pending_stay_quick() {
    let desk = Desk::with(&small_history()).await;
    let made = desk.triage(json!({"subject": "VPN drops every few minutes"})).await;
    let made: deskhand::domain::Suggestion = serde_json::from_value(made).unwrap();
    let store = desk.triage.store();
    let ticket = store.ticket(&desk.workspace, made.ticket_id).await.unwrap().unwrap().ticket;
    let mut tx = store.begin(&desk.workspace).await.unwrap();
    for n in 0..10_000u128 {
        let id = uuid::Uuid::from_u128(1 << 96 | n);
        let mut ticket = ticket.clone();
        ticket.text.subject = format!("VPN drops, the {n}th time");
        let mut made = made.clone();
        made.id = deskhand::domain::SuggestionId::new(id);
        made.ticket_id = deskhand::domain::TicketId::new(id);
        made.priority.label = Some(["low", "normal", "high"][n as usize % 3].to_owned());
        let now = desk.triage.now();
        made.ticket_id = tx.put_ticket(made.ticket_id, &ticket, "en", now).await.unwrap();
        tx.put_suggestion(&made, 1, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    for path in ["/", "/?order=urgent", "/?q=9999th", "/?team=VPN+team&order=urgent"] {
        let mut times = Vec::new();
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let page = desk.get(path).await;
            times.push(start.elapsed());
            assert_eq!(page.status, 200);
            assert!(!listed(&page.text()).is_empty());
        }
        times.sort();
        println!("{path}: {:?}", times[1]);
        assert!(times[1].as_millis() < 1_000, "{path}: {times:?}");
    }
}
