//! Verified model files on disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{Manifest, ModelFile};

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
        let check = |file: &ModelFile| verify_file(&self.path(manifest, file), file).err();
        manifest.files.iter().filter_map(check).collect()
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

/// Checks one file against its manifest entry.
///
/// # Errors
/// It is missing, unreadable, or another file than the manifest means.
pub fn verify_file(path: &Path, file: &ModelFile) -> Result<(), CacheError> {
    let found = match sha256(path) {
        Ok(hash) => hash,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(CacheError::Missing(path.to_owned()));
        }
        Err(e) => return Err(CacheError::io(path, e)),
    };
    if found == file.sha256 {
        Ok(())
    } else {
        Err(CacheError::Corrupted { path: path.to_owned(), expected: file.sha256.clone(), found })
    }
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
