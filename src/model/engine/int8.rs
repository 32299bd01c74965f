//! Products in eight bits: weights per output, inputs per token (Dettmers et al., "`LLM.int8()`",
//! arXiv:2208.07339, without its outliers, which encoders of this size do not have).
//!
//! A weight is a whole number from −127 to 127 times its output's scale; an input is one from 0 to
//! 255, less the token's zero point, times the token's scale. Products are added up as whole
//! numbers, so they are exact, and the same on every instruction set.

use super::amx::{DEEP, Tiles};
use super::lanes::Lanes;
use super::layout::{Line, WIDTH, rows};
use super::linear::{PANEL, Then};

/// Inputs whose products are added up at once.
const FOUR: usize = 4;
/// A range is at least this wide, so that nothing is divided by zero.
const LEAST: f32 = 1e-20;

/// A linear layer's weights, of every four inputs to one output in one number.
pub(in super::super) struct Quantised {
    fours: Fours,
    /// One an output: scale, sum of the whole numbers, bias.
    scale: Vec<f32>,
    sum: Vec<f32>,
    bias: Vec<f32>,
    pub(super) inputs: usize,
}

/// Panels of [`PANEL`] outputs.
enum Fours {
    /// Within a panel, for every four inputs, each output's number.
    Plain(Vec<i32>),
    /// Within a panel, for every [`DEEP`] fours, a line for each output.
    Tiled(Tiles, Vec<Line<[i32; DEEP]>>),
}

/// A block of inputs: for every four of them, a line a sixteen tokens.
#[derive(Default)]
pub(super) struct Bytes {
    fours: Vec<Line<[u8; 64]>>,
    /// One a token.
    scale: [f32; WIDTH],
    zero: [f32; WIDTH],
}

impl Quantised {
    /// Packs `[outputs, inputs]`, row by row, and a bias for each output.
    pub(super) fn new(weights: &[f32], bias: &[f32], inputs: usize, tiles: Option<Tiles>) -> Self {
        let (outputs, fours) = (rows(bias.len()), inputs.div_ceil(FOUR));
        let lines = outputs * fours.div_ceil(DEEP);
        let mut packed = Self {
            fours: match tiles {
                None => Fours::Plain(vec![0; outputs * fours]),
                Some(tiles) => Fours::Tiled(tiles, vec![Line([0; DEEP]); lines]),
            },
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
                let four = i32::from_le_bytes(four.map(i8::cast_unsigned));
                match &mut packed.fours {
                    Fours::Plain(plain) => plain[(panel * fours + at) * PANEL + place] = four,
                    Fours::Tiled(_, lines) => {
                        let line = (panel * fours.div_ceil(DEEP) + at / DEEP) * PANEL + place;
                        lines[line].0[at % DEEP] = four;
                    }
                }
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
        match &self.fours {
            Fours::Plain(plain) => {
                let lines = &x.fours[..fours * W / 16];
                for (panel, out) in (first..).zip(out.chunks_exact_mut(PANEL * W)) {
                    let weights = plain[panel * fours * PANEL..][..fours * PANEL].as_chunks().0;
                    let side = Side { x, of: self, first: panel * PANEL };
                    if L::WIDE && W == WIDTH {
                        tile::<L, W, PANEL, 2>(l, lines, weights, side, out, 0, 0);
                    } else if L::WIDE {
                        tile::<L, W, PANEL, 1>(l, lines, weights, side, out, 0, 0);
                    } else {
                        for column in 0..W / 16 {
                            for row in (0..PANEL).step_by(4) {
                                tile::<L, W, 4, 1>(l, lines, weights, side, out, row, column);
                            }
                        }
                    }
                    follow(l, then, panel * PANEL * W, out);
                }
            }
            Fours::Tiled(tiles, lines) => {
                let size = fours.div_ceil(DEEP) * PANEL;
                let weights = |panel: usize| &lines[panel * size..][..size];
                tiles.shaped(
                    #[inline(always)]
                    || {
                        let pairs = (first..).step_by(2).zip(out.chunks_mut(2 * PANEL * W));
                        for (panel, out) in pairs {
                            // Of an odd number of panels, the last one is its own companion.
                            let other = panel + usize::from(out.len() > PANEL * W);
                            let mut sums = [[0; PANEL * WIDTH]; 2];
                            let [a, b] = &mut sums;
                            let room = [&mut a[..PANEL * W], &mut b[..PANEL * W]];
                            tiles.bytes::<W>([weights(panel), weights(other)], &x.fours, room);
                            let outs = out.chunks_exact_mut(PANEL * W);
                            for ((panel, sums), out) in (panel..).zip(&sums).zip(outs) {
                                let side = Side { x, of: self, first: panel * PANEL };
                                side.scaled::<L, W>(l, sums.as_chunks().0, out);
                                follow(l, then, panel * PANEL * W, out);
                            }
                        }
                    },
                );
            }
        }
    }
}

/// What follows a panel's products; the panel begins at `at` in its block.
#[inline(always)]
fn follow<L: Lanes>(l: L, then: Then<'_>, at: usize, out: &mut [f32]) {
    if let Then::Add(residual) = then {
        for (out, r) in out.iter_mut().zip(&residual[at..]) {
            *out += r;
        }
    }
    then.end(l, out);
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
        let (fours, lines) = (inputs.div_ceil(FOUR), W / 16);
        // Tiles read whole steps.
        let size = fours.next_multiple_of(DEEP) * lines;
        if self.fours.len() < size {
            self.fours.resize(size, Line([0; 64]));
        }
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
            let to = self.fours.chunks_exact_mut(lines);
            for (four, to) in x.as_chunks::<FOUR>().0.iter().zip(to) {
                let mut values = [l.splat(0.0); FOUR];
                for (value, row) in values.iter_mut().zip(four) {
                    *value = l.fma(l.load(&row.as_chunks::<16>().0[column]), steps, zero);
                }
                l.to_bytes(values, &mut to[column].0);
            }
        }
    }
}

/// What turns whole numbers back: the block's part, and the layer's part from an output on.
#[derive(Clone, Copy)]
struct Side<'a> {
    x: &'a Bytes,
    of: &'a Quantised,
    first: usize,
}

impl Side<'_> {
    /// Sixteen tokens' sums for an output, from `column` on, as what they stand for.
    #[inline(always)]
    fn scale<L: Lanes>(self, l: L, sum: L::V, row: usize, column: usize) -> L::V {
        let output = self.first + row;
        let (scale, bias) = (l.splat(self.of.scale[output]), l.splat(self.of.bias[output]));
        let zero = l.load(&self.x.zero.as_chunks::<16>().0[column]);
        let token = l.load(&self.x.scale.as_chunks::<16>().0[column]);
        let value = l.sub(sum, l.mul(zero, l.splat(self.of.sum[output])));
        l.fma(l.mul(value, token), scale, bias)
    }

    /// A panel's sums as what they stand for.
    #[inline(always)]
    fn scaled<L: Lanes, const W: usize>(self, l: L, sums: &[[i32; 16]], out: &mut [f32]) {
        let cells = out.as_chunks_mut::<16>().0.iter_mut().zip(sums);
        for (at, (cells, sums)) in cells.enumerate() {
            let (row, column) = (at / (W / 16), at % (W / 16));
            let sum = l.load(&sums.map(|sum| sum as f32));
            l.store(self.scale(l, sum, row, column), cells);
        }
    }
}

/// A tile of `H` outputs from `row` on by `N` times sixteen tokens from `column` on, which stays in
/// registers.
#[inline(always)]
fn tile<L: Lanes, const W: usize, const H: usize, const N: usize>(
    l: L,
    lines: &[Line<[u8; 64]>],
    weights: &[[i32; PANEL]],
    side: Side<'_>,
    out: &mut [f32],
    row: usize,
    column: usize,
) {
    let mut sums = [[l.whole(0); N]; H];
    for (x, weights) in lines.chunks_exact(W / 16).zip(weights) {
        let x = &x[column..column + N];
        for (sums, weight) in sums.iter_mut().zip(&weights[row..row + H]) {
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = l.dot(*sum, &x.0, *weight);
            }
        }
    }
    let out = &mut out.as_chunks_mut::<W>().0[row..row + H];
    for (row, (sums, out)) in (row..).zip(sums.iter().zip(out)) {
        let cells = &mut out.as_chunks_mut::<16>().0[column..column + N];
        for (column, (sum, cells)) in (column..).zip(sums.iter().zip(cells)) {
            l.store(side.scale(l, l.to_f32(*sum), row, column), cells);
        }
    }
}
