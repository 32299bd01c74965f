//! Kernels that the compiler vectorises, for the processor at hand.

use pulp::Arch;

/// Runs a kernel with the widest instruction set that the processor has. The bound is what makes a
/// closure here one that is called once; any other would be called by way of a function that is
/// compiled for the narrowest.
#[inline(always)]
pub fn widest<R>(kernel: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(kernel)
}

/// The error function after Abramowitz & Stegun 7.1.26; absolute error under 5e-7 in `f32`.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let z = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    (1.0 - poly * exp(-z * z)).copysign(x)
}

/// `e^x` for `x` from −87 to 88 (clamped to that), relative error under 3e-7: the exponent's whole
/// part goes straight into the bits, the rest into a polynomial (Cephes).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and taking away 1.5 × 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts, so that the difference keeps its low bits.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let poly = 1.0
        + r * (1.0
            + r * (0.5
                + r * (0.166_666_66
                    + r * (0.041_665_796
                        + r * (0.008_333_452 + r * (0.001_398_2 + r * 1.987_569e-4))))));
    f32::from_bits((((n as i32) + 127) << 23) as u32) * poly
}
