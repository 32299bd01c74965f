//! Functions of sixteen numbers at a time, and passes over blocks of them.

use super::lanes::Lanes;

/// What stands between the two linear layers of a transformer's second half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Activation {
    /// `x Φ(x)` (Hendrycks & Gimpel, arXiv:1606.08415).
    Gelu,
    /// The same with the hyperbolic tangent in place of Φ, as GPT-2 and some BERTs were trained.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    #[inline(always)]
    pub(super) fn apply<L: Lanes>(self, l: L, values: &mut [f32]) {
        // Plain loops: a closure handed to the standard library would not be compiled for `L`.
        let rows = values.as_chunks_mut::<16>().0;
        match self {
            Self::Gelu => {
                for row in rows {
                    l.store(gelu(l, l.load(row)), row);
                }
            }
            Self::GeluTanh => {
                for row in rows {
                    l.store(gelu_tanh(l, l.load(row)), row);
                }
            }
            Self::Relu => {
                for row in rows {
                    l.store(l.max(l.load(row), l.splat(0.0)), row);
                }
            }
        }
    }
}

#[inline(always)]
fn horner<L: Lanes, const N: usize>(l: L, x: L::V, coefficients: [f32; N]) -> L::V {
    let mut sum = l.splat(coefficients[N - 1]);
    for &c in coefficients[..N - 1].iter().rev() {
        sum = l.fma(sum, x, l.splat(c));
    }
    sum
}

/// `x Φ(x)`, absolute error under 2e-6. `erf(x/√2)` is `x` times a rational function of `x²`,
/// fitted to the smallest greatest error for |x| ≤ 5.2; beyond, it is 1 to all digits.
#[inline(always)]
fn gelu<L: Lanes>(l: L, x: L::V) -> L::V {
    const P: [f32; 6] =
        [0.797_884_5, 0.065_089_17, 0.009_217_292, 3.137_235_2e-4, 1.281_575_3e-5, 4.946_203e-8];
    const Q: [f32; 6] =
        [1.0, 0.248_243_52, 0.027_926_705, 0.001_817_203_5, 7.049_608_4e-5, 1.258_864_3e-6];
    let z = l.max(l.min(x, l.splat(5.2)), l.splat(-5.2));
    let t = l.mul(z, z);
    let erf = l.div(l.mul(z, horner(l, t, P)), horner(l, t, Q));
    let half = l.mul(x, l.splat(0.5));
    l.fma(half, erf, half)
}

/// `x / (1 + e^(−2u))` with `u = √(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn gelu_tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    const SCALE: f32 = -2.0 * 0.797_884_6 * std::f32::consts::LOG2_E;
    let cubic = horner(l, l.mul(x, x), [SCALE, SCALE * 0.044_715]);
    let e = exp2(l, l.mul(x, cubic));
    l.div(x, l.add(e, l.splat(1.0)))
}

/// `2^x` for `x` from −126 to 127 (clamped to that), relative error under 2e-7: the whole part
/// goes straight into the exponent, the rest into a polynomial.
#[inline(always)]
pub(super) fn exp2<L: Lanes>(l: L, x: L::V) -> L::V {
    /// Adding it rounds to a whole number and leaves that in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const POLY: [f32; 7] = [
        1.0,
        std::f32::consts::LN_2,
        0.240_226_48,
        0.055_503_298,
        0.009_618_375,
        0.001_339_969,
        1.537_053_6e-4,
    ];
    let x = l.max(l.min(x, l.splat(127.0)), l.splat(-126.0));
    let n = l.add(x, l.splat(ROUND));
    let rest = l.sub(x, l.sub(n, l.splat(ROUND)));
    l.add_exponent(n, horner(l, rest, POLY))
}

/// `LayerNorm` (Ba et al., arXiv:1607.06450) of every token of a block, in place.
#[inline(always)]
pub(super) fn layer_norm<L: Lanes, const W: usize>(
    l: L,
    block: &mut [f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
) {
    let rows = &mut block.as_chunks_mut::<W>().0[..gamma.len()];
    let share = l.splat(1.0 / gamma.len() as f32);
    for column in 0..W / 16 {
        let mut mean = l.splat(0.0);
        for row in rows.iter() {
            mean = l.add(mean, l.load(&row.as_chunks::<16>().0[column]));
        }
        let mean = l.mul(mean, share);
        let mut variance = l.splat(0.0);
        for row in rows.iter() {
            let off = l.sub(l.load(&row.as_chunks::<16>().0[column]), mean);
            variance = l.fma(off, off, variance);
        }
        let deviation = l.sqrt(l.fma(variance, share, l.splat(eps)));
        let scale = l.div(l.splat(1.0), deviation);
        for ((row, &g), &b) in rows.iter_mut().zip(gamma).zip(beta) {
            let cell = &mut row.as_chunks_mut::<16>().0[column];
            let off = l.mul(l.sub(l.load(cell), mean), scale);
            l.store(l.fma(off, l.splat(g), l.splat(b)), cell);
        }
    }
}
