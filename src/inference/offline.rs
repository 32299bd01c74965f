//! Embedding many texts at once, for programs that have the machine to themselves.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::memory::{Key, key};
use super::shelf::Shelf;
use super::thread::{guarded, merge};
use super::{Embedding, InferenceError};
use crate::model::{Encoder, Tokenizer, Windows};

/// Tokens of one forward pass: enough to keep all cores busy, and little beside the weights.
const BATCH_TOKENS: usize = 4096;
/// Texts that are tokenized at a time.
const CHUNK: usize = 1024;

/// An encoder without a queue: whole lists of texts go through it in large batches. Clones share
/// it. For evaluation and training; a service uses [`super::Inference`].
#[derive(Clone)]
pub struct Embedder {
    encoder: Arc<Encoder>,
    tokenizer: Arc<Tokenizer>,
    shelf: Option<Arc<Mutex<Shelf>>>,
}

impl Embedder {
    /// An embedder of its own encoder.
    pub fn new(encoder: Encoder, tokenizer: Tokenizer) -> Self {
        Self::sharing(Arc::new(encoder), Arc::new(tokenizer))
    }

    pub(super) const fn sharing(encoder: Arc<Encoder>, tokenizer: Arc<Tokenizer>) -> Self {
        Self { encoder, tokenizer, shelf: None }
    }

    /// The same, keeping what it embeds in a file of this folder and taking from there what is
    /// known. `fingerprint` tells the encoder from others ([`crate::model::Manifest::fingerprint`]).
    ///
    /// # Errors
    /// The folder or the file cannot be made or read.
    pub fn remembering(mut self, folder: &Path, fingerprint: &str) -> std::io::Result<Self> {
        let shelf = Shelf::open(folder, fingerprint, self.encoder.dimensions())?;
        self.shelf = Some(Arc::new(Mutex::new(shelf)));
        Ok(self)
    }

    /// Embeds all texts, one embedding each, in order. `on_progress` hears how many more are done.
    ///
    /// The texts are read as they are: cleaning them is the caller's. It blocks, and takes as many
    /// cores as the encoder was given; call it off the async threads.
    ///
    /// # Errors
    /// The tokenizer or the encoder failed on one of the texts.
    pub fn embed_all<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        mut on_progress: impl FnMut(usize),
    ) -> Result<Vec<Embedding>, InferenceError> {
        let mut embeddings = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(CHUNK) {
            let keys: Vec<Key> = self.encoder.share_out(chunk, |text| key(text.as_ref()));
            let mut found = self.look_up(&keys);
            // The same text once, so that each of its copies has the same vector, bit by bit,
            // whether it is remembered or made.
            let mut first: HashMap<Key, usize> = HashMap::new();
            let missing: Vec<usize> = (0..chunk.len())
                .filter(|&at| found[at].is_none() && *first.entry(keys[at]).or_insert(at) == at)
                .collect();
            on_progress(chunk.len() - missing.len());
            let windows =
                self.encoder.share_out(&missing, |&at| self.tokenizer.windows(chunk[at].as_ref()));
            let windows = windows.into_iter().collect::<Result<Vec<_>, _>>()?;
            let (mut windows, mut missing) = (windows.as_slice(), missing.as_slice());
            while !windows.is_empty() {
                let (batch, later) = windows.split_at(batch_len(windows));
                let (places, places_later) = missing.split_at(batch.len());
                (windows, missing) = (later, places_later);
                let made = self.embed_batch(batch)?;
                let named: Vec<_> = places.iter().map(|&at| keys[at]).zip(&made).collect();
                self.keep(&named);
                for (&at, embedding) in places.iter().zip(made) {
                    found[at] = Some(embedding);
                }
                on_progress(batch.len());
            }
            for at in 0..chunk.len() {
                if found[at].is_none() {
                    found[at] = first.get(&keys[at]).and_then(|&first| found[first].clone());
                }
            }
            // Every place was either found or made.
            embeddings.extend(found.into_iter().flatten());
        }
        Ok(embeddings)
    }

    /// Whether the encoder was fine-tuned on this very text.
    pub fn was_taught(&self, text: &str) -> bool {
        self.encoder.was_taught(text)
    }

    /// What a text's words mean by themselves ([`Encoder::wording`]).
    ///
    /// # Errors
    /// The tokenizer or the encoder failed.
    pub fn wording(&self, text: &str) -> Result<Vec<i8>, InferenceError> {
        wording(&self.encoder, &self.tokenizer, text)
    }

    /// Embeds one text, whatever is kept of it: for timing.
    ///
    /// # Errors
    /// The tokenizer or the encoder failed.
    pub fn embed_anew(&self, text: &str) -> Result<Embedding, InferenceError> {
        let windows = [self.tokenizer.windows(text)?];
        let made = self.embed_batch(&windows)?;
        made.into_iter().next().ok_or(InferenceError::Stopped)
    }

    fn embed_batch(&self, batch: &[Windows]) -> Result<Vec<Embedding>, InferenceError> {
        let sequences: Vec<&[u32]> =
            batch.iter().flat_map(|text| text.windows.iter().map(Vec::as_slice)).collect();
        let vectors = guarded(&self.encoder, &sequences).map_err(InferenceError::Encoder)?;
        let mut vectors = vectors.into_iter();
        let embedding = |text: &Windows| Embedding {
            vector: merge(&text.windows, vectors.by_ref().take(text.windows.len())),
            truncated: text.truncated,
            tokens: text.tokens(),
        };
        Ok(batch.iter().map(embedding).collect())
    }

    fn look_up(&self, keys: &[Key]) -> Vec<Option<Embedding>> {
        let Some(shelf) = &self.shelf else {
            return vec![None; keys.len()];
        };
        let shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| shelf.get(key)).collect()
    }

    /// A file that can no longer be written costs time later, not this run.
    fn keep(&self, made: &[(Key, &Embedding)]) {
        if let Some(shelf) = &self.shelf {
            let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = shelf.put(made) {
                tracing::warn!(%error, "embeddings could not be kept for next time");
            }
        }
    }
}

pub(super) fn wording(
    encoder: &Encoder,
    tokenizer: &Tokenizer,
    text: &str,
) -> Result<Vec<i8>, InferenceError> {
    let windows = tokenizer.windows(text)?.windows;
    encoder.wording(&windows).map_err(|error| InferenceError::Encoder(error.to_string()))
}

/// How many of the first texts make a batch; at least one.
fn batch_len(texts: &[Windows]) -> usize {
    let mut tokens = 0;
    let fitting = texts.iter().take_while(|text| {
        tokens += text.tokens();
        tokens <= BATCH_TOKENS
    });
    fitting.count().max(1)
}
