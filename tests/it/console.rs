//! The console's pages, as a browser without scripts sees them.

mod deciding;
mod hostile;
mod leads;
mod reports;
mod rights;

use axum::body::Body;
use axum::http::Request;
use deskhand::domain::{Scope, WorkspaceId};
use serde_json::Value;

use crate::support::{Desk, Reply, small_history};

const PASSWORD: &str = "correct horse battery";

/// Every page that can be looked at without an id, and who may at the least.
const PAGES: [(&str, Scope); 12] = [
    ("/", Scope::Agent),
    ("/next", Scope::Agent),
    ("/try", Scope::Triage),
    ("/quality", Scope::Lead),
    ("/policy", Scope::Lead),
    ("/bundles", Scope::Lead),
    ("/labels", Scope::Lead),
    ("/imports", Scope::Lead),
    ("/reports", Scope::Lead),
    ("/audit", Scope::Lead),
    ("/keys", Scope::Admin),
    ("/sign-in", Scope::Triage),
];

/// Somebody at a browser: what it sends along each time.
#[derive(Default)]
struct Browser {
    cookie: String,
    csrf: String,
}

impl Browser {
    /// Signs somebody in through the form.
    async fn signed_in(desk: &Desk, user: &str) -> Self {
        let reply = form(desk, "/sign-in", &[], &[("user", user), ("password", PASSWORD)]).await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut browser = Self { cookie, csrf: String::new() };
        let page = browser.get(desk, "/try").await.text();
        let csrf = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(csrf.len(), 43, "{page}");
        csrf.clone_into(&mut browser.csrf);
        browser
    }

    async fn get(&self, desk: &Desk, path: &str) -> Reply {
        desk.ask("GET", path, &[("cookie", &self.cookie)], &Value::Null).await
    }

    async fn post(&self, desk: &Desk, path: &str, fields: &[(&str, &str)]) -> Reply {
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", self.csrf.as_str())]).collect();
        form(desk, path, &[("cookie", &self.cookie)], &fields).await
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Sends a form as a browser does from a page of ours.
async fn form(desk: &Desk, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Reply {
    let mut request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("host", "localhost:8080");
    let given = |name: &str| headers.iter().any(|(known, _)| *known == name);
    if !given("origin") && !given("sec-fetch-site") {
        request = request.header("origin", "http://localhost:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    desk.raw(request.body(Body::from(encoded(fields))).unwrap()).await
}

/// A desk with history and a user of each kind, named as their scope.
async fn desk() -> Desk {
    let desk = Desk::with(&small_history()).await;
    for scope in Scope::ALL {
        let name = scope.name().to_owned();
        let made = desk.accounts.put_user(WorkspaceId::main(), name, PASSWORD, vec![scope]);
        made.await.unwrap();
    }
    desk
}

/// Where a reply sends the browser.
fn place(reply: &Reply) -> &str {
    assert_eq!(reply.status, 303, "{}", reply.text());
    reply.header("location")
}
