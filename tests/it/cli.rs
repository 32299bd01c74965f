//! The program from the command line.

use deskhand::domain::Suggestion;

use crate::support::deskhand;

const COMMANDS: [&[&str]; 13] = [
    &[],
    &["demo"],
    &["serve"],
    &["triage"],
    &["import"],
    &["keys"],
    &["users"],
    &["workspaces"],
    &["bundles"],
    &["reindex"],
    &["models"],
    &["config"],
    &["healthcheck"],
];

#[test]
fn help_is_as_committed() {
    let help = COMMANDS.map(|command| {
        let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        format!("$ deskhand {}\n{}", arguments.join(" "), deskhand(&arguments).success())
    });
    insta::assert_snapshot!(help.join("\n"));
}

#[test]
fn a_ticket_is_triaged_from_arguments_and_from_standard_input() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let answer =
        deskhand(&["triage", "--json", "--data", data, "Reset my password please"]).success();
    let from_arguments: Suggestion = serde_json::from_str(&answer).unwrap();
    let output =
        deskhand(&["triage", "--json", "--data", data]).with_input("Reset my password please\n\n");
    let from_input: Suggestion = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(from_arguments.category, from_input.category);
    let shown = deskhand(&["triage", "--data", data, "Reset my password please"]).success();
    assert!(shown.starts_with("Category  ") && shown.contains("\nTeam      "), "{shown}");
}

#[test]
fn a_blank_ticket_is_a_clear_error() {
    let data = tempfile::tempdir().unwrap();
    let error = deskhand(&["triage", "--data", data.path().to_str().unwrap(), " "]).failure();
    assert!(error.contains("the ticket is empty"), "{error}");
}

#[test]
fn configuration_faults_come_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deskhand.toml");
    std::fs::write(&file, "[server]\nlisten = \"nowhere\"\n[policy]\nauto = 2.0\n").unwrap();
    let error = deskhand(&["config", "check", "--config", file.to_str().unwrap()]).failure();
    assert!(error.contains("server.listen") && error.contains("policy.auto"), "{error}");
    deskhand(&["config", "check"]).success();
    let printed = deskhand(&["config", "print", "--offline"]).success();
    assert!(printed.contains("offline = true"), "{printed}");
    std::fs::write(&file, deskhand(&["config", "print", "--defaults"]).success()).unwrap();
    deskhand(&["config", "check", "--config", file.to_str().unwrap()]).success();
}

#[test]
fn a_public_address_without_accounts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let error = deskhand(&["serve", "--listen", "0.0.0.0:0", "--data", data]).failure();
    assert!(error.contains("deskhand keys create"), "{error}");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let error = deskhand(&["serve", "--listen", &address, "--data", data]).failure();
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}

#[test]
fn the_demo_keeps_away_from_a_real_desk() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("own.csv"));
    std::fs::write(&file, "subject,category\nprinter jams,Printing\n").unwrap();
    let data = data.to_str().unwrap();
    deskhand(&["import", file.to_str().unwrap(), "--data", data]).success();
    let error = deskhand(&["demo", "--listen", "127.0.0.1:0", "--data", data]).failure();
    assert!(error.contains("a desk of its own"), "{error}");
}

#[test]
fn models_are_listed_and_verified() {
    let list = deskhand(&["models", "list"]).success();
    let default = list.lines().find(|line| line.starts_with("all-MiniLM-L6-v2 "));
    assert!(default.is_some_and(|line| line.ends_with("here")), "{list}");
    deskhand(&["models", "verify"]).success();
    let empty = tempfile::tempdir().unwrap();
    let error =
        deskhand(&["models", "verify"]).env("DESKHAND__MODEL__CACHE", empty.path()).failure();
    assert!(error.contains("model.safetensors is missing"), "{error}");
}

#[test]
fn a_healthcheck_of_nothing_fails() {
    // Listens, but never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", silent.local_addr().unwrap());
    assert!(deskhand(&["healthcheck", "--timeout", "1", "--url", &url]).failure().contains(&url));
}
