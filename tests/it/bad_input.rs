//! Hostile and broken input: each gets a clear answer, and the service stays up.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Desk, json as read_json, small_history};

async fn refused(desk: &Desk, body: impl Into<Body>) -> (u16, String, Value) {
    let (status, problem) = desk.post(body).await;
    assert_eq!(problem["status"], status.as_u16());
    (status.as_u16(), problem["code"].as_str().unwrap().to_owned(), problem)
}

#[tokio::test]
async fn a_blank_ticket_is_refused() {
    let desk = Desk::new().await;
    for blank in [
        json!({}),
        json!({"subject": "", "body": ""}),
        json!({"subject": " \n\t", "body": "\u{a0}\u{0}", "messages": [{"text": " "}]}),
    ] {
        let (status, code, _) = refused(&desk, blank.to_string()).await;
        assert_eq!((status, code.as_str()), (422, "empty_ticket"), "{blank}");
    }
}

#[tokio::test]
async fn what_cleaning_empties_is_answered_with_the_reason() {
    let desk = Desk::with(&small_history()).await;
    let answer = desk.triage(json!({"body": "<p>&nbsp;</p>"})).await;
    assert_eq!(answer["category"]["decision"], "abstain");
    assert_eq!(answer["category"]["reason"], "empty");
    assert_eq!(answer["draft_reason"], "empty");
}

#[tokio::test]
async fn a_body_that_is_no_ticket_says_what_is_wrong_where() {
    let desk = Desk::new().await;
    let cases: [(&[u8], u16, &str, Option<&str>); 10] = [
        (b"", 400, "invalid_json", None),
        (b"{\"subject\":", 400, "invalid_json", None),
        (b"{\"subject\":\"a\"} x", 400, "invalid_json", None),
        (b"{\"subject\":\"\xff\"}", 400, "invalid_utf8", None),
        (b"{\"subject\":7}", 422, "invalid_field", Some("/subject")),
        (b"[]", 422, "invalid_field", Some("")),
        (b"{\"subjekt\":\"a\"}", 422, "unknown_field", Some("/subjekt")),
        (
            b"{\"messages\":[{\"text\":\"a\"},{\"text\":null}]}",
            422,
            "invalid_field",
            Some("/messages/1/text"),
        ),
        (
            b"{\"subject\":\"a\",\"created_at\":\"yesterday\"}",
            422,
            "invalid_field",
            Some("/created_at"),
        ),
        (
            b"{\"subject\":\"a\",\"source\":{\"system\":\"x\",\"id\":\"\"}}",
            422,
            "invalid_field",
            Some("/source/id"),
        ),
    ];
    for (body, status, code, pointer) in cases {
        let shown = String::from_utf8_lossy(body).into_owned();
        let (found_status, found_code, problem) = refused(&desk, body).await;
        assert_eq!((found_status, found_code.as_str()), (status, code), "{shown}");
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{shown}");
    }
}

#[tokio::test]
async fn the_body_must_say_that_it_is_json() {
    let desk = Desk::new().await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let request = Request::post("/v1/triage")
            .header("content-type", media_type)
            .body(Body::from("{\"subject\":\"a\"}"));
        let response = desk.send(request.unwrap()).await;
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
        assert_eq!(read_json(response).await["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn ten_megabytes_are_too_much() {
    let desk = Desk::new().await;
    let body = json!({"body": "x".repeat(10_000_000)}).to_string();
    let (status, code, problem) = refused(&desk, body).await;
    assert_eq!((status, code.as_str()), (413, "body_too_large"));
    assert!(problem["detail"].as_str().unwrap().contains("1048576"));
}

#[tokio::test]
async fn odd_texts_get_a_sound_triage() {
    let desk = Desk::with(&small_history()).await;
    let texts = [
        ("one repeated token", "vpn ".repeat(20_000)),
        ("no space at all", "x".repeat(100_000)),
        ("right to left", "לא מצליח להתחבר למדפסת \u{202e}drowssap".to_owned()),
        ("emoji", "🖨️🔥".repeat(2_000)),
        ("control characters", "printer\u{1}\u{7}\u{1b}[31m jams".to_owned()),
        ("html", "<div><script>alert(1)</script><p>printer <b>jams</b></p></div>".to_owned()),
        (
            "deeply nested html",
            format!("{}jam{}", "<b><i>".repeat(20_000), "</i></b>".repeat(20_000)),
        ),
        ("unclosed tags", "<p".repeat(50_000)),
        ("combining marks", format!("a{}", "\u{301}".repeat(50_000))),
    ];
    for (name, body) in texts {
        let answer = desk.triage(json!({"subject": "help", "body": body})).await;
        let p = answer["category"]["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&p), "{name}: {p}");
        assert!(answer["category"]["label"].is_string(), "{name}");
    }
}

#[tokio::test]
async fn a_text_that_is_not_read_to_its_end_says_so() {
    let desk = Desk::with(&small_history()).await;
    let long = desk.triage(json!({"body": "my printer jams ".repeat(5_000)})).await;
    assert_eq!(long["degraded"], json!(["text_truncated"]));
    let short = desk.triage(json!({"body": "my printer jams"})).await;
    assert_eq!(short["degraded"], json!([]));
}

#[tokio::test]
async fn a_stored_nul_or_markup_does_no_harm() {
    let desk = Desk::with(&small_history()).await;
    let answer = desk
        .triage(json!({"subject": "printer\u{0}", "body": "'; DROP TABLE tickets; --", "requester": "a\u{0}b"}))
        .await;
    assert_eq!(answer["category"]["label"], "Printing");
    assert_eq!(desk.triage.store().counts(&desk.workspace).await.unwrap().tickets, 10);
}
