//! `/v1/imports` and `/v1/export`: histories in and out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use deskhand::domain::{Scope, WorkspaceId};
use deskhand::triage::Caller;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Desk, Reply, Setup, small_history};

const JSONL: &str = "application/x-ndjson";

/// Sends a history in pieces.
async fn upload(desk: &Desk, query: &str, kind: &str, pieces: &[&str]) -> Reply {
    let pieces: Vec<_> =
        pieces.iter().map(|p| Ok::<_, std::io::Error>(Bytes::from((*p).to_owned()))).collect();
    let request = Request::post(format!("/v1/imports{query}")).header("content-type", kind);
    desk.raw(request.body(Body::from_stream(stream::iter(pieces))).unwrap()).await
}

/// The same, and waits until it is in.
async fn import(desk: &Desk, query: &str, kind: &str, pieces: &[&str]) -> Value {
    let sent = upload(desk, query, kind, pieces).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    while desk.triage.work_once().await {}
    let record = desk.get(sent.header("location")).await.ok();
    assert_eq!(record["id"], sent.json()["id"]);
    record
}

async fn tickets(desk: &Desk) -> u64 {
    desk.triage.store().counts(&desk.workspace).await.unwrap().tickets
}

fn numbers(record: &Value) -> [u64; 5] {
    ["rows", "done", "imported", "unchanged", "rejected"].map(|f| record[f].as_u64().unwrap())
}

#[tokio::test]
async fn a_history_in_pieces_is_taken_in_and_sending_it_again_changes_nothing() {
    let desk = Desk::new().await;
    let pieces = [
        "{\"id\": 1, \"subject\": \"coffee machine bro",
        "ken\", \"category\": \"Kitchen\", \"resolution\": \"Descaled it.\"}\n{\"id\": 2,",
        " \"subject\": \"lift stuck\", \"category\": \"Building\"}\n",
    ];
    let sent = upload(&desk, "?source=jira", JSONL, &pieces).await;
    assert_eq!(sent.status, 202);
    let queued = sent.json();
    assert_eq!((&queued["state"], &queued["rows"]), (&json!("queued"), &json!(null)));
    assert_eq!(queued["bytes"], pieces.concat().len());
    assert_eq!(tickets(&desk).await, 0, "a job takes it in");
    assert_eq!(desk.get(sent.header("location")).await.ok(), queued);
    assert!(desk.triage.work_once().await);
    let done = desk.get(sent.header("location")).await.ok();
    assert_eq!((&done["state"], &done["source"]), (&json!("done"), &json!("jira")));
    assert_eq!(numbers(&done), [2, 2, 2, 0, 0]);
    assert_eq!(desk.rows("SELECT hex(import_id) FROM import_chunks").await, Vec::<String>::new());
    let answer = desk.triage(json!({"subject": "the coffee machine is broken"})).await;
    assert_eq!(answer["category"]["label"], "Kitchen");

    let export = desk.get("/v1/export").await;
    assert_eq!(export.header("content-type"), JSONL);
    let again = import(&desk, "?source=jira", JSONL, &pieces).await;
    assert_eq!(numbers(&again), [2, 2, 0, 2, 0]);
    assert_eq!(desk.get("/v1/export").await.bytes, export.bytes);
    let elsewhere = import(&desk, "?source=zendesk", JSONL, &pieces).await;
    assert_eq!(numbers(&elsewhere), [2, 2, 2, 0, 0], "another system's ids are others");
}

#[tokio::test]
async fn every_line_that_cannot_be_taken_is_named() {
    let desk = Desk::new().await;
    let rows = "{\"id\": 1, \"subject\": \"lift\", \"created\": \"soon\"}\n\
                {\"id\": 2, \"subject\": 7}\n\
                {broken\n\
                {\"id\": 3, \"subject\": \"\\u200b\", \"body\": \"\\u0000 \"}\n\
                {\"id\": 4, \"subject\": \"first\"}\n\
                {\"id\": 4, \"subject\": \"second\"}\n";
    let record = import(&desk, "", JSONL, &[rows]).await;
    assert_eq!(record["state"], "done");
    let place = |fault: &Value| (fault["line"].as_u64().unwrap(), fault["column"].clone());
    let list =
        |field: &str| -> Vec<_> { record[field].as_array().unwrap().iter().map(place).collect() };
    let errors = list("errors");
    assert_eq!(errors[..2], [(2, json!("subject")), (3, json!(null))], "{record}");
    assert!(errors.contains(&(5, json!(null))), "the last of two counts: {record}");
    assert_eq!(list("warnings"), [(1, json!("created"))]);
    assert_eq!(record["rejected"], errors.len());
    let export = desk.get("/v1/export").await.text();
    assert!(export.contains("second") && !export.contains("first"), "{export}");
}

#[tokio::test]
async fn a_table_is_read_like_lines_of_json() {
    let desk = Desk::new().await;
    let rows = "number;short_description;assignment_group;close_notes\r\n\
                INC1;\"VPN; down\";Network;Restarted \"the\" gateway\r\nINC2;Lift;Facilities;\r\n";
    let record = import(&desk, "", "text/csv; charset=utf-8", &[rows]).await;
    assert_eq!(numbers(&record), [2, 2, 2, 0, 0], "{record}");
    let export = desk.get("/v1/export").await.text();
    let lines: Vec<Value> = export.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&lines[0]["id"], &lines[0]["subject"]), (&json!("INC1"), &json!("VPN; down")));
    assert_eq!(lines[0]["system"], "import");
    assert_eq!(lines[1]["team"], "Facilities");
}

#[tokio::test]
async fn a_history_that_makes_no_sense_fails_as_a_whole() {
    let desk = Desk::new().await;
    for (rows, reason) in
        [("", "empty"), ("[{}]", "one ticket on each line"), ("a,b\n1,2\n", "subject")]
    {
        let record = import(&desk, "", JSONL, &[rows]).await;
        assert_eq!(record["state"], "failed", "{rows:?}");
        assert!(record["failure"].as_str().unwrap().contains(reason), "{record}");
    }
    for kind in ["application/json", "text/plain", "", "text/csvx"] {
        let refused = upload(&desk, "", kind, &["{\"subject\": \"a\"}"]).await;
        assert_eq!(refused.problem(), (415, "unsupported_media_type".to_owned()), "{kind}");
    }
    for query in ["?source=", "?source=%20", "?colour=red"] {
        let refused = upload(&desk, query, JSONL, &["{\"subject\": \"a\"}"]).await;
        assert_eq!(refused.problem(), (422, "invalid_parameter".to_owned()), "{query}");
    }
    assert_eq!(tickets(&desk).await, 0);
}

#[tokio::test]
async fn too_large_a_history_leaves_nothing_behind() {
    let adjust = Box::new(|state: &mut deskhand::http::State| state.limits.import_bytes = 3 << 20);
    let desk = Desk::set_up(Setup { adjust, ..Setup::default() }).await;
    let row = format!("{{\"subject\": \"{}\"}}\n", "zanzibarium ".repeat(50_000));
    let refused = upload(&desk, "", JSONL, &[row.as_str(); 6]).await;
    assert_eq!(refused.problem(), (413, "body_too_large".to_owned()));
    assert_nothing_left(&desk).await;
    let fits = import(&desk, "", JSONL, &[row.as_str(); 5]).await;
    assert_eq!(fits["state"], "done");
}

/// The import is known to have failed, and nothing of what was sent is kept.
async fn assert_nothing_left(desk: &Desk) {
    while desk.triage.work_once().await {}
    assert_eq!(desk.rows("SELECT state FROM imports").await, ["\"failed\""]);
    assert_eq!(desk.rows("SELECT hex(import_id) FROM import_chunks").await, Vec::<String>::new());
    assert_eq!(desk.rows("SELECT kind FROM jobs").await, Vec::<String>::new());
    assert_eq!(tickets(desk).await, 0);
}

#[tokio::test]
async fn a_history_that_breaks_off_leaves_no_rows() {
    let desk = Desk::new().await;
    let row = format!("{{\"subject\": \"{}\"}}\n", "x".repeat(1 << 20));
    let pieces = [Ok(Bytes::from(row)), Err(std::io::Error::other("gone"))];
    let request = Request::post("/v1/imports").header("content-type", JSONL);
    let broken = desk.raw(request.body(Body::from_stream(stream::iter(pieces))).unwrap()).await;
    assert_eq!(broken.problem(), (400, "body_unreadable".to_owned()));
    assert_nothing_left(&desk).await;
}

#[tokio::test]
async fn a_history_that_the_disk_has_no_room_for_is_not_kept_in_part() {
    let desk = Desk::new().await;
    desk.run_sql(
        "CREATE TRIGGER full BEFORE INSERT ON import_chunks WHEN NEW.n = 2
         BEGIN SELECT RAISE(FAIL, 'no room'); END",
    )
    .await;
    let row = format!("{{\"subject\": \"{}\"}}\n", "x".repeat(1 << 20));
    for rows in [3, 4] {
        let failed = upload(&desk, "", JSONL, &vec![row.as_str(); rows]).await;
        assert_eq!(failed.problem(), (503, "unavailable".to_owned()));
    }
    desk.run_sql("DELETE FROM imports WHERE rowid = (SELECT min(rowid) FROM imports)").await;
    assert_nothing_left(&desk).await;
}

/// Sends the head of a request for a large history and a part of it, then hangs up.
async fn hang_up_half_way(address: SocketAddr) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/imports HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSONL}\r\n\
         content-length: 9000000\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&b"{\"subject\": \"half\"}\n".repeat(100_000)).await.unwrap();
    connection.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_sender_who_hangs_up_half_way_leaves_no_rows() {
    let desk = Desk::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = async {
        hang_up_half_way(address).await;
        for _ in 0..200 {
            if desk.rows("SELECT state FROM imports").await == ["\"failed\""] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopping = async { drop(stopped.await) };
    let serve = deskhand::http::serve(listener, desk.router.clone(), 4, stopping);
    let client = async {
        client.await;
        drop(stop);
    };
    let (served, ()) = tokio::join!(serve, client);
    served.unwrap();
    assert_nothing_left(&desk).await;
}

#[tokio::test]
async fn a_history_that_a_crash_cut_short_is_dropped_when_nothing_more_comes_for_a_day() {
    let desk = Desk::new().await;
    let caller = Caller { workspace: WorkspaceId::main(), actor: "someone".to_owned() };
    let mut upload = desk.triage.begin_import(&caller, "csv".to_owned()).await.unwrap();
    upload.push(b"{\"subject\": \"half\"}\n").await.unwrap();
    desk.triage.tidy().await.unwrap();
    assert_eq!(desk.rows("SELECT state FROM imports").await, ["\"receiving\""]);
    upload.push(b"{\"subj").await.unwrap();
    // The process that received it dies here.
    desk.run_sql("UPDATE imports SET updated_at = updated_at - 86400000000").await;
    desk.triage.tidy().await.unwrap();
    // Nor does anything come after.
    upload.push(b"ect\": \"late\"}\n").await.unwrap_err();
    assert_nothing_left(&desk).await;
}

#[tokio::test]
async fn what_is_exported_makes_the_same_desk_elsewhere() {
    let desk = Desk::with(&small_history()).await;
    let thread = json!({
        "subject": "lift, \"stuck\"", "body": "line\nbreak, ünïcödé 🛗", "requester": "Ann",
        "messages": [{"author": "Bob", "at": "2025-01-01T00:00:00Z", "text": "still"}, {"text": "a"}],
        "created_at": "2025-01-01T00:00:00.123456Z",
        "source": {"system": "test", "id": "x y", "url": "https://desk.example/7"}
    });
    let made = desk.triage(thread).await;
    let resolution = json!({"resolution": "Called them.", "handling_minutes": 90});
    let path = format!("/v1/tickets/{}/resolution", made["ticket_id"].as_str().unwrap());
    desk.post_to(&path, &resolution).await.ok();
    desk.triage(json!({"subject": "open, and from nowhere"})).await;
    let export = desk.get("/v1/export").await.text();
    assert_eq!(export.lines().count(), 11);

    let key = desk.key("copy", Scope::Admin).await;
    let request = Request::post("/v1/imports?source=test")
        .header("content-type", JSONL)
        .header("authorization", &key);
    let sent = desk.raw(request.body(Body::from(export.clone())).unwrap()).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    while desk.triage.work_once().await {}
    let headers = [("authorization", key.as_str())];
    let record = desk.ask("GET", sent.header("location"), &headers, &Value::Null).await.ok();
    assert_eq!((&record["errors"], &record["warnings"]), (&json!([]), &json!([])), "{record}");
    assert_eq!(numbers(&record), [11, 11, 11, 0, 0]);
    let copy = desk.ask("GET", "/v1/export", &headers, &Value::Null).await.text();
    let lines = |text: &str| {
        let mut lines: Vec<Value> =
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        for line in &mut lines {
            line["ticket_id"].take();
            // One that came from nowhere is from the import now, under its old id.
            line["system"].take();
            line["language"].take();
        }
        lines.sort_by_key(|l| l["id"].to_string());
        lines
    };
    assert_eq!(lines(&copy), lines(&export));
    let counts = async |workspace: &str| {
        let workspace = WorkspaceId::try_from(workspace.to_owned()).unwrap();
        desk.triage.store().counts(&workspace).await.unwrap()
    };
    assert_eq!(counts("copy").await.tickets, counts("main").await.tickets);
}

#[tokio::test]
async fn tickets_of_two_systems_with_one_id_both_survive_an_export_and_an_import() {
    let desk = Desk::new().await;
    for (system, subject) in [("jira", "printer"), ("zendesk", "lift")] {
        desk.triage(json!({"subject": subject, "source": {"system": system, "id": "1"}})).await;
    }
    let export = desk.get("/v1/export").await.text();
    let copy = Desk::new().await;
    let record = import(&copy, "", JSONL, &[&export]).await;
    assert_eq!(numbers(&record), [2, 2, 2, 0, 0], "{record}");
    assert_eq!(tickets(&copy).await, 2);
}
