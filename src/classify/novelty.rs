//! Whether a ticket is of any known class at all.
//!
//! The detector never sees a ticket that belongs nowhere: whole classes are hidden from the views
//! in turn, and their tickets stand in for what is unknown. A logistic regression tells them from
//! tickets of classes that the views do know.

use super::stack::minimise;
use super::views::CENTRES;

/// What speaks for a ticket being of a known class.
pub(super) const SIGNS: usize = 6;
/// A sign's values, one a ticket.
pub(super) type Signs = [f32; SIGNS];
/// Where classes are too few to hide any: how similar the nearest tickets are, mostly.
const DEFAULT: [f32; SIGNS + 1] = [0.3, 3.0, 3.0, 1.0, 0.3, 0.3, -2.5];
/// The share of tickets of known classes that may be turned away, right answers lost.
const LOST: f64 = 0.01;
/// Rows that a coefficient of 1 is worth.
const STRENGTH: f64 = 1.0;

/// The detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Novelty {
    /// One a sign, and the intercept.
    pub(super) weights: [f32; SIGNS + 1],
    /// Less trust than this means: none of the classes.
    pub(super) threshold: f32,
}

impl Default for Novelty {
    fn default() -> Self {
        Self { weights: DEFAULT, threshold: 0.0 }
    }
}

/// The signs of one ticket, from its views, its probabilities and its neighbours.
pub(super) fn signs(views: &[f32], probabilities: &[f32], neighbours: &[(usize, f32)]) -> Signs {
    let classes = probabilities.len();
    let largest = |values: &[f32]| values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let view = |v: usize| largest(&views[v * classes..][..classes]);
    let p = largest(probabilities).clamp(1e-4, 1.0 - 1e-4);
    let few = &neighbours[..neighbours.len().min(5)];
    let near = few.iter().map(|n| n.1).sum::<f32>() / few.len().max(1) as f32;
    let nearest = neighbours.first().map_or(0.0, |n| n.1);
    [(p / (1.0 - p)).ln(), nearest, near, view(CENTRES), view(0), view(1)]
}

impl Novelty {
    /// Fits to tickets of known classes and tickets of hidden ones.
    pub(super) fn fit(known: &[Signs], hidden: &[Signs]) -> Self {
        if known.is_empty() || hidden.is_empty() {
            return Self::default();
        }
        // Both sides weigh the same, however many there are.
        let sides =
            [(known, 1.0, 0.5 / known.len() as f64), (hidden, 0.0, 0.5 / hidden.len() as f64)];
        let n = (known.len() + hidden.len()) as f64;
        let loss = |at: &[f64]| {
            let (mut loss, mut gradient) = (0.0, vec![0.0; SIGNS + 1]);
            for (rows, truth, weight) in sides {
                for row in rows {
                    let z =
                        at[SIGNS] + row.iter().zip(at).map(|(x, w)| f64::from(*x) * w).sum::<f64>();
                    let p = 1.0 / (1.0 + (-z).exp());
                    loss += weight * ((1.0 + (-z.abs()).exp()).ln() + z.max(0.0) - truth * z);
                    for (g, x) in gradient.iter_mut().zip(row) {
                        *g += weight * (p - truth) * f64::from(*x);
                    }
                    gradient[SIGNS] += weight * (p - truth);
                }
            }
            for (g, w) in gradient.iter_mut().zip(at) {
                loss += 0.5 * STRENGTH / n * w * w;
                *g += STRENGTH / n * w;
            }
            (loss, gradient)
        };
        let start: Vec<f64> = DEFAULT.iter().map(|w| f64::from(*w)).collect();
        let best = minimise(start, loss);
        let mut weights = [0.0; SIGNS + 1];
        for (to, from) in weights.iter_mut().zip(best) {
            *to = from as f32;
        }
        Self { weights, threshold: 0.0 }
    }

    /// 0 to 1.
    pub(super) fn in_scope(&self, signs: &Signs) -> f32 {
        let z = signs.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f32>();
        1.0 / (1.0 + (-(z + self.weights[SIGNS])).exp())
    }

    /// Chooses the threshold from tickets of known classes: their trust, and whether they were
    /// answered right.
    pub(super) fn choose(&mut self, mut known: Vec<(f32, bool)>) {
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        let may_lose = (known.len() as f64 * LOST) as usize;
        let mut right = known.iter().filter(|k| k.1);
        self.threshold = right.nth(may_lose).map_or(0.0, |k| k.0);
    }
}
