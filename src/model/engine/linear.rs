//! Linear layers on packed weights.

use super::amx::Tiles;
use super::halves::{Halved, Halves};
use super::int8::{Bytes, Quantised};
use super::lanes::Lanes;
use super::layout::WIDTH;
use super::math::Activation;
use crate::model::manifest::Precision;

/// Outputs of a panel: the rows of the widest register tile.
pub(super) const PANEL: usize = 12;

/// A linear layer, its weights packed once.
pub(in super::super) enum Linear {
    Full(Full),
    Halved(Halved),
    Int8(Quantised),
}

/// Weights as they are: panels of [`PANEL`] outputs, and within a panel the
/// weights of one input side by side. A tile of results stays in registers while a panel and a
/// block of inputs stream by (Goto & van de Geijn, "Anatomy of high-performance matrix
/// multiplication", 2008), and no input is ever copied.
pub(in super::super) struct Full {
    panels: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

/// A block of inputs, as it is and as layers that [want it so](Linear::wants_packed) read it.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) x: &'a [f32],
    pub(super) packed: &'a Packed,
}

/// Room for a block of inputs as a layer has packed it.
#[derive(Default)]
pub(super) struct Packed {
    bytes: Bytes,
    halves: Halves,
}

impl Linear {
    /// Packs `[outputs, inputs]`, row by row, and a bias for each output.
    pub(in super::super) fn new(
        weights: &[f32],
        bias: &[f32],
        inputs: usize,
        precision: Precision,
    ) -> Self {
        Self::for_tiles(weights, bias, inputs, precision, Tiles::detect())
    }

    /// The same for a processor that has tiles, or has none.
    pub(super) fn for_tiles(
        weights: &[f32],
        bias: &[f32],
        inputs: usize,
        precision: Precision,
        tiles: Option<Tiles>,
    ) -> Self {
        match (precision, tiles) {
            (Precision::F32, None) => Self::Full(Full::new(weights, bias, inputs)),
            (Precision::F32, Some(tiles)) => {
                Self::Halved(Halved::new(weights, bias, inputs, tiles))
            }
            (Precision::Int8, _) => Self::Int8(Quantised::new(weights, bias, inputs, tiles)),
        }
    }

    /// Rows of a block of results.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Full(full) => full.bias.len(),
            Self::Halved(halved) => halved.rows(),
            Self::Int8(quantised) => quantised.rows(),
        }
    }

    /// Whether inputs are to be [packed](Linear::pack) for it.
    pub(super) const fn wants_packed(&self) -> bool {
        !matches!(self, Self::Full(_))
    }

    /// Packs a block of inputs.
    #[inline(always)]
    pub(super) fn pack<L: Lanes, const W: usize>(&self, l: L, x: &[f32], to: &mut Packed) {
        match self {
            Self::Full(_) => {}
            Self::Halved(halved) => halved.take::<W>(x, &mut to.halves),
            Self::Int8(quantised) => to.bytes.take::<L, W>(l, x, quantised.inputs),
        }
    }

    /// The results of the panels from `first` on, as many as `out` has rows for.
    #[inline(always)]
    pub(super) fn apply<L: Lanes, const W: usize>(
        &self,
        l: L,
        input: Input<'_>,
        first: usize,
        out: &mut [f32],
        then: Then<'_>,
    ) {
        match self {
            Self::Full(full) => full.apply::<L, W>(l, input.x, first, out, then),
            Self::Halved(halved) => {
                halved.apply::<L, W>(l, &input.packed.halves, first, out, then);
            }
            Self::Int8(quantised) => {
                quantised.apply::<L, W>(l, &input.packed.bytes, first, out, then);
            }
        }
    }

    /// All results of a block, with room for what is packed of it.
    #[inline(always)]
    pub(super) fn apply_all<L: Lanes, const W: usize>(
        &self,
        l: L,
        x: &[f32],
        packed: &mut Packed,
        out: &mut [f32],
        then: Then<'_>,
    ) {
        self.pack::<L, W>(l, x, packed);
        self.apply::<L, W>(l, Input { x, packed }, 0, out, then);
    }
}

impl Full {
    fn new(weights: &[f32], bias: &[f32], inputs: usize) -> Self {
        let mut panels = vec![0.0; super::layout::rows(bias.len()) * inputs];
        for (panel, rows) in
            panels.chunks_exact_mut(PANEL * inputs).zip(weights.chunks(PANEL * inputs))
        {
            for (at, row) in rows.chunks_exact(inputs).enumerate() {
                for (slot, weight) in panel.iter_mut().skip(at).step_by(PANEL).zip(row) {
                    *slot = *weight;
                }
            }
        }
        let mut padded = bias.to_vec();
        padded.resize(super::layout::rows(bias.len()), 0.0);
        Self { panels, bias: padded, inputs }
    }

    #[inline(always)]
    fn apply<L: Lanes, const W: usize>(
        &self,
        l: L,
        x: &[f32],
        first: usize,
        out: &mut [f32],
        then: Then<'_>,
    ) {
        let x = &x[..self.inputs * W];
        let panels =
            self.panels.chunks_exact(PANEL * self.inputs).zip(self.bias.chunks_exact(PANEL));
        for (at, ((weights, bias), out)) in
            panels.skip(first).zip(out.chunks_exact_mut(PANEL * W)).enumerate()
        {
            then.start::<W>(out, bias, first + at);
            tile_product::<L, W, PANEL>(l, x, weights.as_chunks::<PANEL>().0.iter(), out);
            then.end(l, out);
        }
    }
}

/// What follows the product.
#[derive(Clone, Copy)]
pub(super) enum Then<'a> {
    /// Nothing.
    Done,
    /// A block of the same shape is added.
    Add(&'a [f32]),
    /// The activation, while the results are still in the nearest cache.
    Activate(Activation),
}

impl Then<'_> {
    /// What products are added to: the bias, and what stands in the same place of what is added.
    /// `out` begins with a panel's first row, `bias` with its own.
    #[inline(always)]
    pub(super) fn start<const W: usize>(self, out: &mut [f32], bias: &[f32], panel: usize) {
        let rows = out.as_chunks_mut::<W>().0.iter_mut().zip(bias);
        if let Self::Add(residual) = self {
            let residual = residual[panel * PANEL * W..].as_chunks::<W>().0;
            for ((row, bias), residual) in rows.zip(residual) {
                *row = residual.map(|r| r + bias);
            }
        } else {
            for (row, bias) in rows {
                row.fill(*bias);
            }
        }
    }

    /// What is left to do with the sums.
    #[inline(always)]
    pub(super) fn end<L: Lanes>(self, l: L, out: &mut [f32]) {
        if let Self::Activate(activation) = self {
            activation.apply(l, out);
        }
    }
}

/// `out += weightsᵀ x`: `x` is `[inputs, W]`, `out` `[P, W]`; of the weights, there is an array for
/// each input.
#[inline(always)]
pub(super) fn tile_product<'a, L: Lanes, const W: usize, const P: usize>(
    l: L,
    x: &[f32],
    weights: impl Iterator<Item = &'a [f32; P]> + Clone,
    out: &mut [f32],
) {
    if L::WIDE && W == WIDTH {
        tile::<L, W, P, P, 2>(l, x, weights, out, 0, 0);
    } else if L::WIDE {
        tile::<L, W, P, P, 1>(l, x, weights, out, 0, 0);
    } else {
        for column in 0..W / 16 {
            if P == PANEL {
                tile::<L, W, P, 6, 1>(l, x, weights.clone(), out, 0, column);
                tile::<L, W, P, 6, 1>(l, x, weights.clone(), out, 6, column);
            } else {
                for row in (0..P).step_by(4) {
                    tile::<L, W, P, 4, 1>(l, x, weights.clone(), out, row, column);
                }
            }
        }
    }
}

/// A tile of `H` rows from `row` on by `N` vectors from `column` on, which stays in registers.
#[inline(always)]
fn tile<'a, L: Lanes, const W: usize, const P: usize, const H: usize, const N: usize>(
    l: L,
    x: &[f32],
    weights: impl Iterator<Item = &'a [f32; P]>,
    out: &mut [f32],
    row: usize,
    column: usize,
) {
    let out = &mut out.as_chunks_mut::<W>().0[row..row + H];
    let mut sums = [[l.splat(0.0); N]; H];
    for (sums, out) in sums.iter_mut().zip(out.iter()) {
        for (sum, out) in sums.iter_mut().zip(&out.as_chunks::<16>().0[column..column + N]) {
            *sum = l.load(out);
        }
    }
    for (x, weights) in x.as_chunks::<W>().0.iter().zip(weights) {
        let x = &x.as_chunks::<16>().0[column..column + N];
        let mut inputs = [l.splat(0.0); N];
        for (input, x) in inputs.iter_mut().zip(x) {
            *input = l.load(x);
        }
        for (sums, weight) in sums.iter_mut().zip(&weights[row..row + H]) {
            let weight = l.splat(*weight);
            for (sum, input) in sums.iter_mut().zip(inputs) {
                *sum = l.fma(weight, input, *sum);
            }
        }
    }
    for (sums, out) in sums.iter().zip(out) {
        for (sum, out) in sums.iter().zip(&mut out.as_chunks_mut::<16>().0[column..column + N]) {
            l.store(*sum, out);
        }
    }
}
