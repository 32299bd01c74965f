//! Products of `f32` by tiles that know numbers of sixteen bits (bfloat16) alone.
//!
//! A number is the sum of two of sixteen bits but for its last bits, and of the four products of
//! two such sums the three large ones are added up in 32 bits: nearly as exact as a product of 32
//! bits, in fewer steps (Henry, Tang & Heinecke, "Leveraging the bfloat16 Artificial Intelligence
//! Datatype For Higher-Precision Computations", arXiv:1904.06376).

use super::amx::{DEEP, Tiles};
use super::lanes::Lanes;
use super::layout::{Line, WIDTH, rows};
use super::linear::{PANEL, Then};

/// Inputs of a step: what a tile has of a row of weights.
const STEP: usize = 2 * DEEP;

/// A linear layer's weights: panels of [`PANEL`] outputs, and within a panel, for each [`STEP`]
/// inputs, a line of high halves for every output and one of low halves.
pub(in super::super) struct Halved {
    tiles: Tiles,
    panels: Vec<Line<[u32; 16]>>,
    bias: Vec<f32>,
    inputs: usize,
}

/// A block of inputs: for each [`STEP`] of them, [`DEEP`] rows of pairs of high halves and as many
/// of low ones.
#[derive(Default)]
pub(super) struct Halves(Vec<Line<[u32; 16]>>);

impl Halved {
    /// Packs `[outputs, inputs]`, row by row, and a bias for each output.
    pub(super) fn new(weights: &[f32], bias: &[f32], inputs: usize, tiles: Tiles) -> Self {
        let (outputs, steps) = (rows(bias.len()), inputs.div_ceil(STEP));
        let mut panels = vec![Line([0; 16]); outputs * steps * 2];
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            let (panel, place) = (output / PANEL, output % PANEL);
            for (step, some) in row.chunks(STEP).enumerate() {
                for (at, two) in some.chunks(2).enumerate() {
                    let second = two.get(1).map_or([0; 2], |x| halves(*x));
                    let pairs = pairs(halves(two[0]), second);
                    for (which, pair) in pairs.into_iter().enumerate() {
                        let line = ((panel * steps + step) * 2 + which) * PANEL + place;
                        panels[line].0[at] = pair;
                    }
                }
            }
        }
        let mut padded = bias.to_vec();
        padded.resize(outputs, 0.0);
        Self { tiles, panels, bias: padded, inputs }
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
        x: &Halves,
        first: usize,
        out: &mut [f32],
        then: Then<'_>,
    ) {
        let size = self.inputs.div_ceil(STEP) * 2 * PANEL;
        let panel = |at: usize| &self.panels[at * size..][..size];
        let mut spare = [0.0; PANEL * WIDTH];
        self.tiles.shaped(
            #[inline(always)]
            || {
                for (at, out) in out.chunks_mut(2 * PANEL * W).enumerate() {
                    let at = first + 2 * at;
                    then.start::<W>(out, &self.bias[at * PANEL..], at);
                    let (one, other) = out.split_at_mut(PANEL * W);
                    // Of an odd number of panels, the last one is its own companion.
                    let (weights, other) = if other.is_empty() {
                        ([panel(at); 2], &mut spare[..PANEL * W])
                    } else {
                        ([panel(at), panel(at + 1)], other)
                    };
                    self.tiles.add_halves::<W>(weights, &x.0, [one, other]);
                    then.end(l, out);
                }
            },
        );
    }

    /// Takes a block of inputs in.
    #[inline(always)]
    pub(super) fn take<const W: usize>(&self, x: &[f32], to: &mut Halves) {
        let lines = W / 16;
        let steps = self.inputs.div_ceil(STEP);
        let size = steps * 2 * DEEP * lines;
        if to.0.len() < size {
            to.0.resize(size, Line([0; 16]));
        }
        // What is beyond the inputs is zero, for no weight makes nothing of what is no number.
        let x = &x.as_chunks::<W>().0[..self.inputs];
        for (step, to) in to.0[..size].chunks_exact_mut(2 * DEEP * lines).enumerate() {
            let (high, low) = to.split_at_mut(DEEP * lines);
            let rows = high.chunks_exact_mut(lines).zip(low.chunks_exact_mut(lines));
            for (at, (high, low)) in rows.enumerate() {
                let row = |at: usize| x.get(step * STEP + at).unwrap_or(&[0.0; W]);
                let (first, second) = (row(2 * at), row(2 * at + 1));
                for (column, (high, low)) in high.iter_mut().zip(low).enumerate() {
                    for token in 0..16 {
                        let of = |row: &[f32; W]| halves(row[column * 16 + token]);
                        let pairs = pairs(of(first), of(second));
                        (high.0[token], low.0[token]) = (pairs[0], pairs[1]);
                    }
                }
            }
        }
    }
}

/// A number as the sum of two of sixteen bits, each in the upper half of its 32.
#[inline(always)]
fn halves(x: f32) -> [u32; 2] {
    let high = rounded(x);
    [high, rounded(x - f32::from_bits(high))]
}

/// The nearest number of sixteen bits; of two, the even one.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000
}

/// The high and the low halves of two numbers side by side, as a tile has them.
#[inline(always)]
fn pairs(first: [u32; 2], second: [u32; 2]) -> [u32; 2] {
    [first[0] >> 16 | second[0], first[1] >> 16 | second[1]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_halves_are_the_number_but_for_its_last_bits(x in -1e30f32..1e30) {
            let [high, low] = halves(x).map(f32::from_bits);
            prop_assert!((f64::from(high) + f64::from(low) - f64::from(x)).abs() <= f64::from(x.abs()) / 65_536.0);
            prop_assert_eq!((high.to_bits() | low.to_bits()) & 0xFFFF, 0);
        }
    }
}
