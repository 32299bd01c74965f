//! An export on its way in: to a file without a name, and no larger than is allowed.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::OwnedPermit;

use super::Job;
use crate::domain::ids::hex;
use crate::triage::TriageError;

/// Why an upload was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Too many wait already.
    #[error("other reports are being made or wait already; try again once one of them has ended")]
    Busy,
    /// The service is shutting down.
    #[error("the service is stopping")]
    Stopped,
    /// It is larger than is allowed.
    #[error("at most {0} bytes are read; export fewer months or columns, or pack it as .gz")]
    TooLarge(u64),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// There is no room, or no folder, for it.
    #[error("the upload could not be kept: {0}")]
    Io(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Triage(#[from] TriageError),
}

/// An upload, and its place in the queue.
pub struct Upload {
    file: tokio::fs::File,
    digest: Sha256,
    bytes: u64,
    most: u64,
    place: OwnedPermit<Job>,
}

/// An upload that is here.
pub(super) struct Received {
    /// From its beginning.
    pub(super) content: File,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) place: OwnedPermit<Job>,
}

impl Upload {
    pub(super) fn begin(
        folder: &Path,
        most: u64,
        place: OwnedPermit<Job>,
    ) -> Result<Self, UploadError> {
        make_private(folder)?;
        // It has no name, or loses it at once: the system takes it back when we let go of it, even
        // if we are killed.
        let file = tokio::fs::File::from_std(tempfile::tempfile_in(folder)?);
        Ok(Self { file, digest: Sha256::new(), bytes: 0, most, place })
    }

    /// Keeps the next piece.
    ///
    /// # Errors
    /// It is too much, or there is no room.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        self.bytes += piece.len() as u64;
        if self.bytes > self.most {
            return Err(UploadError::TooLarge(self.most));
        }
        self.digest.update(piece);
        Ok(self.file.write_all(piece).await?)
    }

    pub(super) async fn finish(mut self) -> Result<Received, UploadError> {
        if self.bytes == 0 {
            return Err(UploadError::Empty);
        }
        self.file.flush().await?;
        let mut content = self.file.into_std().await;
        content.seek(SeekFrom::Start(0))?;
        let sha256 = hex(&self.digest.finalize());
        Ok(Received { content, bytes: self.bytes, sha256, place: self.place })
    }
}

/// Makes a folder that is nobody else's.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
