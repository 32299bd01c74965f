//! A desk of one's own for a measurement: the service as it is, on a data folder that is thrown
//! away afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use deskhand::app::{self, App};
use deskhand::config::{Config, Layers};
use deskhand::domain::{ResolvedTicket, Taxonomy, WorkspaceId};
use deskhand::exports::{self, ColumnMap, Options};
use deskhand::model::Progress;
use deskhand::sample;
use tempfile::TempDir;

use crate::output::{ImportBar, bar};

/// Where the model comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct ModelArgs {
    /// The encoder: a name, or a folder with its manifest.toml
    #[arg(long, global = true, value_name = "NAME")]
    encoder: Option<String>,
    /// What numbers it computes in: f32 or int8
    #[arg(long, global = true, value_name = "KIND")]
    precision: Option<String>,
    /// Folder that already holds the model's files
    #[arg(long, global = true, value_name = "DIR")]
    model_folder: Option<String>,
    /// Open no connection for model files
    #[arg(long, global = true)]
    offline: bool,
}

impl ModelArgs {
    /// The configuration, with data in a folder where one is named.
    pub(crate) fn config(&self, data: Option<&Path>) -> Result<Config> {
        let config = Layers::new()
            .environment(std::env::vars())
            .flag("--encoder", "model", "name", self.encoder.clone())
            .flag("--precision", "model", "precision", self.precision.clone())
            .flag("--model-folder", "model", "folder", self.model_folder.clone())
            .flag("--offline", "model", "offline", self.offline.then(|| "true".to_owned()))
            .flag("data", "data", "folder", data.map(|folder| folder.display().to_string()))
            .build()?;
        Ok(config)
    }
}

/// A service with a data folder of its own.
pub(crate) struct Desk {
    pub(crate) app: App,
    pub(crate) workspace: WorkspaceId,
    _folder: TempDir,
}

impl Desk {
    pub(crate) async fn open(model: &ModelArgs) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = model.config(Some(folder.path()))?;
        let app = App::open(&config, app::store(&config).await?, &Silent).await?;
        Ok(Self { app, workspace: WorkspaceId::main(), _folder: folder })
    }

    pub(crate) async fn import(
        &self,
        tickets: &[ResolvedTicket],
        taxonomy: Option<Taxonomy>,
    ) -> Result<()> {
        let progress = ImportBar(bar(tickets.len(), "Importing"));
        self.app.triage.import(&self.workspace, tickets, taxonomy, &progress).await?;
        progress.0.finish_and_clear();
        Ok(())
    }

    pub(crate) async fn close(self) {
        self.app.close(Duration::from_secs(5)).await;
    }
}

/// Reads a history: an export, or else the built-in sample with its taxonomy.
pub(crate) fn history(
    file: Option<PathBuf>,
    map: ColumnMap,
) -> Result<(Vec<ResolvedTicket>, Option<Taxonomy>)> {
    let Some(file) = file else {
        return Ok((sample::tickets()?, Some(sample::taxonomy())));
    };
    let name = file.display().to_string();
    let bytes = std::fs::read(&file).with_context(|| name.clone())?;
    let options = Options { map, system: "export".to_owned() };
    let export = exports::read(&bytes, &options).with_context(|| name)?;
    Ok((export.rows, None))
}

/// A measurement's output is its result alone.
pub(crate) struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self, _: &str) {}
    fn note(&self, _: &str) {}
}
