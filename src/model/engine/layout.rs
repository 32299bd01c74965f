//! How the tokens of a batch lie in memory.
//!
//! All sequences stand one after the other, without padding between them. Every [`WIDTH`] tokens
//! make a block; within a block the features are rows and the tokens columns, so that a row is a
//! vector register or two. The last block has half the columns where that is enough.

/// Tokens of a block.
pub(super) const WIDTH: usize = 32;
/// Tokens of the last block, where it is half empty.
pub(super) const HALF: usize = 16;

/// Rows that are kept for so many features: whole panels of weights.
pub(super) const fn rows(features: usize) -> usize {
    features.next_multiple_of(super::linear::PANEL)
}

/// Columns for so many tokens.
pub(super) const fn columns(tokens: usize) -> usize {
    tokens.next_multiple_of(HALF)
}

/// A run of tokens of one sequence in a buffer of blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The first token's place in the batch.
    pub(super) start: usize,
    pub(super) tokens: usize,
}

/// The pieces of a run of tokens that lie within one block each: the block, its width, the column
/// within it, and the number of tokens. `tokens_in_all` are those of the batch.
pub(super) fn pieces(
    span: Span,
    tokens_in_all: usize,
) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let end = span.start + span.tokens;
    let mut at = span.start;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let block = at / WIDTH;
        let width = width_of(block, tokens_in_all);
        let column = at % WIDTH;
        let tokens = (WIDTH - column).min(end - at);
        at += tokens;
        Some((block, width, column, tokens))
    })
}

/// Columns of a block.
pub(super) fn width_of(block: usize, tokens: usize) -> usize {
    WIDTH.min(columns(tokens) - block * WIDTH)
}
