//! Multinomial logistic regression on dense vectors, by stochastic gradient descent (Bottou,
//! *Neural Networks: Tricks of the Trade* 2012) with a step that falls as a cosine.

use fastrand::Rng;

use super::svm::dot;

/// The C of the loss: what a ticket's loss weighs against half the weights' squares.
const COST: f32 = 20.0;
/// Tickets whose gradients make one step.
const BATCH: usize = 8;
/// The first step's length, for vectors of unit length. Chosen, as the passes are, on tickets left
/// out of a public set's training part: there more passes, and L-BFGS, came to the same.
const STEP: f32 = 20.0;
const PASSES: usize = 6;
/// Where there are few tickets, passes go on until there were so many steps.
const STEPS: usize = 4_000;
/// Tickets times classes that all passes together look at, about; there is always one pass.
const EFFORT: usize = 24_000_000;
/// A class that a ticket says less of is not moved by it.
const NEGLIGIBLE: f32 = 1e-4;

/// Rows of a dense matrix.
pub(super) trait DenseRows {
    /// How many.
    fn len(&self) -> usize;
    /// Numbers in each.
    fn width(&self) -> usize;
    /// Copies one out.
    fn read(&self, row: usize, into: &mut [f32]);
}

impl DenseRows for [&[f32]] {
    fn len(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.first().map_or(0, |row| row.len())
    }

    fn read(&self, row: usize, into: &mut [f32]) {
        into.copy_from_slice(self[row]);
    }
}

/// Fits planes through rows of unit length: `classes × width` weights and a bias a class, whose
/// softmax is the probability of each class. The result depends on rows, labels and seed alone.
pub(super) fn fit(
    rows: &(impl DenseRows + ?Sized),
    labels: &[usize],
    classes: usize,
    seed: u64,
) -> (Vec<f32>, Vec<f32>) {
    let width = rows.width();
    let mut weights = vec![0.0_f32; classes * width];
    let mut bias = vec![0.0_f32; classes];
    let cells = (rows.len() * classes).max(1);
    let batches = rows.len().div_ceil(BATCH);
    let passes = (EFFORT / cells).min(PASSES.max(STEPS / batches.max(1))).max(1);
    let decay = 1.0 / (COST * rows.len().max(1) as f32);
    // All weights are to be multiplied by it: shrinking them is one product a batch.
    let mut scale = 1.0_f32;
    let mut random = Rng::with_seed(seed);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut errors = vec![0.0_f32; BATCH * classes];
    let mut seen = vec![0.0_f32; BATCH * width];
    for pass in 0..passes {
        random.shuffle(&mut order);
        for (at, batch) in order.chunks(BATCH).enumerate() {
            let done = (pass * batches + at) as f32 / (passes * batches) as f32;
            let step = STEP * 0.5 * (1.0 + (std::f32::consts::PI * done).cos());
            for (seen, row) in seen.chunks_exact_mut(width.max(1)).zip(batch) {
                rows.read(*row, seen);
            }
            let seen = || seen.chunks_exact(width.max(1));
            for ((errors, row), seen) in errors.chunks_exact_mut(classes).zip(batch).zip(seen()) {
                for ((error, plane), bias) in
                    errors.iter_mut().zip(weights.chunks_exact(width.max(1))).zip(&bias)
                {
                    *error = scale * dot(plane, seen) + bias;
                }
                super::stack::softmax(errors);
                errors[labels[*row]] -= 1.0;
            }
            scale *= 1.0 - step * decay;
            let step = step / batch.len() as f32;
            let planes = weights.chunks_exact_mut(width.max(1)).zip(&mut bias).enumerate();
            for (class, (plane, bias)) in planes {
                for (errors, seen) in errors.chunks_exact(classes).zip(seen()).take(batch.len()) {
                    let error = errors[class];
                    if error.abs() > NEGLIGIBLE {
                        *bias -= step * error;
                        let by = step * error / scale;
                        for (weight, x) in plane.iter_mut().zip(seen) {
                            *weight -= by * x;
                        }
                    }
                }
            }
        }
    }
    for weight in &mut weights {
        *weight *= scale;
    }
    (weights, bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows around a direction a class.
    fn rows(classes: usize, each: usize, spread: f32) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut random = Rng::with_seed(3);
        let labels: Vec<usize> = (0..classes * each).map(|i| i % classes).collect();
        let row = |label: &usize| {
            let mut row: Vec<f32> = (0..8).map(|_| (random.f32() - 0.5) * spread).collect();
            row[*label] += 1.0;
            let length = dot(&row, &row).sqrt();
            row.into_iter().map(|x| x / length).collect()
        };
        (labels.iter().map(row).collect(), labels)
    }

    fn right(planes: &(Vec<f32>, Vec<f32>), rows: &[Vec<f32>], labels: &[usize]) -> usize {
        let top = |row: &Vec<f32>| {
            let scores = planes.0.chunks_exact(8).zip(&planes.1).map(|(p, b)| dot(p, row) + b);
            super::super::field::top(&scores.collect::<Vec<_>>())
        };
        rows.iter().zip(labels).filter(|(row, label)| top(row) == **label).count()
    }

    #[test]
    fn what_can_be_told_apart_is() {
        let (rows, labels) = rows(4, 60, 0.8);
        let borrowed: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let planes = fit(&borrowed[..], &labels, 4, 1);
        assert!(right(&planes, &rows, &labels) >= 235);
        assert_eq!(planes, fit(&borrowed[..], &labels, 4, 1), "the same every time");
        assert_ne!(planes, fit(&borrowed[..], &labels, 4, 2));
    }

    /// At the least loss the mean gradient is zero: predicted and true shares of a class are equal,
    /// for the bias is not held back.
    #[test]
    fn shares_are_as_they_are() {
        let (rows, mut labels) = rows(3, 200, 4.0);
        for label in labels.iter_mut().step_by(2) {
            *label = 0;
        }
        let borrowed: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let (weights, bias) = fit(&borrowed[..], &labels, 3, 1);
        let mut shares = [0.0_f32; 3];
        for row in &rows {
            let mut scores: Vec<f32> =
                weights.chunks_exact(8).zip(&bias).map(|(p, b)| dot(p, row) + b).collect();
            crate::classify::stack::softmax(&mut scores);
            for (share, p) in shares.iter_mut().zip(scores) {
                *share += p / rows.len() as f32;
            }
        }
        for (class, share) in shares.iter().enumerate() {
            let truth = labels.iter().filter(|l| **l == class).count() as f32 / 600.0;
            assert!((share - truth).abs() < 0.03, "{class}: {share} for {truth}");
        }
    }

    #[test]
    fn nothing_and_one_class_are_no_trouble() {
        assert_eq!(fit(&[][..], &[], 2, 1), (vec![], vec![0.0, 0.0]));
        let (weights, bias) = fit(&[&[1.0, 0.0][..]][..], &[0], 1, 1);
        assert!(weights.iter().chain(&bias).all(|x| x.is_finite()));
    }
}
