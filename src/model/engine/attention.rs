//! Multi-head self-attention within each sequence (Vaswani et al., arXiv:1706.03762).

use super::lanes::Lanes;
use super::layout::{HALF, Span, WIDTH, columns, pieces, width_of};
use super::linear::{PANEL, tile_product};
use super::math::exp2;

/// Value columns that one product takes.
const VALUES: usize = 8;

/// Where queries, keys and values are.
#[derive(Clone, Copy)]
pub(super) struct Projected<'a> {
    /// Blocks whose rows are the queries of all heads, then the keys, then the values. The queries
    /// are scaled so that `2^(q·k)` is the unnormalised weight.
    pub(super) blocks: &'a [f32],
    /// Rows of a block.
    pub(super) rows: usize,
    /// Tokens of all sequences together.
    pub(super) tokens: usize,
    /// Features of all heads together.
    pub(super) hidden: usize,
    /// Features of one head.
    pub(super) width: usize,
}

/// Room for one head of one sequence; grows to the longest.
#[derive(Default)]
pub(super) struct Room {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
    mixed: Vec<f32>,
}

/// One head of one sequence, for its first `wanted` tokens. `out` is `[width, columns(wanted)]`.
#[inline(always)]
pub(super) fn attend<L: Lanes>(
    l: L,
    from: Projected<'_>,
    span: Span,
    head: usize,
    wanted: usize,
    room: &mut Room,
    out: &mut [f32],
) {
    let (n, width) = (span.tokens, from.width);
    let stride = n.next_multiple_of(PANEL);
    let value_rows = width.next_multiple_of(VALUES);
    grow(&mut room.queries, columns(n) * width);
    grow(&mut room.keys, stride * width);
    grow(&mut room.values, n * value_rows);
    grow(&mut room.scores, stride * WIDTH);
    grow(&mut room.mixed, value_rows * WIDTH);
    collect(from, span, head, stride, value_rows, room);
    for first in (0..columns(wanted)).step_by(WIDTH) {
        let queries = &room.queries[first * width..];
        let out = &mut out[first..];
        let rest = (&room.keys[..], &room.values[..], &mut room.scores[..], &mut room.mixed[..]);
        if width_of(first / WIDTH, n) == HALF {
            mix::<L, HALF>(l, queries, rest, (n, width), columns(wanted), out);
        } else {
            mix::<L, WIDTH>(l, queries, rest, (n, width), columns(wanted), out);
        }
    }
}

/// Copies one head out of the blocks: queries as blocks, keys feature by feature, values token by
/// token.
#[inline(always)]
fn collect(
    from: Projected<'_>,
    span: Span,
    head: usize,
    stride: usize,
    value_rows: usize,
    room: &mut Room,
) {
    let width = from.width;
    let mut at = 0;
    for (block, columns, column, tokens) in pieces(span, from.tokens) {
        let block = &from.blocks[block * WIDTH * from.rows..][..columns * from.rows];
        let row = |feature: usize| &block[feature * columns + column..][..tokens];
        let piece = Span { start: at, tokens };
        for (block, columns, column, tokens) in pieces(piece, span.tokens) {
            let skip = block * WIDTH + column - at;
            for d in 0..width {
                let to = block * WIDTH * width + d * columns + column;
                room.queries[to..to + tokens]
                    .copy_from_slice(&row(head * width + d)[skip..skip + tokens]);
            }
        }
        for d in 0..width {
            room.keys[d * stride + at..][..tokens]
                .copy_from_slice(row(from.hidden + head * width + d));
            let values = row(2 * from.hidden + head * width + d);
            for (slot, value) in
                room.values[at * value_rows + d..].iter_mut().step_by(value_rows).zip(values)
            {
                *slot = *value;
            }
        }
        at += tokens;
    }
}

type Rest<'a> = (&'a [f32], &'a [f32], &'a mut [f32], &'a mut [f32]);

/// Scores, softmax and weighted values for one block of queries.
#[inline(always)]
fn mix<L: Lanes, const W: usize>(
    l: L,
    queries: &[f32],
    (keys, values, scores, mixed): Rest<'_>,
    (n, width): (usize, usize),
    out_stride: usize,
    out: &mut [f32],
) {
    let stride = n.next_multiple_of(PANEL);
    let value_rows = width.next_multiple_of(VALUES);
    for (panel, scores) in scores[..stride * W].chunks_exact_mut(PANEL * W).enumerate() {
        scores.fill(0.0);
        let keys = keys.chunks_exact(stride).map(|row| &row.as_chunks::<PANEL>().0[panel]);
        tile_product::<L, W, PANEL>(l, &queries[..width * W], keys, scores);
    }
    let scores = &mut scores[..n * W];
    let mut shares = [l.splat(0.0); WIDTH / 16];
    for (column, share) in shares[..W / 16].iter_mut().enumerate() {
        *share = softmax::<L, W>(l, scores, column);
    }
    for (panel, mixed) in mixed[..value_rows * W].chunks_exact_mut(VALUES * W).enumerate() {
        mixed.fill(0.0);
        let values = values.chunks_exact(value_rows).map(|row| &row.as_chunks::<VALUES>().0[panel]);
        tile_product::<L, W, VALUES>(l, scores, values, mixed);
    }
    for (out, mixed) in out.chunks_mut(out_stride).zip(mixed.as_chunks::<W>().0).take(width) {
        let mixed = mixed.as_chunks::<16>().0;
        for ((out, mixed), share) in out.as_chunks_mut::<16>().0.iter_mut().zip(mixed).zip(shares) {
            l.store(l.mul(l.load(mixed), share), out);
        }
    }
}

/// Turns scores into `2^(score − greatest)`; returns what to multiply with to make their sum 1.
#[inline(always)]
fn softmax<L: Lanes, const W: usize>(l: L, scores: &mut [f32], column: usize) -> L::V {
    let rows = scores.as_chunks_mut::<W>().0;
    let mut greatest = l.splat(f32::NEG_INFINITY);
    for row in rows.iter() {
        greatest = l.max(greatest, l.load(&row.as_chunks::<16>().0[column]));
    }
    let mut sum = l.splat(0.0);
    for row in rows {
        let cell = &mut row.as_chunks_mut::<16>().0[column];
        let weight = exp2(l, l.sub(l.load(cell), greatest));
        l.store(weight, cell);
        sum = l.add(sum, weight);
    }
    l.div(l.splat(1.0), sum)
}

fn grow(room: &mut Vec<f32>, len: usize) {
    if room.len() < len {
        room.resize(len, 0.0);
    }
}
