//! Verified model files on disk.
//!
//! A file whose hash its manifest does not know is trusted when it first comes: its hash is written
//! to `pinned.sha256` beside it, in the form that `sha256sum --check` reads, and holds from then on.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{Manifest, ModelFile};

/// Where hashes are kept that were pinned at first use.
const PINS: &str = "pinned.sha256";

/// The folder that model files are kept in, one sub-folder a model.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// What is wrong with a file in the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It is not there.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// It is not the file that the manifest names.
    #[error("{} is corrupted: expected SHA-256 {expected}, found {found}", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// The manifest's hash.
        expected: String,
        /// The file's.
        found: String,
    },
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CacheError {
    /// Names the path that an I/O error is about.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl Cache {
    /// A cache in this folder; it is made when it is first written to.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder for embeddings that are kept from one run to the next.
    pub fn embeddings(&self) -> PathBuf {
        self.root.join("embeddings")
    }

    /// The folder of a model's files: one of the cache, unless the manifest has its own.
    pub fn folder(&self, manifest: &Manifest) -> PathBuf {
        manifest.home.clone().unwrap_or_else(|| self.root.join(&manifest.name))
    }

    /// Where a file of a model lies, or would.
    pub fn path(&self, manifest: &Manifest, file: &ModelFile) -> PathBuf {
        self.folder(manifest).join(&file.name)
    }

    /// Checks every file of a model against its manifest.
    ///
    /// # Errors
    /// One for each file that is missing, corrupted or unreadable.
    pub fn verify(&self, manifest: &Manifest) -> Vec<CacheError> {
        let check = |file: &ModelFile| {
            let expected = self.expected(manifest, file)?;
            let path = self.path(manifest, file);
            verify_file(&path, expected.as_deref().unwrap_or("none, since it was never pinned"))
        };
        manifest.files.iter().filter_map(|file| check(file).err()).collect()
    }

    /// The hash that a file must have: the manifest's, or the pinned one.
    pub(super) fn expected(
        &self,
        manifest: &Manifest,
        file: &ModelFile,
    ) -> Result<Option<String>, CacheError> {
        if file.sha256.is_some() {
            return Ok(file.sha256.clone());
        }
        let path = self.folder(manifest).join(PINS);
        match fs::read_to_string(&path) {
            Ok(pins) => {
                let mut pins = pins.lines().rev().filter_map(|line| line.split_once("  "));
                let pin = pins.find(|(_, name)| *name == file.name);
                Ok(pin.map(|(hash, _)| hash.to_owned()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(CacheError::io(&path, e)),
        }
    }

    /// Pins the hash of a file that has come for the first time.
    pub(super) fn pin(
        &self,
        manifest: &Manifest,
        file: &ModelFile,
        hash: &str,
    ) -> Result<(), CacheError> {
        let path = self.folder(manifest).join(PINS);
        let append = || {
            let mut pins = File::options().append(true).create(true).open(&path)?;
            writeln!(pins, "{hash}  {}", file.name)?;
            pins.sync_all()
        };
        append().map_err(|e| CacheError::io(&path, e))
    }

    /// Takes the right to change a model's files, unless another process has it. The lock goes
    /// when the file is dropped or the process ends.
    pub(super) fn try_lock(&self, manifest: &Manifest) -> Result<Option<File>, CacheError> {
        let folder = self.folder(manifest);
        fs::create_dir_all(&folder).map_err(|e| CacheError::io(&folder, e))?;
        let path = folder.join(".lock");
        let file = File::create(&path).map_err(|e| CacheError::io(&path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(CacheError::io(&path, e)),
        }
    }
}

/// Checks one file against the hash that it must have.
///
/// # Errors
/// It is missing, unreadable, or another file than that.
pub fn verify_file(path: &Path, expected: &str) -> Result<(), CacheError> {
    let found = hash_file(path)?;
    if found == expected {
        Ok(())
    } else {
        Err(CacheError::Corrupted { path: path.to_owned(), expected: expected.to_owned(), found })
    }
}

/// A file's SHA-256 in lower-case hex.
pub(super) fn hash_file(path: &Path) -> Result<String, CacheError> {
    sha256(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => CacheError::Missing(path.to_owned()),
        _ => CacheError::io(path, e),
    })
}

/// Lower-case hex of a file's SHA-256.
///
/// # Errors
/// It cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    Ok(crate::domain::ids::hex(&hasher.finalize()))
}
