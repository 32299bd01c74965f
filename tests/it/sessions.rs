//! Agents who sign in from a browser, and what browsers are told.

use deskhand::domain::{Scope, WorkspaceId};
use flate2::read::GzDecoder;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Desk, Reply, small_history};

const PASSWORD: &str = "correct horse battery";

/// A desk where Ann, an agent, has a password.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    let scopes = vec![Scope::Agent];
    let (main, ann) = (WorkspaceId::main(), "ann".to_owned());
    desk.accounts.put_user(main, ann, PASSWORD, scopes).await.unwrap();
    desk
}

async fn sign_in(desk: &Desk, user: &str, password: &str) -> Reply {
    desk.post_to("/v1/session", &json!({"user": user, "password": password})).await
}

/// Her cookie, as a browser sends it back, and the token that goes with it.
async fn signed_in(desk: &Desk) -> (String, String) {
    let reply = sign_in(desk, "ann", PASSWORD).await;
    let csrf = reply.ok()["csrf_token"].as_str().unwrap().to_owned();
    let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    (format!("theme=dark; {cookie}; other=1"), csrf)
}

#[tokio::test]
async fn a_session_lives_in_a_cookie_that_scripts_cannot_read() {
    let desk = desk().await;
    assert_eq!(desk.get("/v1/taxonomy").await.status, 401, "a password closes the desk");
    let reply = sign_in(&desk, "ann", PASSWORD).await;
    let session = reply.ok();
    assert_eq!(session["name"], "ann");
    assert_eq!((&session["workspace"], &session["scopes"]), (&json!("main"), &json!("agent")));
    assert_eq!(session["expires_at"], "2026-01-02T15:04:05Z");
    let cookie = reply.header("set-cookie").to_owned();
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    assert_eq!(attributes, ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"]);
    let token = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(token.len(), 43);
    assert!(!reply.text().contains(token), "it is in the cookie alone");
    assert_eq!(desk.files_with(token), Vec::<String>::new(), "and not in the store");
    assert_eq!(desk.files_with(PASSWORD), Vec::<String>::new());
    let body = json!({"user": "ann", "password": PASSWORD});
    let headers = [("x-forwarded-proto", "https")];
    let behind_tls = desk.ask("POST", "/v1/session", &headers, &body).await;
    assert!(behind_tls.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn what_changes_something_needs_the_token_that_only_our_pages_know() {
    let desk = desk().await;
    let (cookie, csrf) = signed_in(&desk).await;
    let ask = async |method: &str, path: &str, token: Option<&str>, body: &Value| {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(token.map(|token| ("x-csrf-token", token)));
        desk.ask(method, path, &headers, body).await
    };
    let (none, ticket) = (Value::Null, json!({"subject": "a"}));
    let session = ask("GET", "/v1/session", None, &none).await.ok();
    assert_eq!(session["csrf_token"], csrf.as_str(), "a page that was loaded anew asks for it");
    ask("GET", "/v1/suggestions", None, &none).await.ok();
    let wrong = csrf.chars().rev().collect::<String>();
    for token in [None, Some(""), Some(wrong.as_str()), Some(&csrf[..42])] {
        for (method, path) in
            [("POST", "/v1/triage"), ("PUT", "/v1/taxonomy"), ("DELETE", "/v1/session")]
        {
            let refused = ask(method, path, token, &ticket).await;
            assert_eq!(refused.problem(), (403, "csrf_mismatch".to_owned()), "{method} {token:?}");
        }
    }
    ask("POST", "/v1/triage", Some(&csrf), &ticket).await.ok();
    let key = desk.key("main", Scope::Triage).await;
    let both = [("cookie", cookie.as_str()), ("authorization", key.as_str())];
    desk.ask("POST", "/v1/triage", &both, &ticket).await.ok();
    let forbidden = ask("PUT", "/v1/taxonomy", Some(&csrf), &json!({"name": "x"})).await;
    assert_eq!(forbidden.problem().1, "forbidden", "a session has its user's scopes");
}

#[tokio::test]
async fn who_signed_out_is_out_and_so_is_who_waited_too_long_or_got_a_new_password() {
    let desk = desk().await;
    let taxonomy = async |cookie: &str| {
        desk.ask("GET", "/v1/taxonomy", &[("cookie", cookie)], &Value::Null).await
    };
    let (first, csrf) = signed_in(&desk).await;
    let (second, _) = signed_in(&desk).await;
    taxonomy(&first).await.ok();
    let headers = [("cookie", first.as_str()), ("x-csrf-token", csrf.as_str())];
    let out = desk.ask("DELETE", "/v1/session", &headers, &Value::Null).await;
    assert_eq!((out.status, out.bytes.len()), (204, 0));
    assert!(out.header("set-cookie").starts_with("deskhand_session=; "));
    assert!(out.header("set-cookie").ends_with("Max-Age=0"));
    assert_eq!(taxonomy(&first).await.problem(), (401, "unauthorized".to_owned()));
    taxonomy(&second).await.ok();
    desk.clock.advance(SignedDuration::from_hours(12));
    assert_eq!(taxonomy(&second).await.status, 401);
    let (third, _) = signed_in(&desk).await;
    let (main, ann) = (WorkspaceId::main(), "ann".to_owned());
    let changed = desk.accounts.put_user(main, ann, "another long password", vec![Scope::Agent]);
    changed.await.unwrap();
    assert_eq!(taxonomy(&third).await.status, 401);
    assert_eq!(sign_in(&desk, "ann", PASSWORD).await.status, 401);
    sign_in(&desk, "ann", "another long password").await.ok();
    assert!(desk.triage.store().remove_user("ann").await.unwrap());
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let desk = desk().await;
    let without_id = |reply: &Reply| {
        let mut problem = reply.json();
        problem["request_id"].take();
        (reply.problem(), problem, reply.header("set-cookie").to_owned())
    };
    let wrong = without_id(&sign_in(&desk, "ann", "wrong").await);
    assert_eq!(wrong.0, (401, "unauthorized".to_owned()));
    assert_eq!(wrong, without_id(&sign_in(&desk, "nobody", PASSWORD).await));
    assert_eq!(wrong, without_id(&sign_in(&desk, "", "").await));
    assert_eq!(wrong, without_id(&sign_in(&desk, "ann", &"x".repeat(100_000)).await));
    let odd = desk.post_to("/v1/session", &json!({"user": "ann"})).await.problem();
    assert_eq!(odd, (422, "invalid_field".to_owned()));
}

#[tokio::test]
async fn passwords_cannot_be_guessed_for_long() {
    let desk = desk().await;
    for _ in 0..10 {
        assert_eq!(sign_in(&desk, "ann", "wrong").await.status, 401);
    }
    let refused = sign_in(&desk, "ann", PASSWORD).await;
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert_eq!(sign_in(&desk, "bob", "wrong").await.status, 401, "others are not held up");
}

#[tokio::test]
async fn every_answer_keeps_browsers_strict() {
    let desk = desk().await;
    let problem = desk.get("/v1/nowhere").await;
    let refused = desk.get("/v1/taxonomy").await;
    for reply in [desk.get("/healthz").await, desk.get("/").await, problem, refused] {
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        assert!(!reply.header("cache-control").is_empty());
        assert!(!reply.header("x-request-id").is_empty());
    }
    let key = desk.key("main", Scope::Triage).await;
    let answer = desk.ask("GET", "/v1/taxonomy", &[("authorization", &key)], &Value::Null).await;
    assert_eq!(answer.header("cache-control"), "no-store");
}

fn unzipped(reply: &Reply) -> Value {
    serde_json::from_reader(GzDecoder::new(reply.bytes.as_ref())).unwrap()
}

#[tokio::test]
async fn large_answers_come_compressed_to_those_who_can_read_it() {
    let desk = Desk::with(&small_history()).await;
    let gzip = [("accept-encoding", "gzip")];
    let plain = desk.get("/v1/taxonomy").await;
    let packed = desk.ask("GET", "/v1/taxonomy", &gzip, &Value::Null).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("etag"), plain.header("etag"));
    assert_eq!(unzipped(&packed), plain.json());
}

#[tokio::test]
async fn a_problem_is_readable_to_those_who_asked_for_compression() {
    let desk = Desk::new().await;
    let headers = [("accept-encoding", "gzip"), ("x-request-id", "abc-1")];
    let reply = desk.ask("GET", "/v1/nowhere", &headers, &Value::Null).await;
    let problem =
        if reply.header("content-encoding") == "gzip" { unzipped(&reply) } else { reply.json() };
    assert_eq!((&problem["code"], &problem["request_id"]), (&json!("not_found"), &json!("abc-1")));
}
