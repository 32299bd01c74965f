//! Who may see and do what, and what keeps other sites' pages from doing it.

use deskhand::domain::{Scope, Scopes, WorkspaceId};
use deskhand::store::Membership;
use serde_json::{Value, json};

use super::{Browser, PAGES, PASSWORD, desk, form, place};
use crate::support::{Desk, small_history};

#[tokio::test]
async fn every_page_is_strict_with_browsers_and_names_nothing_elsewhere() {
    let desk = Desk::with(&small_history()).await;
    desk.triage(json!({"subject": "VPN drops"})).await;
    for (path, _) in PAGES.iter().filter(|(path, _)| !["/next", "/sign-in"].contains(path)) {
        let reply = desk.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("'un"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("cache-control"), "no-store");
        let html = reply.text();
        assert!(!html.contains("http://") && !html.contains("https://"), "{path}");
        assert!(!html.contains("style=\"") && !html.contains(" onclick"), "{path}: inline");
        assert_eq!(html.matches("<h1").count(), 1, "{path}");
        for part in html.split("/assets/").skip(1) {
            let asset = format!("/assets/{}", part.split('"').next().unwrap());
            let asset = desk.get(&asset).await;
            assert_eq!(asset.status, 200);
            assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        }
    }
    assert_eq!(desk.get("/assets/000000000000/console.css").await.status, 404, "an older one");
}

#[tokio::test]
async fn each_role_sees_its_pages_and_no_other() {
    let desk = desk().await;
    for scope in Scope::ALL {
        let browser = Browser::signed_in(&desk, scope.name()).await;
        for (path, least) in PAGES {
            let reply = browser.get(&desk, path).await;
            let expected = match path {
                "/next" | "/sign-in" if scope >= least => 303,
                _ if scope >= least => 200,
                _ => 403,
            };
            assert_eq!(reply.status, expected, "{scope} {path}");
            assert!(reply.header("content-type").starts_with("text/html") || expected == 303);
        }
        let home = browser.get(&desk, "/try").await.text();
        assert_eq!(home.contains("href=\"/policy\""), scope >= Scope::Lead, "{scope}");
        assert_eq!(home.contains("href=\"/keys\""), scope >= Scope::Admin, "{scope}");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_comes_back() {
    let desk = desk().await;
    let asked = desk.get("/?team=VPN%20team&order=urgent").await;
    assert_eq!(place(&asked), "/sign-in?next=%2F%3Fteam%3DVPN%2520team%26order%3Durgent");
    let page = desk.get(place(&asked)).await;
    assert!(page.text().contains("value=\"/?team=VPN%20team&amp;order=urgent\""));
    let fields = [("user", "agent"), ("password", PASSWORD), ("next", "/?team=VPN%20team")];
    let back = form(&desk, "/sign-in", &[], &fields).await;
    assert_eq!(place(&back), "/?team=VPN%20team");
    for evil in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let fields = [("user", "agent"), ("password", PASSWORD), ("next", evil)];
        assert_eq!(place(&form(&desk, "/sign-in", &[], &fields).await), "/", "{evil}");
    }
    let wrong = form(&desk, "/sign-in", &[], &[("user", "<b>"), ("password", "x")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("value=\"&lt;b&gt;\"") && wrong.header("set-cookie").is_empty());
    let script = desk.ask("GET", "/", &[("accept", "application/json")], &Value::Null).await;
    assert_eq!(script.problem(), (401, "unauthorized".to_owned()), "a script is told so");
}

#[tokio::test]
async fn cookies_are_out_of_reach_and_never_sent_in_the_clear() {
    let desk = desk().await;
    let fields = [("user", "agent"), ("password", PASSWORD)];
    let here = form(&desk, "/sign-in", &[], &fields).await;
    assert!(here.header("set-cookie").ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=43200"));
    let elsewhere = [("host", "desk.example"), ("origin", "https://desk.example")];
    let request = axum::http::Request::post("/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(elsewhere[0].0, elsewhere[0].1)
        .header(elsewhere[1].0, elsewhere[1].1);
    let body = axum::body::Body::from(super::encoded(&fields));
    let secure = desk.raw(request.body(body).unwrap()).await;
    assert!(secure.header("set-cookie").ends_with("; Secure"), "{}", secure.text());
}

#[tokio::test]
async fn a_form_counts_only_from_our_own_pages_and_with_the_sessions_token() {
    let desk = desk().await;
    let made = desk.get("/v1/session").await;
    assert_eq!(made.status, 401);
    let browser = Browser::signed_in(&desk, "lead").await;
    let cookie = browser.cookie.as_str();
    let fields = [("target", "90"), ("version", "1")];
    let with = async |headers: &[(&str, &str)], csrf: &str| {
        let headers: Vec<_> = headers.iter().copied().chain([("cookie", cookie)]).collect();
        let fields = [fields[0], fields[1], ("csrf", csrf)];
        form(&desk, "/policy", &headers, &fields).await.status
    };
    let own: &[(&str, &str)] = &[("origin", "http://localhost:8080")];
    for csrf in ["", "x", &browser.csrf[..42]] {
        assert_eq!(with(own, csrf).await, 403, "{csrf}");
    }
    let others: [&[(&str, &str)]; 4] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost:8080"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for headers in others {
        assert_eq!(with(headers, &browser.csrf).await, 403, "{headers:?}");
    }
    assert_eq!(with(&[("sec-fetch-site", "same-origin")], &browser.csrf).await, 303);
    let json = [("cookie", cookie)];
    let sent = desk.ask("POST", "/policy", &json, &json!({"target": 90})).await;
    assert_eq!(sent.status, 415, "a form is a form");
}

#[tokio::test]
async fn where_nobody_needs_an_account_other_sites_forms_still_do_nothing() {
    let desk = Desk::with(&small_history()).await;
    let fields = [("target", "90"), ("version", "1")];
    let evil = [("origin", "https://evil.example")];
    assert_eq!(form(&desk, "/policy", &evil, &fields).await.status, 403);
    let bare = desk.ask("POST", "/v1/bundles/x/activate", &evil, &Value::Null).await;
    assert_eq!(bare.problem(), (403, "csrf_mismatch".to_owned()), "no preflight guards this one");
    assert_eq!(place(&form(&desk, "/policy", &[], &fields).await), "/policy?saved=1");
    let cli = desk.ask("POST", "/v1/bundles/x/activate", &[], &Value::Null).await;
    assert_eq!(cli.problem().1, "not_found", "programs send neither header");
}

#[tokio::test]
async fn a_key_of_another_desk_is_neither_shown_nor_revoked() {
    let desk = desk().await;
    desk.key("main", Scope::Triage).await;
    desk.key("hr", Scope::Admin).await;
    let browser = Browser::signed_in(&desk, "admin").await;
    let page = browser.get(&desk, "/keys").await.text();
    assert!(page.contains("main triage") && !page.contains("hr admin"), "{page}");
    let keys = desk.triage.store().keys().await.unwrap();
    let other = keys.iter().find(|key| key.name == "hr admin").unwrap().id.to_string();
    assert_eq!(browser.post(&desk, "/keys/revoke", &[("key", &other)]).await.status, 404);
    let made = [("name", "<i>desk"), ("scope", "triage"), ("days", "30")];
    let made = browser.post(&desk, "/keys", &made).await.text();
    assert!(made.contains("dh_") && made.contains("&lt;i&gt;desk") && !made.contains("<i>desk"));
    let again = browser.get(&desk, "/keys").await.text();
    assert!(!again.contains("dh_"), "it is shown once");
    let faulty = [("name", "x"), ("scope", "triage"), ("days", "0")];
    assert_eq!(browser.post(&desk, "/keys", &faulty).await.status, 422);
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let desk = desk().await;
    let browser = Browser::signed_in(&desk, "agent").await;
    let out = browser.post(&desk, "/sign-out", &[]).await;
    assert_eq!(place(&out), "/sign-in");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(browser.get(&desk, "/").await.status, 303);
}

#[tokio::test]
async fn the_language_is_what_the_browser_asks_for_until_somebody_chooses() {
    let desk = Desk::new().await;
    let page = async |headers: &[(&str, &str)]| {
        desk.ask("GET", "/try", headers, &Value::Null).await.text()
    };
    assert!(page(&[]).await.contains("<html lang=\"en\""));
    let german = page(&[("accept-language", "de-CH,de;q=0.9,en;q=0.5")]).await;
    assert!(german.contains("<html lang=\"de\"") && german.contains("Einordnen"));
    let fields = [("language", "de"), ("theme", "dark"), ("next", "/try")];
    let chosen = form(&desk, "/preferences", &[], &fields).await;
    let cookies = chosen.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap());
    let kept: Vec<&str> = cookies.map(|c| c.split(';').next().unwrap()).collect();
    assert_eq!(kept, ["deskhand_language=de", "deskhand_theme=dark"]);
    let page = page(&[("cookie", &kept.join("; ")), ("accept-language", "en")]).await;
    assert!(page.contains("<html lang=\"de\" data-theme=\"dark\""));
}

#[tokio::test]
async fn an_open_installation_lets_everybody_go_to_every_desk() {
    let desk = Desk::with(&small_history()).await;
    desk.triage(json!({"subject": "VPN drops"})).await;
    let there = form(&desk, "/desks", &[], &[("desk", "hr")]).await;
    let cookie = there.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = desk.ask("GET", "/", &[("cookie", &cookie)], &Value::Null).await.text();
    assert!(!page.contains("VPN drops") && page.contains(">hr<"));
    assert!(desk.get("/").await.text().contains("VPN drops"));
    desk.key("main", Scope::Triage).await;
    let closed = desk.ask("GET", "/", &[("cookie", &cookie)], &Value::Null).await;
    assert_eq!(closed.status, 303, "the cookie opens nothing once there are accounts");
}

#[tokio::test]
async fn somebody_goes_to_the_desks_they_joined_and_to_no_other() {
    let desk = desk().await;
    let hr = WorkspaceId::try_from("hr".to_owned()).unwrap();
    let member = Membership { workspace: hr, scopes: Scopes::new(vec![Scope::Lead]) };
    desk.triage.store().add_membership("agent", &member).await.unwrap();
    let mut browser = Browser::signed_in(&desk, "agent").await;
    assert_eq!(browser.get(&desk, "/policy").await.status, 403);
    let page = browser.get(&desk, "/desks").await.text();
    assert!(page.contains("value=\"hr\"") && page.contains("value=\"main\" checked"), "{page}");
    assert_eq!(browser.post(&desk, "/desks", &[("desk", "eng")]).await.status, 404);
    assert_eq!(place(&browser.post(&desk, "/desks", &[("desk", "hr")]).await), "/");
    assert_eq!(browser.get(&desk, "/policy").await.status, 200, "a lead there");
    assert!(browser.get(&desk, "/").await.text().contains(">hr<"));
    browser.cookie.push_str("; deskhand_desk=main");
    assert!(browser.get(&desk, "/").await.text().contains(">hr<"), "no cookie moves a session");
    assert_eq!(place(&browser.post(&desk, "/desks", &[("desk", "main")]).await), "/");
    assert_eq!(browser.get(&desk, "/policy").await.status, 403);
}
