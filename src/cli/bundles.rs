//! `deskhand bundles`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::Common;
use super::terminal::{Downloads, Steps, say};
use crate::app::{self, App, SystemClock};
use crate::domain::{Clock, WorkspaceId};
use crate::triage::{self, BundleRecord, Bundles, Caller, FitOutcome, Receipt};

/// What was learned from each desk's tickets, and which of it answers.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand bundles list\n  \
    deskhand bundles fit --workspace hr\n  \
    deskhand bundles activate 0f3a5c7e9b1d2f46\n\n\
    A running server fits bundles by itself and follows an activation at its next ticket. To go\n\
    back, activate the one before. A bundle that was fitted elsewhere is copied to\n\
    DATA/bundles/WORKSPACE/ID and activated.")]
pub(super) enum BundlesCommand {
    /// List a workspace's bundles, the newest first
    List {
        /// The workspace
        #[arg(long, value_parser = super::workspace, default_value = "main")]
        workspace: WorkspaceId,
    },
    /// Make a bundle the one that answers
    Activate {
        /// The bundle
        id: String,
        /// The workspace
        #[arg(long, value_parser = super::workspace, default_value = "main")]
        workspace: WorkspaceId,
    },
    /// Fit a bundle to a workspace's labelled tickets; activated unless it is worse than the
    /// running one
    Fit {
        /// The workspace
        #[arg(long, value_parser = super::workspace, default_value = "main")]
        workspace: WorkspaceId,
    },
}

pub(super) async fn run(common: &Common, command: BundlesCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    let caller = |workspace| Caller { workspace, actor: "command line".to_owned() };
    let bundles = || -> Result<Bundles> {
        let encoder = app::manifest(&config)?.fingerprint();
        Ok(Bundles::new(Arc::clone(&store), app::bundles(&config), encoder))
    };
    match command {
        BundlesCommand::List { workspace } => {
            for record in bundles()?.list(&workspace).await? {
                super::print(&line(&record))?;
            }
        }
        BundlesCommand::Activate { id, workspace } => {
            let (caller, now) = (caller(workspace), SystemClock.now());
            let labels = triage::built_in_taxonomy();
            bundles()?.activate(&caller, &id, &labels, now, Receipt::none()).await?;
            say(&format!("{id} answers in {} from the next ticket on", caller.workspace));
        }
        BundlesCommand::Fit { workspace } => {
            let app = App::open(&config, Arc::clone(&store), &Downloads::default()).await?;
            let shown: Mutex<Option<Steps>> = Mutex::default();
            let shown = Arc::new(shown);
            let heard = Arc::clone(&shown);
            let progress = Arc::new(move |done: usize, total: usize| {
                let mut shown = heard.lock().unwrap_or_else(PoisonError::into_inner);
                shown.get_or_insert_with(|| Steps::new(total, "Fitting")).at(done);
            });
            let outcome = app.triage.fit_bundle(&caller(workspace), progress).await;
            if let Some(shown) = &*shown.lock().unwrap_or_else(PoisonError::into_inner) {
                shown.finish();
            }
            app.close(Duration::from_secs(5)).await;
            match outcome? {
                FitOutcome::Activated(record) => say(&line(&record)),
                FitOutcome::NotBetter { id, field } => say(&format!(
                    "{id} is fitted and not activated: the running bundle tells {field} better"
                )),
                FitOutcome::TooLittle { labelled } => bail!(
                    "{labelled} labelled tickets are too few to learn from; 200 are needed, at \
                     least 50 of them with two labels or more of one kind"
                ),
                FitOutcome::Elsewhere => bail!("another process is fitting a bundle"),
            }
            return Ok(());
        }
    }
    store.close().await;
    Ok(())
}

fn line(record: &BundleRecord) -> String {
    let state = match record {
        BundleRecord { active: true, .. } => "active",
        BundleRecord { previous: true, .. } => "previous",
        _ => "-",
    };
    let fitted = record.fitted_at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
    let tickets = record.tickets.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let first = format!("{}  {state}  {fitted}  {tickets} tickets", record.id);
    let fields = record.manifest.iter().flat_map(|m| &m.fields).filter_map(|(name, field)| {
        Some(format!("{name} {:.3} right", field.metrics.as_ref()?.accuracy))
    });
    let fault = record.fault.iter().map(|fault| format!("cannot be used: {fault}"));
    std::iter::once(first).chain(fields).chain(fault).collect::<Vec<_>>().join("  ")
}
