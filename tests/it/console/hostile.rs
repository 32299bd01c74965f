//! Tickets that mean harm.

use serde_json::json;

use crate::support::{Desk, small_history};

#[tokio::test]
async fn a_hostile_ticket_is_text_wherever_it_is_shown() {
    let desk = Desk::with(&small_history()).await;
    let script = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let body = format!(
        "VPN drops {script} <a href=\"javascript:alert(3)\">x</a> invoice\u{202e}fdp.exe {}",
        "A".repeat(50_000)
    );
    let ticket = json!({
        "subject": format!("VPN drops every few minutes {script}\" autofocus onfocus=\"alert(4)"),
        "body": body,
        "requester": script,
        "messages": [{"author": script, "text": format!("{script} --> ]]>")}],
        "source": {"system": script, "id": script, "url": "javascript:alert(5)"},
    });
    let suggestion = desk.triage(ticket).await;
    let id = suggestion["id"].as_str().unwrap();
    let path = format!("/suggestions/{id}");
    for path in ["/", path.as_str(), "/?q=%3Cscript%3E", "/?team=%22%3E%3Cscript%3E", "/audit"] {
        let reply = desk.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let html = reply.text();
        assert_eq!(html.matches("<script").count(), 1, "{path}: our own alone");
        assert!(!html.contains("<img") && !html.contains("onfocus=\"alert"), "{path}");
        assert!(!html.contains("href=\"javascript:"), "{path}");
        assert!(!html.contains('\u{202e}'), "{path}: nothing turns text around");
    }
    let page = desk.get(&path).await.text();
    assert!(page.contains("U+202E") && page.matches('A').count() > 50_000, "nothing is left out");
    let tried = super::form(&desk, "/try", &[], &[("subject", script), ("body", script)]).await;
    assert_eq!(tried.text().matches("<script").count(), 1);
}

#[tokio::test]
async fn odd_addresses_are_answered_with_a_page() {
    let desk = Desk::with(&small_history()).await;
    for (path, status) in [
        ("/suggestions/x", 404),
        ("/suggestions/sug_00000000000000000000000000abcdef", 404),
        ("/imports/imp_00000000000000000000000000abcdef", 404),
        ("/?before=x&rank=y&hours=7&status=no&decision=no", 200),
        ("/?before=-1&rank=99&order=urgent", 200),
        ("/?q=%25%5F%5C%27%22", 200),
        ("/?q=%ff%00", 200),
        ("/audit?before=x", 200),
        ("/policy?target=abc", 200),
        ("/policy?target=100", 200),
        ("/next?after=x", 303),
    ] {
        let reply = desk.get(path).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
    }
    let stale = [("action", "approve"), ("version", "x")];
    let suggestion = desk.triage(json!({"subject": "VPN drops"})).await;
    let path = format!("/suggestions/{}/decision", suggestion["id"].as_str().unwrap());
    assert_eq!(super::form(&desk, &path, &[], &stale).await.status, 422);
    let none = [("action", "explode"), ("version", "1")];
    assert_eq!(super::form(&desk, &path, &[], &none).await.status, 422);
}
