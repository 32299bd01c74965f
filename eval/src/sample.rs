//! `deskhand-eval sample`: is the sample history sound?
use anyhow::Result;

use crate::desk::ModelArgs;

/// Check the sample history.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_model: &ModelArgs, _args: Args) -> Result<()> {
    Ok(())
}
