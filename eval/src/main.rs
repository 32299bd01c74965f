//! `deskhand-eval`: what Deskhand is worth, measured.

mod bench;
mod bench_index;
mod desk;
mod drafts;
mod guard;
mod leave_one_out;
mod output;
mod redaction;
mod sample;
mod writer;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measure Deskhand: accuracy on a history, the sample's soundness, speed.
#[derive(Debug, Parser)]
#[command(name = "deskhand-eval", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    model: desk::ModelArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Drafts(drafts::Args),
    Guard(guard::Args),
    LeaveOneOut(leave_one_out::Args),
    Redaction(redaction::Args),
    Sample(sample::Args),
    Writer(writer::Args),
    BenchTriage(bench::Args),
    BenchIndex(bench_index::Args),
}

#[tokio::main]
async fn main() -> Result<()> {
    let Cli { command, model } = Cli::parse();
    match command {
        Command::Drafts(args) => drafts::run(&model, args).await,
        Command::Guard(args) => guard::run(&model, args).await,
        Command::LeaveOneOut(args) => leave_one_out::run(&model, args).await,
        Command::Redaction(args) => redaction::run(&args),
        Command::Writer(args) => writer::run(&model, args).await,
        Command::Sample(args) => sample::run(&model, args).await,
        Command::BenchTriage(args) => bench::run(&model, args).await,
        Command::BenchIndex(args) => bench_index::run(args).await,
    }
}
