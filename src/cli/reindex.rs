//! `deskhand reindex`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::Common;
use super::terminal::{Downloads, Rows, say};
use crate::app::{self, App};
use crate::domain::WorkspaceId;
use crate::triage::ReindexReport;

/// One failure in so many tickets is too much for an encoder to take over.
const MOST_FAILURES: u64 = 10;

/// Bring the index in step with the database, while it is in use.
///
/// Embeds every ticket that the configured encoder has not read (after model.name was changed, all
/// of them), notes the words of those that were written before search knew words, and copies the
/// entries to Qdrant where that is the index.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand reindex\n  \
    DESKHAND__INDEX__KIND=qdrant deskhand reindex")]
pub(super) struct ReindexArgs {}

pub(super) async fn run(common: &Common, _: ReindexArgs) -> Result<()> {
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    let app = App::open_unbound(&config, store, &Downloads::default()).await?;
    let mut anew = Vec::new();
    for workspace in app.triage.store().workspaces().await? {
        let (tickets, report) = index(&app, &workspace, "Indexing").await?;
        super::print(&format!(
            "{workspace}: {tickets} tickets, {} embedded, {} written, {} removed",
            report.embedded, report.written, report.removed
        ))?;
        if report.failed > 0 {
            say(&format!(
                "{workspace}: the encoder failed on {} tickets, which search does not find as they \
                 are now; the log names them",
                report.failed
            ));
        }
        // Few are the tickets' fault, many the encoder's.
        anyhow::ensure!(
            report.failed * MOST_FAILURES < tickets.max(MOST_FAILURES),
            "{workspace}: the encoder failed on {} of {tickets} tickets; what another encoder has \
             written stays in use",
            report.failed
        );
        if report.embedded > 0 {
            anew.push(workspace);
        }
    }
    app.triage.store().rebind_encoder(app.triage.encoder()).await?;
    // What was changed meanwhile by a process with the former encoder.
    for workspace in anew {
        index(&app, &workspace, "Looking through").await?;
    }
    app.close(Duration::from_secs(5)).await;
    Ok(())
}

async fn index(app: &App, workspace: &WorkspaceId, doing: &str) -> Result<(u64, ReindexReport)> {
    let tickets = app.triage.store().counts(workspace).await?.tickets;
    let rows = Rows::new(tickets as usize, &format!("{doing} {workspace}"));
    let report = app.triage.reindex(workspace, &rows).await;
    rows.finish();
    Ok((tickets, report?))
}
