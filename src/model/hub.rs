//! Downloads from the Hugging Face hub through its own client.

use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::tokio::{ApiBuilder, Progress};
use hf_hub::{Repo, RepoType};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::manifest::HubSource;

/// How long the hub has to say what it holds before the next source is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a download may stand still.
const STALL: Duration = Duration::from_mins(1);
/// Large files come in pieces of this size, so that a broken download goes on where it stopped.
const CHUNK: usize = 8 << 20;

/// One repository of a hub.
#[derive(Debug, Clone)]
pub(super) struct HubClient {
    /// The hub's address, without a slash at the end.
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
    /// Where files lie until they are whole.
    pub(super) staging: PathBuf,
    pub(super) source: HubSource,
}

impl HubClient {
    /// Downloads a file, telling of every piece, and returns where it lies. What an earlier
    /// attempt brought is not fetched again.
    pub(super) async fn download(
        &self,
        file: &str,
        on_bytes: impl Fn(u64),
    ) -> Result<PathBuf, String> {
        let (tell, mut heard) = unbounded_channel();
        let (client, file) = (self.clone(), file.to_owned());
        let work = tokio::task::spawn_blocking(move || {
            // The hub's client spawns a task for each piece and leaves them running when one
            // fails. A runtime of its own ends them with it.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| e.to_string())?.block_on(client.download_here(&file, tell))
        });
        loop {
            match tokio::time::timeout(STALL, heard.recv()).await {
                Ok(Some(bytes)) => on_bytes(bytes),
                Ok(None) => break,
                Err(_) => return Err(format!("nothing came for {} s", STALL.as_secs())),
            }
        }
        work.await.map_err(|e| e.to_string())?
    }

    async fn download_here(
        &self,
        file: &str,
        tell: UnboundedSender<u64>,
    ) -> Result<PathBuf, String> {
        let api = ApiBuilder::new()
            .with_cache_dir(self.staging.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_chunk_size(Some(CHUNK))
            .build()
            .map_err(|e| e.to_string())?;
        let (name, revision) = (self.source.repo.clone(), self.source.revision.clone());
        let repo = api.repo(Repo::with_revision(name, RepoType::Model, revision));
        let url = repo.url(file);
        let gone = tell.clone();
        let download = async {
            tokio::time::timeout(PATIENCE, api.metadata(&url))
                .await
                .map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
                .map_err(|e| root_cause(&e))?;
            repo.download_with_progress(file, Pieces(tell)).await.map_err(|e| root_cause(&e))
        };
        tokio::select! {
            path = download => path,
            // Whoever wanted the file has left or lost patience.
            () = gone.closed() => Err("given up".to_owned()),
        }
    }
}

/// The hub's client wants progress that can be cloned and sent: a channel's end.
#[derive(Clone)]
struct Pieces(UnboundedSender<u64>);

impl Progress for Pieces {
    async fn init(&mut self, _size: usize, _filename: &str) {}
    async fn update(&mut self, size: usize) {
        // The listener only goes away together with the download.
        let _ = self.0.send(size as u64);
    }
    async fn finish(&mut self) {}
}

/// HTTP clients wrap their errors deeply; the innermost says what happened.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
