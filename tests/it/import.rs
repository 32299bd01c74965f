//! `deskhand import`, on files as people have them.

use std::path::Path;

use deskhand::domain::{Outcome, WorkspaceId};
use deskhand::inference::Inference;
use deskhand::model::{Encoder, Tokenizer};
use deskhand::store::{Counts, Records, SqlStore};
use deskhand::triage::{ImportError, LeftOut};

use crate::support::{
    Desk, NoProgress, Setup, deskhand, manifest, resolved, small_history, weights,
};

async fn counts(data: &Path) -> Counts {
    let store = SqlStore::open_folder(data).await.unwrap();
    let counts = store.counts(&WorkspaceId::main()).await.unwrap();
    store.close().await;
    counts
}

#[tokio::test]
async fn importing_a_file_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("jira.csv"));
    let rows = "Issue key,Summary,Description,Issue Type,Priority,Created\n\
                IT-1,VPN down,\"cannot connect,\nsince nine\",VPN,High,2025-03-04 09:00\n\
                IT-2,Printer jams,second floor,Printing,Low,2025-03-05 10:00\n\
                IT-3,Odd time,x,Printing,Low,not a time\n\
                IT-4,Broken row,x\n";
    std::fs::write(&file, rows).unwrap();
    let arguments = ["import", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let output = deskhand(&arguments).output();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(messages.contains("line 5, Created: expected a time"), "{messages}");
    assert!(messages.contains("line 6: expected 6 fields, found 3"), "{messages}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "3 imported, 0 unchanged, 1 left out\n");
    let before = counts(&data).await;
    assert_eq!((before.tickets, before.searchable), (3, 3));
    assert_eq!(deskhand(&arguments).success(), "0 imported, 3 unchanged, 1 left out\n");
    assert_eq!(counts(&data).await, before);
    std::fs::write(&file, rows.replace("second floor", "third floor")).unwrap();
    assert_eq!(deskhand(&arguments).success(), "1 imported, 2 unchanged, 1 left out\n");
    assert_eq!(counts(&data).await, before);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.csv");
    let data = folder.path().join("data");
    let (name, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    for (content, complaint) in [
        ("", "the file is empty"),
        ("a,b\n1,2\n", "--map subject=a"),
        ("[{}]", "one ticket on each line"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = deskhand(&["import", name, "--data", data]).failure();
        assert!(error.contains(complaint), "{error}");
    }
    let error = deskhand(&["import", "/nowhere.csv", "--data", data]).failure();
    assert!(error.contains("/nowhere.csv"), "{error}");
    let error = deskhand(&["import", name, "--map", "topic=x"]).failure();
    assert!(error.contains("handling_minutes"), "lists the fields: {error}");
}

#[tokio::test]
async fn a_desk_takes_its_labels_from_its_own_history() {
    let desk = Desk::with(&small_history()).await;
    let taxonomy = desk.triage.taxonomy(&desk.workspace).await.unwrap();
    let labels: Vec<&str> = taxonomy.categories.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, ["Password reset", "Printing", "VPN"]);
    desk.import(&[resolved("T-50", "no coffee", "Kitchen", "Descaled it.")]).await;
    let grown = desk.triage.taxonomy(&desk.workspace).await.unwrap();
    assert_eq!(grown.version, taxonomy.version + 1);
    assert!(grown.category("Kitchen").is_some());
}

#[tokio::test]
async fn a_ticket_listed_twice_ends_as_its_last_row_however_often() {
    let desk = Desk::new().await;
    let rows = [resolved("T-1", "printer", "Printing", "x"), resolved("T-1", "vpn", "VPN", "y")];
    let first = desk.import(&rows).await;
    assert_eq!((first.imported, first.left_out), (1, vec![(0, LeftOut::Repeated)]));
    let again = desk.import(&rows).await;
    assert_eq!((again.imported, again.unchanged, again.left_out.len()), (0, 1, 1));
    let answer = desk.triage(serde_json::json!({"subject": "vpn"})).await;
    assert_eq!(answer["similar"][0]["category"], "VPN");
}

#[tokio::test]
async fn a_history_without_labels_leaves_the_built_in_ones() {
    let desk = Desk::new().await;
    let unlabelled = || {
        let mut row = resolved("T-1", "printer jams", "", "x");
        row.outcome = Outcome::default();
        row
    };
    desk.import(&[unlabelled()]).await;
    let answer = desk.triage(serde_json::json!({"subject": "printer jams"})).await;
    for field in ["category", "team", "priority"] {
        assert!(answer[field]["label"].is_string(), "{field}: {answer}");
    }
    // With categories alone, teams and priorities are still the built-in ones.
    let mut row = unlabelled();
    row.outcome.category = Some("Printing".to_owned());
    desk.import(&[row]).await;
    let answer = desk.triage(serde_json::json!({"subject": "printer jams"})).await;
    assert_eq!(answer["category"]["label"], "Printing");
    assert!(answer["team"]["label"].is_string() && answer["priority"]["label"].is_string());
}

#[tokio::test]
async fn a_row_without_any_text_is_left_out_and_reported() {
    let desk = Desk::new().await;
    let report =
        desk.import(&[resolved("T-1", " ", "x", "y"), resolved("T-2", "a", "x", "y")]).await;
    assert_eq!((report.imported, report.left_out), (1, vec![(0, LeftOut::Blank)]));
}

/// The real encoder behind a tokenizer that gives one word a number which the encoder lacks.
fn an_encoder_that_fails_on(word: &str) -> Inference {
    let (weights, folder) = (weights(), tempfile::tempdir().unwrap());
    let file = std::fs::read(weights.join("tokenizer.json")).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&file).unwrap();
    tokenizer["model"]["vocab"][word] = 99_999.into();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let tokenizer = Tokenizer::load(folder.path(), manifest().max_tokens).unwrap();
    Inference::start(Encoder::load(&manifest(), &weights, 1).unwrap(), tokenizer).unwrap()
}

#[tokio::test]
async fn a_row_that_the_encoder_fails_on_is_left_out_alone() {
    let inference = Some(an_encoder_that_fails_on("zebra"));
    let desk = Desk::set_up(Setup { inference, ..Setup::default() }).await;
    let mut rows = small_history();
    let (at, count) = (3, rows.len());
    rows.insert(at, resolved("T-50", "a zebra in the lift", "Animals", "Called the zoo."));
    let report = desk.import(&rows).await;
    assert_eq!(report.imported, count);
    let [(position, LeftOut::Failed(reason))] = report.left_out.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(*position, at);
    assert!(reason.contains("99999"), "{reason}");
    // Of nothing but such rows none is "left out": it is not theirs alone, then.
    let zebras = [resolved("T-51", "zebra", "Animals", "x"), resolved("T-52", " ", "x", "y")];
    let all = desk.triage.import(&desk.workspace, &zebras, None, &NoProgress).await;
    assert!(matches!(all, Err(ImportError::AllFailed(1, LeftOut::Failed(_)))), "{all:?}");
    // It is tried again, and the others are not.
    let again = desk.import(&rows).await;
    assert_eq!((again.imported, again.unchanged, again.left_out), (0, count, report.left_out));
}

#[test]
fn another_encoders_data_folder_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqlStore::open_folder(folder.path()).await.unwrap();
        store.bind_encoder("bge-small-en-v1.5:0123456789ab").await.unwrap();
        store.close().await;
    });
    let error = deskhand(&["triage", "printer jams", "--data", &data]).failure();
    assert!(error.contains("bge-small-en-v1.5") && error.contains("all-MiniLM-L6-v2"), "{error}");
}
