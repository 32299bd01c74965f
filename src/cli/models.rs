//! `deskhand models`.

use anyhow::Result;
use clap::Subcommand;

use super::Common;
use super::terminal::Downloads;
use crate::app;
use crate::model::Manifest;

/// List, fetch and verify encoders.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand models list\n  deskhand models fetch\n  \
    deskhand models fetch --model-folder /mnt/usb/all-MiniLM-L6-v2\n  deskhand models verify")]
pub(super) enum ModelsCommand {
    /// The encoders that are known, and whether they are here
    List,
    /// Bring the configured encoder into the cache
    Fetch,
    /// Check every file of the configured encoder against its SHA-256
    Verify,
}

pub(super) async fn run(common: &Common, command: ModelsCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let cache = app::model_cache(&config)?;
    match command {
        ModelsCommand::List => {
            for manifest in Manifest::built_in() {
                let state = if cache.verify(&manifest).is_empty() { "here" } else { "not fetched" };
                let size = match manifest.total_bytes() {
                    0 => "size unknown".to_owned(),
                    bytes => format!("{:.0} MB", bytes as f64 / 1e6),
                };
                let languages = match manifest.languages.len() {
                    few @ 0..=5 => manifest.languages[..few].join(","),
                    many => format!("{many} languages"),
                };
                super::print(&format!(
                    "{}  {size}  {} dimensions  {languages}  {}  {state}",
                    manifest.name, manifest.dimensions, manifest.licence,
                ))?;
            }
            Ok(())
        }
        ModelsCommand::Fetch => {
            let manifest = app::manifest(&config)?;
            let folder = app::fetcher(&config)?.ensure(&manifest, &Downloads::default()).await?;
            super::print(&format!("{} is complete in {}", manifest.name, folder.display()))
        }
        ModelsCommand::Verify => {
            let manifest = app::manifest(&config)?;
            let faults: Vec<String> =
                cache.verify(&manifest).iter().map(ToString::to_string).collect();
            anyhow::ensure!(
                faults.is_empty(),
                "{}\nrun `deskhand models fetch` to mend this",
                faults.join("\n")
            );
            super::print(&format!("{} is complete and sound", manifest.name))
        }
    }
}
