//! `deskhand-train`: what Deskhand runs, trained on a desk's own history.

mod data;
mod finetune;
mod output;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Train what Deskhand runs, on a desk's own history.
#[derive(Debug, Parser)]
#[command(name = "deskhand-train", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Finetune(finetune::Args),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Finetune(args) => finetune::run(args).await,
    }
}
