//! Whatever is asked with a key of one desk, nothing of another one shows or changes.

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::Request;
use deskhand::domain::Scope;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Desk, Reply};

const DESKS: [&str; 3] = ["it", "hr", "legal"];
/// A word that stands in everything that the desk of the same position has.
const WORDS: [&str; 3] = ["zanzibarium", "quixotite", "flumadiddle"];
/// An id's digits that nothing has.
const NOBODY: &str = "0000000000000000ffffffffffffffff";

/// Ids of one of each.
struct Owned {
    ticket: String,
    suggestion: String,
    decided: String,
    import: String,
    cursor: String,
}

/// Desks with something of everything, and a key of each scope to each.
struct World {
    runtime: Runtime,
    desk: Desk,
    keys: Vec<Vec<String>>,
    owned: Vec<Owned>,
}

impl World {
    /// Made once for all cases; what cases do to their own desks makes it only richer.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<World> = OnceLock::new();
        SHARED.get_or_init(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (desk, keys, owned) = runtime.block_on(furnish());
            Self { runtime, desk, keys, owned }
        })
    }
}

async fn furnish() -> (Desk, Vec<Vec<String>>, Vec<Owned>) {
    let desk = Desk::new().await;
    let (mut keys, mut owned) = (Vec::new(), Vec::new());
    for (name, word) in DESKS.iter().zip(WORDS) {
        let mut own = Vec::new();
        for scope in Scope::ALL {
            own.push(desk.key(name, scope).await);
        }
        let admin = own.last().unwrap().clone();
        keys.push(own);
        let ask = async |method: &str, path: &str, key: &str, body: &Value| {
            let headers = [("authorization", admin.as_str()), ("idempotency-key", key)];
            desk.ask(method, path, &headers, body).await.ok()
        };
        let ticket = |n: u32| {
            json!({
                "subject": format!("the {word} is broken {n}"),
                "body": format!("{word} body"),
                "requester": format!("{word} requester"),
                "messages": [{"author": format!("{word} author"), "text": format!("{word} text")}],
                "source": {"system": "shared", "id": n.to_string(), "url": format!("x:{word}")},
            })
        };
        let first = ask("POST", "/v1/triage", "one", &ticket(1)).await;
        let second = ask("POST", "/v1/triage", "two", &ticket(2)).await;
        let id = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
        let decision = format!("/v1/suggestions/{}/decision", id(&first, "id"));
        ask("POST", &decision, "three", &json!({"action": "approve"})).await;
        let resolution = format!("/v1/tickets/{}/resolution", id(&first, "ticket_id"));
        let body = json!({"resolution": format!("Replaced the {word}.")});
        ask("POST", &resolution, "four", &body).await;
        let mut taxonomy = ask("GET", "/v1/taxonomy", "-", &Value::Null).await;
        taxonomy["name"] = json!(word);
        let added = json!({"label": format!("{word} category")});
        taxonomy["categories"].as_array_mut().unwrap().push(added);
        ask("PUT", "/v1/taxonomy", "five", &taxonomy).await;
        let rows =
            format!("{{\"id\": 9, \"subject\": \"imported {word}\", \"created\": \"{word}\"}}\n");
        let request = Request::post("/v1/imports")
            .header("authorization", &admin)
            .header("content-type", "application/x-ndjson");
        let sent = desk.raw(request.body(Body::from(rows)).unwrap()).await;
        while desk.triage.work_once().await {}
        let page = ask("GET", "/v1/suggestions?limit=1", "-", &Value::Null).await;
        owned.push(Owned {
            ticket: id(&second, "ticket_id"),
            suggestion: id(&second, "id"),
            decided: id(&first, "id"),
            import: sent.json()["id"].as_str().unwrap().to_owned(),
            cursor: id(&page, "next"),
        });
    }
    (desk, keys, owned)
}

/// A request that names something, once as another desk has it, once as nobody does.
#[derive(Debug, Clone, Copy)]
enum Attempt {
    Ticket(&'static str, &'static str),
    Suggestion(&'static str),
    Decide(&'static str, bool),
    Import,
    OfTicket,
    Requester,
    Author,
}

impl Attempt {
    const ALL: [Self; 15] = [
        Self::Ticket("GET", ""),
        Self::Ticket("DELETE", ""),
        Self::Ticket("POST", "/messages"),
        Self::Ticket("POST", "/resolution"),
        Self::Ticket("DELETE", "/resolution"),
        Self::Suggestion("GET"),
        Self::Decide("approve", false),
        Self::Decide("edit", false),
        Self::Decide("reroute", false),
        Self::Decide("reject", true),
        Self::Decide("undo", true),
        Self::Import,
        Self::OfTicket,
        Self::Requester,
        Self::Author,
    ];

    /// Method, path and body; `owner` is whose things are named, or nobody's.
    fn request(self, owner: Option<(&Owned, &str)>) -> (&'static str, String, Value) {
        let id = |prefix: &str, of: fn(&Owned) -> &String| {
            owner.map_or(format!("{prefix}_{NOBODY}"), |(owned, _)| of(owned).clone())
        };
        let word = owner.map_or("nobody", |(_, word)| word);
        match self {
            Self::Ticket(method, end) => {
                let body = match end {
                    "/messages" => json!({"text": "from elsewhere"}),
                    "/resolution" if method == "POST" => json!({"resolution": "from elsewhere"}),
                    _ => Value::Null,
                };
                (method, format!("/v1/tickets/{}{end}", id("tkt", |o| &o.ticket)), body)
            }
            Self::Suggestion(method) => {
                let suggestion = id("sug", |o| &o.suggestion);
                (method, format!("/v1/suggestions/{suggestion}"), Value::Null)
            }
            Self::Decide(action, decided) => {
                let suggestion =
                    if decided { id("sug", |o| &o.decided) } else { id("sug", |o| &o.suggestion) };
                let mut body = json!({ "action": action });
                if matches!(action, "edit" | "reroute") {
                    body["priority"] = json!("high");
                }
                ("POST", format!("/v1/suggestions/{suggestion}/decision"), body)
            }
            Self::Import => {
                ("GET", format!("/v1/imports/{}", id("imp", |o| &o.import)), Value::Null)
            }
            Self::OfTicket => {
                let ticket = id("tkt", |o| &o.ticket);
                ("GET", format!("/v1/suggestions?ticket_id={ticket}"), Value::Null)
            }
            Self::Requester => {
                ("DELETE", format!("/v1/requesters/{word}%20requester"), Value::Null)
            }
            Self::Author => ("DELETE", format!("/v1/requesters/{word}%20author"), Value::Null),
        }
    }
}

/// Requests that are answered for the caller's own desk, whatever others have: a key and a body
/// that another one used, its source, its words, its place in a list.
fn own_requests(owned: &Owned, word: &str) -> Vec<(&'static str, String, Value)> {
    let source = json!({"system": "shared", "id": "1"});
    let ticket = json!({"subject": "printer jams", "source": source});
    vec![
        ("POST", "/v1/triage".to_owned(), ticket.clone()),
        ("POST", "/v1/triage/batch".to_owned(), json!({"tickets": [ticket]})),
        ("POST", "/v1/similar".to_owned(), json!({"subject": format!("the {}", &word[..4])})),
        ("GET", format!("/v1/suggestions?cursor={}", owned.cursor), Value::Null),
        ("GET", "/v1/suggestions?limit=200".to_owned(), Value::Null),
        ("GET", "/v1/taxonomy".to_owned(), Value::Null),
        ("GET", "/v1/export".to_owned(), Value::Null),
        ("GET", "/metrics".to_owned(), Value::Null),
        ("GET", "/v1/session".to_owned(), Value::Null),
    ]
}

/// All that a desk's owner can read.
async fn all_of(world: &World, desk: usize) -> String {
    let admin = world.keys[desk].last().unwrap();
    let mut all = String::new();
    for path in ["/v1/export", "/v1/suggestions?limit=200", "/v1/taxonomy"] {
        let headers = [("authorization", admin.as_str())];
        let reply = world.desk.ask("GET", path, &headers, &Value::Null).await;
        assert_eq!(reply.status, 200);
        all += &reply.text();
    }
    all
}

fn cases() -> ProptestConfig {
    let plain = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if asked_for { plain.cases } else { 32 }, ..plain }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_another_desk_has_is_as_if_it_were_not_there(
        caller in 0..3usize,
        step in 1..3usize,
        scope in 0..4usize,
        attempts in prop::collection::vec((prop::sample::select(&Attempt::ALL[..]), 0..6u8), 1..12),
        own in 0..9usize,
    ) {
        let world = World::shared();
        let victim = (caller + step) % 3;
        let (key, word) = (world.keys[caller][scope].as_str(), WORDS[victim]);
        world.runtime.block_on(async {
            let before = all_of(world, victim).await;
            for (attempt, n) in attempts {
                let theirs = ["one", "two", "three", "four", "five"];
                let mut replies = Vec::new();
                for owner in [Some((&world.owned[victim], word)), None] {
                    let (method, path, body) = attempt.request(owner);
                    let mut headers = vec![("authorization", key)];
                    headers.extend(theirs.get(usize::from(n)).map(|key| ("idempotency-key", *key)));
                    replies.push(world.desk.ask(method, &path, &headers, &body).await);
                }
                prop_assert_eq!(comparable(&replies[0]), comparable(&replies[1]), "{:?}", attempt);
                let status = replies[0].status;
                let listed = matches!(attempt, Attempt::OfTicket);
                prop_assert!(status == 404 || status == 403 || listed, "{attempt:?}: {status}");
                prop_assert!(!replies[0].text().contains(word), "{attempt:?}");
            }
            let (method, path, body) = own_requests(&world.owned[victim], word).swap_remove(own);
            let headers = [("authorization", key), ("idempotency-key", "one")];
            let reply = world.desk.ask(method, &path, &headers, &body).await;
            prop_assert!(!reply.text().contains(word), "{method} {path}: {}", reply.text());
            let theirs = &world.owned[victim].ticket;
            prop_assert!(!reply.text().contains(theirs.as_str()), "{method} {path}");
            prop_assert_eq!(all_of(world, victim).await, before);
            Ok(())
        })?;
    }
}

/// What an answer says, without what is another one's each time.
fn comparable(reply: &Reply) -> (u16, Vec<(String, String)>, Value) {
    let mut body = reply.json();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    let headers = reply.headers.iter().filter(|(name, _)| name.as_str() != "x-request-id");
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    (reply.status, headers.collect(), body)
}
