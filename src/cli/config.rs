//! `deskhand config`.

use anyhow::Result;
use clap::Subcommand;

use super::Common;
use crate::config::DEFAULTS;

/// Check and show settings.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand config check --config deskhand.toml\n  \
    deskhand config print\n  deskhand config print --defaults > deskhand.toml")]
pub(super) enum ConfigCommand {
    /// Read all settings and report every fault at once
    Check,
    /// Show the settings in force, secrets hidden
    Print {
        /// Show the built-in defaults instead, with a comment on each
        #[arg(long)]
        defaults: bool,
    },
}

pub(super) fn run(common: &Common, command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check => {
            common.config()?;
            super::print("the configuration is sound")
        }
        ConfigCommand::Print { defaults: true } => super::print(DEFAULTS.trim_end()),
        ConfigCommand::Print { defaults: false } => {
            super::print(common.layers()?.to_toml().trim_end())
        }
    }
}
