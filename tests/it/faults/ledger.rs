//! What the clients know against what the server has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use deskhand::domain::{Suggestion, WorkspaceId};
use deskhand::store::{Records, SqlStore};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::clients::{Mine, SYSTEM, Sent};

/// What there must be, by the clients' knowledge and the server's answers.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) tickets: u64,
    pub(super) suggestions: u64,
    pub(super) messages: u64,
    pub(super) decisions: u64,
    /// Tickets that search must find, the history's among them.
    listed: u64,
}

async fn get(url: &str) -> String {
    let answer = reqwest::get(url).await.unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().await.unwrap()
}

/// Every suggestion there is, by its ticket, oldest first.
async fn suggestions(address: &str) -> HashMap<String, Vec<Value>> {
    let (mut all, mut ids) = (HashMap::<String, Vec<Value>>::new(), HashSet::new());
    let mut next = String::new();
    loop {
        let page = get(&format!("{address}/v1/suggestions?limit=200{next}")).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        for suggestion in page["suggestions"].as_array().unwrap() {
            assert!(ids.insert(suggestion["id"].to_string()), "listed twice: {suggestion}");
            let ticket = suggestion["ticket_id"].as_str().unwrap().to_owned();
            all.entry(ticket).or_default().insert(0, suggestion.clone());
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

/// Compares all of it over HTTP.
pub(super) async fn check(address: &str, ledgers: &[Vec<Mine>], history: usize) -> Known {
    let stored = suggestions(address).await;
    let export = get(&format!("{address}/v1/export")).await;
    let mut lines: HashMap<String, Value> = HashMap::new();
    for line in export.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["system"] == SYSTEM {
            let source = line["id"].as_str().unwrap().to_owned();
            let other = lines.insert(source, line);
            assert!(other.is_none(), "two tickets of one source: {other:?}");
        }
    }
    assert_eq!(export.lines().count(), history + lines.len(), "the export has strangers");

    let mut known = Known { listed: history as u64, ..Known::default() };
    let mut search = Vec::new();
    for ledger in ledgers {
        let mut batches = BTreeMap::<u64, HashSet<bool>>::new();
        for mine in ledger {
            let line = lines.remove(&mine.source);
            assert_ne!(mine.created, Sent::Waiting, "{mine:?}");
            assert!(line.is_some() || mine.created == Sent::GivenUp, "lost: {mine:?}");
            if let Some(batch) = mine.batch {
                batches.entry(batch).or_default().insert(line.is_some());
            }
            let Some(line) = line else { continue };
            let of_ticket = &stored[line["ticket_id"].as_str().unwrap()];
            if check_ticket(mine, &line, of_ticket, &mut known) {
                search.push((mine.subject.clone(), line));
            }
        }
        assert!(batches.values().all(|b| b.len() == 1), "half a batch was stored");
    }
    assert!(lines.is_empty(), "tickets that nobody sent: {lines:?}");
    assert_eq!(stored.len() as u64, known.tickets, "suggestions without a ticket");

    let http = &reqwest::Client::new();
    let found = search.into_iter().map(|(subject, line)| async move {
        let messages = line["messages"].as_array().unwrap().iter();
        let parts = messages.map(|m| m["text"].as_str().unwrap());
        let body: Vec<&str> = line["body"].as_str().into_iter().chain(parts).collect();
        let ask = json!({"subject": subject, "body": body.join("\n"), "limit": 20});
        let answer = http.post(format!("{address}/v1/similar")).json(&ask).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let similar = answer["similar"].as_array().unwrap();
        let itself = similar.iter().find(|s| s["ticket_id"] == line["ticket_id"]);
        let score = itself.and_then(|s| s["score"].as_f64()).unwrap_or_default();
        assert!(score > 0.99, "search does not find {line}: {answer}");
    });
    futures_util::stream::iter(found).buffer_unordered(8).collect::<Vec<()>>().await;
    known
}

/// Compares one ticket. Returns whether search must find it.
fn check_ticket(mine: &Mine, line: &Value, stored: &[Value], known: &mut Known) -> bool {
    assert_eq!(line["subject"], mine.subject.as_str());
    assert_eq!(line["body"], mine.body.as_str());
    let texts: Vec<&str> =
        line["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    let sent = |wanted: Sent| {
        let texts = mine.messages.iter().filter(move |m| m.1 == wanted);
        texts.map(|m| m.0.as_str()).collect::<Vec<&str>>()
    };
    let acknowledged = sent(Sent::Acknowledged);
    let mut with_last = acknowledged.clone();
    with_last.extend(sent(Sent::GivenUp));
    assert!(texts == acknowledged || texts == with_last, "{mine:?} has {texts:?}");
    // The ticket itself and each of its messages were answered once.
    assert_eq!(stored.len(), 1 + texts.len(), "{mine:?} has {stored:?}");
    known.tickets += 1;
    known.messages += texts.len() as u64;
    known.suggestions += stored.len() as u64;

    let mut listed = false;
    for (at, found) in stored.iter().enumerate() {
        let is: Suggestion = serde_json::from_value(found.clone()).unwrap();
        if let Some(suggestion) = mine.suggestions.get(at) {
            assert_eq!(&is, suggestion);
        }
        let newest = at + 1 == stored.len();
        let open = if newest { "open" } else { "superseded" };
        let decision = mine.decisions.iter().find(|d| d.0 == at);
        let (wanted, answer) = match decision {
            None => (open, None),
            Some((_, action, answer)) => {
                let decided = match *action {
                    "approve" => "approved",
                    "edit" => "edited",
                    _ => "rejected",
                };
                // One that was given up is in force, or it is not.
                let uncertain = answer.is_none() && found["decision"].is_null();
                (if uncertain { open } else { decided }, answer.as_ref())
            }
        };
        assert_eq!(found["status"], wanted, "{mine:?} has {found}");
        if let Some(answer) = answer {
            assert_eq!(found["decision"], answer["decision"]);
            assert_eq!(found["version"], answer["version"]);
            assert_eq!(found["version"], 2);
        }
        assert!(decision.is_some() || found["decision"].is_null(), "{found}");
        known.decisions += u64::from(!found["decision"].is_null());
        listed |= matches!(found["status"].as_str(), Some("approved" | "edited"));
    }
    assert!(mine.uncertain() || mine.suggestions.len() == stored.len());
    known.listed += u64::from(listed);
    listed
}

/// Looks at what the API does not show: the file, once the server has ended.
pub(super) async fn check_file(data: &Path, known: &Known) {
    let store = SqlStore::open_folder(data).await.unwrap();
    let counts = store.counts(&WorkspaceId::main()).await.unwrap();
    store.close().await;
    assert_eq!(counts.suggestions, known.suggestions);
    assert_eq!(counts.searchable, known.listed);
    let url = format!("sqlite://{}", data.join("deskhand.sqlite3").display());
    let mut file = SqliteConnection::connect(&url).await.unwrap();
    let sound: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut file).await.unwrap();
    assert_eq!(sound, "ok");
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut file).await.unwrap();
    assert!(dangling.is_empty());
    let in_force = "SELECT count(*), count(DISTINCT suggestion_id) FROM decisions
        WHERE undone_at IS NULL";
    let (all, distinct): (i64, i64) = sqlx::query_as(in_force).fetch_one(&mut file).await.unwrap();
    assert_eq!(all, distinct, "a decision is in force twice");
    assert_eq!(all.unsigned_abs(), known.decisions);
    file.close().await.unwrap();
}
