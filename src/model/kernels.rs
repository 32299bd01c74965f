//! The encoder's inner loops on plain slices.
//!
//! Each is written so that the compiler vectorises it, and runs through [`widest`], which picks
//! the widest instruction set that the processor has when the program runs. Rows are shared out
//! over the current rayon pool.

use rayon::prelude::*;

use super::simd::{erf, exp, widest};

/// Rows that one task takes at a time: enough work to be worth handing over.
const ROWS: usize = 16;
/// Independent partial sums, so that a reduction fills vector registers.
const LANES: usize = 16;

/// `x ← gelu(x + bias)`, row by row, with the exact (erf) GELU of Hendrycks & Gimpel
/// (arXiv:1606.08415).
pub(super) fn bias_gelu(x: &mut [f32], bias: &[f32]) {
    x.par_chunks_mut(bias.len() * ROWS).for_each(|rows| {
        widest(
            #[inline(always)]
            || {
                for row in rows.chunks_exact_mut(bias.len()) {
                    for (x, b) in row.iter_mut().zip(bias) {
                        *x = gelu(*x + b);
                    }
                }
            },
        );
    });
}

/// `x ← LayerNorm(x + bias + residual)`, row by row (Ba et al., arXiv:1607.06450).
pub(super) fn add_norm(
    x: &mut [f32],
    residual: &[f32],
    bias: &[f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
) {
    let width = gamma.len();
    x.par_chunks_mut(width * ROWS).zip(residual.par_chunks(width * ROWS)).for_each(|(x, r)| {
        widest(
            #[inline(always)]
            || {
                for (x, r) in x.chunks_exact_mut(width).zip(r.chunks_exact(width)) {
                    for ((x, r), b) in x.iter_mut().zip(r).zip(bias) {
                        *x += r + b;
                    }
                    norm_row(x, gamma, beta, eps);
                }
            },
        );
    });
}

/// `x ← LayerNorm(x)`, row by row.
pub(super) fn norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    x.par_chunks_mut(gamma.len() * ROWS).for_each(|rows| {
        widest(
            #[inline(always)]
            || {
                for row in rows.chunks_exact_mut(gamma.len()) {
                    norm_row(row, gamma, beta, eps);
                }
            },
        );
    });
}

/// Multi-head self-attention within each sequence of a packed batch.
///
/// `qkv` is `[tokens, 3 × hidden]` before its bias, `out` `[tokens, hidden]`; `lengths` are the
/// sequences' token counts, in order.
pub(super) fn attention(
    qkv: &[f32],
    bias: &[f32],
    lengths: &[usize],
    heads: usize,
    out: &mut [f32],
) {
    let hidden = bias.len() / 3;
    let width = hidden / heads;
    let mut sequences = Vec::with_capacity(lengths.len());
    let (mut qkv, mut out) = (qkv, out);
    for &n in lengths {
        let (q, rest_q) = qkv.split_at(n * 3 * hidden);
        let (o, rest_o) = out.split_at_mut(n * hidden);
        sequences.push((n, q, o));
        (qkv, out) = (rest_q, rest_o);
    }
    sequences.into_par_iter().for_each(|(n, qkv, out)| {
        // Heads write interleaved columns of `out`, so each computes into a block of its own.
        let blocks: Vec<Vec<f32>> = (0..heads)
            .into_par_iter()
            .map(|head| {
                let mut block = vec![0.0; n * width];
                widest(
                    #[inline(always)]
                    || attend(qkv, bias, n, hidden, head * width, width, &mut block),
                );
                block
            })
            .collect();
        for (row, out) in out.chunks_exact_mut(hidden).enumerate() {
            for (head, out) in out.chunks_exact_mut(width).enumerate() {
                out.copy_from_slice(&blocks[head][row * width..][..width]);
            }
        }
    });
}

/// One head of one sequence. The key's bias is left out: it adds the same to every score of a
/// query, which the softmax takes away again.
#[inline(always)]
fn attend(
    qkv: &[f32],
    bias: &[f32],
    n: usize,
    hidden: usize,
    column: usize,
    width: usize,
    out: &mut [f32],
) {
    let scale = 1.0 / (width as f32).sqrt();
    let mut keys = vec![0.0; width * n];
    let mut values = vec![0.0; n * width];
    let value_bias = &bias[2 * hidden + column..][..width];
    for (t, row) in qkv.chunks_exact(3 * hidden).enumerate() {
        for (d, k) in row[hidden + column..][..width].iter().enumerate() {
            keys[d * n + t] = *k;
        }
        let value = &mut values[t * width..][..width];
        for ((v, x), b) in
            value.iter_mut().zip(&row[2 * hidden + column..][..width]).zip(value_bias)
        {
            *v = x + b;
        }
    }
    let query_bias = &bias[column..][..width];
    let mut scores = vec![0.0; n];
    for (row, out) in qkv.chunks_exact(3 * hidden).zip(out.chunks_exact_mut(width)) {
        scores.fill(0.0);
        for ((q, b), keys) in
            row[column..][..width].iter().zip(query_bias).zip(keys.chunks_exact(n))
        {
            let q = (q + b) * scale;
            for (s, k) in scores.iter_mut().zip(keys) {
                *s += q * k;
            }
        }
        softmax(&mut scores);
        for (p, value) in scores.iter().zip(values.chunks_exact(width)) {
            for (o, v) in out.iter_mut().zip(value) {
                *o += p * v;
            }
        }
    }
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for s in scores.iter_mut() {
        *s = exp(*s - max);
    }
    let inverse = 1.0 / sum(scores, |s| s);
    for s in scores.iter_mut() {
        *s *= inverse;
    }
}

#[inline(always)]
fn norm_row(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let n = row.len() as f32;
    let mean = sum(row, |x| x) / n;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    for ((x, g), b) in row.iter_mut().zip(gamma).zip(beta) {
        *x = (*x - mean) * scale * g + b;
    }
}

#[inline(always)]
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// erf by its Taylor series in `f64`, good to 1e-12 for |x| < 3.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut total) = (x, x);
        for n in 1..80 {
            term *= -x * x / f64::from(n);
            total += term / f64::from(2 * n + 1);
        }
        total * std::f64::consts::FRAC_2_SQRT_PI
    }

    proptest! {
        #[test]
        fn exp_is_close(x in -87.0f32..88.0) {
            let exact = f64::from(x).exp();
            prop_assert!(((f64::from(exp(x)) - exact) / exact).abs() < 3e-7);
        }

        #[test]
        fn gelu_is_close(x in -4.0f32..4.0) {
            let x64 = f64::from(x);
            let exact = 0.5 * x64 * (1.0 + erf_series(x64 / 2f64.sqrt()));
            prop_assert!((f64::from(gelu(x)) - exact).abs() < 2e-6);
        }

        #[test]
        fn a_normed_row_has_no_mean_and_unit_variance(row in prop::collection::vec(-9.0f32..9.0, 33..40)) {
            let n = row.len();
            let mut x = row.clone();
            x[0] += 1.0; // never constant
            norm(&mut x, &vec![1.0; n], &vec![0.0; n], 1e-12);
            let mean = x.iter().sum::<f32>() / n as f32;
            let var = x.iter().map(|x| x * x).sum::<f32>() / n as f32;
            prop_assert!(mean.abs() < 1e-4 && (var - 1.0).abs() < 1e-2, "{mean} {var}");
        }
    }

    #[test]
    fn equal_values_pass_through_attention_whatever_the_scores() {
        let (n, hidden, heads) = (5, 8, 2);
        let mut qkv: Vec<f32> = (0..n * 3 * hidden).map(|i| (i as f32 * 0.37).sin()).collect();
        for row in qkv.chunks_exact_mut(3 * hidden) {
            row[2 * hidden..].fill(0.25);
        }
        let mut bias = vec![0.5; 3 * hidden];
        bias[2 * hidden..].fill(1.0);
        let mut out = vec![0.0; n * hidden];
        attention(&qkv, &bias, &[2, 3], heads, &mut out);
        assert!(out.iter().all(|o| (o - 1.25).abs() < 1e-5), "{out:?}");
    }
}
