//! Leads' pages.

use serde_json::{Value, json};

use super::{form, place};
use crate::support::{Desk, small_history};

#[tokio::test]
async fn quality_is_told_from_decisions() {
    let desk = Desk::with(&small_history()).await;
    assert!(desk.get("/quality").await.text().contains("No decisions yet"));
    let mut made = Vec::new();
    for n in 0..12 {
        let ticket = json!({"subject": "VPN drops every few minutes", "body": format!("{n}")});
        made.push(desk.triage(ticket).await);
    }
    for (n, suggestion) in made.iter().enumerate() {
        let decision = if n < 9 {
            json!({"action": "approve"})
        } else {
            json!({"action": "reroute", "category": "Printing"})
        };
        desk.decide(suggestion, &decision).await.ok();
    }
    let page = desk.get("/quality").await.text();
    assert!(page.contains("75.0\u{a0}% (46.8–91.1)"), "9 of 12, as Wilson has it: {page}");
    assert!(page.contains("9/12") && page.contains("<svg class=\"chart\""));
    assert_eq!(page.matches("class=\"chart\"").count(), page.matches("As a table").count());
}

#[tokio::test]
async fn the_policy_is_saved_once_from_what_was_seen() {
    let desk = Desk::with(&small_history()).await;
    let page = desk.get("/policy?target=90").await.text();
    assert!(page.contains("value=\"90.0\"") && page.contains("In force: 95"));
    let fields = [("target", "97.5"), ("version", "1")];
    assert_eq!(place(&form(&desk, "/policy", &[], &fields).await), "/policy?saved=1");
    assert_eq!(desk.get("/v1/policy").await.ok()["target_precision"], 0.975);
    let stale = form(&desk, "/policy", &[], &fields).await;
    assert_eq!(stale.status, 412);
    assert!(stale.text().contains("has changed meanwhile"));
    for bad in ["49", "100", "x", ""] {
        let refused = form(&desk, "/policy", &[], &[("target", bad), ("version", "2")]).await;
        assert_eq!(refused.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn labels_are_renamed_with_their_tickets_and_never_lost() {
    let desk = Desk::with(&small_history()).await;
    let page = desk.get("/labels").await.text();
    assert!(page.contains("name=\"category-was\" value=\"VPN\""));
    let taxonomy = desk.get("/v1/taxonomy").await.ok();
    let version = taxonomy["version"].to_string();
    let send = async |vpn: &str, version: &str| {
        let mut fields = vec![
            ("name".to_owned(), "IT".to_owned()),
            ("version".to_owned(), version.to_owned()),
            ("priorities".to_owned(), "normal".to_owned()),
        ];
        let texts = |list: &Value| {
            list.as_array()
                .unwrap()
                .iter()
                .map(|l| l["label"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        for team in texts(&taxonomy["teams"]) {
            for (name, value) in [("team-was", &team), ("team", &team)] {
                fields.push((name.to_owned(), value.clone()));
            }
            fields.push(("team-department".to_owned(), String::new()));
            fields.push(("team-description".to_owned(), "Owns it.".to_owned()));
        }
        for category in texts(&taxonomy["categories"]) {
            let now = if category == "VPN" { vpn.to_owned() } else { category.clone() };
            fields.push(("category-was".to_owned(), category));
            fields.push(("category".to_owned(), now));
            fields.push(("category-team".to_owned(), String::new()));
            fields.push(("category-description".to_owned(), String::new()));
            fields.push(("category-examples".to_owned(), "a\nb".to_owned()));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        form(&desk, "/labels", &[], &fields).await
    };
    let gone = send("", &version).await;
    assert_eq!(gone.status, 409, "tickets carry it");
    assert!(gone.text().contains("VPN"), "and it says which");
    assert_eq!(place(&send("Remote access", &version).await), "/labels?saved=1");
    let now = desk.get("/v1/taxonomy").await.ok();
    let labels = now["categories"].to_string();
    assert!(labels.contains("Remote access") && !labels.contains("\"VPN\""), "{labels}");
    assert_eq!(send("Other", &version).await.status, 412, "somebody was faster");
}

#[tokio::test]
async fn an_import_and_the_audit_trail_can_be_looked_at() {
    let desk = Desk::new().await;
    let csv = "id,subject,category,resolution\n1,VPN drops,VPN,Reboot\n2,,VPN,\n";
    let request = axum::http::Request::post("/v1/imports?source=zendesk")
        .header("content-type", "text/csv")
        .header("host", "localhost")
        .header("origin", "http://localhost");
    let sent = desk.raw(request.body(axum::body::Body::from(csv)).unwrap()).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let list = desk.get("/imports").await.text();
    assert!(list.contains(&id) && list.contains("zendesk"));
    let one = desk.get(&format!("/imports/{id}")).await;
    assert_eq!(one.status, 200);
    assert!(one.text().contains("<progress") || one.text().contains("role=\"status\""));
    let fields = [("target", "90"), ("version", "1")];
    form(&desk, "/policy", &[], &fields).await;
    let trail = desk.get("/audit").await.text();
    assert!(trail.contains("policy.put") && trail.contains("target_precision 0.9"), "{trail}");
}

#[tokio::test]
async fn a_bundle_that_is_not_there_is_refused_on_the_page() {
    let desk = Desk::new().await;
    assert!(desk.get("/bundles").await.text().contains("No model of your own yet"));
    let refused = form(&desk, "/bundles", &[], &[("bundle", "0f3a5c7e9b1d2f46")]).await;
    assert_eq!(refused.status, 404, "{}", refused.text());
}
