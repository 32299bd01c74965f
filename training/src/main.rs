//! `deskhand-train`: what Deskhand runs, trained on a desk's own history.

mod data;
mod finetune;
mod fit;
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
    Fit(fit::Args),
    Finetune(finetune::Args),
}

fn main() -> Result<()> {
    // Training threads each run a whole pass. candle would share out every addition within it once
    // more, over threads that spin while they wait: twice the processor time for nothing.
    #[expect(unsafe_code, reason = "candle reads this from the environment alone")]
    // SAFETY: no other thread has been started that could read the environment meanwhile.
    unsafe {
        std::env::set_var("CANDLE_NUM_THREADS", "1");
    }
    let runtime = tokio::runtime::Runtime::new()?;
    match Cli::parse().command {
        Command::Fit(args) => runtime.block_on(fit::run(args)),
        Command::Finetune(args) => runtime.block_on(finetune::run(args)),
    }
}
