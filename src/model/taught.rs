//! What a fine-tuned encoder was taught.
//!
//! It tells the texts that it was fine-tuned on apart better than any new one, so they cannot say
//! how good it is. Its folder names them, by hash, and whatever is fitted on top of its vectors is
//! judged by others.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::encoder::EncoderError;
use super::manifest::Manifest;

/// The texts that an encoder was fine-tuned on; none for one that comes as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taught {
    /// Sorted.
    hashes: Vec<u64>,
}

impl Taught {
    /// The file's name in an encoder's folder: sixteen hexadecimal digits a line.
    pub const FILE: &'static str = "taught.txt";

    /// These texts, as they are handed to the tokenizer.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut hashes: Vec<u64> = texts.into_iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// These and those.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let mut hashes = [&self.hashes[..], &others.hashes].concat();
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// Whether a text is one of them.
    pub fn contains(&self, text: &str) -> bool {
        !self.hashes.is_empty() && self.hashes.binary_search(&hash(text)).is_ok()
    }

    /// Writes the file into an encoder's folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(folder.join(Self::FILE))?);
        for hash in &self.hashes {
            writeln!(file, "{hash:016x}")?;
        }
        file.flush()
    }

    /// Reads the file where the manifest names it.
    pub(super) fn read(manifest: &Manifest, folder: &Path) -> Result<Self, EncoderError> {
        if manifest.files.iter().all(|file| file.name != Self::FILE) {
            return Ok(Self::default());
        }
        let path = folder.join(Self::FILE);
        let text =
            std::fs::read_to_string(&path).map_err(|e| EncoderError::file(&path, e.to_string()))?;
        let mut hashes = text
            .lines()
            .enumerate()
            .map(|(n, line)| {
                u64::from_str_radix(line, 16).map_err(|_| {
                    let reason = format!("line {}: expected a hash in hexadecimal digits", n + 1);
                    EncoderError::file(&path, reason)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        hashes.sort_unstable();
        Ok(Self { hashes })
    }
}

/// The first eight bytes of a text's SHA-256.
fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelFile;

    #[test]
    fn what_was_taught_is_known_again_where_the_manifest_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let taught = Taught::of(["my card is lost", "VPN\nis down", "my card is lost"]);
        assert!(taught.contains("VPN\nis down") && !taught.contains("VPN is down"));
        let before = Taught::of(["the lift is stuck", "my card is lost"]);
        let both = before.and(&taught);
        assert!(both.contains("the lift is stuck") && both.contains("VPN\nis down"));
        assert_eq!(both.hashes.len(), 3);
        taught.write(folder.path()).unwrap();
        let mut manifest = Manifest::built_in().remove(0);
        assert_eq!(Taught::read(&manifest, folder.path()).unwrap(), Taught::default());
        let file = ModelFile { name: Taught::FILE.to_owned(), bytes: None, sha256: None };
        manifest.files.push(file);
        assert_eq!(Taught::read(&manifest, folder.path()).unwrap(), taught);
        std::fs::write(folder.path().join(Taught::FILE), "00ff\nmy card\n").unwrap();
        let refused = Taught::read(&manifest, folder.path()).unwrap_err().to_string();
        assert!(refused.contains("taught.txt") && refused.contains("line 2"), "{refused}");
    }
}
