//! The `deskhand` program; see [`deskhand::cli`].

use std::process::ExitCode;

use clap::Parser;
use deskhand::cli::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn report(error: &anyhow::Error) {
    eprintln!("deskhand: {error:#}");
}
