//! The encoder behind a queue: one thread owns it, and overload is an answer, not an accident.
//!
//! Callers tokenize on blocking threads and hand windows of token ids over. The owning thread asks
//! `plan` (pure) for the next batch as soon as it is free; there is no waiting window, so an idle
//! service answers at once and a busy one batches by itself. Interactive work goes before bulk.
//! Batches are packed without padding, so it makes no difference whether lengths are alike.

mod memory;
mod offline;
mod plan;
mod shelf;
mod thread;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinError;

use crate::model::{Encoder, EncoderError, TokenizeError, Tokenizer};
pub use memory::{Key, Memory, key};
pub use offline::Embedder;
use thread::{Job, Queue};

/// Interactive requests that may wait at once; one more is told to come back.
const INTERACTIVE_PERMITS: usize = 256;
/// Bulk requests that may wait at once; one more waits outside, so imports feel back-pressure.
const BULK_PERMITS: usize = 128;

/// How long an interactive request may wait for its turn; then it is told to come back, since whoever
/// asked has likely given up, and those behind it have not.
const PATIENCE: Duration = Duration::from_secs(5);
/// Half of the embeddings that are remembered: some 1.6 kB each.
const REMEMBERED: usize = 4096;

/// Who is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person or a system that waits for the answer.
    Interactive,
    /// Imports and other work that has time.
    Bulk,
}

/// One text's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Of unit length.
    pub vector: Vec<f32>,
    /// Whether the text was longer than what was read.
    pub truncated: bool,
    /// Tokens that were read, special ones included.
    pub tokens: usize,
}

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// Too many requests wait already.
    #[error("the encoder is busy; try again in a moment")]
    Overloaded,
    /// The service is shutting down.
    #[error("the encoder has stopped")]
    Stopped,
    /// What cleans, redacts or tokenizes texts gave up on this very one.
    #[error("the text could not be read")]
    Unreadable,
    /// The text could not be tokenized.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// The encoder failed on this very text.
    #[error("the encoder failed: {0}")]
    Encoder(String),
}

impl InferenceError {
    /// Whose fault it is that a text was not read on another thread.
    pub(crate) fn given_up(error: &JoinError) -> Self {
        if error.is_panic() { Self::Unreadable } else { Self::Stopped }
    }

    /// Whether the text itself is to blame, so that it will not help to ask again.
    pub fn is_the_texts(&self) -> bool {
        match self {
            Self::Unreadable | Self::Tokenize(_) | Self::Encoder(_) => true,
            Self::Overloaded | Self::Stopped => false,
        }
    }
}

/// A handle on the encoder; clones share it.
#[derive(Clone)]
pub struct Inference {
    shared: Arc<Shared>,
}

struct Shared {
    encoder: Arc<Encoder>,
    tokenizer: Arc<Tokenizer>,
    queue: Arc<Queue>,
    interactive: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
    memory: Memory<Embedding>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Inference {
    /// Starts the thread that owns the encoder. It ends when the last handle is dropped or
    /// [`Inference::close`] is called.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(encoder: Encoder, tokenizer: Tokenizer) -> Result<Self, EncoderError> {
        let queue = Arc::new(Queue::default());
        let encoder = Arc::new(encoder);
        thread::start(Arc::clone(&encoder), Arc::clone(&queue)).map_err(|e| {
            EncoderError::Config { file: "inference thread".to_owned(), reason: e.to_string() }
        })?;
        let shared = Shared {
            encoder,
            tokenizer: Arc::new(tokenizer),
            queue,
            interactive: Arc::new(Semaphore::new(INTERACTIVE_PERMITS)),
            bulk: Arc::new(Semaphore::new(BULK_PERMITS)),
            memory: Memory::new(REMEMBERED),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Embeds one text, or remembers the embedding of one that was embedded lately.
    ///
    /// Dropping the future takes the text out of the queue.
    ///
    /// # Errors
    /// [`InferenceError::Overloaded`] on the interactive lane when too many wait already, or when
    /// this one has waited too long; an error of the encoder concerns this text alone, never others
    /// of its batch.
    pub async fn embed(&self, text: String, lane: Lane) -> Result<Embedding, InferenceError> {
        let key = key(&text);
        if let Some(embedding) = self.shared.memory.get(&key) {
            return Ok(embedding);
        }
        let forgotten = self.shared.memory.forgotten();
        let embedding = self.compute(text, lane).await?;
        self.shared.memory.put(key, embedding.clone(), forgotten);
        Ok(embedding)
    }

    async fn compute(&self, text: String, lane: Lane) -> Result<Embedding, InferenceError> {
        let deadline = (lane == Lane::Interactive).then(|| Instant::now() + PATIENCE);
        let permit = match lane {
            Lane::Interactive => Arc::clone(&self.shared.interactive)
                .try_acquire_owned()
                .map_err(|_| InferenceError::Overloaded)?,
            Lane::Bulk => Arc::clone(&self.shared.bulk)
                .acquire_owned()
                .await
                .map_err(|_| InferenceError::Stopped)?,
        };
        let tokenizer = Arc::clone(&self.shared.tokenizer);
        // The permit goes with the work: a caller that leaves gives it back only when the work ends.
        let tokenize = tokio::task::spawn_blocking(move || (tokenizer.windows(&text), permit));
        let (windows, _permit) = tokenize.await.map_err(|e| InferenceError::given_up(&e))?;
        let windows = windows?;
        let (truncated, tokens) = (windows.truncated, windows.tokens());
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(Job { windows, lane, deadline, reply })?;
        let vector = answer.await.map_err(|_| InferenceError::Stopped)??;
        Ok(Embedding { vector, truncated, tokens })
    }

    /// What a text's words mean by themselves ([`Encoder::wording`]), without a forward pass.
    ///
    /// # Errors
    /// The tokenizer or the encoder failed on this text.
    pub fn wording(&self, text: &str) -> Result<Vec<i8>, InferenceError> {
        offline::wording(&self.shared.encoder, &self.shared.tokenizer, text)
    }

    /// Whether the encoder was fine-tuned on this very text.
    pub fn was_taught(&self, text: &str) -> bool {
        self.shared.encoder.was_taught(text)
    }

    /// Forgets every embedding that is remembered, and those that are being computed.
    pub fn forget(&self) {
        self.shared.memory.clear();
    }

    /// The same encoder without the queue, for whole lists of texts.
    pub fn embedder(&self) -> Embedder {
        Embedder::sharing(Arc::clone(&self.shared.encoder), Arc::clone(&self.shared.tokenizer))
    }

    /// Stops taking work; what waits is still done. Returns whether the thread ended in time.
    pub async fn close(&self, patience: Duration) -> bool {
        self.shared.queue.close();
        let queue = Arc::clone(&self.shared.queue);
        tokio::task::spawn_blocking(move || queue.wait_until_ended(patience)).await.unwrap_or(false)
    }
}
