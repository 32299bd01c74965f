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

/// Leaves out what is negligible.
pub(super) fn prune(weights: &[f32], bias: f32) -> Kept {
    let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    let least = largest * NEGLIGIBLE;
    let kept = weights.iter().enumerate().filter(|(_, w)| w.abs() > least);
    let (terms, weights) = kept.map(|(t, w)| (t as u32, *w)).unzip();
    Kept { terms, weights, bias }
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
                let pairs = plane.terms.iter().zip(&plane.weights).filter(|(_, w)| w.abs() > least);
                (plane.terms, plane.weights) = pairs.map(|(t, w)| (*t, *w)).unzip();
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
        for (&term, x) in vector.terms.iter().zip(&vector.weights) {
            let range =
                self.starts[term as usize] as usize..self.starts[term as usize + 1] as usize;
            for (class, weight) in self.classes[range.clone()].iter().zip(&self.weights[range]) {
                margins[usize::from(*class)] += weight * x;
            }
        }
    }
}
