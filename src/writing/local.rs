//! A model in this process, on a blocking thread.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedSender;

use super::WritingError;
use crate::model::{ChatMessage, LanguageModel, Sampling};

pub(super) struct Local(Arc<Mutex<LanguageModel>>);

impl Local {
    pub(super) fn new(model: LanguageModel) -> Self {
        Self(Arc::new(Mutex::new(model)))
    }

    pub(super) async fn write(
        &self,
        chat: Vec<ChatMessage>,
        sampling: Sampling,
        pieces: UnboundedSender<String>,
    ) -> Result<(), WritingError> {
        let model = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || {
            let lost = |_| WritingError::Unavailable("an earlier answer broke it".to_owned());
            let mut model = model.lock().map_err(lost)?;
            // Nobody listens any more once the receiver is dropped: the next token is the last.
            let mut on_text = |piece: &str| pieces.send(piece.to_owned()).is_ok();
            let written = model.write(&chat, sampling, &mut on_text);
            written.map(drop).map_err(|e| WritingError::Unavailable(e.to_string()))
        });
        work.await.map_err(|e| WritingError::Unavailable(e.to_string()))?
    }
}
