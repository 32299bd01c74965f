//! An endpoint that speaks OpenAI's chat protocol, with its answer as a stream.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::WritingError;
use crate::model::{ChatMessage, Sampling};

/// Requests that one endpoint gets at once.
pub(super) const AT_ONCE: usize = 4;
/// How long a connection, and a pause in an answer, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of one line of the stream.
const MAX_LINE: usize = 64 * 1024;

/// Where the endpoint is.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Up to and without `/chat/completions`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The key, if one is needed.
    pub api_key: Option<String>,
}

pub(super) struct Endpoint {
    client: reqwest::Client,
    settings: EndpointSettings,
}

impl Endpoint {
    pub(super) fn new(settings: &EndpointSettings) -> Result<Self, WritingError> {
        let client = reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE);
        let client = client.build().map_err(|e| unavailable(&e))?;
        Ok(Self { client, settings: settings.clone() })
    }

    pub(super) async fn write(
        &self,
        chat: &[ChatMessage],
        sampling: Sampling,
        pieces: &UnboundedSender<String>,
    ) -> Result<(), WritingError> {
        let messages: Vec<Value> =
            chat.iter().map(|m| json!({ "role": m.role, "content": m.content })).collect();
        let url = format!("{}/chat/completions", self.settings.base_url.trim_end_matches('/'));
        let mut request = self.client.post(url).json(&json!({
            "model": self.settings.model,
            "messages": messages,
            "stream": true,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }));
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key);
        }
        let mut response = request.send().await.map_err(|e| unavailable(&e))?;
        if !response.status().is_success() {
            // Its words may hold the prompt, so only the status is kept.
            let status = response.status();
            return Err(WritingError::Unavailable(format!("the endpoint answered {status}")));
        }
        let mut waiting = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| unavailable(&e))? {
            waiting.extend_from_slice(&chunk);
            while let Some(end) = waiting.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                // Nobody listens any more once the receiver is dropped.
                let goes_on = match piece(&line)? {
                    Piece::Text(text) => pieces.send(text).is_ok(),
                    Piece::Nothing => true,
                    Piece::End => false,
                };
                if !goes_on {
                    return Ok(());
                }
            }
            if waiting.len() > MAX_LINE {
                return Err(WritingError::Unavailable(
                    "the endpoint's answer makes no sense".into(),
                ));
            }
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Nothing,
    End,
}

/// One line of the stream.
fn piece(line: &[u8]) -> Result<Piece, WritingError> {
    let line = String::from_utf8_lossy(line);
    let Some(data) = line.trim().strip_prefix("data:") else { return Ok(Piece::Nothing) };
    let data = data.trim();
    if data == "[DONE]" {
        return Ok(Piece::End);
    }
    let value: Value = serde_json::from_str(data).map_err(|e| unavailable(&e))?;
    if value.get("error").is_some() {
        return Err(WritingError::Unavailable("the endpoint reports an error".to_owned()));
    }
    let text = value["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
    Ok(if text.is_empty() { Piece::Nothing } else { Piece::Text(text.to_owned()) })
}

fn unavailable(error: &dyn std::fmt::Display) -> WritingError {
    WritingError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_read_line_by_line() {
        let text = |t: &str| Piece::Text(t.to_owned());
        let line = |l: &str| piece(l.as_bytes()).unwrap();
        assert_eq!(line("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\n"), text("Hi"));
        assert_eq!(
            line("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n"),
            Piece::Nothing
        );
        assert_eq!(line(": keep-alive\n"), Piece::Nothing);
        assert_eq!(line("data: [DONE]\n"), Piece::End);
        assert!(piece(b"data: {broken\n").is_err());
        assert!(piece(b"data: {\"error\":{\"message\":\"quota\"}}\n").is_err());
    }
}
