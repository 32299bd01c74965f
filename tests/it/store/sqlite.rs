//! What only files can get wrong.

use std::path::Path;

use deskhand::domain::{Status, Suggestion, TicketId};
use deskhand::store::{
    Access, Answer, Dialect, Lists, Records, SqlStore, Store, StoreError, SuggestionFilter,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::erasure::leave_traces;
use super::{ENCODER, Raw, desk, entry, fresh, now, put, stored, suggested, ticket};

const FILE: &str = "deskhand.sqlite3";

/// The database of a data folder, opened beside the store.
pub(super) async fn raw(folder: &Path) -> Raw {
    let url = format!("sqlite://{}?mode=rwc", folder.join(FILE).display());
    Raw::connect(&url, Dialect::Sqlite).await
}

async fn open(folder: &Path) -> SqlStore {
    SqlStore::open_folder(folder).await.unwrap()
}

#[tokio::test]
async fn a_folder_that_is_opened_again_has_everything() {
    // A path that reads like part of a URL.
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("d?a#t%61 ä");
    let store = open(&folder).await;
    store.bind_encoder(ENCODER).await.unwrap();
    leave_traces(&store, &desk("main"), "kept", [0.5, 0.25]).await;
    suggested(&store, &desk("main")).await;
    let counts = store.counts(&desk("main")).await.unwrap();
    let changes = store.entry_changes(&desk("main"), ENCODER, 0, 99).await.unwrap();
    store.close().await;
    assert!(!folder.join(format!("{FILE}-wal")).exists(), "closed, it is one file");
    let store = open(&folder).await;
    store.bind_encoder(ENCODER).await.unwrap();
    assert_eq!(store.counts(&desk("main")).await.unwrap(), counts);
    assert_eq!(store.entry_changes(&desk("main"), ENCODER, 0, 99).await.unwrap(), changes);
    // Not closed, as after a crash.
    stored(&store, &desk("main"), &ticket("more")).await;
    let beside = open(&folder).await;
    assert_eq!(beside.counts(&desk("main")).await.unwrap().tickets, counts.tickets + 1);
    store.close().await;
    beside.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_folder_is_for_its_owners_eyes() {
    use std::os::unix::fs::PermissionsExt;
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("a/b");
    open(&folder).await.close().await;
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    std::fs::write(outside.path().join("file"), "").unwrap();
    let refused = SqlStore::open_folder(&outside.path().join("file")).await;
    assert!(matches!(refused, Err(StoreError::Folder { .. })), "{refused:?}");
}

/// Also on one thread: waiting for the other must not keep the other from going on.
#[tokio::test]
async fn a_fresh_folder_may_be_opened_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opened = futures_util::future::join_all((0..4).map(|_| open(folder.path())));
    let all = tokio::time::timeout(std::time::Duration::from_secs(20), opened).await.unwrap();
    for (n, store) in all.iter().enumerate() {
        store.bind_encoder(ENCODER).await.unwrap();
        stored(store, &desk("main"), &ticket(&n.to_string())).await;
    }
    // Several that write at once wait for each other.
    let main = desk("main");
    let write = async |n: usize| stored(&all[n % 4], &main, &ticket("x")).await;
    let writes = (0..40).map(write);
    futures_util::future::join_all(writes).await;
    for store in &all {
        assert_eq!(store.counts(&desk("main")).await.unwrap().tickets, 44);
        store.close().await;
    }
}

#[tokio::test]
async fn a_newer_versions_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await.close().await;
    let raw = raw(folder.path()).await;
    raw.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'x', true, x'', 0)",
    )
    .await;
    raw.pool.close().await;
    let refused = SqlStore::open_folder(folder.path()).await;
    assert!(matches!(refused, Err(StoreError::Migrate(_))), "{refused:?}");
}

/// Everything that the files of a folder hold, byte for byte.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    // A scan for the first byte is quick; the text behind it is rarely the same.
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Pages are split, emptied and merged by then, and what was on them must not stay behind.
#[tokio::test]
async fn nothing_of_an_erased_ticket_is_left_in_any_file() {
    let mut runner = TestRunner::deterministic();
    for case in 0..4u8 {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let name = desk("main");
        let marker = |n: usize| {
            let long = [0, 0, 5, 40, 300][n % 5];
            format!("Xylophon-{case}-{n:04}-{}", format!("{n:04}.").repeat(long))
        };
        let vector = |n: usize| [f32::from_bits(0x3f5a_a500 + n as u32), 0.5];
        let mut there = Vec::new();
        let steps =
            proptest::collection::vec((any::<bool>(), any::<proptest::sample::Index>()), 120);
        let steps = steps.new_tree(&mut runner).unwrap().current();
        let mut gone = Vec::new();
        for (n, (erase, which)) in steps.into_iter().enumerate() {
            let (id, _) = leave_traces(&store, &name, &marker(n), vector(n)).await;
            there.push((n, id));
            // Written over as well: what was there before is as secret.
            let mut tx = store.begin(&name).await.unwrap();
            tx.rewrite_ticket(id, &ticket(&marker(n)), "en").await.unwrap();
            tx.commit().await.unwrap();
            if erase && there.len() > 1 {
                let (n, id) = there.swap_remove(which.index(there.len()));
                let mut tx = store.begin(&name).await.unwrap();
                assert_eq!(tx.erase(&[id]).await.unwrap(), 1);
                tx.commit().await.unwrap();
                gone.push(n);
            }
        }
        store.scrub().await.unwrap();
        let files = bytes(folder.path());
        let prefix = |n: usize| format!("Xylophon-{case}-{n:04}-");
        for (n, _) in &there {
            assert!(holds(&files, prefix(*n).as_bytes()), "the search finds what is there");
            let terms = entry(&marker(*n), true, None).terms.unwrap().to_bytes();
            assert!(holds(&files, &terms), "and its terms");
        }
        for n in &gone {
            assert!(!holds(&files, prefix(*n).as_bytes()), "case {case}: the text of {n}");
            let raw: Vec<u8> = vector(*n).iter().flat_map(|x| x.to_le_bytes()).collect();
            assert!(!holds(&files, &raw), "case {case}: the vector of {n}");
            let terms = entry(&marker(*n), true, None).terms.unwrap().to_bytes();
            assert!(!holds(&files, &terms), "case {case}: the terms of {n}");
        }
        assert!(gone.len() > 20);
        store.close().await;
    }
}

/// Emptying the log waits for readers, and says so when they take too long.
#[tokio::test]
async fn scrubbing_says_when_a_reader_is_in_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    stored(&store, &desk("main"), &ticket("x")).await;
    let options = SqliteConnectOptions::new().filename(folder.path().join(FILE));
    let mut reader = SqliteConnection::connect_with(&options).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM tickets").fetch_one(&mut *reading).await.unwrap();
    stored(&store, &desk("main"), &ticket("y")).await;
    let busy = store.scrub().await;
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    reading.rollback().await.unwrap();
    store.scrub().await.unwrap();
    let log = std::fs::metadata(folder.path().join(format!("{FILE}-wal"))).unwrap();
    assert_eq!(log.len(), 0);
}

/// As version 0.1 wrote it.
async fn first_version(folder: &Path, rows: &[(TicketId, Suggestion, Vec<f32>)]) {
    let options = SqliteConnectOptions::new().filename(folder.join(FILE)).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let schema = include_str!("../../../src/store/migrations/sqlite/0001_initial.sql");
    // As sqlx notes it, so that the step is known as done.
    let step = sqlx::migrate::Migration::new(
        1,
        "initial".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlSafeStr::into_sql_str(schema),
        false,
    );
    sqlx::migrate::Migrator::with_migrations(vec![step]).run(&pool).await.unwrap();
    sqlx::query("INSERT INTO facts VALUES ('encoder', ?)")
        .bind(ENCODER)
        .execute(&pool)
        .await
        .unwrap();
    for (n, (id, suggestion, vector)) in (0i64..).zip(rows) {
        let id = &id.as_bytes()[..];
        sqlx::query(
            "INSERT OR IGNORE INTO tickets (id, workspace, source_system, source_id, subject, body,
                 messages, received_at, category, resolution, import_hash)
             VALUES (?, 'main', 'test', ?, 'Xylophon', 'body', '[]', ?, 'VPN', 'Xylophon', 'h')",
        )
        .bind(id)
        .bind(format!("S-{n}"))
        .bind(now().as_microsecond())
        .execute(&pool)
        .await
        .unwrap();
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        sqlx::query(
            "INSERT OR IGNORE INTO vectors (seq, workspace, encoder, ticket_id, vector)
             VALUES (?, 'main', ?, ?, ?)",
        )
        .bind(40 + n)
        .bind(ENCODER)
        .bind(id)
        .bind((n != 1).then_some(bytes))
        .execute(&pool)
        .await
        .unwrap();
        sqlx::query("INSERT INTO suggestions VALUES (?, 'main', ?, ?, ?)")
            .bind(&suggestion.id.as_bytes()[..])
            .bind(id)
            .bind(now().as_microsecond() + n)
            .bind(serde_json::to_string(suggestion).unwrap())
            .execute(&pool)
            .await
            .unwrap();
    }
    pool.close().await;
}

/// A suggestion in the words of version 0.1, so that it stays readable whatever the types become.
fn old_suggestion(n: u128, ticket: TicketId, shown: TicketId, draft: bool) -> Suggestion {
    let decision = json!({
        "label": "VPN", "probability": 0.123_456_79, "decision": "auto", "regime": "few_shot",
        "alternatives": [{"label": "Printing", "probability": 0.1}],
    });
    let mut team = decision.clone();
    team["label"] = json!("Network");
    team["department"] = json!("IT");
    let sources = [shown, ticket].map(|id| json!({"kind": "ticket", "id": id.to_string()}));
    let sentence = json!({
        "text": "Xylophon", "kind": "source",
        "sources": sources,
    });
    let draft = draft.then(|| json!({"text": "Hello, Xylophon", "sentences": [sentence]}));
    let similar = json!({
        "ticket_id": shown.to_string(), "subject": "Xylophon", "score": 0.5, "category": "VPN",
        "team": null, "resolution": "Xylophon",
    });
    let draft_reason = draft.is_none().then_some("no_resolution_text");
    serde_json::from_value(json!({
        "id": format!("sug_{}", Uuid::from_u128(n).simple()),
        "ticket_id": ticket.to_string(),
        "category": decision, "team": team, "priority": decision,
        "similar": [similar], "draft": draft, "draft_reason": draft_reason, "language": "en",
        "degraded": ["text_truncated"],
        "model": {"bundle": "b", "encoder": ENCODER, "policy": "p"},
        "timings_ms": {"clean": 0.1, "embed": 2.0, "search": 0.5, "decide": 0.25, "total": 2.85},
    }))
    .unwrap()
}

#[tokio::test]
async fn a_folder_of_the_first_version_is_taken_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<_> = (0..3).map(|_| TicketId::new(fresh())).collect();
    let rows = [
        (ids[0], old_suggestion(1, ids[0], ids[2], true), vec![0.5, 0.25]),
        (ids[1], old_suggestion(2, ids[1], ids[0], false), vec![0.0, 0.0]),
        (ids[2], old_suggestion(3, ids[2], ids[0], true), vec![1.0, -0.5]),
        (ids[0], old_suggestion(4, ids[0], ids[1], false), vec![0.5, 0.25]),
    ];
    first_version(folder.path(), &rows).await;
    let store = open(folder.path()).await;
    let name = desk("main");
    store.bind_encoder(ENCODER).await.unwrap();
    assert!(store.bind_encoder("another:1").await.is_err());
    let counts = store.counts(&name).await.unwrap();
    assert_eq!((counts.tickets, counts.searchable, counts.suggestions), (3, 2, 4));
    let known = store.find(&name, &super::source("S-2")).await.unwrap().unwrap();
    assert_eq!((known.id, known.import_hash.as_deref()), (ids[2], Some("h")));
    let changes = store.entry_changes(&name, ENCODER, 0, 9).await.unwrap();
    let seen: Vec<_> = changes.iter().map(|c| (c.seq, c.ticket_id, c.vector.clone())).collect();
    let expected = [
        (40, ids[0], Some(rows[0].2.clone())),
        (41, ids[1], None),
        (42, ids[2], Some(rows[2].2.clone())),
    ];
    assert_eq!(seen, expected, "under the numbers that views have seen");
    let shown = store.neighbours(&name, ENCODER, &[(ids[2], 0.5)]).await.unwrap();
    assert_eq!(shown[0].outcome.resolution.as_deref(), Some("Xylophon"));
    for (n, (_, suggestion, _)) in rows.iter().enumerate() {
        let read = store.suggestion(&name, suggestion.id).await.unwrap().unwrap();
        assert_eq!(&read.suggestion, suggestion);
        let stands = if n == 0 { Status::Superseded } else { Status::Open };
        assert_eq!((read.status, read.version), (stands, 1), "{n}");
    }
    let filter = SuggestionFilter {
        team: Some("Network".to_owned()),
        decision: Some("auto".to_owned()),
        limit: 9,
        ..SuggestionFilter::default()
    };
    let page = store.suggestions(&name, &filter).await.unwrap();
    let listed: Vec<_> = page.items.iter().map(|s| s.suggestion.id).collect();
    let newest_first: Vec<_> = rows.iter().rev().map(|(_, s, _)| s.id).collect();
    assert_eq!(listed, newest_first);
    // What comes now has a higher number than anything before.
    let mut tx = store.begin(&name).await.unwrap();
    let id = put(&mut *tx, &ticket("new")).await;
    tx.put_entry(ENCODER, id, &entry("new", true, Some([0.0, 1.0]))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.entry_changes(&name, ENCODER, 42, 9).await.unwrap().len(), 1);
    // Erasing reaches what the first version has shown of a ticket.
    for id in &ids {
        let mut tx = store.begin(&name).await.unwrap();
        assert_eq!(tx.erase(&[*id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let left = store.suggestions(&name, &filter).await.unwrap().items;
        let shows = |s: &Suggestion| s.similar.iter().any(|s| s.ticket_id == *id);
        assert!(!left.iter().any(|s| shows(&s.suggestion)));
        let text = serde_json::to_string(&left.iter().map(|s| &s.suggestion).collect::<Vec<_>>());
        assert!(!text.unwrap().contains(&id.to_string()));
    }
    store.scrub().await.unwrap();
    assert!(!holds(&bytes(folder.path()), b"Xylophon"));
    store.close().await;
}

/// A reader sees what was committed before it asked, whatever is being written.
#[tokio::test(flavor = "multi_thread")]
async fn reading_does_not_wait_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let name = desk("main");
    let mut tx = store.begin(&name).await.unwrap();
    put(&mut *tx, &ticket("x")).await;
    let reads = async {
        assert_eq!(store.counts(&name).await.unwrap().tickets, 0);
        assert!(store.users().await.unwrap().is_empty());
        store.entry_changes(&name, ENCODER, 0, 9).await.unwrap();
    };
    tokio::time::timeout(std::time::Duration::from_secs(2), reads).await.unwrap();
    let answer = Answer { status: 200, headers: Vec::new(), body: String::new() };
    let nobody = deskhand::store::Claim {
        id: deskhand::domain::ClaimId::new(fresh()),
        route: String::new(),
        key: String::new(),
    };
    assert!(matches!(tx.settle(&nobody, &answer).await, Err(StoreError::ClaimLost)));
    tx.commit().await.unwrap();
    let _: &dyn Store = &store;
}
