//! `deskhand-eval bench-triage`: how long a triage takes, and what it costs in memory.

use std::time::Instant;

use anyhow::Result;
use deskhand::sample;
use deskhand::triage::Receipt;
use serde_json::json;

use crate::desk::{Desk, ModelArgs};
use crate::output::{bar, line};

/// Time triages of sample tickets, one after the other, written to disk as the service does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many
    #[arg(long, default_value_t = 1000)]
    tickets: usize,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let tickets = sample::tickets()?;
    let desk = Desk::open(model).await?;
    let loaded = resident_megabytes();
    desk.import(&tickets, Some(sample::taxonomy())).await?;
    let imported = resident_megabytes();
    let progress = bar(args.tickets, "Triaging");
    let mut times = Vec::with_capacity(args.tickets);
    for ticket in tickets.iter().cycle().take(args.tickets) {
        // Without a source each is a new ticket.
        let ticket = deskhand::domain::Ticket { source: None, ..ticket.ticket.clone() };
        let start = Instant::now();
        desk.app.triage.triage(&desk.workspace, ticket, Receipt::none()).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        progress.inc(1);
    }
    progress.finish_and_clear();
    desk.close().await;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    let result = json!({
        "tickets": args.tickets,
        "p50_ms": at(0.50),
        "p99_ms": at(0.99),
        "rss_mb_loaded": loaded,
        "rss_mb_after_import": imported,
        "rss_mb_after_triage": resident_megabytes(),
    });
    line(&serde_json::to_string_pretty(&result)?)
}

/// Resident memory of this process, where the system tells.
pub(crate) fn resident_megabytes() -> Option<f64> {
    status_megabytes("VmRSS:")
}

/// What the system says of this process's memory in a line of its status.
pub(crate) fn status_megabytes(name: &str) -> Option<f64> {
    process_megabytes(std::process::id(), name)
}

/// The same of another process.
pub(crate) fn process_megabytes(process: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with(name))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kilobytes / 102.4).round() / 10.0)
}
