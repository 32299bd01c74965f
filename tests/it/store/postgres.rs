//! What only a server can get wrong.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deskhand::domain::{ClaimId, JobId, Suggestion, TicketId};
use deskhand::store::{Access, Dialect, NewJob, Records, SqlStore, Store, StoreError, Work};
use tokio::task::JoinSet;

use super::suggestions::{draft, similar};
use super::{ENCODER, Raw, desk, fresh, put, stored, suggestion, ticket, tickets::job};
use crate::support::TestDatabase;

async fn connect(database: &TestDatabase) -> SqlStore {
    SqlStore::connect(database.url()).await.unwrap()
}

#[tokio::test]
async fn replicas_may_start_on_a_fresh_database_at_once() {
    let database = TestDatabase::new().await;
    let all = futures_util::future::join_all((0..4).map(|_| connect(&database))).await;
    for (n, store) in all.iter().enumerate() {
        store.bind_encoder(ENCODER).await.unwrap();
        stored(store, &desk("main"), &ticket(&n.to_string())).await;
    }
    assert_eq!(all[0].dialect(), Dialect::Postgres);
    for store in &all {
        assert_eq!(store.counts(&desk("main")).await.unwrap().tickets, 4);
        store.close().await;
    }
    let again = connect(&database).await;
    assert_eq!(again.counts(&desk("main")).await.unwrap().tickets, 4);
    again.close().await;
}

#[tokio::test]
async fn a_newer_versions_schema_is_refused() {
    let database = TestDatabase::new().await;
    connect(&database).await.close().await;
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    raw.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'x', true, ''::bytea, 0)",
    )
    .await;
    let refused = SqlStore::connect(database.url()).await;
    assert!(matches!(refused, Err(StoreError::Migrate(_))), "{refused:?}");
}

/// The schema's history up to the step that moved drafts and mentions.
const BEFORE_MENTIONS: [(i64, &str, &str); 7] = [
    (1, "initial", include_str!("../../../src/store/migrations/postgres/0001_initial.sql")),
    (2, "terms", include_str!("../../../src/store/migrations/postgres/0002_terms.sql")),
    (10, "drafts", include_str!("../../../src/store/migrations/postgres/0010_drafts.sql")),
    (20, "queue", include_str!("../../../src/store/migrations/postgres/0020_queue.sql")),
    (
        21,
        "memberships",
        include_str!("../../../src/store/migrations/postgres/0021_memberships.sql"),
    ),
    (30, "reports", include_str!("../../../src/store/migrations/postgres/0030_reports.sql")),
    (31, "arrivals", include_str!("../../../src/store/migrations/postgres/0031_arrivals.sql")),
];

#[tokio::test]
async fn drafts_and_mentions_of_an_older_version_are_taken_over() {
    let database = TestDatabase::new().await;
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let steps = BEFORE_MENTIONS.map(|(version, name, sql)| {
        let kind = sqlx::migrate::MigrationType::Simple;
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        sqlx::migrate::Migration::new(version, name.into(), kind, sql, false)
    });
    sqlx::migrate::Migrator::with_migrations(steps.to_vec()).run(&pool).await.unwrap();
    let ids: Vec<TicketId> = (0..3).map(|_| TicketId::new(fresh())).collect();
    let mut told = suggestion(ids[0]);
    told.similar = vec![similar(ids[1], "one", "x"), similar(ids[2], "two", "x")];
    for id in &ids {
        sqlx::query(
            "INSERT INTO tickets (id, workspace, subject, body, messages, received_at)
             VALUES ($1, 'main', 's', 'b', '[]', 0)",
        )
        .bind(&id.as_bytes()[..])
        .execute(&pool)
        .await
        .unwrap();
    }
    sqlx::query(
        "INSERT INTO suggestions (id, workspace, ticket_id, created_at, version, status, decision,
             language, bundle, policy, taxonomy_version, document)
         VALUES ($1, 'main', $2, 0, 1, 'open', 'abstain', 'en', 'b', 'p', 1, $3)",
    )
    .bind(&told.id.as_bytes()[..])
    .bind(&ids[0].as_bytes()[..])
    .bind(serde_json::to_string(&told).unwrap())
    .execute(&pool)
    .await
    .unwrap();
    let draft = draft("what helped", ids[2]);
    sqlx::query("INSERT INTO drafts VALUES ($1, 'main', $2)")
        .bind(&told.id.as_bytes()[..])
        .bind(serde_json::to_string(&draft).unwrap())
        .execute(&pool)
        .await
        .unwrap();
    for shown in &ids[1..] {
        sqlx::query("INSERT INTO mentions VALUES ('main', $1, $2)")
            .bind(&shown.as_bytes()[..])
            .bind(&told.id.as_bytes()[..])
            .execute(&pool)
            .await
            .unwrap();
    }
    pool.close().await;
    let store = connect(&database).await;
    let name = desk("main");
    let read = async || store.suggestion(&name, told.id).await.unwrap().unwrap().suggestion;
    assert_eq!(read().await, Suggestion { draft: Some(draft), ..told.clone() });
    for (id, left) in [(ids[1], 1), (ids[2], 0)] {
        let mut tx = store.begin(&name).await.unwrap();
        assert_eq!(tx.erase(&[id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let now = read().await;
        assert_eq!((now.similar.len(), now.draft.is_some()), (left, left == 1));
    }
    store.close().await;
}

/// Who holds a workspace's turn can still read, however many wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_can_read_while_many_wait_for_it() {
    let database = TestDatabase::new().await;
    let store: Arc<dyn Store> = Arc::new(connect(&database).await);
    let name = desk("main");
    let mut first = store.begin(&name).await.unwrap();
    put(&mut *first, &ticket("first")).await;
    let mut waiting = JoinSet::new();
    for n in 0..40 {
        let (store, name) = (Arc::clone(&store), name.clone());
        waiting.spawn(async move { stored(&*store, &name, &ticket(&n.to_string())).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let read = tokio::time::timeout(Duration::from_secs(2), store.settings(&name)).await;
    read.expect("reading waits for those who wait for the reader").unwrap();
    first.commit().await.unwrap();
    assert_eq!(waiting.join_all().await.len(), 40);
    assert_eq!(store.counts(&name).await.unwrap().tickets, 41);
}

/// Desks do not wait for each other, and no worker waits for a row that another one holds.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_must_wait_waits() {
    let database = TestDatabase::new().await;
    let store = connect(&database).await;
    let mut first = store.begin(&desk("main")).await.unwrap();
    put(&mut *first, &ticket("first")).await;
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let job = NewJob { id: JobId::new(fresh()), ..job(deskhand::store::JobKind::Index) };
        first.enqueue(&job).await.unwrap();
        jobs.push(job);
    }
    let other = async { stored(&store, &desk("other"), &ticket("x")).await };
    tokio::time::timeout(Duration::from_secs(2), other).await.expect("another desk waits");
    first.commit().await.unwrap();
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    let mut held = raw.pool.begin().await.unwrap();
    let lock = "SELECT run_at FROM jobs ORDER BY id LIMIT 1 FOR UPDATE";
    sqlx::query(lock).fetch_one(&mut *held).await.unwrap();
    let lease = ClaimId::new(fresh());
    let leased = store.lease_job(lease, super::now(), super::after(30));
    let leased = tokio::time::timeout(Duration::from_secs(2), leased).await;
    let leased = leased.expect("a worker waits for a held job").unwrap().unwrap();
    assert_eq!(leased.id, jobs[1].id);
    held.rollback().await.unwrap();
    // Sweeping does not wait for a request that is being answered.
    let asked = deskhand::store::ClaimRequest {
        route: "x".to_owned(),
        key: "k".to_owned(),
        body_hash: String::new(),
    };
    store.claim(&desk("main"), &asked, lease, super::now()).await.unwrap();
    let mut held = raw.pool.begin().await.unwrap();
    sqlx::query("SELECT key FROM receipts FOR UPDATE").fetch_one(&mut *held).await.unwrap();
    let swept = store.sweep(super::after(1_000_000));
    let swept = tokio::time::timeout(Duration::from_secs(2), swept).await;
    swept.expect("sweeping waits").unwrap();
    held.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_waits_for_a_password_that_is_being_changed_and_does_not_begin_with_the_old() {
    let database = TestDatabase::new().await;
    let store = connect(&database).await;
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    let ann = super::access::user("ann");
    assert!(store.put_user(&ann).await.unwrap());
    let mut change = raw.pool.begin().await.unwrap();
    sqlx::query("UPDATE users SET password_hash = 'new'").execute(&mut *change).await.unwrap();
    let begun = store.add_session(&[1], &ann, "csrf", super::after(100));
    let changed = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        change.commit().await.unwrap();
    };
    let (begun, ()) = tokio::join!(begun, changed);
    assert!(!begun.unwrap());
    assert_eq!(store.session(&[1], super::now()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_or_busy_server_is_told_from_a_broken_one() {
    let database = TestDatabase::new().await;
    // As an operator would set it; ours is longer than a test should take.
    database.set("lock_timeout = '200ms'").await;
    let store = connect(&database).await;
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    let name = desk("main");
    let held = store.begin(&name).await.unwrap();
    let busy = store.begin(&name).await.map(drop);
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    drop(held);
    raw.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON tickets EXECUTE FUNCTION full_disk()",
    )
    .await;
    let mut tx = store.begin(&name).await.unwrap();
    let id = TicketId::new(fresh());
    let full = tx.put_ticket(id, &ticket("x"), "en", super::now()).await;
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    drop(tx);
    raw.execute("DROP TABLE users CASCADE").await;
    let broken = store.users().await;
    assert!(matches!(broken, Err(StoreError::Database(_))), "{broken:?}");
}

/// Whoever gives up beginning a transaction, at whatever step, leaves none open behind them, in
/// which the writes of others would wait for a commit that never comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_given_up_while_it_begins_is_not_left_open() {
    let database = TestDatabase::new().await;
    let store = connect(&database).await;
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    let name = desk("main");
    for steps in 1..30 {
        let mut begun = store.begin(&name);
        let mut left = steps;
        let given_up = std::future::poll_fn(|task| {
            let begun = std::pin::Pin::new(&mut begun).poll(task).is_ready();
            left -= 1;
            if begun || left == 0 { Poll::Ready(!begun) } else { Poll::Pending }
        });
        if !given_up.await {
            break;
        }
        drop(begun);
    }
    let open = "SELECT state FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let gone = async {
        while !raw.texts(open.to_owned()).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("all are rolled back");
    store.close().await;
}

/// A connection that breaks takes its own use case with it, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_every_session_is_used_again() {
    let database = TestDatabase::new().await;
    let store = connect(&database).await;
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    let name = desk("main");
    stored(&store, &name, &ticket("kept")).await;
    let mut tx = store.begin(&name).await.unwrap();
    put(&mut *tx, &ticket("lost")).await;
    raw.texts(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()"
            .to_owned(),
    )
    .await;
    assert!(tx.commit().await.is_err());
    stored(&store, &name, &ticket("later")).await;
    assert_eq!(store.counts(&name).await.unwrap().tickets, 2);
}
