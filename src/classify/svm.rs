//! Linear classifiers, one a class against all others: L2-regularised support vector machines
//! with squared hinge loss, by dual coordinate descent (Hsieh et al., ICML 2008), several classes
//! side by side so that a row that is read once serves all of them.

use fastrand::Rng;
use rayon::prelude::*;

use crate::simd::widest;

/// Classes that are fitted side by side where there are no more than that.
const FEW: usize = 8;
/// So many otherwise: their weights of one column are one line of the cache.
const MANY: usize = 16;
/// Partial sums of a product, so that one need not wait for the one before it.
const PARTS: usize = 4;
/// Passes over the data after which a class is left as it is.
const MAX_PASSES: usize = 60;
/// A class is done when no projected gradient is larger.
const TOLERANCE: f32 = 0.1;
/// Tickets of other classes that a class learns from at least; more only with its own size.
const MIN_OTHERS: usize = 20_000;
/// So many for all classes together, those side by side counted once: where there are thousands,
/// each learns from fewer.
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
    /// The products of row `i` with `N` dense vectors of [`Rows::width`] side by side.
    fn dot<const N: usize>(&self, i: usize, w: &[[f32; N]]) -> [f32; N];
    /// `w += scale · row i` in each lane.
    fn add<const N: usize>(&self, i: usize, w: &mut [[f32; N]], scale: [f32; N]);
    /// The squared length of row `i`.
    fn square(&self, i: usize) -> f32;
}

/// `sum += w · x`, lane by lane.
#[inline(always)]
pub(super) fn more<const N: usize>(sum: &mut [f32; N], w: &[f32; N], x: f32) {
    for (sum, w) in sum.iter_mut().zip(w) {
        *sum += w * x;
    }
}

/// The product of a row's values with the weights of their columns: partial sums in a fixed order,
/// so that it vectorises and is the same every time.
#[inline(always)]
pub(super) fn product<'a, T, const N: usize>(
    row: &[T],
    column: impl Fn(usize, &T) -> (&'a [f32; N], f32),
) -> [f32; N] {
    let [mut a, mut b, mut c, mut d] = [[0.0; N]; PARTS];
    let (parts, rest) = row.as_chunks::<PARTS>();
    for (at, part) in parts.iter().enumerate() {
        let at = at * PARTS;
        for (n, sum) in [&mut a, &mut b, &mut c, &mut d].into_iter().enumerate() {
            let (w, x) = column(at + n, &part[n]);
            more(sum, w, x);
        }
    }
    for (n, value) in rest.iter().enumerate() {
        let (w, x) = column(parts.len() * PARTS + n, value);
        more(&mut a, w, x);
    }
    std::array::from_fn(|lane| (a[lane] + b[lane]) + (c[lane] + d[lane]))
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
    fn dot<const N: usize>(&self, i: usize, w: &[[f32; N]]) -> [f32; N] {
        let row = self.0[i];
        let w = &w[..row.len()];
        product(row, |column, x| (&w[column], *x))
    }

    #[inline(always)]
    fn add<const N: usize>(&self, i: usize, w: &mut [[f32; N]], scale: [f32; N]) {
        for (w, x) in w.iter_mut().zip(self.0[i]) {
            more(w, &scale, *x);
        }
    }

    fn square(&self, i: usize) -> f32 {
        dot(self.0[i], self.0[i])
    }
}

/// Rows of a dense and a sparse vector each, side by side: the dense columns first.
#[derive(Debug)]
pub(super) struct Joint<'a, S> {
    /// The dense halves.
    pub(super) dense: Dense<'a>,
    /// They are multiplied by it, which is what they weigh beside the sparse ones.
    pub(super) scale: f32,
    /// The sparse halves.
    pub(super) sparse: &'a S,
}

impl<S: Rows> Rows for Joint<'_, S> {
    fn len(&self) -> usize {
        self.dense.len()
    }

    fn width(&self) -> usize {
        self.dense.width() + self.sparse.width()
    }

    #[inline(always)]
    fn dot<const N: usize>(&self, i: usize, w: &[[f32; N]]) -> [f32; N] {
        let (dense, sparse) = w.split_at(self.dense.width());
        let (dense, sparse) = (self.dense.dot(i, dense), self.sparse.dot(i, sparse));
        std::array::from_fn(|lane| self.scale * dense[lane] + sparse[lane])
    }

    #[inline(always)]
    fn add<const N: usize>(&self, i: usize, w: &mut [[f32; N]], scale: [f32; N]) {
        let (dense, sparse) = w.split_at_mut(self.dense.width());
        self.dense.add(i, dense, scale.map(|scale| scale * self.scale));
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
/// more closely. Groups of classes are fitted in parallel, each with a random stream of its own, so
/// that the result does not depend on the number of threads.
pub fn fit<T: Send>(
    rows: &impl Rows,
    labels: &[usize],
    classes: usize,
    cost: f32,
    seed: u64,
    finish: impl Fn(usize, Plane) -> T + Sync,
) -> Vec<T> {
    if classes > FEW {
        fit_side_by_side::<T, MANY>(rows, labels, classes, cost, seed, finish)
    } else {
        fit_side_by_side::<T, FEW>(rows, labels, classes, cost, seed, finish)
    }
}

/// [`fit`], `N` classes at a time.
fn fit_side_by_side<T: Send, const N: usize>(
    rows: &impl Rows,
    labels: &[usize],
    classes: usize,
    cost: f32,
    seed: u64,
    finish: impl Fn(usize, Plane) -> T + Sync,
) -> Vec<T> {
    let squares: Vec<f32> = (0..rows.len()).map(|i| rows.square(i) + 1.0).collect();
    let mut sizes = vec![0_usize; classes];
    for label in labels {
        sizes[*label] += 1;
    }
    let firsts: Vec<usize> = (0..classes).step_by(N).collect();
    let least = MIN_OTHERS.min(ALL_OTHERS / firsts.len().max(1));
    let fitted = firsts.into_par_iter().flat_map_iter(|first| {
        let mut random = Rng::with_seed(seed ^ (first as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let sizes = &sizes[first..classes.min(first + N)];
        let lessons = Lessons::choose(labels, first, sizes, least, &mut random);
        let (w, bias) = widest(
            #[inline(always)]
            || descend::<N>(rows, &lessons, cost, &squares, &mut random),
        );
        let finish = &finish;
        (0..sizes.len()).map(move |lane| {
            let weights = w.iter().map(|w| w[lane]).collect();
            finish(first + lane, Plane { weights, bias: bias[lane] })
        })
    });
    fitted.collect()
}

/// The rows that some classes side by side learn from.
struct Lessons {
    rows: Vec<u32>,
    /// Bit by lane, which classes learn from a row.
    learners: Vec<u16>,
    /// The lane of a row's own class; [`NONE`] for another's.
    owners: Vec<u8>,
    /// A bit for each class there is.
    lanes: u16,
}

/// No lane's own.
const NONE: u8 = u8::MAX;

impl Lessons {
    /// Its own rows for each of the classes from `first` on, of which there are as many as `sizes`,
    /// and all others or a sample of them.
    fn choose(
        labels: &[usize],
        first: usize,
        sizes: &[usize],
        least: usize,
        random: &mut Rng,
    ) -> Self {
        let share = |own: &usize| {
            let wanted = least.max(MOST_OTHERS.min(own * OTHERS_FOR_ONE));
            wanted as f64 / (labels.len() - own).max(1) as f64
        };
        let shares: Vec<f64> = sizes.iter().map(share).collect();
        let lanes = u16::MAX >> (MANY - sizes.len());
        let mut chosen = Self { rows: Vec::new(), learners: Vec::new(), owners: Vec::new(), lanes };
        for (row, label) in labels.iter().enumerate() {
            let lane = label.wrapping_sub(first);
            let owner = if lane < sizes.len() { lane as u8 } else { NONE };
            let place = random.f64();
            let learns = |(lane, share): (usize, &f64)| {
                u16::from(owner == lane as u8 || place < *share) << lane
            };
            let learners = shares.iter().enumerate().map(learns).sum();
            if learners > 0 {
                chosen.rows.push(row as u32);
                chosen.learners.push(learners);
                chosen.owners.push(owner);
            }
        }
        chosen
    }
}

/// Weights and biases of all lanes.
#[inline(always)]
fn descend<const N: usize>(
    rows: &impl Rows,
    lessons: &Lessons,
    cost: f32,
    squares: &[f32],
    random: &mut Rng,
) -> (Vec<[f32; N]>, [f32; N]) {
    let mut w = vec![[0.0_f32; N]; rows.width()];
    let mut bias = [0.0_f32; N];
    let mut alpha = vec![[0.0_f32; N]; lessons.rows.len()];
    let diagonal = 0.5 / cost;
    // Bit by lane: who still learns, and who from which row. Rows whose dual variable will stay at
    // zero are set aside; `ceiling` says how sure that is.
    let mut running = lessons.lanes;
    let mut active = lessons.learners.clone();
    let mut order: Vec<u32> = (0..lessons.rows.len() as u32).collect();
    let mut aside = 0_u16;
    let mut ceiling = [f32::INFINITY; N];
    for _ in 0..MAX_PASSES {
        random.shuffle(&mut order);
        let (mut most, mut least) = ([f32::NEG_INFINITY; N], [f32::INFINITY; N]);
        let mut kept = 0;
        for turn in 0..order.len() {
            let at = order[turn] as usize;
            let i = lessons.rows[at] as usize;
            let learners = active[at] & running;
            let mut sign = [-1.0; N];
            if let Some(sign) = sign.get_mut(usize::from(lessons.owners[at])) {
                *sign = 1.0;
            }
            let product = rows.dot(i, &w);
            let scale = 1.0 / (squares[i] + diagonal);
            let alpha = &mut alpha[at];
            let mut step = [0.0; N];
            let mut left = 0;
            for lane in 0..N {
                let old = alpha[lane];
                let gradient = sign[lane] * (product[lane] + bias[lane]) - 1.0 + diagonal * old;
                if learners >> lane & 1 == 0 || (old == 0.0 && gradient > ceiling[lane]) {
                    continue;
                }
                left |= 1 << lane;
                let projected = if old == 0.0 { gradient.min(0.0) } else { gradient };
                most[lane] = most[lane].max(projected);
                least[lane] = least[lane].min(projected);
                if projected.abs() > 1e-12 {
                    alpha[lane] = (old - gradient * scale).max(0.0);
                    step[lane] = (alpha[lane] - old) * sign[lane];
                }
            }
            aside |= learners & !left;
            active[at] = left;
            if step.iter().any(|step| *step != 0.0) {
                rows.add(i, &mut w, step);
                for (bias, step) in bias.iter_mut().zip(step) {
                    *bias += step;
                }
            }
            order[kept] = at as u32;
            kept += usize::from(left > 0);
        }
        order.truncate(kept);
        let mut again = 0;
        for lane in 0..N {
            let bit = 1 << lane;
            if running & bit == 0 {
                continue;
            }
            if most[lane] - least[lane] > TOLERANCE {
                ceiling[lane] = if most[lane] <= 0.0 { f32::INFINITY } else { most[lane] };
            } else if aside & bit == 0 {
                running &= !bit;
            } else {
                // Done with these; look once more at those that were set aside.
                again |= bit;
                ceiling[lane] = f32::INFINITY;
            }
        }
        if running == 0 {
            break;
        }
        if again > 0 {
            aside &= !again;
            order.clear();
            for (at, (active, learners)) in active.iter_mut().zip(&lessons.learners).enumerate() {
                *active = (*active | learners & again) & running;
                if *active > 0 {
                    order.push(at as u32);
                }
            }
        }
    }
    (w, bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a plane's weights and the rows on its wrong side cost.
    fn price(rows: &[Vec<f32>], labels: &[usize], class: usize, cost: f32, plane: &Plane) -> f64 {
        let weights = dot(&plane.weights, &plane.weights) + plane.bias * plane.bias;
        let losses = rows.iter().zip(labels).map(|(row, label)| {
            let sign = if *label == class { 1.0 } else { -1.0 };
            f64::from((1.0 - sign * (dot(&plane.weights, row) + plane.bias)).max(0.0)).powi(2)
        });
        0.5 * f64::from(weights) + f64::from(cost) * losses.sum::<f64>()
    }

    /// The plane of the least price, found slowly: by small steps against the slope.
    fn slowly(rows: &[Vec<f32>], labels: &[usize], class: usize, cost: f32) -> Plane {
        let mut plane = Plane { weights: vec![0.0; rows[0].len()], bias: 0.0 };
        let step = 0.2 / (1.0 + 2.0 * cost * 2.0 * rows.len() as f32);
        for _ in 0..20_000 {
            let (mut slope, mut bias) = (plane.weights.clone(), plane.bias);
            for (row, label) in rows.iter().zip(labels) {
                let sign = if *label == class { 1.0 } else { -1.0 };
                let short = (1.0 - sign * (dot(&plane.weights, row) + plane.bias)).max(0.0);
                for (slope, x) in slope.iter_mut().zip(row) {
                    *slope -= 2.0 * cost * short * sign * x;
                }
                bias -= 2.0 * cost * short * sign;
            }
            for (w, slope) in plane.weights.iter_mut().zip(slope) {
                *w -= step * slope;
            }
            plane.bias -= step * bias;
        }
        plane
    }

    #[test]
    fn planes_side_by_side_are_each_the_best_there_is() {
        // More classes than lanes, and not a multiple of them; two of them cannot be told apart.
        let (classes, cost) = (MANY + 3, 1.0);
        let mut random = Rng::with_seed(1);
        let labels: Vec<usize> = (0..12 * classes).map(|i| i % classes).collect();
        let row = |label: &usize| {
            let mut row: Vec<f32> = (0..classes).map(|_| random.f32() * 0.2).collect();
            row[(*label).max(1)] += 0.9;
            row
        };
        let rows: Vec<Vec<f32>> = labels.iter().map(row).collect();
        let borrowed: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let found = fit(&Dense(&borrowed), &labels, classes, cost, 1, |class, p| (class, p));
        assert_eq!(found.len(), classes);
        for (at, (class, plane)) in found.into_iter().enumerate() {
            assert_eq!(at, class);
            let least = price(&rows, &labels, class, cost, &slowly(&rows, &labels, class, cost));
            let price = price(&rows, &labels, class, cost, &plane);
            assert!(price < 1.01 * least, "{class}: {price} instead of {least}");
        }
    }

    #[test]
    fn a_class_learns_from_its_own_rows_and_from_a_share_of_the_others() {
        // The second class of two is rare, the others belong to neither.
        let labels: Vec<usize> =
            (0..10_000).map(|i| if i % 1_000 == 7 { 1 } else { 2 * (i % 2) }).collect();
        let sizes: Vec<usize> =
            (0..2).map(|class| labels.iter().filter(|l| **l == class).count()).collect();
        let chosen = Lessons::choose(&labels, 0, &sizes, 1_000, &mut Rng::with_seed(1));
        assert_eq!(chosen.lanes, 0b11);
        assert!(chosen.rows.is_sorted());
        let learns = |lane: u8, own: bool| {
            let rows = chosen.owners.iter().zip(&chosen.learners);
            rows.filter(|(owner, learners)| (**owner == lane) == own && **learners >> lane & 1 == 1)
                .count()
        };
        // Fifty times five thousand are more than there are.
        assert_eq!((learns(0, true), learns(0, false)), (sizes[0], labels.len() - sizes[0]));
        assert_eq!(learns(1, true), sizes[1]);
        assert!((850..1_150).contains(&learns(1, false)), "{}", learns(1, false));
    }
}
