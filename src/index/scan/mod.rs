//! Vectors packed for scanning, and the exact nearest of them.
//!
//! A scan waits for memory, not for arithmetic. So each vector has a code beside it, one byte a
//! number, and a bound of what the code leaves out. A search reads all codes, which is a quarter
//! of the memory, and then only those vectors whose best possible score reaches the `k`-th best
//! certain one. What it finds is what reading every vector would find, to the bit. Only where very
//! many vectors are next to equal are very many read: there it takes longer, and is as exact.

mod codes;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use codes::{Frame, QueryCode, code_products, encode, product};

use crate::domain::TicketId;

/// Rows that are stored together, so that growing never copies all of them. Few in tests, so that
/// these cross from one block into the next.
const BLOCK: usize = if cfg!(test) { 8 } else { 1024 };

/// Vectors of one length with the tickets that they belong to, in no particular order.
#[derive(Default)]
pub(super) struct Packed {
    dimensions: usize,
    ids: Vec<TicketId>,
    blocks: Vec<Block>,
}

/// A vector of another length than those that are there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its vector is of another length than the others")]
pub struct OtherLength;

impl Packed {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many numbers a search reads at least.
    pub(super) fn numbers(&self) -> usize {
        self.len() * self.dimensions
    }

    /// The ticket at a position.
    pub(super) fn id(&self, at: usize) -> Option<TicketId> {
        self.ids.get(at).copied()
    }

    /// Adds a vector at the end.
    pub(super) fn push(&mut self, id: TicketId, vector: &[f32]) -> Result<(), OtherLength> {
        if self.ids.is_empty() {
            self.dimensions = vector.len();
        }
        if vector.len() != self.dimensions {
            return Err(OtherLength);
        }
        if self.len().is_multiple_of(BLOCK) {
            self.blocks.push(Block::default());
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(vector);
        }
        self.ids.push(id);
        Ok(())
    }

    /// Takes out the vector at a position and moves the last one there.
    pub(super) fn swap_remove(&mut self, at: usize) {
        let width = self.dimensions;
        let Some(last) = self.len().checked_sub(1).filter(|&last| at <= last) else { return };
        self.ids.swap_remove(at);
        let Some(row) = self.blocks.last_mut().and_then(|block| block.pop(width)) else { return };
        if at < last {
            self.blocks[at / BLOCK].put(at % BLOCK, &row);
        }
        if last.is_multiple_of(BLOCK) {
            self.blocks.pop();
        }
    }

    /// The `k` best for the query by their product with it plus what their position is worth, each
    /// with its product, best first, equals by id. There are `N` such orders, each with a worth of
    /// its own, because what takes the time is reading the codes, and that is done once. The one at
    /// position `skip` is left out. Nothing is like a query of another length.
    pub(super) fn nearest<const N: usize>(
        &self,
        query: &[f32],
        k: usize,
        skip: Option<usize>,
        worth: impl Fn(usize) -> [f32; N],
    ) -> [Vec<(TicketId, f32)>; N] {
        if query.len() != self.dimensions {
            return [const { Vec::new() }; N];
        }
        let k = k.min(self.len());
        let mut order = 0..;
        self.candidates(query, k, skip, &worth).map(|candidates| {
            let mut best = Top::new(k);
            let order = order.next().unwrap_or_default();
            for (upper, at) in candidates {
                // They come by falling bound: from here on none is good enough. Equals are looked
                // at, because of their ids.
                if best.worst().is_some_and(|worst| upper < worst) {
                    break;
                }
                let row = &self.blocks[at / BLOCK].vectors[at % BLOCK * self.dimensions..];
                let product = product(query, &row[..self.dimensions]);
                best.offer(Found { score: product + worth(at)[order], id: self.ids[at], product });
            }
            let found = best.heap.into_sorted_vec();
            found.into_iter().map(|found| (found.id, found.product)).collect()
        })
    }

    /// For each order the positions that can be among its `k` nearest, each with a score that it
    /// cannot exceed, highest first.
    fn candidates<const N: usize>(
        &self,
        query: &[f32],
        k: usize,
        skip: Option<usize>,
        worth: impl Fn(usize) -> [f32; N],
    ) -> [Vec<(f32, usize)>; N] {
        let query = QueryCode::new(query);
        let mut orders = [(); N].map(|()| (Top::new(k), Vec::new()));
        let mut products = [0; BLOCK];
        let mut rows = self.ids.iter().enumerate();
        for block in &self.blocks {
            code_products(&query.codes, &block.codes, &mut products);
            for ((&product, frame), (at, &id)) in products.iter().zip(&block.frames).zip(&mut rows)
            {
                let (lower, upper) = query.bounds(product, *frame);
                for (worth, (certain, candidates)) in worth(at).into_iter().zip(&mut orders) {
                    // Rounding keeps the order of sums too, so bounds plus the same are bounds.
                    let (lower, upper) = (lower + worth, upper + worth);
                    let possible = certain.worst().is_none_or(|worst| upper >= worst);
                    if possible && Some(at) != skip {
                        certain.offer(Found { score: lower, id, product: lower });
                        candidates.push((upper, at));
                    }
                }
            }
        }
        orders.map(|(certain, mut candidates)| {
            if let Some(worst) = certain.worst() {
                candidates.retain(|&(upper, _)| upper >= worst);
            }
            candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            candidates
        })
    }
}

/// Some rows: their codes, what these leave out, and the vectors themselves.
#[derive(Default)]
struct Block {
    codes: Vec<i8>,
    frames: Vec<Frame>,
    vectors: Vec<f32>,
}

/// A row on its way to another place.
type Row = (Vec<i8>, Frame, Vec<f32>);

impl Block {
    fn push(&mut self, vector: &[f32]) {
        self.frames.push(encode(vector, &mut self.codes));
        self.vectors.extend_from_slice(vector);
    }

    fn pop(&mut self, width: usize) -> Option<Row> {
        let frame = self.frames.pop()?;
        let start = self.frames.len() * width;
        Some((self.codes.split_off(start), frame, self.vectors.split_off(start)))
    }

    fn put(&mut self, at: usize, (codes, frame, vector): &Row) {
        let width = vector.len();
        self.codes[at * width..][..width].copy_from_slice(codes);
        self.frames[at] = *frame;
        self.vectors[at * width..][..width].copy_from_slice(vector);
    }
}

/// The best `k` of those offered.
struct Top {
    k: usize,
    /// The worst on top.
    heap: BinaryHeap<Found>,
}

impl Top {
    fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k + 1) }
    }

    fn offer(&mut self, found: Found) {
        if self.heap.len() < self.k {
            self.heap.push(found);
        } else if let Some(mut worst) = self.heap.peek_mut().filter(|worst| found < **worst) {
            *worst = found;
        }
    }

    /// The score that a better one has to reach, once there are `k`.
    fn worst(&self) -> Option<f32> {
        self.heap.peek().filter(|_| self.heap.len() == self.k).map(|worst| worst.score)
    }
}

/// Ordered so that the better one is the lesser: sorted, the best comes first.
#[derive(PartialEq)]
struct Found {
    score: f32,
    id: TicketId,
    /// What of the score is the product.
    product: f32,
}

impl Eq for Found {}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
