//! Qdrant's faults: what comes of them is an error that says what to do, never an empty answer.

use std::time::{Duration, Instant};

use deskhand::domain::WorkspaceId;
use deskhand::index::{ExternalIndex, IndexError, QdrantIndex, QdrantSettings, TicketIndex};
use qdrant_client::Qdrant;

use crate::index::{DIMENSIONS, ENCODER, entry, unit};
use crate::support::{TestQdrant, test_qdrant};

#[tokio::test]
async fn qdrant_may_come_up_later_and_go_down_in_between() {
    let mut server = test_qdrant(&[]);
    server.down();
    let qdrant = connect(&server, patient());
    let main = WorkspaceId::main();
    unavailable(&qdrant).await;
    server.up();
    qdrant.upsert(&main, &[entry(1, unit(1))]).await.unwrap();
    server.down();
    unavailable(&qdrant).await;
    server.up();
    assert_eq!(qdrant.search(&main, &unit(1), 5, None).await.unwrap().len(), 1);
    for order in ["UNAVAILABLE", "INTERNAL", "INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND"] {
        server.refuse(Some(order));
        unavailable(&qdrant).await;
        server.refuse(None);
        assert_eq!(qdrant.search(&main, &unit(1), 5, None).await.unwrap().len(), 1, "{order}");
    }
}

#[tokio::test]
async fn a_short_fault_goes_unnoticed() {
    let server = test_qdrant(&[]);
    let settings = QdrantSettings { retries: 10, ..patient() };
    let qdrant = connect(&server, settings);
    server.refuse(Some("UNAVAILABLE"));
    let main = WorkspaceId::main();
    let search = qdrant.search(&main, &[0.0; DIMENSIONS], 1, None);
    let repair = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.refuse(None);
    };
    let (found, ()) = tokio::join!(search, repair);
    assert_eq!(found.unwrap(), []);
}

#[tokio::test]
async fn an_overloaded_qdrant_says_when_to_come_back() {
    let server = test_qdrant(&[]);
    let qdrant = connect(&server, patient());
    let main = WorkspaceId::main();
    for (order, expected) in
        [("RESOURCE_EXHAUSTED 7", Some(Duration::from_secs(7))), ("RESOURCE_EXHAUSTED", None)]
    {
        server.refuse(Some(order));
        let refused = qdrant.search(&main, &unit(1), 1, None).await;
        assert!(
            matches!(&refused, Err(IndexError::Overloaded { retry_after, .. }) if *retry_after == expected),
            "{refused:?}"
        );
    }
    server.refuse(None);
    assert_eq!(qdrant.search(&main, &unit(1), 1, None).await.unwrap(), []);
}

#[tokio::test]
async fn a_slow_qdrant_is_given_up_and_holds_up_few() {
    let server = test_qdrant(&[]);
    let timeout = Duration::from_secs(2);
    let settings = QdrantSettings { concurrency: 1, timeout, ..patient() };
    let qdrant = connect(&server, settings);
    let main = WorkspaceId::main();
    qdrant.count(&main).await.unwrap();
    server.refuse(Some("DEADLINE 60000"));
    let start = Instant::now();
    let (first, second) = tokio::join!(qdrant.count(&main), qdrant.count(&main));
    assert!(matches!(first, Err(IndexError::Unavailable(_))), "{first:?}");
    assert!(matches!(second, Err(IndexError::Overloaded { .. })), "{second:?}");
    assert!(start.elapsed() < timeout * 3, "{:?}", start.elapsed());
    server.refuse(None);
    assert_eq!(qdrant.count(&main).await.unwrap(), 0);
}

#[tokio::test]
async fn a_wiped_qdrant_is_an_error_once_and_heals() {
    let mut server = test_qdrant(&[]);
    let qdrant = connect(&server, patient());
    let main = WorkspaceId::main();
    let entries = [entry(1, unit(1)), entry(2, unit(2))];
    qdrant.upsert(&main, &entries).await.unwrap();
    server.down();
    server.wipe();
    server.up();
    // Missing is not empty: whoever asks first must learn of it.
    unavailable(&qdrant).await;
    // Nor does a connection that broke in between, unnoticed, keep it from healing.
    server.down();
    server.up();
    assert_eq!(qdrant.count(&main).await.unwrap(), 0);
    qdrant.upsert(&main, &entries).await.unwrap();
    assert_eq!(qdrant.search(&main, &unit(1), 5, None).await.unwrap().len(), 2);
    // The same for a change.
    client(&server.url(), None).delete_collection(qdrant.collection()).await.unwrap();
    assert!(matches!(qdrant.upsert(&main, &entries).await, Err(IndexError::Unavailable(_))));
    qdrant.upsert(&main, &entries).await.unwrap();
    assert_eq!(qdrant.count(&main).await.unwrap(), 2);
}

#[tokio::test]
async fn a_qdrant_for_others_is_refused() {
    let server = test_qdrant(&["--api-key", "k"]);
    unavailable(&connect(&server, patient())).await;
    let known = QdrantSettings { api_key: Some("k".to_owned()), ..patient() };
    let qdrant = connect(&server, known.clone());
    assert_eq!(qdrant.count(&WorkspaceId::main()).await.unwrap(), 0);
    // The same encoder with vectors of another length cannot be.
    let settings = QdrantSettings { url: server.url(), ..known };
    unavailable(&QdrantIndex::connect(&settings, ENCODER, DIMENSIONS + 1).unwrap()).await;
}

async fn unavailable(qdrant: &QdrantIndex) {
    let refused = qdrant.search(&WorkspaceId::main(), &unit(1), 5, None).await;
    assert!(matches!(refused, Err(IndexError::Unavailable(_))), "{refused:?}");
}

/// Settings for a busy machine: only the test of a slow server waits for its time-out.
pub(crate) fn patient() -> QdrantSettings {
    QdrantSettings { timeout: Duration::from_secs(30), retries: 1, ..QdrantSettings::default() }
}

pub(crate) fn connect(server: &TestQdrant, settings: QdrantSettings) -> QdrantIndex {
    let settings = QdrantSettings { url: server.url(), ..settings };
    QdrantIndex::connect(&settings, ENCODER, DIMENSIONS).unwrap()
}

pub(crate) fn client(url: &str, api_key: Option<&str>) -> Qdrant {
    Qdrant::from_url(url).api_key(api_key).skip_compatibility_check().build().unwrap()
}
