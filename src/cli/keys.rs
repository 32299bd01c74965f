//! `deskhand keys`.

use anyhow::{Result, ensure};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};

use super::Common;
use super::terminal::say;
use crate::app::{self, SystemClock};
use crate::domain::{Clock, KeyId, Scope, WorkspaceId};

/// Make, list and revoke API keys.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand keys create zendesk --scope triage\n  \
    deskhand keys create anna --scope agent --workspace hr --days 90\n  \
    deskhand keys list\n  deskhand keys revoke key_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5\n\n\
    Scopes: triage (send tickets, read answers), agent (decide about suggestions), lead (labels,\n\
    import, export), admin (erase, and everything else). Each includes those before it.")]
pub(super) enum KeysCommand {
    /// Make a key; its text is shown once
    Create {
        /// What it is for
        name: String,
        /// What it allows; may be given several times
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<Scope>,
        /// The desk that it opens
        #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
        workspace: WorkspaceId,
        /// Days until it ends; without it the key does not end by itself
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: Option<u32>,
    },
    /// List keys
    List,
    /// End a key's life at once
    Revoke {
        /// The key's id, as `keys list` shows it
        id: KeyId,
    },
}

pub(super) async fn run(common: &Common, command: KeysCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    let accounts = app::accounts(std::sync::Arc::clone(&store));
    match command {
        KeysCommand::Create { name, scope, workspace, days } => {
            let lasts = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
            let (key, text) = accounts.create_key(workspace, name, scope, lasts).await?;
            say(&format!(
                "Key {} for {} in workspace {}. Keep what follows: it is shown this once.",
                key.id, key.name, key.workspace
            ));
            super::print(&text)?;
        }
        KeysCommand::List => {
            let now = SystemClock.now();
            for key in store.keys().await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {}", day(at)),
                    (None, Some(at)) if at <= now => format!("expired {}", day(at)),
                    (None, Some(at)) => format!("until {}", day(at)),
                    (None, None) => "active".to_owned(),
                };
                let used = key
                    .last_used_at
                    .map_or_else(|| "never used".to_owned(), |at| format!("used {at:.0}"));
                super::print(&format!(
                    "{}  {}  {}  {}  {state}  {used}",
                    key.id, key.workspace, key.scopes, key.name
                ))?;
            }
        }
        KeysCommand::Revoke { id } => {
            let revoked = store.revoke_key(id, SystemClock.now()).await?;
            ensure!(revoked, "there is no active key {id}");
            say(&format!("{id} is revoked"));
        }
    }
    store.close().await;
    Ok(())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

impl clap::ValueEnum for Scope {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.name().into())
    }
}
