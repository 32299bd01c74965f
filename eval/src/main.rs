//! `deskhand-eval`: what Deskhand is worth, measured.

mod backtest;
mod bench;
mod bench_embed;
mod bench_index;
mod bench_serve;
mod compare;
mod desk;
mod drafts;
mod guard;
mod leave_one_out;
mod output;
mod promises;
mod redaction;
mod report;
mod sample;
mod similar;
mod writer;

use std::process::ExitCode;

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
    Report(report::Args),
    Doctor(report::labels::Args),
    Compare(compare::Args),
    Backtest(backtest::Args),
    Promises(promises::Args),
    LeaveOneOut(leave_one_out::Args),
    Redaction(redaction::Args),
    Sample(sample::Args),
    BenchEmbed(bench_embed::Args),
    Similar(similar::Args),
    Drafts(drafts::Args),
    Guard(guard::Args),
    Writer(writer::Args),
    BenchTriage(bench::Args),
    BenchIndex(bench_index::Args),
    BenchServe(bench_serve::Args),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Cli { command, model } = Cli::parse();
    match command {
        Command::Report(args) => return report::run(&model, args).await,
        Command::Doctor(args) => report::labels::run(&model, args).await?,
        Command::Compare(args) => return compare::run(&model, args).await,
        Command::Backtest(args) => return backtest::run(&model, args).await,
        Command::Promises(args) => promises::run(&model, args).await?,
        Command::LeaveOneOut(args) => leave_one_out::run(&model, args).await?,
        Command::Redaction(args) => redaction::run(&args)?,
        Command::Sample(args) => sample::run(&model, args).await?,
        Command::BenchEmbed(args) => bench_embed::run(&model, args).await?,
        Command::Similar(args) => similar::run(&model, args).await?,
        Command::Drafts(args) => drafts::run(&model, args).await?,
        Command::Guard(args) => guard::run(&model, args).await?,
        Command::Writer(args) => writer::run(&model, args).await?,
        Command::BenchTriage(args) => bench::run(&model, args).await?,
        Command::BenchIndex(args) => bench_index::run(args).await?,
        Command::BenchServe(args) => bench_serve::run(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
