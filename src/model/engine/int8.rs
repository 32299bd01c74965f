//! Products in eight bits: weights per output, inputs per token (Dettmers et al., "`LLM.int8()`",
//! arXiv:2208.07339, without its outliers, which encoders of this size do not have).
//!
//! A weight is a whole number from −127 to 127 times its output's scale; an input is one from 0 to
//! 255, less the token's zero point, times the token's scale. Products are added up as whole
//! numbers, so they are exact, and the same on every instruction set.

use super::lanes::Lanes;
use super::layout::{WIDTH, rows};
use super::linear::{PANEL, Then};

/// Inputs whose products are added up at once.
const FOUR: usize = 4;
/// A range is at least this wide, so that nothing is divided by zero.
const LEAST: f32 = 1e-20;

/// A linear layer's weights: panels of [`PANEL`] outputs, and within a panel, for every four
/// inputs, their weights of one output in one number.
pub(in super::super) struct Quantised {
    panels: Vec<i32>,
    /// One an output: scale, sum of the whole numbers, bias.
    scale: Vec<f32>,
    sum: Vec<f32>,
    bias: Vec<f32>,
    pub(super) inputs: usize,
}

/// A block of inputs: for every four of them, 64 bytes a sixteen tokens.
#[derive(Default)]
pub(super) struct Bytes {
    fours: Vec<u8>,
    /// One a token.
    scale: [f32; WIDTH],
    zero: [f32; WIDTH],
}

impl Quantised {
    /// Packs `[outputs, inputs]`, row by row, and a bias for each output.
    pub(super) fn new(weights: &[f32], bias: &[f32], inputs: usize) -> Self {
        let (outputs, fours) = (rows(bias.len()), inputs.div_ceil(FOUR));
        let mut packed = Self {
            panels: vec![0; outputs * fours],
            scale: vec![0.0; outputs],
            sum: vec![0.0; outputs],
            bias: bias.to_vec(),
            inputs,
        };
        packed.bias.resize(outputs, 0.0);
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            let scale = row.iter().fold(LEAST, |most, w| most.max(w.abs())) / 127.0;
            packed.scale[output] = scale;
            let (panel, place) = (output / PANEL, output % PANEL);
            for (at, some) in row.chunks(FOUR).enumerate() {
                let mut four = [0_i8; FOUR];
                for (whole, weight) in four.iter_mut().zip(some) {
                    *whole = (weight / scale).round() as i8;
                }
                packed.sum[output] += four.iter().map(|w| f32::from(*w)).sum::<f32>();
                packed.panels[(panel * fours + at) * PANEL + place] =
                    i32::from_le_bytes(four.map(i8::cast_unsigned));
            }
        }
        packed
    }

    /// Rows of a block of results.
    pub(super) fn rows(&self) -> usize {
        self.bias.len()
    }

    /// The results of the panels from `first` on, as many as `out` has rows for.
    #[inline(always)]
    pub(super) fn apply<L: Lanes, const W: usize>(
        &self,
        l: L,
        x: &Bytes,
        first: usize,
        out: &mut [f32],
        then: Then<'_>,
    ) {
        let fours = self.inputs.div_ceil(FOUR);
        let bytes = &x.fours[..fours * FOUR * W];
        for (at, out) in out.chunks_exact_mut(PANEL * W).enumerate() {
            let panel = first + at;
            let weights = self.panels[panel * fours * PANEL..][..fours * PANEL].as_chunks().0;
            let side = Side { x, of: self, first: panel * PANEL };
            if L::WIDE && W == WIDTH {
                tile::<L, W, PANEL, 2>(l, bytes, weights, side, out, 0, 0);
            } else if L::WIDE {
                tile::<L, W, PANEL, 1>(l, bytes, weights, side, out, 0, 0);
            } else {
                for column in 0..W / 16 {
                    for row in (0..PANEL).step_by(4) {
                        tile::<L, W, 4, 1>(l, bytes, weights, side, out, row, column);
                    }
                }
            }
            match then {
                Then::Add(residual) => {
                    let residual = &residual[panel * PANEL * W..][..PANEL * W];
                    for (out, r) in out.iter_mut().zip(residual) {
                        *out += r;
                    }
                }
                Then::Activate(activation) => activation.apply(l, out),
                Then::Done => {}
            }
        }
    }
}

impl Bytes {
    /// Takes a block of `inputs` features in. Each token's range reaches from its least to its
    /// greatest value, and holds 0.
    #[inline(always)]
    pub(super) fn take<L: Lanes, const W: usize>(&mut self, l: L, x: &[f32], inputs: usize) {
        /// Adding it to a number and taking it away again rounds to a whole one.
        const ROUND: f32 = 12_582_912.0;
        // Rows come in whole panels, so there are always four; what is beyond the inputs has
        // weights of zero.
        let fours = inputs.div_ceil(FOUR);
        self.fours.resize(self.fours.len().max(fours * FOUR * W), 0);
        let x = &x.as_chunks::<W>().0[..fours * FOUR];
        for column in 0..W / 16 {
            let (mut low, mut high) = (l.splat(0.0), l.splat(0.0));
            for row in &x[..inputs] {
                let value = l.load(&row.as_chunks::<16>().0[column]);
                low = l.min(low, value);
                high = l.max(high, value);
            }
            let range = l.max(l.sub(high, low), l.splat(LEAST));
            let steps = l.div(l.splat(255.0), range);
            let exact = l.mul(l.sub(l.splat(0.0), low), steps);
            let zero = l.sub(l.add(exact, l.splat(ROUND)), l.splat(ROUND));
            let own = column * 16;
            if let Some(cells) = self.scale[own..].first_chunk_mut() {
                l.store(l.mul(range, l.splat(1.0 / 255.0)), cells);
            }
            if let Some(cells) = self.zero[own..].first_chunk_mut() {
                l.store(zero, cells);
            }
            let to = self.fours.chunks_exact_mut(FOUR * W);
            for (four, to) in x.as_chunks::<FOUR>().0.iter().zip(to) {
                let mut values = [l.splat(0.0); FOUR];
                for (value, row) in values.iter_mut().zip(four) {
                    *value = l.fma(l.load(&row.as_chunks::<16>().0[column]), steps, zero);
                }
                l.to_bytes(values, &mut to.as_chunks_mut::<64>().0[column]);
            }
        }
    }
}

/// What turns whole numbers back: the block's part, and the layer's from an output on.
#[derive(Clone, Copy)]
struct Side<'a> {
    x: &'a Bytes,
    of: &'a Quantised,
    first: usize,
}

/// A tile of `H` outputs from `row` on by `N` times sixteen tokens from `column` on, which stays in
/// registers.
#[inline(always)]
fn tile<L: Lanes, const W: usize, const H: usize, const N: usize>(
    l: L,
    bytes: &[u8],
    weights: &[[i32; PANEL]],
    side: Side<'_>,
    out: &mut [f32],
    row: usize,
    column: usize,
) {
    let mut sums = [[l.whole(0); N]; H];
    for (x, weights) in bytes.chunks_exact(FOUR * W).zip(weights) {
        let x = &x.as_chunks::<64>().0[column..column + N];
        for (sums, weight) in sums.iter_mut().zip(&weights[row..row + H]) {
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = l.dot(*sum, x, *weight);
            }
        }
    }
    let out = &mut out.as_chunks_mut::<W>().0[row..row + H];
    for (at, (sums, out)) in sums.iter().zip(out).enumerate() {
        let output = side.first + row + at;
        let (scale, bias) = (l.splat(side.of.scale[output]), l.splat(side.of.bias[output]));
        let all = l.splat(side.of.sum[output]);
        let cells = &mut out.as_chunks_mut::<16>().0[column..column + N];
        for (n, (sum, cells)) in sums.iter().zip(cells).enumerate() {
            let zero = l.load(&side.x.zero.as_chunks::<16>().0[column + n]);
            let token = l.load(&side.x.scale.as_chunks::<16>().0[column + n]);
            let value = l.sub(l.to_f32(*sum), l.mul(zero, all));
            l.store(l.fma(l.mul(value, token), scale, bias), cells);
        }
    }
}
