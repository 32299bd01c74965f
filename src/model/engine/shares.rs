//! Work that is shared out among threads: by blocks where there are many, else by features.

use super::lanes::Lanes;
use super::layout::{Gather, WIDTH, rows, with_width};
use super::linear::{self, Input, Linear, Packed, Then};
use super::math::{Activation, layer_norm};
use super::{Engine, Layer, Norm, Own, sized, with_own};

/// Parts that a product is cut into for each thread, so that one which is held up does not hold up
/// all.
const PARTS_A_THREAD: usize = 8;

/// Blocks of inputs, of so many rows each.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) x: &'a [f32],
    pub(super) rows: usize,
}

/// What follows the product of a layer that is shared out by features.
#[derive(Clone, Copy)]
pub(super) enum Next<'a> {
    Nothing,
    /// Blocks of the same shape are added.
    Add(&'a [f32]),
    Activate(Activation),
}

impl Engine {
    /// The second half of a layer, a block at a time, and what the next one starts with.
    pub(super) fn by_blocks<L: Lanes>(
        &self,
        l: L,
        layer: &Layer,
        next: Option<&Linear>,
        gather: Gather<'_>,
        x: &mut [f32],
        qkv: &mut [f32],
    ) {
        let rows = rows(self.hidden);
        let qkv_rows = layer.qkv.rows();
        let blocks = x.chunks_mut(WIDTH * rows).zip(qkv.chunks_mut(WIDTH * qkv_rows));
        self.team.each(blocks.enumerate().collect(), |(at, (x, qkv))| {
            with_own(|own| {
                let width = x.len() / rows;
                let Own { context, y, wide, packed, .. } = own;
                let (context, y) = (sized(context, x.len()), sized(y, x.len()));
                let wide = sized(wide, layer.up.rows() * width);
                gather.block(at, width, context);
                with_width!(width, W => l.run(
                    #[inline(always)]
                    || {
                        layer.out.apply_all::<L, W>(l, context, packed, y, Then::Add(x));
                        let Norm { gamma, beta } = &layer.out_norm;
                        layer_norm::<L, W>(l, y, gamma, beta, self.eps);
                        let activate = Then::Activate(self.activation);
                        layer.up.apply_all::<L, W>(l, y, packed, wide, activate);
                        layer.down.apply_all::<L, W>(l, wide, packed, x, Then::Add(y));
                        let Norm { gamma, beta } = &layer.down_norm;
                        layer_norm::<L, W>(l, x, gamma, beta, self.eps);
                        if let Some(next) = next {
                            next.apply_all::<L, W>(l, x, packed, qkv, Then::Done);
                        }
                    },
                ));
            });
        });
    }

    /// The second half of a layer, each product shared out by features.
    pub(super) fn by_features<L: Lanes>(
        &self,
        l: L,
        layer: &Layer,
        gather: Gather<'_>,
        x: &mut [f32],
        room: (&mut Vec<f32>, &mut Vec<f32>, &mut Vec<f32>, &mut Vec<Packed>),
    ) {
        let rows = rows(self.hidden);
        let (context, y, wide, packed) = room;
        let y = sized(y, x.len());
        let wide = sized(wide, x.len() / rows * layer.up.rows());
        let context = sized(context, x.len());
        for (at, block) in context.chunks_mut(WIDTH * rows).enumerate() {
            gather.block(at, block.len() / rows, block);
        }
        self.split(l, &layer.out, Blocks { x: context, rows }, packed, y, Next::Add(x));
        y.chunks_mut(WIDTH * rows).for_each(|block| self.norm(l, block, &layer.out_norm));
        self.split(
            l,
            &layer.up,
            Blocks { x: y, rows },
            packed,
            wide,
            Next::Activate(self.activation),
        );
        let from = Blocks { x: wide, rows: layer.up.rows() };
        self.split(l, &layer.down, from, packed, x, Next::Add(y));
        x.chunks_mut(WIDTH * rows).for_each(|block| self.norm(l, block, &layer.down_norm));
    }

    /// Applies a linear layer to all blocks, a few panels at a time.
    pub(super) fn split<L: Lanes>(
        &self,
        l: L,
        linear: &Linear,
        from: Blocks<'_>,
        packed: &mut Vec<Packed>,
        out: &mut [f32],
        next: Next<'_>,
    ) {
        let Blocks { x, rows: x_rows } = from;
        let rows = linear.rows();
        let blocks = out.len().div_ceil(WIDTH * rows);
        if packed.len() < blocks {
            packed.resize_with(blocks, Packed::default);
        }
        if linear.wants_packed() {
            let items = x.chunks(WIDTH * x_rows).zip(packed.iter_mut()).take(blocks).collect();
            self.team.each(items, |(x, packed)| {
                with_width!(x.len() / x_rows, W => l.run(
                    #[inline(always)]
                    || linear.pack::<L, W>(l, x, packed),
                ));
            });
        }
        let panels = rows / linear::PANEL;
        let parts = (PARTS_A_THREAD * self.team.threads()).div_ceil(blocks).min(panels);
        let some = panels.div_ceil(parts);
        let mut items = Vec::with_capacity(blocks * parts);
        for (at, block) in out.chunks_mut(WIDTH * rows).enumerate() {
            let width = block.len() / rows;
            for (part, out) in block.chunks_mut(some * linear::PANEL * width).enumerate() {
                items.push((at, part * some, width, out));
            }
        }
        self.team.each(items, |(at, first, width, out)| {
            let x = &x[at * WIDTH * x_rows..][..width * x_rows];
            let input = Input { x, packed: &packed[at] };
            let then = match next {
                Next::Nothing => Then::Done,
                Next::Add(other) => Then::Add(&other[at * WIDTH * rows..][..width * rows]),
                Next::Activate(activation) => Then::Activate(activation),
            };
            with_width!(width, W => l.run(
                #[inline(always)]
                || linear.apply::<L, W>(l, input, first, out, then),
            ));
        });
    }
}
