//! One byte for each number of a vector, and rigorous bounds of what that leaves out.

use crate::simd::widest;

/// The largest code, and by its sign the smallest.
const CODES: f32 = 127.0;
/// Independent partial sums, so that a reduction fills vector registers.
const LANES: usize = 16;
/// More than what a handful of roundings in `f64` can take away.
const ROUNDED_UP: f64 = 1.0 + 1e-9;

/// How a vector's code is to be read: the vector is `scale` times its code plus a remainder whose
/// length is at most `error`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    scale: f32,
    error: f32,
}

/// Appends a vector's code. Whatever rounding does to scale and code, the error is taken from what
/// came out, so the bound holds for any numbers; for those that are not finite it is infinite.
pub(super) fn encode(vector: &[f32], codes: &mut Vec<i8>) -> Frame {
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
pub(super) struct QueryCode {
    pub(super) codes: Vec<i16>,
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
    pub(super) fn new(query: &[f32]) -> Self {
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
    pub(super) fn bounds(&self, product: i32, frame: Frame) -> (f32, f32) {
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
pub(super) fn code_products(query: &[i16], codes: &[i8], products: &mut [i32]) {
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
pub(super) fn product(query: &[f32], vector: &[f32]) -> f32 {
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
