//! Every instruction set that runs here, against plain arithmetic and against each other.

use proptest::prelude::*;

use super::linear::Then;
use super::*;
use crate::model::Precision;

/// Calls a function with each instruction set.
macro_rules! on_each {
    ($isa:expr, $l:ident => $body:expr) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni($l) => $l.run(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512($l) => $l.run(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2($l) => $l.run(
                #[inline(always)]
                || $body,
            ),
            Isa::Portable($l) => $l.run(
                #[inline(always)]
                || $body,
            ),
        }
    };
}

#[inline(always)]
fn exp2_of<L: Lanes>(l: L, x: &mut [f32; 16]) {
    l.store(math::exp2(l, l.load(x)), x);
}

#[inline(always)]
fn activated<L: Lanes>(l: L, activation: Activation, x: &mut [f32; 16]) {
    activation.apply(l, x);
}

#[inline(always)]
fn normed<L: Lanes, const W: usize>(l: L, x: &mut [f32], gamma: &[f32], beta: &[f32]) {
    layer_norm::<L, W>(l, x, gamma, beta, 1e-12);
}

#[inline(always)]
fn applied<L: Lanes, const W: usize>(
    l: L,
    linear: &Linear,
    x: &[f32],
    out: &mut [f32],
    then: Then<'_>,
) {
    linear.apply_all::<L, W>(l, x, &mut Packed::default(), out, then);
}

/// erf by its Taylor series in `f64`, good to 1e-12 for |x| < 4.
fn erf(x: f64) -> f64 {
    let (mut term, mut total) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        total += term / f64::from(2 * n + 1);
    }
    total * std::f64::consts::FRAC_2_SQRT_PI
}

proptest! {
    #[test]
    fn exp2_is_close(x in prop::array::uniform16(-126.0f32..127.0)) {
        for isa in Isa::all() {
            let mut y = x;
            on_each!(isa, l => exp2_of(l, &mut y));
            for (x, y) in x.iter().zip(y) {
                let exact = f64::from(*x).exp2();
                prop_assert!(((f64::from(y) - exact) / exact).abs() < 3e-7, "{isa:?} {x} {y}");
            }
        }
    }

    #[test]
    fn activations_are_close(x in prop::array::uniform16(-5.6f32..5.6)) {
        for isa in Isa::all() {
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
                let mut y = x;
                on_each!(isa, l => activated(l, activation, &mut y));
                for (x, y) in x.iter().zip(y) {
                    let x = f64::from(*x);
                    let exact = match activation {
                        Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
                        Activation::GeluTanh => {
                            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                            0.5 * x * (1.0 + u.tanh())
                        }
                        Activation::Relu => x.max(0.0),
                    };
                    prop_assert!((f64::from(y) - exact).abs() < 3e-6, "{isa:?} {activation:?} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn large_values_pass_activations_or_vanish(x in 6.0f32..1e30) {
        for isa in Isa::all() {
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
                let mut y = [0.0; 16];
                (y[0], y[1]) = (x, -x);
                on_each!(isa, l => activated(l, activation, &mut y));
                prop_assert!((y[0] / x - 1.0).abs() < 1e-6, "{isa:?} {activation:?} {x} {}", y[0]);
                // erf is 1 only to the last digits of a number of this size.
                prop_assert!(y[1].abs() <= x * 1e-6, "{isa:?} {activation:?} {x} {}", y[1]);
            }
        }
    }

    #[test]
    fn a_normed_token_has_no_mean_and_unit_variance(
        values in prop::collection::vec(-9.0f32..9.0, 37 * 32),
    ) {
        for isa in Isa::all() {
            let (gamma, beta) = (vec![1.0; 37], vec![0.0; 37]);
            let mut x = values.clone();
            on_each!(isa, l => normed::<_, 32>(l, &mut x, &gamma, &beta));
            for column in 0..32 {
                let token: Vec<f32> = x.iter().skip(column).step_by(32).copied().collect();
                let mean = token.iter().sum::<f32>() / 37.0;
                let variance = token.iter().map(|x| x * x).sum::<f32>() / 37.0;
                prop_assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{isa:?} {mean} {variance}");
            }
        }
    }

    #[test]
    fn products_are_right(inputs in 1usize..70, outputs in 1usize..40, seed in any::<u32>()) {
        let mut random = random(seed);
        let weights: Vec<f32> = (0..inputs * outputs).map(|_| random()).collect();
        let bias: Vec<f32> = (0..outputs).map(|_| random()).collect();
        let mut x: Vec<f32> = (0..rows(inputs) * 32).map(|_| random()).collect();
        // What is beyond the inputs changes nothing.
        x[inputs * 32..].fill(f32::NAN);
        let residual: Vec<f32> = (0..rows(outputs) * 32).map(|_| random()).collect();
        for (isa, tiles) in with_and_without_tiles() {
            let linear = Linear::for_tiles(&weights, &bias, inputs, Precision::F32, tiles);
            let mut wide = vec![f32::NAN; linear.rows() * 32];
            on_each!(isa, l => applied::<_, 32>(l, &linear, &x, &mut wide, Then::Add(&residual)));
            let mut half = vec![f32::NAN; linear.rows() * 16];
            on_each!(isa, l => applied::<_, 16>(l, &linear, &x, &mut half, Then::Done));
            for o in 0..outputs {
                let product = |width: usize, column: usize| {
                    let terms = (0..inputs).map(|i| weights[o * inputs + i] * x[i * width + column]);
                    bias[o] + terms.sum::<f32>()
                };
                for column in 0..32 {
                    let at = o * 32 + column;
                    prop_assert!((wide[at] - product(32, column) - residual[at]).abs() < 1e-4);
                }
                for column in 0..16 {
                    prop_assert!((half[o * 16 + column] - product(16, column)).abs() < 1e-4);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn products_of_bytes_are_those_of_the_definition(
        inputs in 1usize..70, outputs in 1usize..40, seed in any::<u32>(),
    ) {
        let mut random = random(seed);
        let weights: Vec<f32> = (0..inputs * outputs).map(|_| random()).collect();
        let bias: Vec<f32> = (0..outputs).map(|_| random()).collect();
        let mut x: Vec<f32> = (0..rows(inputs) * 32).map(|_| random()).collect();
        // What is beyond the inputs changes nothing.
        x[inputs * 32..].fill(1e9);
        for (isa, tiles) in with_and_without_tiles() {
            let linear = Linear::for_tiles(&weights, &bias, inputs, Precision::Int8, tiles);
            let mut found = vec![f32::NAN; linear.rows() * 32];
            on_each!(isa, l => applied::<_, 32>(l, &linear, &x, &mut found, Then::Done));
            for column in 0..32 {
                let token: Vec<f32> = (0..inputs).map(|i| x[i * 32 + column]).collect();
                let bounds = token.iter().fold((0.0f32, 0.0f32), |(l, h), x| (l.min(*x), h.max(*x)));
                let step = (bounds.1 - bounds.0) / 255.0;
                for o in 0..outputs {
                    let row = &weights[o * inputs..][..inputs];
                    let scale = row.iter().fold(0.0f32, |most, w| most.max(w.abs())) / 127.0;
                    let exact: f32 = bias[o] + row.iter().zip(&token).map(|(w, x)| w * x).sum::<f32>();
                    // Half a step of each input and of each weight, and of the zero point.
                    let off: f32 = row.iter().map(|w| w.abs() * step).sum::<f32>()
                        + token.iter().map(|x| (x.abs() + step) * 0.5 * scale).sum::<f32>();
                    let found = found[o * 32 + column];
                    prop_assert!((found - exact).abs() <= off + 1e-4, "{isa:?} {found} {exact} {off}");
                }
            }
        }
    }
}

#[test]
fn bytes_cost_little_and_every_instruction_set_agrees() {
    let embed = |at: usize, out: &mut [f32]| {
        for (d, value) in out.iter_mut().enumerate() {
            *value = ((at * 31 + d * 7) as f32 * 0.37).sin();
        }
    };
    for lengths in [vec![1], vec![13, 32, 1, 50], (1..40).collect()] {
        let (exact, norm) = engine(40, 5, 2, Precision::F32, None);
        let exact = exact.run(&lengths, &norm, false, embed);
        for (isa, tiles) in with_and_without_tiles() {
            let (mut bytes, _) = engine(40, 5, 2, Precision::Int8, tiles);
            bytes.isa = isa;
            let found = bytes.run(&lengths, &norm, false, embed);
            for (found, exact) in found.iter().zip(&exact) {
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                let cosine = dot(found, exact) / (dot(found, found) * dot(exact, exact)).sqrt();
                assert!(cosine > 0.999, "{isa:?} {cosine}");
            }
        }
    }
}

/// Numbers from −1 to 1.
fn random(seed: u32) -> impl FnMut() -> f32 {
    let mut state = u64::from(seed) + 1;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1_u64 << 30) as f32 - 1.0
    }
}

/// Every instruction set, and once more with products by tiles where there are any.
fn with_and_without_tiles() -> Vec<(Isa, Option<Tiles>)> {
    let tiles = Tiles::detect().map(|tiles| (Isa::all()[0], Some(tiles)));
    Isa::all().into_iter().map(|isa| (isa, None)).chain(tiles).collect()
}

fn engine(
    hidden: usize,
    heads: usize,
    threads: usize,
    precision: Precision,
    tiles: Option<Tiles>,
) -> (Engine, Norm) {
    let mut random = random(5);
    let mut some = |n: usize, scale: f32| (0..n).map(|_| scale * random()).collect::<Vec<_>>();
    let mut norm = || {
        let gamma = some(hidden, 0.3).iter().map(|g| 1.0 + g).collect();
        Norm { gamma, beta: some(hidden, 0.3) }
    };
    let norms: Vec<Norm> = (0..7).map(|_| norm()).collect();
    let mut linear = |outputs: usize, inputs: usize| {
        let (weights, bias) = (some(outputs * inputs, 0.3), some(outputs, 0.3));
        Linear::for_tiles(&weights, &bias, inputs, precision, tiles)
    };
    let mut norms = norms.into_iter();
    let mut next = || norms.next().unwrap();
    let layers = (0..3).map(|_| Layer {
        qkv: linear(3 * hidden, hidden),
        out: linear(hidden, hidden),
        out_norm: next(),
        up: linear(2 * hidden + 5, hidden),
        down: linear(hidden, 2 * hidden + 5),
        down_norm: next(),
    });
    let layers = layers.collect();
    let team = Team::new(threads).unwrap();
    (Engine::new(layers, Activation::Gelu, 1e-12, hidden, heads, team), next())
}

/// Some sequences, and so many that they are shared out by blocks.
#[test]
fn every_instruction_set_and_number_of_threads_computes_the_same() {
    for (hidden, heads) in [(32, 2), (40, 5), (24, 1)] {
        for lengths in [vec![1], vec![13, 32, 1, 50], (1..40).collect()] {
            for first_only in [false, true] {
                let mut expected: Option<Vec<Vec<f32>>> = None;
                for threads in [1, 3] {
                    for (isa, tiles) in with_and_without_tiles() {
                        let (mut engine, norm) =
                            engine(hidden, heads, threads, Precision::F32, tiles);
                        engine.isa = isa;
                        let embed = |at: usize, out: &mut [f32]| {
                            for (d, value) in out.iter_mut().enumerate() {
                                *value = ((at * 31 + d * 7) as f32 * 0.37).sin();
                            }
                        };
                        let found = engine.run(&lengths, &norm, first_only, embed);
                        assert_eq!(found.len(), lengths.len());
                        let expected = &*expected.get_or_insert_with(|| found.clone());
                        for (found, expected) in found.iter().zip(expected) {
                            for (f, e) in found.iter().zip(expected) {
                                assert!((f - e).abs() < 1e-4, "{isa:?} {threads} {hidden} {f} {e}");
                            }
                        }
                    }
                }
            }
        }
    }
}
