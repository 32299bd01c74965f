//! A conditional logit (`McFadden` 1974) over the views: the logit of a class is a weighted sum of
//! what the views say of it, plus a bias of its own. Fitted by limited-memory BFGS (Liu & Nocedal
//! 1989) as a maximum a posteriori estimate around [`PRIOR`].

use rayon::prelude::*;

use super::views::VIEWS;

/// Weights where there is too little data to fit them: planes, words, votes, centres, joint
/// planes, closest tickets. Chosen on the training parts of three public sets with 1, 2, 5 and 10
/// tickets a class.
pub(super) const PRIOR: [f64; VIEWS] = [2.7, 1.1, 0.0, 11.0, 0.0, 0.0, 0.0];
/// Weights where nothing but descriptions is known.
pub(super) const DESCRIBED: [f64; VIEWS] = [0.0, 0.0, 0.0, 18.0, 0.0, 0.0, 0.0];
/// Rows that a bias of 1 away from the prior is worth, where there are many rows.
const BIAS_STRENGTH: f64 = 2.0;
/// Where there are fewer rows than this, one of these, whichever does best on rows left out: few
/// rows say little of each class.
const FEW_ROWS: usize = 5_000;
const BIAS_STRENGTHS: [f64; 4] = [BIAS_STRENGTH, 8.0, 32.0, 128.0];
/// Parts of the rows that are left out in turn for that.
const PARTS: usize = 4;
/// Rows that a weight of 1 away from the prior is worth.
const WEIGHT_STRENGTH: f64 = 0.5;
const MAX_STEPS: usize = 200;
const MEMORY: usize = 10;

/// Rows of views with their classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks<'a> {
    /// `rows × VIEWS × classes`.
    pub(super) views: &'a [f32],
    /// One a row.
    pub(super) labels: &'a [usize],
    /// How many classes there are.
    pub(super) classes: usize,
}

impl<'a> Looks<'a> {
    fn row(self, row: usize) -> (&'a [f32], usize) {
        let size = VIEWS * self.classes;
        (&self.views[row * size..][..size], self.labels[row])
    }
}

/// The fitted logit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stack {
    /// One a view.
    pub(super) weights: [f32; VIEWS],
    /// One a class.
    pub(super) bias: Vec<f32>,
}

impl Stack {
    /// The given weights and no bias.
    pub(super) fn fixed(weights: [f64; VIEWS], classes: usize) -> Self {
        Self { weights: weights.map(|w| w as f32), bias: vec![0.0; classes] }
    }

    /// How much rows should say of each class's bias.
    pub(super) fn bias_strength(looks: Looks<'_>) -> f64 {
        let rows = looks.labels.len();
        if rows >= FEW_ROWS {
            return BIAS_STRENGTH;
        }
        let missed = |strength: f64| -> f64 {
            let miss = |part: usize| {
                let (left_out, seen): (Vec<usize>, Vec<usize>) =
                    (0..rows).partition(|row| row % PARTS == part);
                let stack = Self::fit(looks, &seen, strength);
                let row = |row: usize| {
                    let (views, label) = looks.row(row);
                    let mut p = stack.logits(views);
                    softmax(&mut p);
                    -f64::from(p[label].max(1e-12)).ln()
                };
                left_out.into_iter().map(row).sum::<f64>()
            };
            (0..PARTS).map(miss).sum()
        };
        let tried = BIAS_STRENGTHS.map(|strength| (missed(strength), strength));
        tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map_or(BIAS_STRENGTH, |best| best.1)
    }

    /// Fits to some of the rows.
    pub(super) fn fit(looks: Looks<'_>, rows: &[usize], bias_strength: f64) -> Self {
        let none = std::iter::repeat_n(0.0, looks.classes);
        let start: Vec<f64> = PRIOR.into_iter().chain(none).collect();
        let best = minimise(start, |w| loss(looks, rows, bias_strength, w));
        let mut weights = [0.0; VIEWS];
        for (to, from) in weights.iter_mut().zip(&best) {
            *to = *from as f32;
        }
        Self { weights, bias: best[VIEWS..].iter().map(|b| *b as f32).collect() }
    }

    /// Logits of one row of views.
    pub(super) fn logits(&self, views: &[f32]) -> Vec<f32> {
        let classes = self.bias.len();
        let mut logits = self.bias.clone();
        for (view, weight) in views.chunks_exact(classes).zip(self.weights) {
            for (logit, score) in logits.iter_mut().zip(view) {
                *logit += weight * score;
            }
        }
        logits
    }
}

/// Logits to probabilities.
pub(super) fn softmax(logits: &mut [f32]) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for z in logits.iter_mut() {
        *z = (*z - top).exp();
        total += *z;
    }
    for z in logits {
        *z /= total;
    }
}

/// Mean negative log-likelihood with the prior's penalty, and its gradient.
fn loss(looks: Looks<'_>, rows: &[usize], bias_strength: f64, at: &[f64]) -> (f64, Vec<f64>) {
    let stack = Stack {
        weights: std::array::from_fn(|v| at[v] as f32),
        bias: at[VIEWS..].iter().map(|b| *b as f32).collect(),
    };
    let add = |mut a: (f64, Vec<f64>), b: (f64, Vec<f64>)| {
        a.0 += b.0;
        for (a, b) in a.1.iter_mut().zip(b.1) {
            *a += b;
        }
        a
    };
    // Chunks of a fixed size, added up in order: the same sum on any number of threads.
    let parts: Vec<(f64, Vec<f64>)> = rows
        .par_chunks(256)
        .map(|rows| {
            let (mut loss, mut gradient) = (0.0, vec![0.0; at.len()]);
            for (row, label) in rows.iter().map(|row| looks.row(*row)) {
                let mut p = stack.logits(row);
                softmax(&mut p);
                loss -= f64::from(p[label].max(1e-12)).ln();
                p[label] -= 1.0;
                for (g, view) in gradient.iter_mut().zip(row.chunks_exact(looks.classes)) {
                    *g += p.iter().zip(view).map(|(p, x)| f64::from(p * x)).sum::<f64>();
                }
                for (g, p) in gradient[VIEWS..].iter_mut().zip(&p) {
                    *g += f64::from(*p);
                }
            }
            (loss, gradient)
        })
        .collect();
    let (mut loss, mut gradient) = parts.into_iter().fold((0.0, vec![0.0; at.len()]), add);
    for (i, (w, g)) in at.iter().zip(&mut gradient).enumerate() {
        let (strength, off) = match PRIOR.get(i) {
            Some(prior) => (WEIGHT_STRENGTH, w - prior),
            None => (bias_strength, *w),
        };
        loss += 0.5 * strength * off * off;
        *g += strength * off;
    }
    let n = rows.len().max(1) as f64;
    for g in &mut gradient {
        *g /= n;
    }
    (loss / n, gradient)
}

/// Where a smooth convex function is smallest. `f` returns its value and gradient.
pub(super) fn minimise(start: Vec<f64>, f: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
    let mut at = start;
    let (mut value, mut gradient) = f(&at);
    let mut memory: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..MAX_STEPS {
        let mut direction = gradient.clone();
        let mut scales = Vec::new();
        for (step, change) in memory.iter().rev() {
            let scale = dot(step, &direction) / dot(step, change);
            direction.iter_mut().zip(change).for_each(|(d, c)| *d -= scale * c);
            scales.push(scale);
        }
        let scale = if let Some((step, change)) = memory.last() {
            dot(step, change) / dot(change, change)
        } else {
            1.0 / dot(&gradient, &gradient).sqrt().max(1.0)
        };
        for d in &mut direction {
            *d *= scale;
        }
        for ((step, change), scale) in memory.iter().zip(scales.iter().rev()) {
            let back = dot(change, &direction) / dot(step, change);
            direction.iter_mut().zip(step).for_each(|(d, s)| *d += (scale - back) * s);
        }
        let slope = dot(&direction, &gradient);
        let mut size = 1.0;
        let better = (0..30).find_map(|_| {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x - size * d).collect();
            let (next_value, next_gradient) = f(&next);
            let enough = next_value <= value - 1e-4 * size * slope;
            size *= 0.5;
            enough.then_some((next, next_value, next_gradient))
        });
        let Some((next, next_value, next_gradient)) = better else { break };
        let (step, change) = (minus(&next, &at), minus(&next_gradient, &gradient));
        if dot(&step, &change) > 1e-12 {
            memory.push((step, change));
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
        let gain = value - next_value;
        (at, value, gradient) = (next, next_value, next_gradient);
        if gain < 1e-8 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_bowl_is_found() {
        let bowl = |x: &[f64]| {
            let value = (x[0] - 3.0).powi(2) + 10.0 * (x[1] + 1.0).powi(2);
            (value, vec![2.0 * (x[0] - 3.0), 20.0 * (x[1] + 1.0)])
        };
        let at = minimise(vec![0.0, 0.0], bowl);
        assert!((at[0] - 3.0).abs() < 1e-3 && (at[1] + 1.0).abs() < 1e-3, "{at:?}");
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let mut rng = fastrand::Rng::with_seed(1);
        let classes = 3;
        let views: Vec<f32> = (0..20 * VIEWS * classes).map(|_| rng.f32()).collect();
        let labels: Vec<usize> = (0..20).map(|_| rng.usize(..classes)).collect();
        let at: Vec<f64> = (0..VIEWS + classes).map(|_| rng.f64()).collect();
        let looks = Looks { views: &views, labels: &labels, classes };
        let rows: Vec<usize> = (0..labels.len()).collect();
        let (_, gradient) = loss(looks, &rows, 2.0, &at);
        for i in 0..at.len() {
            let shifted = |by: f64| {
                let mut at = at.clone();
                at[i] += by;
                loss(looks, &rows, 2.0, &at).0
            };
            let slope = (shifted(1e-3) - shifted(-1e-3)) / 2e-3;
            assert!((slope - gradient[i]).abs() < 1e-3, "{i}: {slope} {}", gradient[i]);
        }
    }
}
