//! A draft in a language model's words, each sentence checked before anybody sees it.

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Triage, TriageError};
use crate::domain::{Rewriting, SuggestionId, WorkspaceId};
use crate::drafts::rewrite;
use crate::inference::Lane;
use crate::writing::ChatMessage;

impl Triage {
    /// Whether a language model is there to rewrite drafts.
    pub fn rewrites(&self) -> bool {
        self.parts.writer.is_some()
    }

    /// Rewrites a suggestion's draft; nothing is stored. Each event is sent as soon as it is
    /// known. Dropping the future ends the model's work.
    ///
    /// # Errors
    /// There is no such suggestion, no draft or no model, or the model is busy or failed.
    pub async fn rewrite(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
        events: &UnboundedSender<Rewriting>,
    ) -> Result<(), TriageError> {
        let writer = self.parts.writer.as_ref().ok_or(TriageError::NotFound("language model"))?;
        let stored = self.parts.store.suggestion(workspace, id).await?;
        let suggestion = stored.ok_or(TriageError::NotFound("suggestion"))?.suggestion;
        let draft = suggestion.draft.ok_or(TriageError::NotFound("draft"))?;
        let notes = rewrite::notes(&draft);
        let texts: Vec<String> = notes.iter().map(|n| n.text.clone()).collect();
        // Somebody watches.
        let known = self.embed(texts, Lane::Interactive).await?.vectors;
        let (rules, asked) = rewrite::prompt(&draft, &suggestion.language);
        let chat = vec![
            ChatMessage { role: "system", content: rules },
            ChatMessage { role: "user", content: asked },
        ];
        let (pieces, mut arriving) = unbounded_channel();
        let mut work = std::pin::pin!(writer.write(chat, pieces));
        let (mut answer, mut judged, mut working) = (String::new(), 0, true);
        let (mut kept, mut dropped) = (Vec::new(), 0);
        loop {
            tokio::select! {
                done = &mut work, if working => {
                    done?;
                    working = false;
                }
                piece = arriving.recv() => {
                    let finished = piece.is_none();
                    answer.push_str(&piece.unwrap_or_default());
                    let sentences = rewrite::answer_sentences(&answer, finished);
                    for sentence in sentences.iter().skip(judged) {
                        let one = vec![sentence.clone()];
                        let vector = self.embed(one, Lane::Interactive).await?.vectors;
                        let similarities: Vec<f32> = known
                            .iter()
                            .map(|k| k.iter().zip(&vector[0]).map(|(a, b)| a * b).sum())
                            .collect();
                        let event = match rewrite::judge(sentence, &notes, &similarities) {
                            Ok(sentence) => {
                                kept.push(sentence.clone());
                                Rewriting::Sentence { sentence }
                            }
                            Err(fault) => {
                                dropped += 1;
                                Rewriting::Dropped { fault: format!("{fault:?}").to_lowercase() }
                            }
                        };
                        // Nobody listens any more: whoever drops this future stops the model.
                        let _ = events.send(event);
                    }
                    judged = sentences.len().max(judged);
                    if finished {
                        break;
                    }
                }
            }
        }
        if working {
            work.await?;
        }
        let whole = rewrite::rewritten(&draft, &kept, dropped);
        let rewritten = whole.is_some();
        let draft = whole.unwrap_or_else(|| draft.clone());
        let _ = events.send(Rewriting::Draft { draft, rewritten, dropped });
        Ok(())
    }
}
