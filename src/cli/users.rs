//! `deskhand users`.

use anyhow::{Context, Result, ensure};
use clap::Subcommand;

use super::Common;
use super::terminal::say;
use crate::app;
use crate::domain::{Scope, Scopes, WorkspaceId};
use crate::store::{Membership, WayIn};

/// Add, list and remove people who sign in with a password.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand users set anna --scope agent\n  \
    deskhand users set ben --scope lead --workspace hr < password.txt\n  \
    deskhand users join anna --workspace hr --scope lead\n  \
    deskhand users list\n  deskhand users remove anna\n\n\
    The password is the first line of standard input.")]
pub(super) enum UsersCommand {
    /// Add a user, or change one's password and scopes
    Set {
        /// What they sign in with
        name: String,
        /// What they may do; may be given several times
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<Scope>,
        /// The desk that they work at
        #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
    /// Let a user work at one more desk, or change what they may do there
    Join {
        /// What they sign in with
        name: String,
        /// What they may do there; may be given several times
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<Scope>,
        /// The desk
        #[arg(long, value_name = "NAME", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
    /// Take a user from a desk that they joined
    Leave {
        /// What they sign in with
        name: String,
        /// The desk
        #[arg(long, value_name = "NAME", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
    /// List users
    List,
    /// Remove a user and end their sessions
    Remove {
        /// What they sign in with
        name: String,
    },
}

pub(super) async fn run(common: &Common, command: UsersCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    match command {
        UsersCommand::Set { name, scope, workspace } => {
            say("Password (first line of standard input):");
            let password = password()?;
            let accounts = app::accounts(std::sync::Arc::clone(&store));
            accounts.put_user(workspace, name.clone(), &password, scope).await?;
            say(&format!("{name} can sign in"));
        }
        UsersCommand::List => {
            for user in store.users().await? {
                let way = match &user.way_in {
                    WayIn::Password(_) => "password",
                    WayIn::Provider { issuer, .. } => issuer,
                };
                for desk in store.memberships(&user.name).await? {
                    let told = format!("{}  {}  {}  {way}", user.name, desk.workspace, desk.scopes);
                    super::print(&told)?;
                }
            }
        }
        UsersCommand::Join { name, scope, workspace } => {
            let user = store.user(&name).await?;
            let user = user.with_context(|| format!("there is no user {name:?}"))?;
            ensure!(
                user.workspace != workspace,
                "{workspace} is their own desk; `users set` changes what they may do there"
            );
            let member = Membership { workspace, scopes: Scopes::new(scope) };
            store.add_membership(&name, &member).await?;
            say(&format!("{name} can work at {} once signed in again", member.workspace));
        }
        UsersCommand::Leave { name, workspace } => {
            let left = store.remove_membership(&name, &workspace).await?;
            ensure!(left, "{name} has not joined {workspace}");
            say(&format!("{name} has left {workspace}"));
        }
        UsersCommand::Remove { name } => {
            ensure!(store.remove_user(&name).await?, "there is no user {name:?}");
            say(&format!("{name} is removed"));
        }
    }
    store.close().await;
    Ok(())
}

fn password() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("no password on standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
