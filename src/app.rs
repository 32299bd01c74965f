//! The composition root: the only place that knows every part.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use uuid::Uuid;

use crate::access::{Accounts, Provided};
use crate::config::{Config, IndexKind, WriterKind};
use crate::domain::{Clock, Entropy, IdSource};
use crate::identity::{Provider, Roles, Settings};
use crate::index::{EmbeddedIndex, ExternalIndex, QdrantIndex, QdrantSettings, TicketIndex};
use crate::inference::{Embedder, Inference};
use crate::model::{
    Cache, Encoder, Fetcher, LanguageModel, Manifest, Progress, Sampling, Sources, Tokenizer,
};
use crate::reports::{self, Reports};
use crate::store::{SqlStore, Store};
use crate::triage::{Parts, Triage};
use crate::writing::{EndpointSettings, Writer};

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Time-ordered random identifiers (UUID version 7).
#[derive(Debug, Clone, Copy)]
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(bytes).map_err(std::io::Error::other)
    }
}

/// The opened parts of the service.
pub struct App {
    /// The service.
    pub triage: Arc<Triage>,
    store: Arc<dyn Store>,
    inference: Inference,
}

impl App {
    /// Fetches the model where it is missing, loads it, and puts the service together over an
    /// opened store.
    ///
    /// # Errors
    /// No source has the model, its files make no encoder, or the data was written by another
    /// encoder.
    pub async fn open(
        config: &Config,
        store: Arc<dyn Store>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let manifest = manifest(config)?;
        store.bind_encoder(&manifest.fingerprint()).await?;
        Self::open_unbound(config, store, progress).await
    }

    /// The same over data that another encoder may have written, to embed it anew.
    ///
    /// # Errors
    /// No source has the model, or its files make no encoder.
    pub async fn open_unbound(
        config: &Config,
        store: Arc<dyn Store>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let manifest = manifest(config)?;
        let folder = fetcher(config)?.ensure(&manifest, progress).await?;
        let (encoder, tokenizer) = load(&manifest, folder, threads(config)).await?;
        let inference = Inference::start(encoder, tokenizer)?;
        let (index, external) = index(config, &manifest, &store)?;
        let parts = Parts {
            index,
            external,
            store: Arc::clone(&store),
            inference: inference.clone(),
            writer: writer(config).await?,
            encoder: manifest,
            policy: config.policy,
            bundles: bundles(config),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        };
        Ok(Self { triage: Arc::new(Triage::new(parts)), store, inference })
    }

    /// The service's encoder without its queue, for whole lists of texts.
    pub fn embedder(&self) -> Embedder {
        self.inference.embedder()
    }

    /// Lets the encoder finish what waits and closes the store.
    pub async fn close(&self, patience: Duration) {
        if !self.inference.close(patience).await {
            tracing::warn!("the encoder was still busy when time ran out");
        }
        self.store.close().await;
    }
}

/// Opens the configured database and brings its schema up to date.
///
/// # Errors
/// It cannot be made, reached, read or written, or a newer version wrote it.
pub async fn store(config: &Config) -> Result<Arc<dyn Store>> {
    let url = config
        .postgres_url()
        .with_context(|| format!("{}", config.data.postgres_url_file.display()))?;
    if let Some(url) = url {
        return Ok(Arc::new(SqlStore::connect(&url).await.context("PostgreSQL")?));
    }
    let folder = &config.data.folder;
    let store = SqlStore::open_folder(folder).await;
    Ok(Arc::new(store.with_context(|| format!("the database in {}", folder.display()))?))
}

/// The folder of trained bundles. Replicas share it.
pub fn bundles(config: &Config) -> PathBuf {
    config.data.folder.join("bundles")
}

/// What makes back-tests of uploaded exports.
pub fn reports(config: &Config) -> Reports {
    let limits = reports::Limits {
        bytes: config.reports.max_megabytes << 20,
        latest: config.reports.latest,
        keep: config.reports.keep,
    };
    Reports::new(config.data.folder.join("uploads"), limits)
}

/// The accounts in a store.
pub fn accounts(store: Arc<dyn Store>) -> Accounts {
    Accounts::new(store, Arc::new(SystemClock), Arc::new(SystemIds), Arc::new(SystemEntropy))
}

/// The same, for those who sign in: with whom people come from, where something is configured.
///
/// # Errors
/// The secret's file cannot be read, or an address is none.
pub fn doors(config: &Config, store: Arc<dyn Store>) -> Result<Accounts> {
    let accounts = accounts(store);
    let sign_in = &config.sign_in;
    if !sign_in.has_provider() {
        return Ok(accounts);
    }
    let settings = Settings {
        name: sign_in.shown_name(),
        issuer: sign_in.issuer.clone(),
        client_id: sign_in.client_id.clone(),
        client_secret: config
            .client_secret()
            .with_context(|| format!("{}", sign_in.client_secret_file.display()))?,
        scopes: sign_in.scopes.split_whitespace().map(str::to_owned).collect(),
        public_url: config.server.public_url.clone(),
        roles: Roles { claim: sign_in.roles_claim.clone(), values: sign_in.roles() },
    };
    let provider = Provider::new(settings, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
    let workspace = sign_in.desk().context("sign_in.workspace is no desk's name")?;
    Ok(accounts.provided(Provided { provider, workspace }, sign_in.passwords))
}

/// An index, and the same where it has to be told of every change.
type Indexes = (Arc<dyn TicketIndex>, Option<Arc<dyn ExternalIndex>>);

fn index(config: &Config, manifest: &Manifest, store: &Arc<dyn Store>) -> Result<Indexes> {
    match config.index.kind {
        IndexKind::Embedded => {
            let index =
                EmbeddedIndex::new(Arc::clone(store), manifest.fingerprint(), manifest.dimensions);
            Ok((Arc::new(index), None))
        }
        IndexKind::Qdrant => {
            let settings = QdrantSettings {
                url: config.index.qdrant_url.clone(),
                api_key: config
                    .qdrant_api_key()
                    .with_context(|| format!("{}", config.index.qdrant_api_key_file.display()))?,
                ..QdrantSettings::default()
            };
            let fingerprint = manifest.fingerprint();
            let index = QdrantIndex::connect(&settings, &fingerprint, manifest.dimensions)?;
            let index = Arc::new(index);
            Ok((Arc::clone(&index) as Arc<dyn TicketIndex>, Some(index)))
        }
    }
}

/// What rewrites drafts, where something is configured to.
async fn writer(config: &Config) -> Result<Option<Writer>> {
    let drafts = &config.drafts;
    let sampling = Sampling {
        max_tokens: drafts.max_tokens,
        temperature: drafts.temperature,
        seed: drafts.seed,
    };
    match drafts.writer {
        WriterKind::Off => Ok(None),
        WriterKind::Endpoint => {
            let settings = EndpointSettings {
                base_url: drafts.base_url.clone(),
                model: drafts.model.clone(),
                api_key: config
                    .writer_api_key()
                    .with_context(|| format!("{}", drafts.api_key_file.display()))?,
            };
            Ok(Some(Writer::endpoint(&settings, sampling, drafts.waiting)?))
        }
        WriterKind::Local => {
            let file = drafts.gguf.clone();
            let loaded = tokio::task::spawn_blocking(move || LanguageModel::load(&file)).await?;
            let model = loaded.context("the language model could not be loaded")?;
            Ok(Some(Writer::local(model, sampling, drafts.waiting)))
        }
    }
}

/// The configured model without a service around it, for measurements and training: fetched where
/// it is missing, and loaded. Embeddings are kept beside the model's files for the next run.
///
/// # Errors
/// No source has the model, its files make no encoder, or the cache cannot be used.
pub async fn embedder(config: &Config, progress: &dyn Progress) -> Result<Embedder> {
    let manifest = manifest(config)?;
    let folder = fetcher(config)?.ensure(&manifest, progress).await?;
    let (encoder, tokenizer) = load(&manifest, folder, threads(config)).await?;
    let kept = model_cache(config)?.embeddings();
    Embedder::new(encoder, tokenizer)
        .remembering(&kept, &manifest.fingerprint())
        .with_context(|| format!("the embeddings kept in {}", kept.display()))
}

async fn load(
    manifest: &Manifest,
    folder: PathBuf,
    threads: usize,
) -> Result<(Encoder, Tokenizer)> {
    let manifest = manifest.clone();
    let loaded = tokio::task::spawn_blocking(move || -> Result<_> {
        let encoder = Encoder::load(&manifest, &folder, threads)?;
        let tokenizer = Tokenizer::load(&folder, manifest.max_tokens)?;
        Ok((encoder, tokenizer.prefixed(&manifest.prefix)?))
    });
    loaded.await?.context("the model could not be loaded")
}

fn threads(config: &Config) -> usize {
    match config.model.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// The configured model's manifest: a built-in one, or that of a folder.
///
/// # Errors
/// There is no such model, or the folder's manifest is none.
pub fn manifest(config: &Config) -> Result<Manifest> {
    let (name, precision) = (&config.model.name, config.model.precision);
    let found = if let Some(built_in) = Manifest::find(name) {
        built_in
    } else {
        anyhow::ensure!(Manifest::names_folder(name), "no model is called {name:?}");
        Manifest::read(Path::new(name))?
    };
    Ok(Manifest { precision, ..found })
}

/// Where verified model files are kept.
///
/// # Errors
/// No folder is configured and the user has no home folder.
pub fn model_cache(config: &Config) -> Result<Cache> {
    let configured = &config.model.cache;
    if !configured.as_os_str().is_empty() {
        return Ok(Cache::new(configured));
    }
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .or_else(|| folder("LOCALAPPDATA"))
        .context("no home folder for the model cache; name one with model.cache")?;
    Ok(Cache::new(cache.join("deskhand").join("models")))
}

/// What brings models, as configured. `HF_TOKEN` and `HF_HUB_OFFLINE` are honoured.
///
/// # Errors
/// A token's file cannot be read, or there is no cache folder.
pub fn fetcher(config: &Config) -> Result<Fetcher> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let token = config
        .hub_token(variable("HF_TOKEN"))
        .with_context(|| format!("{}", config.model.hub_token_file.display()))?;
    let folder = &config.model.folder;
    let sources = Sources {
        folder: Some(folder.clone()).filter(|f| !f.as_os_str().is_empty()),
        hub_endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| config.model.hub_endpoint.clone()),
        hub_token: token,
        python: config.model.python.clone(),
        offline: config.model.offline
            || variable("HF_HUB_OFFLINE").is_some_and(|v| v != "0" && v != "false"),
    };
    Ok(Fetcher::new(model_cache(config)?, sources))
}
