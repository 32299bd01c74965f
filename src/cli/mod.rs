//! The command line. Each command is a file; this one holds what they share.

mod articles;
mod bundles;
mod config;
mod healthcheck;
mod import;
mod keys;
mod models;
mod reindex;
mod serve;
mod terminal;
mod triage;
mod users;
mod workspaces;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Layers};
use crate::domain::WorkspaceId;
use crate::domain::ids::InvalidWorkspace;

/// Self-hosted ticket triage: category, owner team, similar tickets and a cited draft, on your own
/// CPU.
#[derive(Debug, Parser)]
#[command(name = "deskhand", version, max_term_width = 100)]
#[command(after_help = "Start with:\n  deskhand demo            \
     a year of an invented company's tickets, and a page to try it on\n  \
     deskhand import FILE     your own history\n  deskhand serve           the service")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(serve::DemoArgs),
    Serve(serve::ServeArgs),
    Triage(triage::TriageArgs),
    Import(import::ImportArgs),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Users(users::UsersCommand),
    #[command(subcommand)]
    Workspaces(workspaces::WorkspacesCommand),
    #[command(subcommand)]
    Articles(articles::ArticlesCommand),
    #[command(subcommand)]
    Bundles(bundles::BundlesCommand),
    Reindex(reindex::ReindexArgs),
    #[command(subcommand)]
    Models(models::ModelsCommand),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Settings that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct Common {
    /// Settings file (TOML); `deskhand config print` shows every setting
    #[arg(long, global = true, value_name = "FILE", env = "DESKHAND_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the database
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// Folder that already holds the model's files
    #[arg(long, global = true, value_name = "DIR")]
    model_folder: Option<String>,
    /// Open no connection for model files
    #[arg(long, global = true)]
    offline: bool,
}

impl Common {
    /// Defaults, file, environment and the shared flags, in that order.
    fn layers(&self) -> Result<Layers> {
        let mut layers = Layers::new();
        if let Some(path) = &self.config {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
            layers = layers.file(&name, &text);
        }
        Ok(layers
            .environment(environment())
            .flag("--data", "data", "folder", self.data.clone())
            .flag("--model-folder", "model", "folder", self.model_folder.clone())
            .flag("--offline", "model", "offline", self.offline.then(|| "true".to_owned())))
    }

    fn config(&self) -> Result<Config> {
        Ok(self.layers()?.build()?)
    }

    /// Settings for a command that is used by hand: only what goes wrong is logged.
    fn quiet_config(&self) -> Result<Config> {
        let mut config = self.config()?;
        quieten(&mut config);
        crate::telemetry::init(&config.log);
        Ok(config)
    }
}

/// A workspace's name on the command line.
fn workspace(name: &str) -> Result<WorkspaceId, InvalidWorkspace> {
    WorkspaceId::try_from(name.to_owned())
}

/// The environment's variables that are text; settings are.
fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

/// A person at a terminal wants to hear of what goes wrong, not of every request.
fn quieten(config: &mut Config) {
    if config.log.level == "info" {
        "warn".clone_into(&mut config.log.level);
    }
}

/// Runs the command that the arguments name.
///
/// # Errors
/// Whatever the command could not do, ready to be shown.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { command, common } = cli;
    match command {
        Command::Demo(args) => serve::demo(&common, args).await,
        Command::Serve(args) => serve::serve(&common, args).await,
        Command::Triage(args) => triage::run(&common, args).await,
        Command::Import(args) => import::run(&common, args).await,
        Command::Keys(command) => keys::run(&common, command).await,
        Command::Users(command) => users::run(&common, command).await,
        Command::Workspaces(command) => workspaces::run(&common, command).await,
        Command::Articles(command) => articles::run(&common, command).await,
        Command::Bundles(command) => bundles::run(&common, command).await,
        Command::Reindex(args) => reindex::run(&common, args).await,
        Command::Models(command) => models::run(&common, command).await,
        Command::Config(command) => config::run(&common, &command),
        Command::Healthcheck(args) => healthcheck::run(&common, args).await,
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}
