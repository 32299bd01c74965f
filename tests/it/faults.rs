//! Faults: the server is killed, starved, locked out and kept waiting, and nothing that it
//! acknowledged is lost or done twice.
//!
//! `DESKHAND_FAULT_ROUNDS`, `DESKHAND_FAULT_CLIENTS` and `DESKHAND_FAULT_SEED` size the first test;
//! `make check-long` asks for 100 rounds of 50 clients. `DESKHAND_BIN` names a build to drive.
#![expect(clippy::expect_used, clippy::panic, reason = "whatever panics is a failed test")]
#![expect(clippy::print_stdout, reason = "what was done, and what could not be")]

mod clients;
mod clock;
mod dice;
mod ledger;
mod network;
mod storage;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use crate::support::{Serving, deskhand, serve, small_history};
use clients::{Client, Tally};
use dice::Dice;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Fills a data folder with a small history, as users do.
fn import_history(data: &Path) -> usize {
    let rows = small_history();
    let line = |row: &deskhand::domain::ResolvedTicket| {
        let (source, outcome) = (row.ticket.source.as_ref().unwrap(), &row.outcome);
        json!({"id": source.id, "subject": row.ticket.text.subject, "category": outcome.category,
            "team": outcome.team, "priority": outcome.priority, "resolution": outcome.resolution})
    };
    let lines: Vec<String> = rows.iter().map(|row| line(row).to_string()).collect();
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    let (file, data) = (file.path().to_str().unwrap(), data.to_str().unwrap());
    deskhand(&["import", file, "--data", data]).success();
    rows.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_does_nothing_twice() {
    let rounds = number("DESKHAND_FAULT_ROUNDS").unwrap_or(4);
    let clients = number("DESKHAND_FAULT_CLIENTS").unwrap_or(6);
    let seed = number("DESKHAND_FAULT_SEED").unwrap_or_else(Dice::any_seed);
    println!("faults: {rounds} rounds, {clients} clients, DESKHAND_FAULT_SEED={seed}");
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let history = import_history(folder.path());
    let (address, addresses) = watch::channel(None);
    let (stop, stopping) = watch::channel(false);
    let tally = Arc::new(Tally::default());
    let mut running = tokio::task::JoinSet::new();
    for n in 0..clients {
        let client = Client::new(n, seed, Arc::clone(&tally));
        running.spawn(client.run(addresses.clone(), stopping.clone()));
    }

    let mut dice = Dice::new(seed, u64::MAX);
    let (mut longest, mut early) = (Duration::ZERO, 0);
    for round in 0..rounds {
        if dice.one_in(8) {
            // Pulled while it is still getting up.
            let server = Serving::launch(serve(folder.path()));
            tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
            server.kill();
            early += 1;
        }
        let mut server = Serving::launch(serve(folder.path()));
        longest = longest.max(server.ready().await);
        let failed = tally.spot_check(&server.address, &mut dice).await;
        assert_eq!(failed, None, "round {round}, DESKHAND_FAULT_SEED={seed}");
        address.send_replace(Some(server.address.clone()));
        let pause = if dice.one_in(4) { dice.below(6000) } else { dice.below(1500) };
        tokio::time::sleep(Duration::from_millis(20 + pause)).await;
        server.kill();
        address.send_replace(None);
        // A client that has failed an assertion has found what this test looks for.
        if let Some(ended) = running.try_join_next() {
            ended.unwrap();
        }
    }

    let mut server = Serving::launch(serve(folder.path()));
    longest = longest.max(server.ready().await);
    address.send_replace(Some(server.address.clone()));
    stop.send_replace(true);
    let mut ledgers = Vec::new();
    while let Some(ledger) = running.join_next().await {
        ledgers.push(ledger.unwrap());
    }
    let known = ledger::check(&server.address, &ledgers, history).await;
    let said = server.terminate().await;
    assert!(!said.contains("ERROR"), "{said}");
    ledger::check_file(folder.path(), &known).await;
    if rounds >= 50 {
        // Long enough for some of everything.
        assert!(known.decisions > 0 && known.messages > 0);
        assert!(tally.replays.load(Ordering::Relaxed) > 0);
    }
    println!(
        "faults: {rounds} rounds ({early} killed while starting too), {} requests, \
         {} acknowledged, {} replays, {} cut off, {} given up; {} tickets, {} suggestions, \
         {} messages, {} decisions; longest recovery {} ms; {} s",
        tally.requests.load(Ordering::Relaxed),
        tally.acknowledged.load(Ordering::Relaxed),
        tally.replays.load(Ordering::Relaxed),
        tally.cut_off.load(Ordering::Relaxed),
        tally.given_up.load(Ordering::Relaxed),
        known.tickets,
        known.suggestions,
        known.messages,
        known.decisions,
        longest.as_millis(),
        begun.elapsed().as_secs(),
    );
}
