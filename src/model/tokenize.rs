//! Text to windows of token ids.

use std::path::Path;

/// Windows that one text may take; what lies behind them is left out, and the answer says so.
const MAX_WINDOWS: usize = 4;

/// A text as the encoder takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// Token ids with the special ones, each at most the model's longest sequence. Never empty.
    pub windows: Vec<Vec<u32>>,
    /// Whether the text was longer than all windows together.
    pub truncated: bool,
}

impl Windows {
    /// Tokens in all windows.
    pub fn tokens(&self) -> usize {
        self.windows.iter().map(Vec::len).sum()
    }
}

/// Why a text could not be tokenized.
#[derive(Debug, thiserror::Error)]
#[error("tokenizer: {0}")]
pub struct TokenizeError(String);

/// A checkpoint's own tokenizer, without its padding and truncation: windows take their place.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    before: Vec<u32>,
    after: Vec<u32>,
    content: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` from a folder of verified files. `max_tokens` is the longest window.
    ///
    /// # Errors
    /// The file is unreadable, or the window too short for any content.
    pub fn load(folder: &Path, max_tokens: usize) -> Result<Self, TokenizeError> {
        let fault = |e: tokenizers::Error| TokenizeError(e.to_string());
        let mut inner =
            tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).map_err(fault)?;
        // Of pieces it would remember the words that it has met, and so what was erased.
        let mut model = inner.get_model().clone();
        model.resize_cache(0);
        inner.with_model(model);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(fault)?;
        // The special tokens around a text are those around an empty one: [CLS] | [SEP].
        let empty = inner.encode("", true).map_err(fault)?;
        let (before, after) = match empty.get_ids() {
            [first, rest @ ..] => (vec![*first], rest.to_vec()),
            [] => (Vec::new(), Vec::new()),
        };
        let content = max_tokens.saturating_sub(before.len() + after.len());
        if content == 0 {
            return Err(TokenizeError(format!("{max_tokens} tokens leave no room for text")));
        }
        Ok(Self { inner, before, after, content })
    }

    /// The same with a text that stands before every window, as the manifest wants it.
    ///
    /// # Errors
    /// The windows are too short for it.
    pub fn prefixed(mut self, prefix: &str) -> Result<Self, TokenizeError> {
        let fault = |e: tokenizers::Error| TokenizeError(e.to_string());
        // A tokenizer of pieces makes the blank before a word part of that word's first piece.
        let encoding = self.inner.encode(prefix.trim_end(), false).map_err(fault)?;
        self.before.extend(encoding.get_ids());
        self.content = self.content.saturating_sub(encoding.len());
        if self.content == 0 {
            return Err(TokenizeError(format!("{prefix:?} leaves no room for text")));
        }
        Ok(self)
    }

    /// The beginning of a text: as much of it as one window holds.
    ///
    /// # Errors
    /// As [`Tokenizer::windows`].
    pub fn beginning(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let ids = self.ids(text)?;
        Ok([&self.before, &ids[..ids.len().min(self.content)], &self.after].concat())
    }

    fn ids(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let encoding = self.inner.encode_fast(text, false);
        Ok(encoding.map_err(|e| TokenizeError(e.to_string()))?.get_ids().to_vec())
    }

    /// Splits a text into as few windows as hold it, of about equal length.
    ///
    /// # Errors
    /// The tokenizer refuses the text; none of the known ones refuses any.
    pub fn windows(&self, text: &str) -> Result<Windows, TokenizeError> {
        let ids = self.ids(text)?;
        let limit = self.content * MAX_WINDOWS;
        let truncated = ids.len() > limit;
        let ids = &ids[..ids.len().min(limit)];
        let count = ids.len().div_ceil(self.content).max(1);
        let windows = ids
            .chunks(ids.len().div_ceil(count).max(1))
            .map(|content| [&self.before, content, &self.after].concat())
            .collect::<Vec<_>>();
        let windows = if windows.is_empty() {
            vec![[&self.before[..], &self.after].concat()]
        } else {
            windows
        };
        Ok(Windows { windows, truncated })
    }
}
