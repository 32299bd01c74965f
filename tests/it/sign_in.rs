//! People who come from a provider, by OpenID Connect. The browser's tests do the same with a real
//! provider; this one also answers what a real one never would.

use std::sync::{Arc, OnceLock};

use deskhand::access::{AccessError, Accounts, Provided};
use deskhand::app::{SystemEntropy, SystemIds};
use deskhand::domain::{Clock, Scope, WorkspaceId};
use deskhand::http::State;
use deskhand::identity::{Provider, Roles, Settings};
use deskhand::store::{SqlStore, Store, UserRecord, WayIn};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{
    CountingIds, Desk, PROVIDER_CLIENT, PROVIDER_SECRET, Reply, Setup, Signed, TestClock,
    TestProvider, manifest,
};

const PASSWORD: &str = "correct horse battery";

fn settings(issuer: &str) -> Settings {
    let values = [("desk", Scope::Agent), ("leads", Scope::Lead), ("ops", Scope::Admin)];
    Settings {
        name: "Company SSO".to_owned(),
        issuer: issuer.to_owned(),
        client_id: PROVIDER_CLIENT.to_owned(),
        client_secret: Some(PROVIDER_SECRET.to_owned()),
        scopes: vec!["profile".to_owned()],
        public_url: "http://localhost:8080".to_owned(),
        roles: Roles {
            claim: "groups".to_owned(),
            values: values.map(|(value, scope)| (value.to_owned(), scope)).to_vec(),
        },
    }
}

/// A desk that people come to from a provider, and its clock.
async fn desk(issuer: &str, passwords: bool) -> (Desk, Arc<TestClock>) {
    let clock = Arc::new(TestClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let now: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
    store.bind_encoder(&manifest().fingerprint()).await.unwrap();
    let own = Some((Arc::clone(&now), Arc::new(CountingIds::default()) as _));
    let entropy = Arc::new(SystemEntropy);
    let provider = Provider::new(settings(issuer), Arc::clone(&now), entropy.clone()).unwrap();
    let provided = Provided { provider, workspace: WorkspaceId::main() };
    let accounts = Accounts::new(Arc::clone(&store), now, Arc::new(SystemIds), entropy);
    let accounts = Arc::new(accounts.provided(provided, passwords));
    let adjust = Box::new(move |state: &mut State| {
        state.accounts = Arc::new(OnceLock::from(accounts));
    });
    (Desk::build(store, folder, Setup { own, adjust, ..Setup::default() }), clock)
}

fn cookie(reply: &Reply, name: &str) -> Option<String> {
    let all = reply.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap());
    let ours = all.filter_map(|line| line.split(';').next());
    ours.filter(|pair| pair.split_once('=').is_some_and(|(n, v)| n == name && !v.is_empty()))
        .map(str::to_owned)
        .next()
}

/// Goes to the provider. Returns where that is, and the cookie that came along.
async fn go(desk: &Desk, next: &str) -> (String, String) {
    let reply = desk.get(&format!("/sign-in/provider?next={next}")).await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    let line = reply.header("set-cookie").to_owned();
    assert!(line.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"), "{line}");
    (reply.header("location").to_owned(), cookie(&reply, "deskhand_sign_in").unwrap())
}

async fn back(desk: &Desk, cookie: &str, query: &str) -> Reply {
    let path = format!("/sign-in/provider/callback?{query}");
    desk.ask("GET", &path, &[("cookie", cookie)], &Value::Null).await
}

/// A whole sign-in of somebody whom the provider describes like this.
async fn sign_in(desk: &Desk, provider: &TestProvider, claims: &Value) -> Reply {
    let (sent, cookie) = go(desk, "/try").await;
    let query = provider.approve(&sent, claims, Signed::Rightly);
    back(desk, &cookie, &query).await
}

async fn session(desk: &Desk, reply: &Reply) -> Value {
    assert_eq!(reply.status, 303, "{}", reply.text());
    let cookie = cookie(reply, "deskhand_session").unwrap();
    desk.ask("GET", "/v1/session", &[("cookie", &cookie)], &Value::Null).await.ok()
}

async fn users(desk: &Desk) -> Vec<UserRecord> {
    desk.triage.store().users().await.unwrap()
}

/// Nobody is in, and the sign-in page says why.
fn refused(reply: &Reply, status: u16, said: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert!(reply.text().contains(said), "{}", reply.text());
    assert!(cookie(reply, "deskhand_session").is_none());
}

#[tokio::test]
async fn somebody_comes_in_with_the_role_that_the_provider_gives_each_time() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    assert_eq!(desk.get("/v1/session").await.status, 401, "a provider closes the desk");
    assert_eq!(provider.requests(), 0, "nothing is asked before somebody signs in");
    let page = desk.get("/sign-in?next=/try").await.text();
    assert!(
        page.contains("href=\"/sign-in/provider?next=%2Ftry\"") && page.contains("Company SSO")
    );
    let ann = json!({"sub": "1", "name": "Ann", "groups": ["x", "desk"]});
    let reply = sign_in(&desk, &provider, &ann).await;
    assert_eq!(reply.header("location"), "/try");
    let first = session(&desk, &reply).await;
    assert_eq!((&first["name"], &first["scopes"]), (&json!("Ann"), &json!("agent")));
    let issuer = provider.issuer().to_owned();
    let made = users(&desk).await.remove(0);
    assert_eq!(made.way_in, WayIn::Provider { issuer, subject: "1".to_owned() });
    let ann = json!({"sub": "1", "name": "Ann Doe", "groups": ["leads", "desk"]});
    let second = session(&desk, &sign_in(&desk, &provider, &ann).await).await;
    assert_eq!((&second["name"], &second["scopes"]), (&json!("Ann Doe"), &json!("lead")));
    let changed = users(&desk).await;
    assert_eq!((changed.len(), changed[0].id), (1, made.id), "the same account");
    sign_in(&desk, &provider, &ann).await;
    let noted = desk.rows("SELECT action || ' ' || actor FROM audit ORDER BY seq").await;
    assert_eq!(noted, ["account.create Ann", "account.change Ann Doe"], "once each");
    assert_eq!(provider.requests(), 1, "what it says of itself is kept for a while");
    for never in [PROVIDER_SECRET, "Bearer"] {
        assert_eq!(desk.files_with(never), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_name_is_nobodys_account() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    let (main, ann) = (WorkspaceId::main(), "ann@desk.example".to_owned());
    desk.accounts.put_user(main.clone(), ann, PASSWORD, vec![Scope::Admin]).await.unwrap();
    for subject in ["1", "2"] {
        let claims = json!({"sub": subject, "email": "ann@desk.example", "groups": "desk"});
        let session = session(&desk, &sign_in(&desk, &provider, &claims).await).await;
        let number = subject.parse::<u32>().unwrap() + 1;
        assert_eq!(session["name"], format!("ann@desk.example ({number})"));
        assert_eq!(session["scopes"], "agent");
    }
    let own = json!({"user": "ann@desk.example", "password": PASSWORD});
    assert_eq!(desk.post_to("/v1/session", &own).await.ok()["scopes"], "admin");
    for password in ["", PASSWORD] {
        let theirs = json!({"user": "ann@desk.example (2)", "password": password});
        assert_eq!(desk.post_to("/v1/session", &theirs).await.status, 401);
    }
    let theirs = "ann@desk.example (2)".to_owned();
    let put = desk.accounts.put_user(main, theirs, PASSWORD, vec![Scope::Admin]).await;
    assert!(matches!(put, Err(AccessError::NoPassword)));
}

#[tokio::test]
async fn who_has_no_role_is_not_let_in_and_who_lost_it_not_again() {
    let provider = TestProvider::serve().await;
    let (desk, clock) = desk(provider.issuer(), true).await;
    for groups in [json!([]), json!(["others"]), Value::Null] {
        let claims = json!({"sub": "1", "name": "<b>Bo</b>", "groups": groups});
        refused(
            &sign_in(&desk, &provider, &claims).await,
            403,
            "knows you as &lt;b&gt;Bo&lt;/b&gt;",
        );
    }
    assert!(users(&desk).await.is_empty());
    let agent = json!({"sub": "1", "name": "Bo", "groups": ["desk"]});
    let reply = sign_in(&desk, &provider, &agent).await;
    let cookie = cookie(&reply, "deskhand_session").unwrap();
    let lost = json!({"sub": "1", "name": "Bo", "groups": []});
    refused(&sign_in(&desk, &provider, &lost).await, 403, "gives you no role here");
    let ask =
        async || desk.ask("GET", "/v1/session", &[("cookie", &cookie)], &Value::Null).await.status;
    assert_eq!(ask().await, 200, "a session lasts until its time is up");
    clock.advance(SignedDuration::from_hours(12));
    assert_eq!(ask().await, 401);
}

#[tokio::test]
async fn a_token_that_does_not_hold_lets_nobody_in() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    let claims = |change: Value| {
        let mut claims = json!({"sub": "1", "name": "Mallory", "groups": ["desk"]});
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    let cases = [
        ("nonce", claims(json!({"nonce": "another"})), Signed::Rightly),
        ("no nonce", claims(json!({"nonce": null})), Signed::Rightly),
        ("audience", claims(json!({"aud": "another"})), Signed::Rightly),
        ("audiences", claims(json!({"aud": ["another", "deskhand"]})), Signed::Rightly),
        ("issuer", claims(json!({"iss": "http://127.0.0.1:1"})), Signed::Rightly),
        ("expired", claims(json!({"exp": 1_767_323_045 - 61})), Signed::Rightly),
        ("nobody", claims(json!({"sub": ""})), Signed::Rightly),
        ("another key", claims(json!({})), Signed::ByAnother),
        ("changed", claims(json!({})), Signed::ThenChanged),
        ("alg none", claims(json!({})), Signed::NotAtAll),
        ("our secret", claims(json!({})), Signed::WithTheSecret),
        ("no token", claims(json!({})), Signed::Missing),
    ];
    for (what, claims, signed) in cases {
        let (sent, cookie) = go(&desk, "/").await;
        let query = provider.approve(&sent, &claims, signed);
        let reply = back(&desk, &cookie, &query).await;
        assert_eq!(reply.status, 502, "{what}: {}", reply.text());
        refused(&reply, 502, "does not hold");
        assert!(users(&desk).await.is_empty(), "{what}");
    }
    let (sent, cookie) = go(&desk, "/").await;
    let told = json!({"sub": "2", "groups": ["ops"]});
    let thin = json!({"sub": "1"});
    let query = provider.approve_and_tell(&sent, &thin, &told, Signed::Rightly);
    refused(&back(&desk, &cookie, &query).await, 502, "does not hold");
    let (sent, cookie) = go(&desk, "/").await;
    let query = provider.approve(&sent, &claims(json!({})), Signed::Rightly);
    let mixed = format!("{query}&iss=http%3A%2F%2F127.0.0.1%3A1");
    refused(&back(&desk, &cookie, &mixed).await, 502, "does not hold");
    assert!(desk.rows("SELECT csrf FROM sessions").await.is_empty());
    // The same, with nothing wrong, is let in: it is not refused for anything else. A clock may be
    // a minute off.
    let late = claims(json!({"exp": 1_767_323_045 - 59}));
    session(&desk, &sign_in(&desk, &provider, &late).await).await;
}

#[tokio::test]
async fn what_a_token_leaves_out_is_asked_for() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    let (sent, cookie) = go(&desk, "/").await;
    let told = json!({"sub": "1", "name": "Ann", "groups": ["leads"]});
    let query = provider.approve_and_tell(&sent, &json!({"sub": "1"}), &told, Signed::Rightly);
    let session = session(&desk, &back(&desk, &cookie, &query).await).await;
    assert_eq!((&session["name"], &session["scopes"]), (&json!("Ann"), &json!("lead")));
}

#[tokio::test]
async fn keys_may_change_between_two_sign_ins() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    let ann = json!({"sub": "1", "name": "Ann", "groups": ["desk"]});
    session(&desk, &sign_in(&desk, &provider, &ann).await).await;
    provider.change_keys();
    session(&desk, &sign_in(&desk, &provider, &ann).await).await;
    assert_eq!(provider.requests(), 2, "asked once more, for the new key");
}

#[tokio::test]
async fn a_sign_in_is_used_once_in_time_and_by_the_browser_that_began_it() {
    let provider = TestProvider::serve().await;
    let (desk, clock) = desk(provider.issuer(), true).await;
    let ann = json!({"sub": "1", "name": "Ann", "groups": ["desk"]});
    let stale = "Please begin again";
    let (sent, own) = go(&desk, "/").await;
    let query = provider.approve(&sent, &ann, Signed::Rightly);
    let (_, other) = go(&desk, "/").await;
    refused(&back(&desk, "", &query).await, 400, stale);
    refused(&back(&desk, &other, &query).await, 400, stale);
    for state in ["", "x", &sent[sent.len() - 10..]] {
        refused(&back(&desk, &own, &format!("code=code-0&state={state}")).await, 400, stale);
    }
    refused(&back(&desk, &own, "").await, 400, stale);
    session(&desk, &back(&desk, &own, &query).await).await;
    refused(&back(&desk, &own, &query).await, 400, stale);
    let (sent, own) = go(&desk, "/").await;
    let query = provider.approve(&sent, &ann, Signed::Rightly);
    clock.advance(SignedDuration::from_mins(10));
    refused(&back(&desk, &own, &query).await, 400, stale);
    // What never came back is swept away.
    let left = async || desk.rows("SELECT next FROM sign_in_attempts").await.len();
    assert_eq!(left().await, 2);
    desk.triage.tidy().await.unwrap();
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_and_secrets_of_a_sign_in_are_kept_as_hashes() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    for evil in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let (sent, cookie) = go(&desk, evil).await;
        let query =
            provider.approve(&sent, &json!({"sub": "1", "groups": "desk"}), Signed::Rightly);
        assert_eq!(back(&desk, &cookie, &query).await.header("location"), "/", "{evil}");
    }
    let (sent, cookie) = go(&desk, "%2Ftry%3Fa%3D%3Cb%3E").await;
    let state = sent.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let browser = cookie.split('=').nth(1).unwrap();
    for secret in [state, browser] {
        assert_eq!(secret.len(), 43);
        assert_eq!(desk.files_with(secret), Vec::<String>::new());
    }
}

#[tokio::test]
async fn who_cancels_or_is_refused_there_is_told_so_and_may_go_on() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    for (error, status, said) in [
        ("access_denied", 401, "was cancelled"),
        ("server_error", 502, "does not hold"),
        ("%3Cscript%3E", 502, "does not hold"),
    ] {
        let (sent, cookie) = go(&desk, "%2Ftry").await;
        let state = sent.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let reply = back(&desk, &cookie, &format!("error={error}&state={state}&code=code-0")).await;
        refused(&reply, status, said);
        assert!(reply.text().contains("href=\"/sign-in/provider?next=%2Ftry\""), "{error}");
        assert!(!reply.text().contains(state) && !reply.text().contains("<script>"), "{error}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_or_babbles_leaves_the_password() {
    let provider = TestProvider::serve().await;
    let (here, _) = desk(provider.issuer(), true).await;
    provider.babble();
    refused(&here.get("/sign-in/provider").await, 503, "cannot be reached");
    let (gone, _) = desk("http://127.0.0.1:1", true).await;
    let reply = gone.get("/sign-in/provider?next=/try").await;
    refused(&reply, 503, "Company SSO cannot be reached");
    assert!(reply.text().contains("name=\"password\"") && reply.text().contains("value=\"/try\""));
    let (main, ann) = (WorkspaceId::main(), "ann".to_owned());
    gone.accounts.put_user(main, ann, PASSWORD, vec![Scope::Agent]).await.unwrap();
    gone.post_to("/v1/session", &json!({"user": "ann", "password": PASSWORD})).await.ok();
}

#[tokio::test]
async fn where_passwords_are_off_admins_keep_theirs() {
    let (desk, _) = desk("http://127.0.0.1:1", false).await;
    for scope in [Scope::Agent, Scope::Lead, Scope::Admin] {
        let made =
            desk.accounts.put_user(WorkspaceId::main(), scope.to_string(), PASSWORD, vec![scope]);
        made.await.unwrap();
        let body = json!({"user": scope.name(), "password": PASSWORD});
        let status = desk.post_to("/v1/session", &body).await.status;
        assert_eq!(status, if scope == Scope::Admin { 200 } else { 401 }, "{scope}");
    }
    let page = desk.get("/sign-in").await.text();
    assert!(
        page.contains("Administrators: with a password")
            && !page.contains("<details class=\"ways\" open")
    );
}

#[tokio::test]
async fn who_signs_out_here_is_shown_the_way_out_there() {
    let provider = TestProvider::serve().await;
    let (desk, _) = desk(provider.issuer(), true).await;
    let ann = json!({"sub": "1", "name": "Ann", "groups": ["desk"]});
    let reply = sign_in(&desk, &provider, &ann).await;
    let csrf = session(&desk, &reply).await["csrf_token"].as_str().unwrap().to_owned();
    let cookie = cookie(&reply, "deskhand_session").unwrap();
    let request = axum::http::Request::post("/sign-out")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://localhost:8080")
        .header("cookie", cookie);
    let out = desk.raw(request.body(format!("csrf={csrf}").into()).unwrap()).await;
    assert_eq!(out.header("location"), "/sign-in?out=1");
    let page = desk.get("/sign-in?out=1").await.text();
    let end = format!("{}/end?client_id=deskhand", provider.issuer());
    assert!(page.contains(&end) && page.contains("Sign out of Company SSO as well"), "{page}");
    assert!(!desk.get("/sign-in").await.text().contains(&end));
}
