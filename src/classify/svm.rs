//! Linear classifiers, one a class against all others: L2-regularised support vector machines
//! with squared hinge loss, by dual coordinate descent (Hsieh et al., ICML 2008).

use fastrand::Rng;
use rayon::prelude::*;

use super::matrix::WordMatrix;
use crate::simd::widest;

/// Passes over the data after which a class is left as it is.
const MAX_PASSES: usize = 60;
/// A class is done when no projected gradient is larger.
const TOLERANCE: f32 = 0.05;
/// Tickets of other classes that a class learns from at least; more only with its own size.
const MIN_OTHERS: usize = 20_000;
/// So many for all classes together: where there are more than two hundred, each learns from fewer.
const ALL_OTHERS: usize = 4_000_000;
/// So many tickets of other classes for one of its own, above these.
const OTHERS_FOR_ONE: usize = 50;
/// No class learns from more of the others than this, however large it is.
const MOST_OTHERS: usize = 60_000;

/// Rows of a training matrix.
pub trait Rows: Sync {
    /// How many rows.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// How many columns.
    fn width(&self) -> usize;
    /// The product of row `i` with a dense vector of [`Rows::width`].
    fn dot(&self, i: usize, w: &[f32]) -> f32;
    /// `w += scale · row i`.
    fn add(&self, i: usize, w: &mut [f32], scale: f32);
    /// The squared length of row `i`.
    fn square(&self, i: usize) -> f32;
}

/// Rows of dense vectors.
#[derive(Debug)]
pub struct Dense<'a>(pub &'a [&'a [f32]]);

impl Rows for Dense<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn width(&self) -> usize {
        self.0.first().map_or(0, |row| row.len())
    }

    #[inline(always)]
    fn dot(&self, i: usize, w: &[f32]) -> f32 {
        dot(self.0[i], w)
    }

    #[inline(always)]
    fn add(&self, i: usize, w: &mut [f32], scale: f32) {
        for (w, x) in w.iter_mut().zip(self.0[i]) {
            *w += scale * x;
        }
    }

    fn square(&self, i: usize) -> f32 {
        dot(self.0[i], self.0[i])
    }
}

/// Rows of a dense and a sparse vector each, side by side: the dense columns first.
#[derive(Debug)]
pub(super) struct Joint<'a> {
    /// The dense halves.
    pub(super) dense: Dense<'a>,
    /// They are multiplied by it, which is what they weigh beside the sparse ones.
    pub(super) scale: f32,
    /// The sparse halves.
    pub(super) sparse: &'a WordMatrix,
}

impl Rows for Joint<'_> {
    fn len(&self) -> usize {
        self.dense.len()
    }

    fn width(&self) -> usize {
        self.dense.width() + self.sparse.width()
    }

    #[inline(always)]
    fn dot(&self, i: usize, w: &[f32]) -> f32 {
        let (dense, sparse) = w.split_at(self.dense.width());
        self.scale * self.dense.dot(i, dense) + self.sparse.dot(i, sparse)
    }

    #[inline(always)]
    fn add(&self, i: usize, w: &mut [f32], scale: f32) {
        let (dense, sparse) = w.split_at_mut(self.dense.width());
        self.dense.add(i, dense, scale * self.scale);
        self.sparse.add(i, sparse, scale);
    }

    fn square(&self, i: usize) -> f32 {
        self.scale * self.scale * self.dense.square(i) + self.sparse.square(i)
    }
}

/// A sum in a fixed order of partial sums, so that it vectorises and is the same every time.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// One class against the others: weights and bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// One weight a column.
    pub weights: Vec<f32>,
    /// Added to the product.
    pub bias: f32,
}

/// Fits one plane a class and hands each over as soon as it is ready, with its class.
///
/// `labels[i]` is the class of row `i`; `cost` is the C of the loss; a higher one fits the rows
/// more closely. Classes are fitted in parallel, each with a random stream of its own, so that the
/// result does not depend on the number of threads.
pub fn fit<T: Send>(
    rows: &impl Rows,
    labels: &[usize],
    classes: usize,
    cost: f32,
    seed: u64,
    finish: impl Fn(usize, Plane) -> T + Sync,
) -> Vec<T> {
    let squares: Vec<f32> = (0..rows.len()).map(|i| rows.square(i) + 1.0).collect();
    (0..classes)
        .into_par_iter()
        .map(|class| {
            let mut random =
                Rng::with_seed(seed ^ (class as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let least = MIN_OTHERS.min(ALL_OTHERS / classes);
            let chosen = choose(labels, class, least, &mut random);
            let plane = widest(
                #[inline(always)]
                || descend(rows, labels, class, cost, &squares, chosen, &mut random),
            );
            finish(class, plane)
        })
        .collect()
}

/// The rows that a class learns from: its own, and all others or a sample of them.
fn choose(labels: &[usize], class: usize, least: usize, random: &mut Rng) -> Vec<u32> {
    let own = labels.iter().filter(|&&l| l == class).count();
    let wanted = least.max(MOST_OTHERS.min(own * OTHERS_FOR_ONE));
    let others = labels.len() - own;
    if others <= wanted {
        return (0..labels.len() as u32).collect();
    }
    let share = wanted as f64 / others as f64;
    (0..labels.len())
        .filter(|&i| labels[i] == class || random.f64() < share)
        .map(|i| i as u32)
        .collect()
}

#[inline(always)]
fn descend(
    rows: &impl Rows,
    labels: &[usize],
    class: usize,
    cost: f32,
    squares: &[f32],
    mut active: Vec<u32>,
    random: &mut Rng,
) -> Plane {
    let mut w = vec![0.0_f32; rows.width()];
    let mut bias = 0.0_f32;
    let mut alpha = vec![0.0_f32; rows.len()];
    let diagonal = 0.5 / cost;
    let all = active.clone();
    // Rows whose dual variable will stay at zero are set aside; `ceiling` says how sure that is.
    let mut ceiling = f32::INFINITY;
    for _ in 0..MAX_PASSES {
        random.shuffle(&mut active);
        let (mut most, mut least) = (f32::NEG_INFINITY, f32::INFINITY);
        let mut kept = 0;
        for at in 0..active.len() {
            let i = active[at] as usize;
            let sign = if labels[i] == class { 1.0 } else { -1.0 };
            let gradient = sign * (rows.dot(i, &w) + bias) - 1.0 + diagonal * alpha[i];
            if alpha[i] == 0.0 && gradient > ceiling {
                continue;
            }
            let projected = if alpha[i] == 0.0 { gradient.min(0.0) } else { gradient };
            most = most.max(projected);
            least = least.min(projected);
            if projected.abs() > 1e-12 {
                let old = alpha[i];
                alpha[i] = (old - gradient / (squares[i] + diagonal)).max(0.0);
                let step = (alpha[i] - old) * sign;
                rows.add(i, &mut w, step);
                bias += step;
            }
            active[kept] = i as u32;
            kept += 1;
        }
        active.truncate(kept);
        if most - least <= TOLERANCE {
            if active.len() == all.len() {
                break;
            }
            // Done with these; look once more at those that were set aside.
            active.clone_from(&all);
            ceiling = f32::INFINITY;
        } else {
            ceiling = if most <= 0.0 { f32::INFINITY } else { most };
        }
    }
    Plane { weights: w, bias }
}
