//! Disks that are full, databases that others hold, folders and files that are not what they
//! should be.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::support::{Program, Serving, serve};

/// Posts a ticket under a key. Returns the status, the seconds of `Retry-After`, and the answer.
async fn triage(server: &Serving, key: &str, ticket: &Value) -> (u16, Option<u64>, Value) {
    let request = reqwest::Client::new().post(format!("{}/v1/triage", server.address));
    let answer = request.header("idempotency-key", key).json(ticket).send().await.unwrap();
    let status = answer.status();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind.starts_with("application/problem+json"), !status.is_success(), "{kind}");
    let retry = answer.headers().get("retry-after").map(|s| s.to_str().unwrap().parse().unwrap());
    (status.as_u16(), retry, answer.json().await.unwrap())
}

fn ticket(n: usize) -> Value {
    let source = json!({"system": "full", "id": n.to_string()});
    json!({"subject": format!("ticket {n}"), "body": "the printer jams ".repeat(1000), "source": source})
}

async fn read(server: &Serving, path: &str) -> String {
    let answer = reqwest::get(format!("{}{path}", server.address)).await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.unwrap()
}

/// Sends tickets until one is refused for want of room. Returns the answers before it.
async fn until_full(server: &Serving) -> Vec<Value> {
    let mut answers = Vec::new();
    for n in 0..2000 {
        let (status, _, answer) = triage(server, &format!("key-{n}"), &ticket(n)).await;
        match (status, answer["code"].as_str()) {
            (200, _) => answers.push(answer),
            (507, Some("storage_full")) | (503, Some("unavailable" | "overloaded")) => {
                println!("after {n} tickets: {answer}");
                return answers;
            }
            _ => panic!("{status} {answer}"),
        }
    }
    panic!("it never was full");
}

/// Everything that was acknowledged is there, the refused ticket can be sent again, and nothing
/// else is there.
async fn goes_on(server: &Serving, answers: &[Value]) {
    let n = answers.len();
    let start = Instant::now();
    loop {
        // Its claim ends by itself if there was no room to give it back.
        let (status, retry, answer) = triage(server, &format!("key-{n}"), &ticket(n)).await;
        if status == 200 {
            break;
        }
        assert!(matches!(status, 409 | 503), "{status} {answer}");
        assert!(start.elapsed() < Duration::from_secs(30), "{status} {answer}");
        tokio::time::sleep(Duration::from_secs(retry.unwrap())).await;
    }
    for answer in answers {
        let path = format!("/v1/suggestions/{}", answer["id"].as_str().unwrap());
        let stored: Value = serde_json::from_str(&read(server, &path).await).unwrap();
        assert_eq!(stored["category"], answer["category"]);
        assert_eq!(stored["draft"], answer["draft"]);
    }
    assert_eq!(read(server, "/v1/export").await.lines().count(), n + 1);
}

/// A file system of a few megabytes, where this process may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "size=8m") else {
        println!("this process may not mount a small disk; the limit on files stands in for it");
        return;
    };
    println!("a tmpfs of 8 MB is used");
    let server = Serving::start(serve(&disk.0.join("data"))).await;
    let (status, _, first) = triage(&server, "first", &ticket(9999)).await;
    assert_eq!(status, 200, "{first}");
    // Something else on the machine takes the rest.
    let other = disk.0.join("other");
    let mut file = File::create(&other).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    let answers = until_full(&server).await;
    let (status, _, answer) = triage(&server, "once more", &ticket(9998)).await;
    assert_eq!((status, answer["code"].as_str()), (507, Some("storage_full")), "{answer}");
    // What needs no room goes on.
    read(&server, "/readyz").await;
    read(&server, &format!("/v1/suggestions/{}", first["id"].as_str().unwrap())).await;
    drop(file);
    std::fs::remove_file(other).unwrap();
    let start = Instant::now();
    loop {
        let (status, _, answer) = triage(&server, "once more", &ticket(9998)).await;
        if status == 200 {
            break;
        }
        assert!(matches!(status, 409 | 503), "{status} {answer}");
        assert!(start.elapsed() < Duration::from_secs(30), "{status} {answer}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let lines = read(&server, "/v1/export").await.lines().count();
    assert_eq!(lines, answers.len() + 2);
    for ticket in ["9998", "9999"] {
        let export = read(&server, "/v1/export").await;
        let named = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["id"].as_str() == Some(ticket)
        };
        assert_eq!(export.lines().filter(|line| named(line)).count(), 1);
    }
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A process that may write files of a megabyte, and is not killed for trying.
    let limited = serve(folder.path()).behind("trap '' XFSZ; ulimit -f 1024");
    let server = Serving::start(limited).await;
    let answers = until_full(&server).await;
    assert!(!answers.is_empty());
    read(&server, "/readyz").await;
    read(&server, "/v1/suggestions").await;
    server.signal();
    assert!(server.ended().await.0.success());
    let server = Serving::start(serve(folder.path())).await;
    goes_on(&server, &answers).await;
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_process_holds_is_waited_for_and_then_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Serving::start(serve(folder.path())).await;
    let before = triage(&server, "before", &ticket(0)).await;
    assert_eq!(before.0, 200, "{before:?}");
    let url = format!("sqlite://{}", folder.path().join("deskhand.sqlite3").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    // Ours may be at it right now.
    sqlx::raw_sql("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let asks = (1..4).map(|n| {
        let server = &server;
        async move { triage(server, &format!("key-{n}"), &ticket(n)).await }
    });
    let answers = futures_util::future::join_all(asks);
    let reads = async {
        // Readers are not held up.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        read(&server, "/v1/suggestions").await;
        assert!(start.elapsed() < Duration::from_secs(5));
    };
    let (answers, ()) = tokio::join!(answers, reads);
    for (status, retry, answer) in &answers {
        assert_eq!((*status, answer["code"].as_str()), (503, Some("overloaded")), "{answer}");
        assert!(retry.is_some());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    for n in 1..4 {
        let start = Instant::now();
        loop {
            let (status, retry, answer) = triage(&server, &format!("key-{n}"), &ticket(n)).await;
            if status == 200 {
                break;
            }
            assert!(matches!(status, 409 | 503), "{status} {answer}");
            assert!(start.elapsed() < Duration::from_secs(30), "{status} {answer}");
            tokio::time::sleep(Duration::from_secs(retry.unwrap())).await;
        }
    }
    assert_eq!(read(&server, "/v1/export").await.lines().count(), 4);
    server.terminate().await;
}

/// What a server says that cannot start.
async fn refused(program: Program) -> String {
    let (status, said) = Serving::launch(program).ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    said.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_place_of_the_data_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "a file of somebody's").unwrap();
    for at in [file.clone(), file.join("below")] {
        let said = refused(serve(&at)).await;
        assert!(said.contains(at.to_str().unwrap()), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file of somebody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "size=8m") else {
        println!("this process may not mount a read-only disk");
        return;
    };
    // Root may write where permission bits say no, so the disk itself has to.
    let data = disk.0.join("data");
    Serving::start(serve(&data)).await.terminate().await;
    disk.remount("ro");
    for at in [data, disk.0.join("new")] {
        let said = refused(serve(&at)).await;
        assert!(said.contains(at.to_str().unwrap()), "{said}");
        assert!(said.contains("ead-only"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_is_none_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deskhand.sqlite3");
    let garbage = b"these are somebody's photographs ".repeat(2000);
    std::fs::write(&file, &garbage).unwrap();
    let said = refused(serve(folder.path())).await;
    assert!(said.contains("not a database"), "{said}");
    assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), garbage);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_never_served_nor_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let server = Serving::start(serve(folder.path())).await;
    assert_eq!(triage(&server, "key", &ticket(0)).await.0, 200);
    server.terminate().await;
    let file = folder.path().join("deskhand.sqlite3");
    let whole = std::fs::read(&file).unwrap();
    // All pages but the first are gone: a disk that lied, say.
    let mut damaged = whole[..4096].to_vec();
    damaged.resize(whole.len(), 0);
    std::fs::write(&file, &damaged).unwrap();
    let said = refused(serve(folder.path())).await;
    assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
    assert!(said.contains("malformed"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap().len(), damaged.len());
}
