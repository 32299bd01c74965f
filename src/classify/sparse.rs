//! Planes through sparse vectors, stored by term and without what is close to nothing.

use super::lexical::SparseVector;

/// Weights of all classes that are kept at most; the largest, should there be more.
const MAX_WEIGHTS: usize = 1 << 24;
/// A weight so much smaller than its class's largest changes no answer.
const NEGLIGIBLE: f32 = 1e-3;

/// For each term, the classes that it speaks for or against.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SparsePlanes {
    /// Where each term's entries begin; one more than there are terms.
    pub(super) starts: Vec<u32>,
    pub(super) classes: Vec<u16>,
    pub(super) weights: Vec<f32>,
    /// One a class.
    pub(super) bias: Vec<f32>,
}

/// One class's plane without its negligible weights.
#[derive(Debug)]
pub(super) struct Kept {
    terms: Vec<u32>,
    weights: Vec<f32>,
    bias: f32,
}

/// Leaves out what is negligible, and what is more than twice a class's share of all weights that
/// are kept: planes of thousands of classes wait for each other.
pub(super) fn prune(weights: &[f32], bias: f32, classes: usize) -> Kept {
    let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    let least = largest * NEGLIGIBLE;
    let kept = weights.iter().enumerate().filter(|(_, w)| w.abs() > least);
    let (terms, weights) = kept.map(|(t, w)| (t as u32, *w)).unzip();
    let mut kept = Kept { terms, weights, bias };
    let most = 2 * MAX_WEIGHTS / classes;
    if kept.weights.len() > most {
        let mut sizes: Vec<f32> = kept.weights.iter().map(|w| w.abs()).collect();
        let (_, least, _) = sizes.select_nth_unstable_by(kept.weights.len() - most, f32::total_cmp);
        kept.leave_out(*least);
    }
    kept
}

impl Kept {
    /// Weights of this size and below.
    fn leave_out(&mut self, least: f32) {
        let pairs = self.terms.iter().zip(&self.weights).filter(|(_, w)| w.abs() > least);
        (self.terms, self.weights) = pairs.map(|(t, w)| (*t, *w)).unzip();
        self.terms.shrink_to_fit();
        self.weights.shrink_to_fit();
    }
}

impl SparsePlanes {
    /// Turns planes, one a class, into lists by term.
    pub(super) fn new(width: usize, mut planes: Vec<Kept>) -> Self {
        let total: usize = planes.iter().map(|p| p.terms.len()).sum();
        if total > MAX_WEIGHTS {
            let mut sizes: Vec<f32> =
                planes.iter().flat_map(|p| p.weights.iter().map(|w| w.abs())).collect();
            let (_, least, _) = sizes.select_nth_unstable_by(total - MAX_WEIGHTS, f32::total_cmp);
            let least = *least;
            for plane in &mut planes {
                plane.leave_out(least);
            }
        }
        let mut starts = vec![0_u32; width + 1];
        for term in planes.iter().flat_map(|p| &p.terms) {
            starts[*term as usize + 1] += 1;
        }
        for at in 0..width {
            starts[at + 1] += starts[at];
        }
        let total = starts[width] as usize;
        let (mut classes, mut weights) = (vec![0; total], vec![0.0; total]);
        let mut next = starts.clone();
        for (class, plane) in planes.iter().enumerate() {
            for (term, weight) in plane.terms.iter().zip(&plane.weights) {
                let at = &mut next[*term as usize];
                classes[*at as usize] = class as u16;
                weights[*at as usize] = *weight;
                *at += 1;
            }
        }
        Self { starts, classes, weights, bias: planes.iter().map(|p| p.bias).collect() }
    }

    /// Whether all parts are of this size and within it, as those from a file need not be.
    pub(super) fn fit_together(&self, width: usize, classes: usize) -> bool {
        self.bias.len() == classes
            && self.starts.len() == width + 1
            && self.starts.first() == Some(&0)
            && self.starts.is_sorted()
            && self.starts.last().is_some_and(|n| *n as usize == self.weights.len())
            && self.classes.len() == self.weights.len()
            && self.classes.iter().all(|c| usize::from(*c) < classes)
    }

    /// The distance from each class's plane.
    pub(super) fn margins(&self, vector: &SparseVector, margins: &mut [f32]) {
        margins.copy_from_slice(&self.bias);
        // Each list may lie anywhere in memory. Where all of them are known, the processor fetches
        // the next while it is at one.
        let start = |term: u32| self.starts[term as usize] as usize;
        let lists: Vec<_> = vector.terms.iter().map(|t| start(*t)..start(*t + 1)).collect();
        for (list, x) in lists.into_iter().zip(&vector.weights) {
            for (class, weight) in self.classes[list.clone()].iter().zip(&self.weights[list]) {
                margins[usize::from(*class)] += weight * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_weights_the_largest_are_kept() {
        let sign = |n: u8| if n.is_multiple_of(2) { 1.0 } else { -1.0 };
        let weights: Vec<f32> = (1..=100).map(|n| sign(n) * f32::from(n)).collect();
        assert_eq!(prune(&weights, 0.0, 20).terms.len(), 100);
        let kept = prune(&weights, 0.25, 2 * MAX_WEIGHTS / 10);
        assert_eq!(kept.terms, (91..100).collect::<Vec<u32>>());
        assert_eq!((kept.weights[0], kept.bias), (92.0, 0.25));
    }

    #[test]
    fn what_is_close_to_nothing_is_left_out() {
        let kept = prune(&[1.0, 5e-4, -2e-3, 0.0], 0.0, 2);
        assert_eq!(kept.terms, [0, 2]);
    }
}
