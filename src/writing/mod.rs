//! Language models that rewrite drafts: an endpoint that speaks OpenAI's protocol, or a local one.
//! Optional, and off by default. Each has a bounded queue of its own, so that nothing else waits
//! for it, and stops when whoever asked is gone.

mod endpoint;
mod local;

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

pub use crate::model::{ChatMessage, Sampling};
pub use endpoint::EndpointSettings;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WritingError {
    /// Too many wait already.
    #[error("the language model is busy; try again in a moment")]
    Overloaded,
    /// It cannot be reached, refused or failed.
    #[error("the language model is unavailable: {0}")]
    Unavailable(String),
}

/// A handle on a language model; clones share it and its queue.
#[derive(Clone)]
pub struct Writer(Arc<Inner>);

struct Inner {
    backend: Backend,
    sampling: Sampling,
    /// Who may wait or write.
    waiting: Semaphore,
    /// Who writes.
    turn: Semaphore,
}

enum Backend {
    Endpoint(endpoint::Endpoint),
    Local(local::Local),
}

impl Writer {
    /// A writer behind an endpoint.
    ///
    /// # Errors
    /// The settings make no client.
    pub fn endpoint(
        settings: &EndpointSettings,
        sampling: Sampling,
        waiting: usize,
    ) -> Result<Self, WritingError> {
        let backend = Backend::Endpoint(endpoint::Endpoint::new(settings)?);
        Ok(Self::new(backend, sampling, waiting, endpoint::AT_ONCE))
    }

    /// A writer in this process.
    pub fn local(model: crate::model::LanguageModel, sampling: Sampling, waiting: usize) -> Self {
        Self::new(Backend::Local(local::Local::new(model)), sampling, waiting, 1)
    }

    fn new(backend: Backend, sampling: Sampling, waiting: usize, at_once: usize) -> Self {
        let (waiting, turn) = (Semaphore::new(waiting + at_once), Semaphore::new(at_once));
        Self(Arc::new(Inner { backend, sampling, waiting, turn }))
    }

    /// Answers a conversation; each piece goes to `pieces` as it is written. Dropping the future
    /// ends the work.
    ///
    /// # Errors
    /// Too many wait, or the model failed.
    pub async fn write(
        &self,
        chat: Vec<ChatMessage>,
        pieces: mpsc::UnboundedSender<String>,
    ) -> Result<(), WritingError> {
        let _place = self.0.waiting.try_acquire().map_err(|_| WritingError::Overloaded)?;
        let stopped = |_| WritingError::Unavailable("it has stopped".to_owned());
        let _turn = self.0.turn.acquire().await.map_err(stopped)?;
        match &self.0.backend {
            Backend::Endpoint(endpoint) => endpoint.write(&chat, self.0.sampling, &pieces).await,
            Backend::Local(local) => local.write(chat, self.0.sampling, pieces).await,
        }
    }
}
