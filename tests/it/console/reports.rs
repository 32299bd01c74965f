//! Back-tests of exports that leads upload.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use deskhand::domain::{Scope, Scopes, WorkspaceId};
use deskhand::reports::{Limits, WAITING};
use deskhand::store::{Membership, WorkspaceSettings};
use futures_util::stream;
use jiff::SignedDuration;
use serde_json::json;

use super::{Browser, desk, form, place};
use crate::support::{Desk, Reply, Setup, small_history};

const BOUNDARY: &str = "----boundary";

/// Two months of the sample history.
const EXPORT: &str = concat!(
    include_str!("../../../eval/sample/2025-01.jsonl"),
    include_str!("../../../eval/sample/2025-02.jsonl")
);

/// A form with a file as a browser sends it.
fn multipart(fields: &[(&str, &str)], file: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |head: String, content: &[u8]| {
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes(),
        );
        body.extend(content);
        body.extend(b"\r\n");
    };
    for (name, value) in fields {
        part(format!("name=\"{name}\""), value.as_bytes());
    }
    if let Some((name, content)) = file {
        part(format!("name=\"file\"; filename=\"{name}\""), content);
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

fn request(headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::post("/reports")
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("host", "localhost:8080");
    if !headers.iter().any(|(name, _)| *name == "origin") {
        request = request.header("origin", "http://localhost:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// Uploads where nobody needs an account.
async fn upload(desk: &Desk, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Reply {
    let body = multipart(fields, Some((name, content)));
    desk.raw(request(&[], Body::from(body))).await
}

/// Does something while reports are made.
async fn working<T>(desk: &Desk, body: impl Future<Output = T>) -> T {
    let work = desk.reports.work(Arc::clone(&desk.triage), std::future::pending());
    tokio::select! {
        done = body => done,
        () = work => unreachable!("it goes on until it is stopped"),
    }
}

/// Fields, a file's name and content, and what is said of them.
type Refused<'a> = (Vec<(&'a str, &'a str)>, &'a str, &'a [u8], &'a str);

/// A report's page, once it says this.
async fn until(desk: &Desk, path: &str, says: &str) -> String {
    for look in 0.. {
        let page = desk.get(path).await.text();
        if page.contains(says) {
            return page;
        }
        assert!(says == FAILED || !page.contains(FAILED), "{page}");
        assert!(look < 1200, "{path} never said {says}: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unreachable!("it has said so or failed")
}

const DONE: &str = "badge auto\">Done";
const FAILED: &str = "badge abstain\">Cannot be made";
const CANCELLED: &str = "badge closed\">Called off";
const INTERRUPTED: &str = "badge closed\">Interrupted";

fn uploads(desk: &Desk) -> usize {
    std::fs::read_dir(desk.folder.path().join("uploads")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_becomes_a_report_that_is_read_kept_elsewhere_and_deleted() {
    let desk = Desk::with(&small_history()).await;
    let hostile = |n: u32| {
        format!(
            "{{\"id\": \"x{n}\", \"subject\": \"<script>alert(1)</script> zanzibarium\", \
             \"category\": \"<b>bold</b>\", \"team\": \"Network\", \"created_at\": \"2025-02-27\"}}\n"
        )
    };
    let content = format!("{EXPORT}{}{}", hostile(1), hostile(2));
    let fields = [("map", ""), ("label", "category"), ("label", "team"), ("dates", "")];
    let sent = upload(&desk, &fields, "C:\\exports\\winter.jsonl", content.as_bytes()).await;
    let path = place(&sent).to_owned();
    assert!(desk.get(&path).await.text().contains("Waiting for its turn"));
    assert_eq!(uploads(&desk), 0, "what is uploaded has no name");
    let page = working(&desk, until(&desk, &path, DONE)).await;
    assert!(page.contains("winter.jsonl") && !page.contains("exports"), "{page}");
    let list = desk.get("/reports").await.text();
    assert!(list.contains(&format!("href=\"{path}\"")) && list.contains(DONE), "{list}");

    let report = desk.get(&format!("{path}/page")).await;
    assert_eq!(report.status, 200);
    let policy = report.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains(&["un", "safe"].concat()),
        "{policy}"
    );
    for part in ["style-src 'sha256-", "script-src 'sha256-", "frame-ancestors 'none'", "sandbox"] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("allow-same-origin"));
    let html = report.text();
    assert!(html.contains("Category") && !html.contains("<script>alert"), "hostile text is text");
    assert!(!html.contains("<b>bold"));
    assert!(
        html.contains("deskhand-eval report winter.jsonl --label category,team --latest 20000")
    );
    let json = desk.get(&format!("{path}/report.json")).await;
    assert!(json.header("content-disposition").starts_with("attachment"));
    let json = json.json();
    assert_eq!(json["data"]["tickets"], 186);
    assert_eq!(json["fields"].as_array().unwrap().len(), 2);
    assert_eq!(json["provenance"]["threads"], 1);
    assert!(json["drafts"].is_object() && json["latency"].is_null());
    assert_eq!(json["provenance"]["files"][0]["bytes"], content.len());
    let kept = desk.get(&format!("{path}/report.html")).await;
    assert!(kept.header("content-disposition").starts_with("attachment"));
    assert!(desk.get(&format!("{path}/worklist.csv")).await.text().contains("ticket"));
    assert_eq!(desk.get(&format!("{path}/other")).await.status, 404);

    let deleted = form(&desk, &format!("{path}/delete"), &[], &[]).await;
    assert_eq!(place(&deleted), "/reports?deleted=1");
    assert!(desk.get("/reports?deleted=1").await.text().contains("The report is deleted."));
    for gone in [path.clone(), format!("{path}/page"), format!("{path}/report.json")] {
        assert_eq!(desk.get(&gone).await.status, 404, "{gone}");
    }
    let trail = desk.get("/audit").await.text();
    assert!(trail.contains("report.make") && trail.contains("report.delete"));
    assert_eq!(desk.files_with("zanzibarium"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_judged_is_told_as_the_command_line_tells_it() {
    let desk = Desk::new().await;
    let rows = |n: usize, row: &dyn Fn(usize) -> String| (0..n).map(row).collect::<String>();
    let many = |last: &dyn Fn(usize) -> String| {
        format!("id,subject,category\n{}", rows(40, &|n| format!("{n},broken {n},{}\n", last(n))))
    };
    let latin: Vec<u8> = "nummer,wann\n1,St\u{f6}rung\n".chars().map(|c| c as u8).collect();
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("a.csv", b"nummer,wann\n1,heute\n".to_vec(), "--map subject=nummer"),
        ("b.csv", latin, "nummer, wann"),
        ("c.pdf", b"%PDF-1.7 tickets".to_vec(), "this is a PDF"),
        ("d.csv", b"id,subject,category\n1,a,x\n2,b,y\n".to_vec(), "there are 2 tickets"),
        ("e.csv", many(&|_| "IT".to_owned()).into_bytes(), "every ticket has the category"),
        ("f.csv", many(&|n| format!("C{n}")).into_bytes(), "different values for 40 tickets"),
        ("g.csv", many(&|_| String::new()).into_bytes(), "no ticket has a category"),
    ];
    working(&desk, async {
        for (name, content, reason) in cases {
            let sent = upload(&desk, &[], name, &content).await;
            let page = until(&desk, place(&sent), FAILED).await;
            let told = page.split("class=\"problem\"").nth(1).unwrap_or(&page);
            assert!(told.contains(reason), "{name}: {page}");
        }
    })
    .await;
    let refused: [Refused<'_>; 4] = [
        (vec![("map", "colour=Farbe")], "a.csv", b"x", "--map &quot;colour&quot; is no field"),
        (vec![("dates", "ymd")], "a.csv", b"x", "expected dmy"),
        (vec![], "a.csv", b"", "the file is empty"),
        (vec![], "", b"x", "Choose a file."),
    ];
    for (fields, name, content, reason) in refused {
        let reply = upload(&desk, &fields, name, content).await;
        assert_eq!(reply.status, 422, "{reason}: {}", reply.text());
        assert!(reply.text().contains(reason), "{reason}: {}", reply.text());
    }
    let none = desk.raw(request(&[], Body::from(multipart(&[("map", "")], None)))).await;
    assert_eq!(none.status, 422);
    let headers = [("accept", "application/json")];
    let script = desk.raw(request(&headers, Body::from(multipart(&[], None)))).await;
    assert_eq!(script.problem(), (422, "invalid_field".to_owned()));
    assert_eq!(uploads(&desk), 0);
}

#[tokio::test]
async fn an_upload_that_is_too_large_breaks_off_or_finds_no_place_is_refused_and_not_kept() {
    let reports = Limits { bytes: 10_000, latest: 20_000, keep: 10 };
    let desk = Desk::set_up(Setup { reports, ..Setup::default() }).await;
    let refused = upload(&desk, &[], "a.csv", &[b'a'; 10_001]).await;
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("at most 10000 bytes"), "{}", refused.text());
    let part = multipart(&[], Some(("a.csv", b"id,subject\n")));
    let part = Bytes::from(part[..part.len() - 30].to_vec());
    let pieces = [Ok(part), Err(std::io::Error::other("gone"))];
    let broken = desk.raw(request(&[], Body::from_stream(stream::iter(pieces)))).await;
    assert_eq!(broken.status, 400);
    assert_eq!(desk.rows("SELECT document FROM reports").await, Vec::<String>::new());
    for n in 0..WAITING {
        assert_eq!(upload(&desk, &[], "a.csv", b"x").await.status, 303, "{n}");
    }
    let busy = upload(&desk, &[], "a.csv", b"x").await;
    assert_eq!(busy.status, 503);
    assert!(busy.text().contains("other reports are being made"), "{}", busy.text());
    assert_eq!(uploads(&desk), 0);
    // One that waits can be called off, and deleted then.
    let list = desk.get("/reports").await.text();
    let path = list.split("href=\"/reports/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/reports/{path}");
    assert_eq!(place(&form(&desk, &format!("{path}/cancel"), &[], &[]).await), path);
    assert!(desk.get(&path).await.text().contains(CANCELLED));
    working(&desk, async {
        while desk.get("/reports").await.text().contains("Waiting for its turn") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(desk.get(&path).await.text().contains(CANCELLED), "it stays called off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_under_way_can_be_called_off_and_is_interrupted_by_a_restart() {
    let desk = Desk::new().await;
    let running = "badge suggest\">Being made";
    let sent = upload(&desk, &[], "a.jsonl", EXPORT.as_bytes()).await;
    let path = place(&sent).to_owned();
    working(&desk, async {
        let page = until(&desk, &path, running).await;
        assert!(page.contains("<progress") && page.contains("Call off"), "{page}");
        form(&desk, &format!("{path}/cancel"), &[], &[]).await;
        until(&desk, &path, CANCELLED).await;
        // The next one is made: nothing is left of it that would be in the way.
        let next = upload(&desk, &[], "a.csv", b"x").await;
        until(&desk, place(&next), FAILED).await;
    })
    .await;
    assert!(desk.get(&path).await.text().contains(CANCELLED));

    // Stopped in good order: said at once, of those who wait too.
    let first = upload(&desk, &[], "a.jsonl", EXPORT.as_bytes()).await;
    let second = upload(&desk, &[], "b.jsonl", EXPORT.as_bytes()).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let work = desk.reports.work(Arc::clone(&desk.triage), async { drop(stopped.await) });
    let client = async {
        until(&desk, place(&first), running).await;
        drop(stop);
    };
    tokio::join!(work, client);
    for sent in [&first, &second] {
        let page = desk.get(place(sent)).await.text();
        assert!(page.contains(INTERRUPTED) && page.contains("Upload it again"), "{page}");
    }
    assert_eq!(upload(&desk, &[], "a.csv", b"x").await.status, 503, "it is stopping");
}

#[tokio::test]
async fn a_report_whose_service_was_killed_is_interrupted_and_can_be_deleted() {
    let desk = Desk::new().await;
    let sent = upload(&desk, &[], "a.jsonl", EXPORT.as_bytes()).await;
    let path = place(&sent).to_owned();
    // Nobody makes it, and nobody says a word of it.
    desk.clock.advance(SignedDuration::from_secs(21));
    assert!(desk.get(&path).await.text().contains(INTERRUPTED));
    assert!(desk.get("/reports").await.text().contains(INTERRUPTED));
    assert_eq!(
        place(&form(&desk, &format!("{path}/delete"), &[], &[]).await),
        "/reports?deleted=1"
    );
    assert_eq!(desk.get(&path).await.status, 404);
}

#[tokio::test]
async fn only_leads_of_the_desk_and_forms_of_ours_reach_a_report() {
    let desk = desk().await;
    let lead = Browser::signed_in(&desk, "lead").await;
    let send = async |browser: &Browser, csrf: &str, origin: &str| {
        let body = multipart(&[("csrf", csrf)], Some(("a.csv", b"x")));
        let headers = [("cookie", browser.cookie.as_str()), ("origin", origin)];
        desk.raw(request(&headers, Body::from(body))).await
    };
    let ours = "http://localhost:8080";
    for (csrf, origin) in
        [("", ours), ("x", ours), (&lead.csrf[..42], ours), (&lead.csrf, "https://evil.example")]
    {
        let reply = send(&lead, csrf, origin).await;
        assert_eq!(reply.status, 403, "{csrf} {origin}: {}", reply.text());
    }
    // The token must come before the file: nothing is kept for somebody unknown.
    let late = [multipart(&[], Some(("a.csv", b"x"))), multipart(&[("csrf", &lead.csrf)], None)];
    let first = late[0].strip_suffix(format!("--{BOUNDARY}--\r\n").as_bytes()).unwrap();
    let headers = [("cookie", lead.cookie.as_str())];
    let late = desk.raw(request(&headers, Body::from([first, &late[1]].concat()))).await;
    assert_eq!(late.status, 403);
    assert_eq!(desk.rows("SELECT document FROM reports").await, Vec::<String>::new());
    let sent = send(&lead, &lead.csrf, ours).await;
    let path = place(&sent).to_owned();
    let agent = Browser::signed_in(&desk, "agent").await;
    assert_eq!(send(&agent, &agent.csrf, ours).await.status, 403);
    let nobody = desk.raw(request(&[], Body::from(multipart(&[], Some(("a.csv", b"x")))))).await;
    assert_eq!(nobody.status, 303);
    assert!(nobody.header("location").starts_with("/sign-in"));

    let hr = WorkspaceId::try_from("hr".to_owned()).unwrap();
    let member = Membership { workspace: hr, scopes: Scopes::new(vec![Scope::Lead]) };
    desk.triage.store().add_membership("agent", &member).await.unwrap();
    // New rights end the sessions that were there.
    let agent = Browser::signed_in(&desk, "agent").await;
    for (workspace, expected) in [("main", 403), ("hr", 404)] {
        agent.post(&desk, "/desks", &[("desk", workspace)]).await;
        for part in ["", "/page", "/report.json", "/report.html", "/worklist.csv"] {
            let reply = agent.get(&desk, &format!("{path}{part}")).await;
            assert_eq!(reply.status, expected, "{workspace} {part}");
        }
        for act in ["cancel", "delete"] {
            let reply = agent.post(&desk, &format!("{path}/{act}"), &[]).await;
            assert_eq!(reply.status, expected, "{workspace} {act}");
        }
    }
    assert!(!agent.get(&desk, "/reports").await.text().contains("a.csv"));
    let evil = [("cookie", lead.cookie.as_str()), ("origin", "https://evil.example")];
    let fields = [("csrf", lead.csrf.as_str())];
    for act in ["cancel", "delete"] {
        let path = format!("{path}/{act}");
        assert_eq!(form(&desk, &path, &evil, &fields).await.status, 403);
        let bare = form(&desk, &path, &[("cookie", &lead.cookie)], &[]).await;
        assert_eq!(bare.status, 403);
    }
    assert_eq!(lead.get(&desk, &path).await.status, 200, "it is still there");
}

#[tokio::test]
async fn an_erasure_takes_the_desks_reports_with_it_and_so_does_time() {
    let desk = Desk::new().await;
    let made = desk.triage(json!({"subject": "VPN drops", "requester": "Ann"})).await;
    let listed = async || desk.rows("SELECT document FROM reports").await.len();
    let ticket = format!("/v1/tickets/{}", made["ticket_id"].as_str().unwrap());
    upload(&desk, &[], "a.csv", b"x").await;
    assert_eq!(listed().await, 1);
    assert!(desk.delete(&ticket).await.status < 300);
    assert_eq!(listed().await, 0);
    desk.triage(json!({"subject": "VPN drops", "requester": "Ann"})).await;
    upload(&desk, &[], "a.csv", b"x").await;
    desk.delete("/v1/requesters/Ann").await.ok();
    assert_eq!(listed().await, 0);
    let trail = desk.get("/audit").await.text();
    assert_eq!(trail.matches("report.erase").count(), 2, "{trail}");
    // A desk that keeps tickets for ten days keeps no report for longer.
    let settings = WorkspaceSettings { retention_days: Some(10), ..WorkspaceSettings::default() };
    let store = desk.triage.store();
    store.save_settings(&desk.workspace, &settings, desk.triage.now()).await.unwrap();
    upload(&desk, &[], "a.csv", b"x").await;
    desk.clock.advance(SignedDuration::from_hours(9 * 24));
    upload(&desk, &[], "b.csv", b"x").await;
    desk.clock.advance(SignedDuration::from_hours(2 * 24));
    desk.triage.tidy().await.unwrap();
    let left = desk.rows("SELECT document FROM reports").await;
    assert!(left.len() == 1 && left[0].contains("b.csv"), "{left:?}");
}
