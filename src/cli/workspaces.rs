//! `deskhand workspaces`.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::Common;
use super::terminal::say;
use crate::app::{self, SystemClock};
use crate::domain::{Clock, WorkspaceId};
use crate::text::{CustomRule, Rules};

/// Show and change what each desk decides for itself: how long tickets are kept, what is redacted.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand workspaces list\n  \
    deskhand workspaces set main --keep-days 730\n  \
    deskhand workspaces set hr --redact staff_number='\\bPN-[0-9]{6}\\b' --no-redact ip\n  \
    deskhand workspaces set main --keep-days 0")]
pub(super) enum WorkspacesCommand {
    /// List workspaces and their settings
    List,
    /// Change a workspace's settings; those that are not named stay
    Set {
        /// The workspace
        #[arg(value_parser = super::workspace)]
        name: WorkspaceId,
        /// Days after which tickets are erased; 0 keeps them for good
        #[arg(long, value_name = "N")]
        keep_days: Option<u32>,
        /// Redact what a regular expression matches; NAME= takes the rule out again
        #[arg(long, value_name = "NAME=PATTERN")]
        redact: Vec<String>,
        /// Leave a built-in rule off (email, phone, card, iban, ip, token, password, national-id)
        #[arg(long, value_name = "RULE")]
        no_redact: Vec<String>,
        /// Put a built-in rule on again
        #[arg(long, value_name = "RULE")]
        do_redact: Vec<String>,
    },
}

pub(super) async fn run(common: &Common, command: WorkspacesCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    match command {
        WorkspacesCommand::List => {
            for workspace in store.workspaces().await? {
                let settings = store.settings(&workspace).await?;
                let counts = store.counts(&workspace).await?;
                let kept = settings
                    .retention_days
                    .map_or_else(|| "kept for good".to_owned(), |n| format!("kept {n} days"));
                super::print(&format!(
                    "{workspace}  {} tickets  {kept}  redaction {}",
                    counts.tickets,
                    serde_json::to_string(&settings.redaction)?
                ))?;
            }
        }
        WorkspacesCommand::Set { name, keep_days, redact, no_redact, do_redact } => {
            // A server changes its part of them meanwhile.
            let mut tx = store.begin(&name).await?;
            let mut settings = tx.settings().await?;
            if let Some(days) = keep_days {
                settings.retention_days = Some(days).filter(|&d| d > 0);
            }
            let rules = &mut settings.redaction;
            for rule in redact {
                let (rule_name, pattern) =
                    rule.split_once('=').context("expected --redact NAME=PATTERN")?;
                rules.custom.retain(|r| r.name != rule_name);
                if !pattern.is_empty() {
                    let (name, pattern) = (rule_name.to_owned(), pattern.to_owned());
                    rules.custom.push(CustomRule { name, pattern });
                }
            }
            rules.off.retain(|r| !do_redact.contains(r));
            rules.off.extend(no_redact);
            rules.off.sort();
            rules.off.dedup();
            Rules::new(rules)?;
            tx.save_settings(&settings, SystemClock.now()).await?;
            tx.commit().await?;
            say(&format!("{name} is set; texts that are embedded already stay as they are"));
        }
    }
    store.close().await;
    Ok(())
}
