//! From a likeliest class's probability to how often it is right.

use super::stack::minimise;

/// Rows that a coefficient of 1 away from "as it is" is worth.
const STRENGTH: f64 = 5.0;
/// Probabilities are kept this far from 0 and 1.
const LEAST: f64 = 1e-6;

/// A beta calibration (Kull, Silva Filho & Flach, AISTATS 2017) of the likeliest class; the others
/// share what is left in the proportion that they had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calibrator(pub(super) [f32; 3]);

impl Default for Calibrator {
    /// Leaves everything as it is.
    fn default() -> Self {
        Self([1.0, 1.0, 0.0])
    }
}

fn sides(p: f32) -> (f64, f64) {
    let p = f64::from(p).clamp(LEAST, 1.0 - LEAST);
    (p.ln(), -(1.0 - p).ln())
}

impl Calibrator {
    /// Fits to probabilities of likeliest classes that were right or not.
    pub(super) fn fit(answers: &[(f32, bool)]) -> Self {
        if answers.is_empty() {
            return Self::default();
        }
        let n = answers.len() as f64;
        let start = Self::default().0.map(f64::from);
        let loss = |at: &[f64]| {
            let (mut loss, mut gradient) = (0.0, vec![0.0; 3]);
            for (p, right) in answers {
                let (below, above) = sides(*p);
                let z = at[0] * below + at[1] * above + at[2];
                let truth = f64::from(u8::from(*right));
                loss += (1.0 + (-z.abs()).exp()).ln() + z.max(0.0) - truth * z;
                let error = 1.0 / (1.0 + (-z).exp()) - truth;
                for (g, x) in gradient.iter_mut().zip([below, above, 1.0]) {
                    *g += error * x;
                }
            }
            for ((g, w), as_it_is) in gradient.iter_mut().zip(at).zip(start) {
                loss += 0.5 * STRENGTH * (w - as_it_is).powi(2);
                *g += STRENGTH * (w - as_it_is);
            }
            (loss / n, gradient.into_iter().map(|g| g / n).collect())
        };
        let best = minimise(start.to_vec(), loss);
        // A surer answer is never less sure afterwards.
        Self([best[0].max(0.0) as f32, best[1].max(0.0) as f32, best[2] as f32])
    }

    /// Changes probabilities, of which the `top`-th is the largest and stays it.
    pub(super) fn apply(&self, probabilities: &mut [f32], top: usize) {
        let (below, above) = sides(probabilities[top]);
        let [a, b, c] = self.0.map(f64::from);
        set(probabilities, top, (1.0 / (1.0 + (-(a * below + b * above + c)).exp())) as f32);
    }
}

/// Makes the likeliest class's probability another one, but more than any other's; the others
/// share the rest in the proportion that they had, or alike where they had nothing.
pub(super) fn set(probabilities: &mut [f32], top: usize, to: f32) {
    if probabilities.len() < 2 {
        return;
    }
    probabilities[top] = 0.0;
    if probabilities.iter().all(|p| *p <= 0.0) {
        probabilities.fill(1.0);
        probabilities[top] = 0.0;
    }
    // Not 1 less the likeliest's: next to 1 that is all rounding.
    let rest: f32 = probabilities.iter().sum();
    let second = probabilities.iter().copied().fold(0.0, f32::max);
    let to = to.max(second / (rest + second));
    for p in probabilities.iter_mut() {
        // Nor may it be another's by the order of classes, where they come out equal.
        *p = (*p / rest * (1.0 - to)).min(to.next_down());
    }
    probabilities[top] = to;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_sure_becomes_less_sure() {
        let mut rng = fastrand::Rng::with_seed(1);
        let answers: Vec<(f32, bool)> = (0..4_000)
            .map(|_| {
                let p = 0.2 + 0.79 * rng.f32();
                (p, rng.f32() < 0.1 + 0.7 * p)
            })
            .collect();
        let calibrator = Calibrator::fit(&answers);
        for p in [0.4, 0.6, 0.9] {
            let mut probabilities = [p, (1.0 - p) * 0.6, (1.0 - p) * 0.4];
            calibrator.apply(&mut probabilities, 0);
            assert!((probabilities[0] - 0.1 - 0.7 * p).abs() < 0.04, "{p} {probabilities:?}");
        }
    }

    proptest! {
        /// Next to 1 there are few floats: what the others have is not what is missing to 1.
        #[test]
        fn very_sure_answers_still_add_up_to_one(
            margins in prop::collection::vec(8.0f32..20.0, 1..80),
            to in 0.3f32..1.0,
        ) {
            let weights: Vec<f32> =
                std::iter::once(1.0).chain(margins.iter().map(|m| (-m).exp())).collect();
            let total: f32 = weights.iter().sum();
            let mut probabilities: Vec<f32> = weights.iter().map(|w| w / total).collect();
            set(&mut probabilities, 0, to);
            prop_assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{:?}", probabilities);
            prop_assert!(probabilities[1..].iter().all(|p| *p < probabilities[0]));
            prop_assert!(probabilities[0] >= to);
        }

        /// Of equals, one list shows the first and another the last.
        #[test]
        fn the_likeliest_is_so_alone_however_unsure(
            weights in prop::collection::vec(0.001f32..1.0, 2..6),
            to in 0.0f32..0.5,
        ) {
            let total: f32 = weights.iter().sum();
            let mut p: Vec<f32> = weights.iter().map(|w| w / total).collect();
            let top = super::super::field::top(&p);
            set(&mut p, top, to);
            prop_assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            let others = p.iter().enumerate().filter(|(class, _)| *class != top);
            prop_assert!(others.clone().all(|(_, other)| *other < p[top]), "{p:?}");
        }

        #[test]
        fn the_likeliest_stays_it_and_all_add_up_to_one(
            weights in prop::collection::vec(0.001f32..1.0, 2..6),
            numbers in [0.0f32..3.0, 0.0f32..3.0, -3.0f32..3.0],
        ) {
            let total: f32 = weights.iter().sum();
            let mut p: Vec<f32> = weights.iter().map(|w| w / total).collect();
            let top = super::super::field::top(&p);
            Calibrator(numbers).apply(&mut p, top);
            prop_assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            prop_assert!(p.iter().all(|x| *x <= p[top] + 1e-6 && *x >= 0.0), "{p:?}");
        }
    }
}
