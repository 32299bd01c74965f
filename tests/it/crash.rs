//! SIGKILL at bad moments: what was acknowledged is there, and what was begun goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use deskhand::domain::{Suggestion, WorkspaceId};
use deskhand::sample;
use deskhand::store::{Records, SqlStore};
use serde_json::{Value, json};

use crate::support::{RunningDemo, deskhand};

#[tokio::test(flavor = "multi_thread")]
async fn kill_during_import_and_triage_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, Suggestion> = BTreeMap::new();
    let mut imported = 0;
    for round in 0..3 {
        let demo = RunningDemo::start(folder.path()).await;
        let status = demo.status().await;
        // Triage while the import is still going on, then pull the plug in the middle of both.
        for n in 0..4 {
            let source = json!({"system": "crash", "id": format!("{round}-{n}")});
            let ticket = json!({"subject": format!("printer {round}-{n} jams"), "source": source});
            let answer = demo.triage(&ticket).await.unwrap();
            let answer: Suggestion = serde_json::from_value(answer).unwrap();
            acknowledged.insert(answer.id.to_string(), answer);
        }
        let in_flight = json!({"subject": "half an answer"});
        let half = demo.triage(&in_flight);
        let _ = tokio::time::timeout(Duration::from_millis(15), half).await;
        demo.kill();
        let store = SqlStore::open_folder(folder.path()).await.unwrap();
        let workspace = WorkspaceId::main();
        for (id, answer) in &acknowledged {
            let stored = store.suggestion(&workspace, id.parse().unwrap()).await.unwrap();
            assert_eq!(stored.as_ref().map(|s| &s.suggestion), Some(answer));
        }
        let counts = store.counts(&workspace).await.unwrap();
        assert!(counts.searchable >= imported, "imported tickets are gone; {status}");
        imported = counts.searchable;
        let total = sample::tickets().unwrap().len() as u64;
        assert!(round > 0 || imported < total, "the first kill must come during the import");
        store.close().await;
    }
    assert!(imported >= 100);
    let demo = RunningDemo::start(folder.path()).await;
    while !demo.status().await["import"].is_null() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(demo.terminate().success(), "a signal is a clean end");
    let store = SqlStore::open_folder(folder.path()).await.unwrap();
    let counts = store.counts(&WorkspaceId::main()).await.unwrap();
    assert_eq!(counts.searchable, sample::tickets().unwrap().len() as u64);
    assert!(counts.suggestions >= acknowledged.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_demo_passes_its_healthcheck_and_shares_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let demo = RunningDemo::start(folder.path()).await;
    let url = format!("{}/readyz", demo.address);
    deskhand(&["healthcheck", "--url", &url]).success();
    // A second process triages on the same folder while the first one imports and serves.
    let data = folder.path().to_str().unwrap();
    let answer = deskhand(&["triage", "--json", "--data", data, "printer jams"]).success();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_ne!(answer["category"]["regime"], "described");
    // Soon after the import the labels are learned.
    let ticket = json!({"subject": "VPN drops every few minutes"});
    let start = std::time::Instant::now();
    let learned = loop {
        let answer = demo.triage(&ticket).await.unwrap();
        if answer["model"]["policy"] == "target:0.95" {
            break answer;
        }
        assert!(start.elapsed().as_secs() < 300, "{answer} {}", demo.status().await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(learned["category"]["regime"], "trained", "{learned}");
}
