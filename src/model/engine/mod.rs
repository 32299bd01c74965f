//! The forward pass of a BERT encoder on plain slices, made for few cores and short texts.
//!
//! - [`layout`]: packed batches in blocks of tokens, features as rows;
//! - [`lanes`]: the instruction sets;
//! - [`linear`]: linear layers on packed weights, which do nearly all of the work; [`int8`], the
//!   same in bytes; [`halves`], by the tiles of [`amx`];
//! - [`attention`] and [`math`]: the rest;
//! - [`shares`]: who does which part.
//!
//! A large batch goes through a layer's second half block by block: attention's output, both
//! norms, the wide middle and the next layer's queries, keys and values stay in a core's own cache,
//! and two parallel steps a layer are all the threads have to wait for each other. A batch with too
//! few blocks for that (one text) is split by features instead.

mod amx;
mod attention;
mod halves;
mod int8;
mod lanes;
mod layout;
mod linear;
mod math;
mod shares;
mod team;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use amx::Tiles;
use attention::{Projected, Room, attend};
use lanes::{Isa, Lanes};
use layout::{Gather, Sequence, WIDTH, columns, pieces, place, rows, width_of, with_width};
pub(super) use linear::Linear;
use linear::Packed;
pub(super) use math::Activation;
use math::layer_norm;
use shares::{Blocks, Next};
pub(super) use team::Team;

/// Blocks for each thread from which on a batch is shared out by blocks.
const BLOCKS_A_THREAD: usize = 4;

/// Scale and shift of a `LayerNorm`.
pub(super) struct Norm {
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
}

impl Norm {
    /// Applies it to one token's numbers.
    pub(super) fn apply(&self, eps: f32, token: &mut [f32]) {
        let share = 1.0 / token.len() as f32;
        let mean = token.iter().sum::<f32>() * share;
        let variance = token.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() * share;
        let scale = 1.0 / (variance + eps).sqrt();
        for ((x, gamma), beta) in token.iter_mut().zip(&self.gamma).zip(&self.beta) {
            *x = (*x - mean) * scale * gamma + beta;
        }
    }
}

/// One transformer layer.
pub(super) struct Layer {
    /// Queries, keys and values, one after the other; see [`query_scale`].
    pub(super) qkv: Linear,
    pub(super) out: Linear,
    pub(super) out_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) down_norm: Norm,
}

/// What the query's weights and bias are multiplied with when they are loaded, for heads of this
/// width: attention's own scale, and what makes powers of e powers of 2.
pub(super) fn query_scale(width: usize) -> f32 {
    std::f32::consts::LOG2_E / (width as f32).sqrt()
}

/// The layers, with all that they need to run.
pub(super) struct Engine {
    pub(super) layers: Vec<Layer>,
    pub(super) activation: Activation,
    pub(super) eps: f32,
    pub(super) hidden: usize,
    pub(super) heads: usize,
    team: Team,
    isa: Isa,
    idle: Mutex<Vec<Buffers>>,
}

/// Room for a batch; kept from one to the next.
#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    context: Vec<f32>,
    y: Vec<f32>,
    wide: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    packed: Vec<Packed>,
}

/// Room for what a thread does by itself.
#[derive(Default)]
struct Own {
    attention: Room,
    context: Vec<f32>,
    y: Vec<f32>,
    wide: Vec<f32>,
    packed: Packed,
}

thread_local! {
    static OWN: RefCell<Own> = RefCell::default();
}

impl Engine {
    pub(super) fn new(
        layers: Vec<Layer>,
        activation: Activation,
        eps: f32,
        hidden: usize,
        heads: usize,
        team: Team,
    ) -> Self {
        let isa = Isa::all()[0];
        Self { layers, activation, eps, hidden, heads, team, isa, idle: Mutex::default() }
    }

    /// The instruction set that it runs on.
    pub(super) fn isa(&self) -> &'static str {
        if Tiles::detect().is_some() { "amx" } else { self.isa.name() }
    }

    /// The threads that it runs on.
    pub(super) const fn team(&self) -> &Team {
        &self.team
    }

    /// Runs the layers over a batch.
    ///
    /// `lengths` are the sequences' token counts; `embed` writes the embedding of the batch's token
    /// at a place, before its norm, into a slice of `hidden` numbers. With `first_only` the last
    /// layer computes nothing but each sequence's first token. Returns for each sequence the mean
    /// over the tokens that were computed.
    pub(super) fn run(
        &self,
        lengths: &[usize],
        norm: &Norm,
        first_only: bool,
        embed: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<Vec<f32>> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = idle().pop().unwrap_or_default();
        let means = match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni(l) => self.run_on(l, &mut buffers, lengths, norm, first_only, embed),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(l) => self.run_on(l, &mut buffers, lengths, norm, first_only, embed),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(l) => self.run_on(l, &mut buffers, lengths, norm, first_only, embed),
            Isa::Portable(l) => self.run_on(l, &mut buffers, lengths, norm, first_only, embed),
        };
        idle().push(buffers);
        means
    }

    fn run_on<L: Lanes>(
        &self,
        l: L,
        buffers: &mut Buffers,
        lengths: &[usize],
        norm: &Norm,
        first_only: bool,
        embed: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<Vec<f32>> {
        let Some((first, last)) = self.layers.first().zip(self.layers.len().checked_sub(1)) else {
            return Vec::new();
        };
        let mut sequences = place(lengths, self.hidden);
        let mut tokens: usize = lengths.iter().sum();
        let Buffers { x, context, y, wide, qkv, attended, packed } = buffers;
        let mut x = sized(x, rows(self.hidden) * columns(tokens));
        let qkv = sized(qkv, first.qkv.rows() * columns(tokens));
        self.look_up(l, x, tokens, norm, embed);
        let from = Blocks { x, rows: rows(self.hidden) };
        self.split(l, &first.qkv, from, packed, qkv, Next::Nothing);
        for (at, layer) in self.layers.iter().enumerate() {
            let answers = if first_only && at == last {
                place(&vec![1; lengths.len()], self.hidden)
            } else {
                sequences.clone()
            };
            let size = answers.last().map_or(0, |s| s.attended + s.stride * self.hidden);
            let attended = sized(attended, size);
            self.attend_all(l, qkv, tokens, &sequences, &answers, attended);
            if first_only && at == last {
                x = self.keep_first(x, &sequences, tokens);
                tokens = answers.len();
                sequences.clone_from(&answers);
            }
            let gather = Gather { attended, answers: &answers, tokens, hidden: self.hidden };
            let next = self.layers.get(at + 1).map(|layer| &layer.qkv);
            if tokens.div_ceil(WIDTH) >= BLOCKS_A_THREAD * self.team.threads() {
                self.by_blocks(l, layer, next, gather, x, qkv);
            } else {
                self.by_features(l, layer, gather, x, (context, y, wide, packed));
                if let Some(next) = next {
                    let from = Blocks { x, rows: rows(self.hidden) };
                    self.split(l, next, from, packed, qkv, Next::Nothing);
                }
            }
        }
        self.means(x, &sequences, tokens)
    }

    fn look_up<L: Lanes>(
        &self,
        l: L,
        x: &mut [f32],
        tokens: usize,
        norm: &Norm,
        embed: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        let rows = rows(self.hidden);
        let blocks = x.chunks_mut(WIDTH * rows).enumerate().collect();
        self.team.each(blocks, |(at, block)| {
            let width = block.len() / rows;
            block.fill(0.0);
            let mut embedding = vec![0.0; self.hidden];
            for column in 0..width.min(tokens - at * WIDTH) {
                embed(at * WIDTH + column, &mut embedding);
                for (slot, value) in block.iter_mut().skip(column).step_by(width).zip(&embedding) {
                    *slot = *value;
                }
            }
            self.norm(l, block, norm);
        });
    }

    fn norm<L: Lanes>(&self, l: L, block: &mut [f32], norm: &Norm) {
        let Norm { gamma, beta } = norm;
        with_width!(block.len() / rows(self.hidden), W => l.run(
            #[inline(always)]
            || layer_norm::<L, W>(l, block, gamma, beta, self.eps),
        ));
    }

    fn attend_all<L: Lanes>(
        &self,
        l: L,
        qkv: &[f32],
        tokens: usize,
        sequences: &[Sequence],
        answers: &[Sequence],
        attended: &mut [f32],
    ) {
        let width = self.hidden / self.heads;
        let from = Projected {
            blocks: qkv,
            rows: rows(3 * self.hidden),
            tokens,
            hidden: self.hidden,
            width,
        };
        let mut rest = attended;
        let mut items = Vec::with_capacity(sequences.len() * self.heads);
        for (sequence, answer) in sequences.iter().zip(answers) {
            for head in 0..self.heads {
                let (out, after) = std::mem::take(&mut rest).split_at_mut(answer.stride * width);
                rest = after;
                items.push((sequence.span, answer.span.tokens, head, out));
            }
        }
        self.team.each(items, |(span, wanted, head, out)| {
            with_own(|own| {
                l.run(
                    #[inline(always)]
                    || attend(l, from, span, head, wanted, &mut own.attention, out),
                );
            });
        });
    }

    /// Gathers the first token of each sequence into a batch of its own, at the front of `x`.
    fn keep_first<'x>(
        &self,
        x: &'x mut [f32],
        sequences: &[Sequence],
        tokens: usize,
    ) -> &'x mut [f32] {
        let rows = rows(self.hidden);
        let mut kept = vec![0.0; rows * columns(sequences.len())];
        for (to, sequence) in sequences.iter().enumerate() {
            let from = sequence.span.start;
            let (width, to_width) =
                (width_of(from / WIDTH, tokens), width_of(to / WIDTH, sequences.len()));
            let from = &x[from / WIDTH * WIDTH * rows + from % WIDTH..];
            let to = &mut kept[to / WIDTH * WIDTH * rows + to % WIDTH..];
            let values = from.iter().step_by(width).take(self.hidden);
            for (slot, value) in to.iter_mut().step_by(to_width).zip(values) {
                *slot = *value;
            }
        }
        let x = &mut x[..kept.len()];
        x.copy_from_slice(&kept);
        x
    }

    fn means(&self, x: &[f32], sequences: &[Sequence], tokens: usize) -> Vec<Vec<f32>> {
        let rows = rows(self.hidden);
        let mean = |sequence: &Sequence| {
            let mut mean = vec![0.0; self.hidden];
            for (block, width, column, count) in pieces(sequence.span, tokens) {
                let block = x[block * WIDTH * rows..].chunks_exact(width);
                for (mean, row) in mean.iter_mut().zip(block) {
                    *mean += row[column..column + count].iter().sum::<f32>();
                }
            }
            let share = 1.0 / sequence.span.tokens as f32;
            for value in &mut mean {
                *value *= share;
            }
            mean
        };
        let mut means = vec![Vec::new(); sequences.len()];
        self.team.each(sequences.iter().zip(&mut means).collect(), |(s, to)| *to = mean(s));
        means
    }
}

/// The first `len` numbers of a buffer that grows to the largest batch.
fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Lends the thread's own room to work that hands nothing to other threads.
fn with_own(work: impl FnOnce(&mut Own)) {
    OWN.with_borrow_mut(work);
}
