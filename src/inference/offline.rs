//! Embedding many texts at once, for programs that have the machine to themselves.

use std::sync::Arc;

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
}

impl Embedder {
    /// An embedder of its own encoder.
    pub fn new(encoder: Encoder, tokenizer: Tokenizer) -> Self {
        Self::sharing(Arc::new(encoder), Arc::new(tokenizer))
    }

    pub(super) const fn sharing(encoder: Arc<Encoder>, tokenizer: Arc<Tokenizer>) -> Self {
        Self { encoder, tokenizer }
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
            let tokenized = self.encoder.share_out(chunk, |t| self.tokenizer.windows(t.as_ref()));
            let tokenized = tokenized.into_iter().collect::<Result<Vec<_>, _>>()?;
            let mut rest = tokenized.as_slice();
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(batch_len(rest));
                rest = after;
                self.embed_batch(batch, &mut embeddings)?;
                on_progress(batch.len());
            }
        }
        Ok(embeddings)
    }

    fn embed_batch(
        &self,
        batch: &[Windows],
        embeddings: &mut Vec<Embedding>,
    ) -> Result<(), InferenceError> {
        let sequences: Vec<&[u32]> =
            batch.iter().flat_map(|text| text.windows.iter().map(Vec::as_slice)).collect();
        let vectors = guarded(&self.encoder, &sequences).map_err(InferenceError::Encoder)?;
        let mut vectors = vectors.into_iter();
        embeddings.extend(batch.iter().map(|text| Embedding {
            vector: merge(&text.windows, vectors.by_ref().take(text.windows.len())),
            truncated: text.truncated,
            tokens: text.tokens(),
        }));
        Ok(())
    }
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
