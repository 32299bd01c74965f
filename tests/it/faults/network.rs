//! Clients that dawdle, more of them than there is room for, and a signal while they are served.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Serving, serve};

async fn connect(server: &Serving) -> TcpStream {
    TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap()
}

/// Whatever the server says until it hangs up, and how long that took.
async fn until_cut_off(mut stream: TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    // A connection that is reset has been cut off too.
    let _ = tokio::time::timeout(Duration::from_mins(1), read).await.expect("still open");
    (String::from_utf8_lossy(&said).into_owned(), start.elapsed())
}

/// A ticket on a connection of its own. The head and the answer, or nothing.
async fn ask(server: &Serving, key: &str, tickets: &Value) -> reqwest::Result<(u16, Value)> {
    let single = tickets["tickets"].is_null();
    let path = if single { "/v1/triage" } else { "/v1/triage/batch" };
    let request = reqwest::Client::new().post(format!("{}{path}", server.address));
    let request = request.header("idempotency-key", key).header("connection", "close");
    let answer = request.json(tickets).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_dawdle_are_cut_off_and_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let program = serve(folder.path())
        .env("DESKHAND__SERVER__MAX_CONNECTIONS", "4")
        .env("DESKHAND__SERVER__REQUEST_TIMEOUT_SECONDS", "2");
    let server = Serving::start(program).await;
    let silent = connect(&server).await;
    let mut head = connect(&server).await;
    head.write_all(b"POST /v1/triage HTTP/1.1\r\nHost: local").await.unwrap();
    let mut body = connect(&server).await;
    let half = "POST /v1/triage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Content-Length: 1000\r\n\r\n{\"subject\": \"half";
    body.write_all(half.as_bytes()).await.unwrap();
    // The fourth place is free.
    let start = Instant::now();
    for n in 0..4 {
        let answered = ask(&server, &format!("key-{n}"), &json!({"subject": "printer jams"})).await;
        assert_eq!(answered.unwrap().0, 200);
    }
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    let cut = tokio::join!(until_cut_off(silent), until_cut_off(head), until_cut_off(body));
    assert!(cut.2.0.starts_with("HTTP/1.1 504 "), "{}", cut.2.0);
    assert!(cut.2.0.contains("\"code\":\"timeout\""), "{}", cut.2.0);
    for (_, after) in [&cut.0, &cut.1, &cut.2] {
        assert!(*after < Duration::from_secs(40), "{cut:?}");
    }
    // Their places are free again.
    for _ in 0..4 {
        let mut stream = connect(&server).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        std::mem::forget(stream.into_std().unwrap());
    }
    let export = reqwest::Client::new().get(format!("{}/v1/export", server.address));
    let export = export.header("connection", "close").send().await.unwrap().text().await.unwrap();
    assert_eq!(export.lines().count(), 4, "half a ticket was stored");
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_clients_than_there_is_room_for_wait_and_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let program = serve(folder.path()).env("DESKHAND__SERVER__MAX_CONNECTIONS", "2");
    let server = Serving::start(program).await;
    let asks = (0..24).map(|n| {
        let server = &server;
        async move { ask(server, &format!("key-{n}"), &json!({"subject": "printer jams"})).await }
    });
    for answered in futures_util::future::join_all(asks).await {
        assert_eq!(answered.unwrap().0, 200);
    }
    // Both places taken by silent ones: the third is served when one of them leaves.
    let (one, other) = (connect(&server).await, connect(&server).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(one);
        Instant::now()
    };
    let ticket = json!({"subject": "printer jams"});
    let served = async { (ask(&server, "last", &ticket).await, Instant::now()) };
    let (left, (answered, at)) = tokio::join!(leaves, served);
    assert_eq!(answered.unwrap().0, 200);
    assert!(at > left, "three connections were open at once");
    drop(other);
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_requests_in_flight_finish() {
    let folder = tempfile::tempdir().unwrap();
    // However slow the machine is.
    let patient = serve(folder.path())
        .env("DESKHAND__SERVER__REQUEST_TIMEOUT_SECONDS", "100")
        .env("DESKHAND__SERVER__SHUTDOWN_GRACE_SECONDS", "100");
    let server = Serving::start(patient).await;
    let batch = |b: usize| -> Value {
        let ticket =
            |n| json!({"subject": format!("ticket {b} {n}"), "body": "printer jams ".repeat(60)});
        json!({"tickets": (0..60).map(ticket).collect::<Vec<_>>()})
    };
    let batches: Vec<(String, Value)> = (0..3).map(|b| (format!("batch-{b}"), batch(b))).collect();
    let asked = batches.iter().map(|(key, tickets)| ask(&server, key, tickets));
    let signal = async {
        // Once a second attempt hears of the first one, that one is under way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for (key, tickets) in &batches {
            loop {
                let (status, answer) = ask(&server, key, tickets).await.unwrap();
                if status == 409 {
                    break;
                }
                assert_ne!(status, 200, "it was over too soon: {answer}");
            }
        }
        server.signal();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(asked), signal);
    let mut bodies = Vec::new();
    for answer in answers {
        let (status, body) = answer.expect("a request in flight was cut off");
        assert_eq!(status, 200, "{body}");
        assert!(body["results"].as_array().unwrap().iter().all(|r| r["status"] == 200));
        bodies.push(body);
    }
    let (status, said) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");

    let server = Serving::start(serve(folder.path())).await;
    for ((key, tickets), body) in batches.iter().zip(&bodies) {
        let (status, again) = ask(&server, key, tickets).await.unwrap();
        assert_eq!((status, &again), (200, body));
    }
    let said = server.terminate().await;
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}
