//! Vectors packed for scanning, and the exact nearest of them.
//!
//! A scan waits for memory, not for arithmetic. So each vector has a code beside it, one byte a
//! number, and a bound of what the code leaves out. A search reads all codes, which is a quarter
//! of the memory, and then only those vectors whose best possible score reaches the `k`-th best
//! certain one. What it finds is what reading every vector would find, to the bit. Only where very
//! many vectors are next to equal are very many read: there it takes longer, and is as exact.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::domain::TicketId;
use crate::model::widest;

/// Rows that are stored together, so that growing never copies all of them. Few in tests, so that
/// these cross from one block into the next.
const BLOCK: usize = if cfg!(test) { 8 } else { 1024 };
/// The largest code, and by its sign the smallest.
const CODES: f32 = 127.0;
/// Independent partial sums, so that a reduction fills vector registers.
const LANES: usize = 16;
/// More than what a handful of roundings in `f64` can take away.
const ROUNDED_UP: f64 = 1.0 + 1e-9;

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
    /// with its product, best first, equals by id. The one at position `skip` is left out. Nothing
    /// is like a query of another length.
    pub(super) fn nearest(
        &self,
        query: &[f32],
        k: usize,
        skip: Option<usize>,
        worth: impl Fn(usize) -> f32,
    ) -> Vec<(TicketId, f32)> {
        if query.len() != self.dimensions {
            return Vec::new();
        }
        let mut best = Top::new(k.min(self.len()));
        for (upper, at) in self.candidates(query, best.k, skip, &worth) {
            // They come by falling bound: from here on none is good enough. Equals are looked at,
            // because of their ids.
            if best.worst().is_some_and(|worst| upper < worst) {
                break;
            }
            let row = &self.blocks[at / BLOCK].vectors[at % BLOCK * self.dimensions..];
            let product = product(query, &row[..self.dimensions]);
            best.offer(Found { score: product + worth(at), id: self.ids[at], product });
        }
        let found = best.heap.into_sorted_vec();
        found.into_iter().map(|found| (found.id, found.product)).collect()
    }

    /// The positions that can be among the `k` nearest, each with a score that it cannot exceed,
    /// highest first.
    fn candidates(
        &self,
        query: &[f32],
        k: usize,
        skip: Option<usize>,
        worth: impl Fn(usize) -> f32,
    ) -> Vec<(f32, usize)> {
        let query = QueryCode::new(query);
        let mut certain = Top::new(k);
        let mut candidates = Vec::new();
        let mut products = [0; BLOCK];
        let mut rows = self.ids.iter().enumerate();
        for block in &self.blocks {
            code_products(&query.codes, &block.codes, &mut products);
            for ((&product, frame), (at, &id)) in products.iter().zip(&block.frames).zip(&mut rows)
            {
                // Rounding keeps the order of sums too, so bounds plus the same are bounds.
                let (lower, upper) = query.bounds(product, *frame);
                let worth = worth(at);
                let (lower, upper) = (lower + worth, upper + worth);
                let possible = certain.worst().is_none_or(|worst| upper >= worst);
                if possible && Some(at) != skip {
                    certain.offer(Found { score: lower, id, product: lower });
                    candidates.push((upper, at));
                }
            }
        }
        if let Some(worst) = certain.worst() {
            candidates.retain(|&(upper, _)| upper >= worst);
        }
        candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        candidates
    }
}

/// Some rows: their codes, what these leave out, and the vectors themselves.
#[derive(Default)]
struct Block {
    codes: Vec<i8>,
    frames: Vec<Frame>,
    vectors: Vec<f32>,
}

/// How a vector's code is to be read: the vector is `scale` times its code plus a remainder whose
/// length is at most `error`.
#[derive(Debug, Clone, Copy)]
struct Frame {
    scale: f32,
    error: f32,
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

/// Appends a vector's code. Whatever rounding does to scale and code, the error is taken from what
/// came out, so the bound holds for any numbers; for those that are not finite it is infinite.
fn encode(vector: &[f32], codes: &mut Vec<i8>) -> Frame {
    let start = codes.len();
    codes.resize(start + vector.len(), 0);
    let code = &mut codes[start..];
    widest(
        #[inline(always)]
        || {
            let mut largest = 0.0f32;
            for x in vector {
                largest = largest.max(x.abs());
            }
            let scale = largest / CODES;
            let steps = scale.recip();
            for (x, c) in vector.iter().zip(&mut *code) {
                *c = (x * steps).round_ties_even().clamp(-CODES, CODES) as i8;
            }
            let scale_64 = f64::from(scale);
            let mut squares = [0.0; LANES];
            let square = |x: f32, c: i8| (f64::from(x) - scale_64 * f64::from(c)).powi(2);
            let ((vectors, vector_rest), (codes, code_rest)) =
                (vector.as_chunks::<LANES>(), code.as_chunks::<LANES>());
            for (x, c) in vectors.iter().zip(codes) {
                for lane in 0..LANES {
                    squares[lane] += square(x[lane], c[lane]);
                }
            }
            for ((x, c), sum) in vector_rest.iter().zip(code_rest).zip(&mut squares) {
                *sum += square(*x, *c);
            }
            let error = (squares.iter().sum::<f64>().sqrt() * ROUNDED_UP) as f32;
            if error.is_finite() {
                Frame { scale, error: error.next_up() }
            } else {
                Frame { scale: 0.0, error: f32::INFINITY }
            }
        },
    )
}

/// A query in whole numbers, and how far its products with codes can be from the truth.
struct QueryCode {
    codes: Vec<i16>,
    scale: f64,
    /// The bound's share for each unit of a vector's error.
    per_error: f64,
    /// The bound's share for each unit of a vector's scale.
    per_scale: f64,
}

impl QueryCode {
    /// With the query `q = s·d + f` and a vector `x = t·c + e` (`s`, `t` scales, `d`, `c` codes):
    /// `q·x = s·t·(d·c) + f·(t·c) + q·e`, and by Cauchy and Schwarz the last two are at most
    /// `|f|·t·|c| + |q|·|e|`.
    fn new(query: &[f32]) -> Self {
        let n = query.len();
        // As fine as it can be while no sum of products leaves 32 bits.
        let steps = i32::MAX as usize / (CODES as usize * n.max(1));
        let steps = steps.min(i16::MAX as usize) as f64;
        let largest = query.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        let scale = f64::from(largest) / steps;
        let codes: Vec<i16> =
            query.iter().map(|x| (f64::from(*x) / scale).round() as i16).collect();
        let length = |squares: f64| squares.sqrt() * ROUNDED_UP;
        let norm = length(query.iter().map(|x| f64::from(*x).powi(2)).sum());
        let remainder = |x: &f32, d: &i16| f64::from(*x) - scale * f64::from(*d);
        let error = length(query.iter().zip(&codes).map(|(x, d)| remainder(x, d).powi(2)).sum());
        // The true score is itself a sum in `f64` that rounds at each step, as is the bound.
        let rounding = norm * (n + 8) as f64 * 4.0 * f64::EPSILON;
        let either = (error + rounding) * ROUNDED_UP;
        let longest_code = f64::from(CODES) * (n as f64).sqrt();
        Self {
            codes,
            scale,
            per_error: (norm + either) * ROUNDED_UP,
            per_scale: either * longest_code * ROUNDED_UP,
        }
    }

    /// What [`product`] is at least and at most, given the product of the codes. Rounding to `f32`
    /// keeps the order of numbers, so scores that round to equals have bounds that do as well.
    fn bounds(&self, product: i32, frame: Frame) -> (f32, f32) {
        let (scale, error) = (f64::from(frame.scale), f64::from(frame.error));
        let middle = self.scale * scale * f64::from(product);
        let margin = self.per_error * error + self.per_scale * scale;
        let (lower, upper) = (middle - margin, middle + margin);
        // Not a number where something was infinite: then nothing is known.
        if lower <= upper {
            (lower as f32, upper as f32)
        } else {
            (f32::NEG_INFINITY, f32::INFINITY)
        }
    }
}

/// The query's products with each code.
fn code_products(query: &[i16], codes: &[i8], products: &mut [i32]) {
    widest(
        #[inline(always)]
        || {
            for (code, product) in codes.chunks_exact(query.len().max(1)).zip(products) {
                let mut sum = 0;
                for (q, c) in query.iter().zip(code) {
                    sum += i32::from(*q) * i32::from(*c);
                }
                *product = sum;
            }
        },
    );
}

/// The score: summed in `f64`, always in the same order, so that equal vectors have equal scores
/// and every processor finds the same ones.
fn product(query: &[f32], vector: &[f32]) -> f32 {
    let mut lanes = [0.0f64; LANES];
    widest(
        #[inline(always)]
        || {
            let (queries, query_rest) = query.as_chunks::<LANES>();
            let (vectors, vector_rest) = vector.as_chunks::<LANES>();
            for (q, v) in queries.iter().zip(vectors) {
                for ((lane, q), v) in lanes.iter_mut().zip(q).zip(v) {
                    *lane += f64::from(*q) * f64::from(*v);
                }
            }
            for ((lane, q), v) in lanes.iter_mut().zip(query_rest).zip(vector_rest) {
                *lane += f64::from(*q) * f64::from(*v);
            }
        },
    );
    // Adding zero makes −0 into 0: equal scores must be equal to the bit.
    lanes.iter().sum::<f64>() as f32 + 0.0
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
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(n: usize) -> TicketId {
        TicketId::new(Uuid::from_u128(n as u128))
    }

    /// Numbers that are hard on bounds: zeros, the smallest, the largest, and everything between.
    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -1.0f32..1.0,
            2 => prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(-1.0), Just(0.5)],
            1 => prop_oneof![Just(f32::MAX), Just(f32::MIN), Just(1e-45), Just(f32::MIN_POSITIVE)],
            1 => any::<f32>().prop_filter("finite", |x| x.is_finite()),
        ]
    }

    /// Vectors of one length, many of them equal or next to equal.
    fn vectors() -> impl Strategy<Value = Vec<Vec<f32>>> {
        (1usize..70).prop_flat_map(|n| {
            let tame = prop::collection::vec(-1.0f32..1.0, n);
            let wild = prop::collection::vec(number(), n);
            let kinds = prop::collection::vec(prop_oneof![3 => tame, 1 => wild], 1..12);
            let rows = prop::collection::vec((any::<prop::sample::Index>(), 0..n, 0u8..3), 1..60);
            (kinds, rows).prop_map(|(kinds, rows)| {
                let row = |(kind, at, change): (prop::sample::Index, usize, u8)| {
                    let mut vector = kind.get(&kinds).clone();
                    match change {
                        0 => vector[at] = vector[at].next_up().min(f32::MAX),
                        1 => vector[at] = -vector[at],
                        _ => {}
                    }
                    vector
                };
                rows.into_iter().map(row).collect()
            })
        })
    }

    fn packed(vectors: &[Vec<f32>]) -> Packed {
        let mut packed = Packed::default();
        // Ids fall, so that their order is not that of the rows.
        for (at, vector) in vectors.iter().enumerate() {
            packed.push(id(vectors.len() - at), vector).unwrap();
        }
        packed
    }

    fn by_brute_force(
        vectors: &[Vec<f32>],
        query: &[f32],
        k: usize,
        skip: Option<usize>,
        worth: impl Fn(usize) -> f32,
    ) -> Vec<(TicketId, f32)> {
        let all = vectors.iter().enumerate().filter(|(at, _)| Some(*at) != skip);
        let mut all: Vec<_> = all
            .map(|(at, v)| (product(query, v), id(vectors.len() - at), worth(at)))
            .map(|(product, id, worth)| (product + worth, id, product))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        all.into_iter().map(|(_, id, product)| (id, product)).collect()
    }

    fn bits(found: &[(TicketId, f32)]) -> Vec<(TicketId, u32)> {
        found.iter().map(|(id, score)| (*id, score.to_bits())).collect()
    }

    proptest! {
        #[test]
        fn codes_hide_nothing(
            vectors in vectors(),
            of in any::<prop::sample::Index>(),
            k in 0usize..20,
            skip in prop::option::of(0usize..60),
            worth in prop::option::of(prop::array::uniform7(0.0f32..2.0)),
        ) {
            let query = of.get(&vectors);
            let worth = |at: usize| worth.map_or(0.0, |worth| worth[at % 7]);
            let found = packed(&vectors).nearest(query, k, skip, worth);
            let expected = by_brute_force(&vectors, query, k, skip, worth);
            prop_assert_eq!(bits(&found), bits(&expected));
        }

        #[test]
        fn a_score_is_within_its_bounds(vectors in vectors(), of in any::<prop::sample::Index>()) {
            let query = of.get(&vectors);
            let code = QueryCode::new(query);
            for vector in &vectors {
                let mut codes = Vec::new();
                let frame = encode(vector, &mut codes);
                let mut products = [0];
                code_products(&code.codes, &codes, &mut products);
                let (lower, upper) = code.bounds(products[0], frame);
                let score = product(query, vector);
                prop_assert!(lower <= score && score <= upper, "{lower} {score} {upper}");
            }
        }

        #[test]
        fn a_score_is_the_product(pairs in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 1..70)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            prop_assert!((f64::from(product(&a, &b)) - exact).abs() <= 1e-12 + exact.abs() * 6e-8);
        }
    }

    #[test]
    fn what_is_no_number_hides_nothing_else() {
        let vectors: Vec<Vec<f32>> = [
            [f32::NAN, 0.0],
            [f32::INFINITY, 1.0],
            [0.0, f32::NEG_INFINITY],
            [0.6, 0.8],
            [0.8, 0.6],
        ]
        .map(Vec::from)
        .into();
        for query in [[0.8, 0.6], [0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 0.0]] {
            for k in 0..6 {
                let found = packed(&vectors).nearest(&query, k, None, |_| 0.0);
                let expected = by_brute_force(&vectors, &query, k, None, |_| 0.0);
                assert_eq!(bits(&found), bits(&expected));
            }
        }
    }

    #[test]
    fn nothing_is_never_less_than_nothing() {
        assert_eq!(product(&[1e-30], &[-1e-30]).to_bits(), 0, "−0 would come after 0");
    }

    #[test]
    fn the_longest_sum_stays_within_32_bits() {
        for n in [1, 384, 1024, 65_537] {
            let query = vec![1.0; n];
            let mut codes = Vec::new();
            let frame = encode(&query, &mut codes);
            let code = QueryCode::new(&query);
            let mut products = [0];
            code_products(&code.codes, &codes, &mut products);
            let (lower, upper) = code.bounds(products[0], frame);
            assert!(lower <= n as f32 && n as f32 <= upper, "{n}: {lower} {upper}");
        }
    }

    #[test]
    fn all_vectors_have_one_length_until_none_is_left() {
        let mut packed = packed(&[vec![1.0, 0.0]]);
        assert_eq!(packed.push(id(9), &[1.0]), Err(OtherLength));
        assert!(packed.nearest(&[1.0], 1, None, |_| 0.0).is_empty());
        packed.swap_remove(1);
        assert_eq!(packed.len(), 1, "there is no second one to remove");
        packed.swap_remove(0);
        assert_eq!(packed.push(id(9), &[1.0]), Ok(()));
        assert_eq!(packed.nearest(&[1.0], 5, None, |_| 0.0), [(id(9), 1.0)]);
    }
}
