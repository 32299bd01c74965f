//! How the tokens of a batch lie in memory.
//!
//! All sequences stand one after the other, without padding between them. Every [`WIDTH`] tokens
//! make a block; within a block the features are rows and the tokens columns, so that a row is a
//! vector register or two. The last block has half the columns where that is enough.

/// Tokens of a block.
pub(super) const WIDTH: usize = 32;
/// Tokens of the last block, where it is half empty.
pub(super) const HALF: usize = 16;

/// A line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line<T>(pub(super) T);

/// Calls a function for the width that a block has.
macro_rules! with_width {
    ($width:expr, $W:ident => $body:expr) => {
        if $width == $crate::model::engine::layout::WIDTH {
            const $W: usize = $crate::model::engine::layout::WIDTH;
            $body
        } else {
            const $W: usize = $crate::model::engine::layout::HALF;
            $body
        }
    };
}
pub(super) use with_width;

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

/// One sequence in a batch.
#[derive(Clone, Copy)]
pub(super) struct Sequence {
    pub(super) span: Span,
    /// Where its attention output begins, and the columns that it has there.
    pub(super) attended: usize,
    pub(super) stride: usize,
}

/// Sequences of these lengths, one after the other.
pub(super) fn place(lengths: &[usize], hidden: usize) -> Vec<Sequence> {
    let (mut start, mut attended) = (0, 0);
    let place = lengths.iter().map(|&tokens| {
        let stride = columns(tokens);
        let placed = Sequence { span: Span { start, tokens }, attended, stride };
        start += tokens;
        attended += stride * hidden;
        placed
    });
    place.collect()
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

/// Attention's output, on its way from sequences back into blocks.
#[derive(Clone, Copy)]
pub(super) struct Gather<'a> {
    pub(super) attended: &'a [f32],
    /// Where the sequences are, there and in the batch.
    pub(super) answers: &'a [Sequence],
    pub(super) tokens: usize,
    pub(super) hidden: usize,
}

impl Gather<'_> {
    /// Writes a block of the batch, of this many columns, features as rows.
    pub(super) fn block(&self, at: usize, width: usize, out: &mut [f32]) {
        let (begin, end) = (at * WIDTH, (at * WIDTH + width).min(self.tokens));
        let first = self.answers.partition_point(|s| s.span.start + s.span.tokens <= begin);
        for sequence in self.answers[first..].iter().take_while(|s| s.span.start < end) {
            let from = begin.max(sequence.span.start);
            let count = end.min(sequence.span.start + sequence.span.tokens) - from;
            let source = &self.attended[sequence.attended + from - sequence.span.start..];
            let rows = out[from - begin..].chunks_mut(width).take(self.hidden);
            for (to, source) in rows.zip(source.chunks(sequence.stride)) {
                to[..count].copy_from_slice(&source[..count]);
            }
        }
    }
}
