//! The encoder's inner loops with their gradients, on plain slices and one thread.
//!
//! Nothing is kept from the forward pass but its input: what the gradient needs is computed again,
//! which costs less than reading it from memory.

use deskhand::simd::{erf, exp, widest};

use super::noise::Dropout;

/// Independent partial sums, so that a reduction fills vector registers.
const LANES: usize = 16;

/// `y = gelu(x + bias)`, row by row, with the exact (erf) GELU (Hendrycks & Gimpel,
/// arXiv:1606.08415).
pub(super) fn bias_gelu(x: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    widest(
        #[inline(always)]
        || {
            for (y, x) in y.chunks_exact_mut(bias.len()).zip(x.chunks_exact(bias.len())) {
                for ((y, x), b) in y.iter_mut().zip(x).zip(bias) {
                    let z = x + b;
                    *y = z * normal_cdf(z);
                }
            }
        },
    );
    y
}

/// The gradients of [`bias_gelu`] by `x` and `bias`, from that by its result.
pub(super) fn bias_gelu_gradient(x: &[f32], bias: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    /// 1 / √2π.
    const PEAK: f32 = 0.398_942_3;
    let (mut dx, mut dbias) = (vec![0.0; x.len()], vec![0.0; bias.len()]);
    let width = bias.len();
    widest(
        #[inline(always)]
        || {
            let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for ((dx, x), g) in rows.zip(grad.chunks_exact(width)) {
                for ((((dx, x), g), b), db) in dx.iter_mut().zip(x).zip(g).zip(bias).zip(&mut dbias)
                {
                    let z = x + b;
                    *dx = g * (normal_cdf(z) + z * PEAK * exp(-0.5 * z * z));
                    *db += *dx;
                }
            }
        },
    );
    (dx, dbias)
}

/// What [`add_norm`] adds and scales by, one value a column each.
#[derive(Clone, Copy)]
pub(super) struct Norm<'a> {
    /// The linear layer's bias.
    pub(super) bias: &'a [f32],
    /// `LayerNorm`'s scale.
    pub(super) gamma: &'a [f32],
    /// `LayerNorm`'s shift.
    pub(super) beta: &'a [f32],
    /// `LayerNorm`'s ε.
    pub(super) eps: f32,
}

impl<'a> Norm<'a> {
    /// From bias, scale and shift, one after the other.
    pub(super) fn new(parameters: &'a [f32], eps: f32) -> Self {
        let (bias, rest) = parameters.split_at(parameters.len() / 3);
        let (gamma, beta) = rest.split_at(bias.len());
        Self { bias, gamma, beta, eps }
    }

    /// Writes a row of the sum, standardised; returns one over its standard deviation.
    #[inline(always)]
    fn standardise(
        &self,
        x: &[f32],
        residual: &[f32],
        dropout: Dropout,
        place: usize,
        out: &mut [f32],
    ) -> f32 {
        for (column, (((out, x), r), b)) in
            out.iter_mut().zip(x).zip(residual).zip(self.bias).enumerate()
        {
            *out = r + (x + b) * dropout.factor(place + column);
        }
        let n = out.len() as f32;
        let mean = sum(out, |x| x) / n;
        let variance = sum(out, |x| (x - mean) * (x - mean)) / n;
        let scale = 1.0 / (variance + self.eps).sqrt();
        for x in out {
            *x = (*x - mean) * scale;
        }
        scale
    }
}

/// `y = LayerNorm(residual + dropout(x + bias))`, row by row (Ba et al., arXiv:1607.06450).
pub(super) fn add_norm(x: &[f32], residual: &[f32], norm: Norm<'_>, dropout: Dropout) -> Vec<f32> {
    let width = norm.bias.len();
    let mut y = vec![0.0; x.len()];
    widest(
        #[inline(always)]
        || {
            let rows = x.chunks_exact(width).zip(residual.chunks_exact(width));
            for (n, ((x, r), y)) in rows.zip(y.chunks_exact_mut(width)).enumerate() {
                norm.standardise(x, r, dropout, n * width, y);
                for ((y, g), b) in y.iter_mut().zip(norm.gamma).zip(norm.beta) {
                    *y = *y * g + b;
                }
            }
        },
    );
    y
}

/// The gradients of [`add_norm`] by `x`, by the residual, and by bias, scale and shift one after
/// the other.
pub(super) fn add_norm_gradient(
    x: &[f32],
    residual: &[f32],
    norm: Norm<'_>,
    dropout: Dropout,
    grad: &[f32],
) -> [Vec<f32>; 3] {
    let width = norm.bias.len();
    let [mut dx, mut dresidual] = [vec![0.0; x.len()], vec![0.0; x.len()]];
    let mut dparameters = vec![0.0; 3 * width];
    widest(
        #[inline(always)]
        || {
            let (dbias, rest) = dparameters.split_at_mut(width);
            let (dgamma, dbeta) = rest.split_at_mut(width);
            let (mut standard, mut scaled) = (vec![0.0; width], vec![0.0; width]);
            let inputs = x.chunks_exact(width).zip(residual.chunks_exact(width));
            let outputs = dx.chunks_exact_mut(width).zip(dresidual.chunks_exact_mut(width));
            for (n, (((x, r), (dx, dr)), g)) in
                inputs.zip(outputs).zip(grad.chunks_exact(width)).enumerate()
            {
                let place = n * width;
                let scale = norm.standardise(x, r, dropout, place, &mut standard);
                for (((dgamma, dbeta), g), s) in
                    dgamma.iter_mut().zip(dbeta.iter_mut()).zip(g).zip(&standard)
                {
                    *dgamma += g * s;
                    *dbeta += g;
                }
                for ((out, g), gamma) in scaled.iter_mut().zip(g).zip(norm.gamma) {
                    *out = g * gamma;
                }
                let mean = sum(&scaled, |x| x) / width as f32;
                let along = dot(&scaled, &standard) / width as f32;
                for ((dr, g), s) in dr.iter_mut().zip(&scaled).zip(&standard) {
                    *dr = (g - mean - s * along) * scale;
                }
                for (column, ((dx, dr), db)) in
                    dx.iter_mut().zip(&*dr).zip(dbias.iter_mut()).enumerate()
                {
                    *dx = dr * dropout.factor(place + column);
                    *db += *dx;
                }
            }
        },
    );
    [dx, dresidual, dparameters]
}

/// The shape of self-attention within each sequence of a packed batch.
#[derive(Debug, Clone)]
pub(super) struct Packing {
    /// Tokens of each sequence, in order.
    pub(super) lengths: Vec<usize>,
    /// Attention heads.
    pub(super) heads: usize,
    /// On the attention probabilities.
    pub(super) dropout: Dropout,
}

/// One head of one sequence, laid out for the inner loops.
struct Head {
    tokens: usize,
    width: usize,
    /// Scaled, with bias: `[tokens, width]`.
    queries: Vec<f32>,
    /// Without bias, which the softmax would take away again: `[tokens, width]`.
    keys: Vec<f32>,
    /// With bias: `[tokens, width]`.
    values: Vec<f32>,
    /// After the softmax, before dropout: `[tokens, tokens]`.
    probabilities: Vec<f32>,
    /// Where the dropout of these probabilities begins.
    place: usize,
}

impl Head {
    /// `rows` are the sequence's `[tokens, 3 × hidden]` before the bias.
    #[inline(always)]
    fn new(rows: &[f32], bias: &[f32], head: usize, width: usize, place: usize) -> Self {
        let hidden = bias.len() / 3;
        let tokens = rows.len() / bias.len();
        let scale = 1.0 / (width as f32).sqrt();
        let part = |which: usize, with_bias: bool, scale: f32| {
            let column = which * hidden + head * width;
            let mut out = Vec::with_capacity(tokens * width);
            for row in rows.chunks_exact(bias.len()) {
                let biases = &bias[column..][..width];
                let values = row[column..][..width].iter().zip(biases);
                out.extend(values.map(|(x, b)| if with_bias { (x + b) * scale } else { *x }));
            }
            out
        };
        let (queries, keys) = (part(0, true, scale), part(1, false, 1.0));
        let transposed = transpose(&keys, width);
        let mut probabilities = vec![0.0; tokens * tokens];
        for (query, scores) in
            queries.chunks_exact(width).zip(probabilities.chunks_exact_mut(tokens))
        {
            for (q, keys) in query.iter().zip(transposed.chunks_exact(tokens)) {
                for (s, k) in scores.iter_mut().zip(keys) {
                    *s += q * k;
                }
            }
            softmax(scores);
        }
        Self { tokens, width, queries, keys, values: part(2, true, 1.0), probabilities, place }
    }

    #[inline(always)]
    fn attended(&self, dropout: Dropout) -> Vec<f32> {
        let mut out = vec![0.0; self.tokens * self.width];
        let rows = self.probabilities.chunks_exact(self.tokens);
        for (n, (row, out)) in rows.zip(out.chunks_exact_mut(self.width)).enumerate() {
            let place = self.place + n * self.tokens;
            for (m, (p, value)) in row.iter().zip(self.values.chunks_exact(self.width)).enumerate()
            {
                let p = p * dropout.factor(place + m);
                for (o, v) in out.iter_mut().zip(value) {
                    *o += p * v;
                }
            }
        }
        out
    }

    /// The gradients by query, key and value before bias and scale, each `[tokens, width]`, from
    /// that by what was attended.
    #[inline(always)]
    fn gradients(&self, grad: &[f32], dropout: Dropout) -> [Vec<f32>; 3] {
        let (tokens, width) = (self.tokens, self.width);
        let [mut dq, mut dk, mut dv] = std::array::from_fn(|_| vec![0.0; tokens * width]);
        let transposed = transpose(&self.values, width);
        let mut dp = vec![0.0; tokens];
        for (n, (row, g)) in
            self.probabilities.chunks_exact(tokens).zip(grad.chunks_exact(width)).enumerate()
        {
            let place = self.place + n * tokens;
            dp.fill(0.0);
            for (g, values) in g.iter().zip(transposed.chunks_exact(tokens)) {
                for (d, v) in dp.iter_mut().zip(values) {
                    *d += g * v;
                }
            }
            for (m, ((d, p), dv)) in
                dp.iter_mut().zip(row).zip(dv.chunks_exact_mut(width)).enumerate()
            {
                let kept = dropout.factor(place + m);
                *d *= kept;
                let p = p * kept;
                for (dv, g) in dv.iter_mut().zip(g) {
                    *dv += p * g;
                }
            }
            // The softmax's gradient.
            let expected: f32 = dp.iter().zip(row).map(|(d, p)| d * p).sum();
            let query = &self.queries[n * width..][..width];
            let dq = &mut dq[n * width..][..width];
            for (m, (d, p)) in dp.iter().zip(row).enumerate() {
                let ds = p * (d - expected);
                for (dq, k) in dq.iter_mut().zip(&self.keys[m * width..][..width]) {
                    *dq += ds * k;
                }
                for (dk, q) in dk[m * width..][..width].iter_mut().zip(query) {
                    *dk += ds * q;
                }
            }
        }
        let scale = 1.0 / (width as f32).sqrt();
        for dq in &mut dq {
            *dq *= scale;
        }
        [dq, dk, dv]
    }
}

/// Multi-head self-attention within each sequence of a packed batch (Vaswani et al. 2017).
/// `qkv` is `[tokens, 3 × hidden]` before its bias; the result is `[tokens, hidden]`.
pub(super) fn attention(qkv: &[f32], bias: &[f32], packing: &Packing) -> Vec<f32> {
    let hidden = bias.len() / 3;
    let mut out = vec![0.0; qkv.len() / 3];
    each_head(
        qkv,
        bias,
        packing,
        #[inline(always)]
        |head, first, column| {
            let attended = head.attended(packing.dropout);
            for (n, row) in attended.chunks_exact(head.width).enumerate() {
                out[(first + n) * hidden + column..][..head.width].copy_from_slice(row);
            }
        },
    );
    out
}

/// The gradients of [`attention`] by `qkv` and `bias`, from that by its result.
pub(super) fn attention_gradient(
    qkv: &[f32],
    bias: &[f32],
    packing: &Packing,
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let hidden = bias.len() / 3;
    let (mut dqkv, mut dbias) = (vec![0.0; qkv.len()], vec![0.0; bias.len()]);
    each_head(
        qkv,
        bias,
        packing,
        #[inline(always)]
        |head, first, column| {
            let mut own = Vec::with_capacity(head.tokens * head.width);
            for n in first..first + head.tokens {
                own.extend_from_slice(&grad[n * hidden + column..][..head.width]);
            }
            let gradients = head.gradients(&own, packing.dropout);
            for (which, gradient) in gradients.iter().enumerate() {
                for (n, row) in gradient.chunks_exact(head.width).enumerate() {
                    let at = (first + n) * 3 * hidden + which * hidden + column;
                    dqkv[at..][..head.width].copy_from_slice(row);
                }
            }
        },
    );
    // The key's bias adds the same to every score of a query: its gradient is zero.
    for row in dqkv.chunks_exact(3 * hidden) {
        for (n, (db, d)) in dbias.iter_mut().zip(row).enumerate() {
            if n / hidden != 1 {
                *db += d;
            }
        }
    }
    (dqkv, dbias)
}

/// Calls back with each head, its sequence's first row and its own first column.
fn each_head(
    qkv: &[f32],
    bias: &[f32],
    packing: &Packing,
    mut then: impl FnMut(&Head, usize, usize),
) {
    let width = bias.len() / 3 / packing.heads;
    let (mut first, mut place) = (0, 0);
    for &tokens in &packing.lengths {
        let rows = &qkv[first * bias.len()..][..tokens * bias.len()];
        for head in 0..packing.heads {
            widest(
                #[inline(always)]
                || then(&Head::new(rows, bias, head, width, place), first, head * width),
            );
            place += tokens * tokens;
        }
        first += tokens;
    }
}

#[inline(always)]
fn transpose(rows: &[f32], width: usize) -> Vec<f32> {
    let tokens = rows.len() / width;
    let mut out = vec![0.0; rows.len()];
    for (n, row) in rows.chunks_exact(width).enumerate() {
        for (d, x) in row.iter().enumerate() {
            out[d * tokens + n] = *x;
        }
    }
    out
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for s in scores.iter_mut() {
        *s = exp(*s - max);
    }
    let inverse = 1.0 / sum(scores, |s| s);
    for s in scores {
        *s *= inverse;
    }
}

#[inline(always)]
fn normal_cdf(z: f32) -> f32 {
    0.5 * (1.0 + erf(z * std::f32::consts::FRAC_1_SQRT_2))
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
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + rest
}
