//! Seven views of a ticket, each a score a class.

use std::collections::HashMap;

use fastrand::Rng;

use super::lexical::{Terms, Vocabulary};
use super::matrix::WordMatrix;
use super::softmax;
use super::sparse::{SparsePlanes, prune};
use super::svm::{self, dot};
use super::wording::WordingPlanes;
use super::words::ClassWords;

/// Neighbours that vote.
pub const NEIGHBOURS: usize = 20;
/// How many views there are.
pub(super) const VIEWS: usize = 7;
/// Which of them the centres are.
pub(super) const CENTRES: usize = 3;
/// Sharpens the vote towards the most similar neighbours: at 0.07 less similar, half a vote.
const SHARPNESS: f32 = 10.0;
/// The share of the vote that all classes get alike, so that none is impossible.
const ANY_CLASS: f32 = 0.02;
/// What the taxonomy says of a class counts as so many tickets of it in its centre.
const OWN_WORDS: f32 = 1.25;
/// What an embedding weighs beside the words in the joint planes.
const DENSE: f32 = 2.0;
/// The C of the support vectors; with this few tickets a class, data are fitted more closely, and
/// the planes through vectors are support vectors too, which then do better than probabilities.
const COST: f32 = 1.0;
const COST_OF_FEW: f32 = 3.0;
const FEW: usize = 20;
/// Terms of all tickets together that planes through words are fitted to, eight bytes each: of a
/// history that has more, a part is taken by chance. Tickets of a class that has few are all taken.
const MOST_TERMS: usize = 32 << 20;

/// The rows that views are fitted on: all slices have one item a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) vectors: &'a [&'a [f32]],
    pub(super) terms: &'a [&'a Terms],
    pub(super) wordings: &'a [&'a [i8]],
    pub(super) labels: &'a [usize],
}

/// The fitted views; the vote of neighbours needs no fitting.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Views {
    /// `classes × dimensions`, of unit length, and 0 for a class that nothing is known of.
    pub(super) centres: Vec<f32>,
    /// `classes × dimensions`.
    pub(super) planes: Vec<f32>,
    /// One a class.
    pub(super) bias: Vec<f32>,
    pub(super) vocabulary: Vocabulary,
    pub(super) lexical: SparsePlanes,
    /// The joint planes' dense half, `classes × dimensions`.
    pub(super) joint: Vec<f32>,
    /// Their other half.
    pub(super) beside: SparsePlanes,
    pub(super) wording: WordingPlanes,
}

/// What a ticket's words say of each class, before its vector is known.
#[derive(Debug, Clone, PartialEq)]
pub struct WordViews {
    /// Distances from the planes through words.
    lexical: Vec<f32>,
    /// The words' share of the distances from the joint planes.
    beside: Vec<f32>,
    /// Distances from the planes through the words' own vectors.
    wording: Vec<f32>,
}

impl Views {
    /// Fits on rows and on what the taxonomy says, `words`, one a class or none at all.
    pub(super) fn fit(rows: Rows<'_>, words: &[ClassWords], classes: usize, seed: u64) -> Self {
        // What the taxonomy says of a class is one more ticket of it.
        let own: Vec<usize> = (0..words.len()).collect();
        let vectors: Vec<&[f32]> =
            rows.vectors.iter().copied().chain(words.iter().map(|w| &w.vector[..])).collect();
        let terms: Vec<&Terms> =
            rows.terms.iter().copied().chain(words.iter().map(|w| &w.terms)).collect();
        let wordings: Vec<&[i8]> =
            rows.wordings.iter().copied().chain(words.iter().map(|w| &w.wording[..])).collect();
        let labels: Vec<usize> = rows.labels.iter().copied().chain(own).collect();
        let few = labels.len() < FEW * classes;
        let cost = if few { COST_OF_FEW } else { COST };

        let vocabulary = Vocabulary::fit(terms.iter().copied());
        let read = affordable(&terms, &labels, MOST_TERMS, seed);
        let told: Vec<usize> = read.iter().map(|row| labels[*row]).collect();
        let texts: Vec<&Terms> = read.iter().map(|row| terms[*row]).collect();
        let sparse = WordMatrix::read(&vocabulary, &texts);
        let lexical = || {
            svm::fit(&sparse, &told, classes, cost, seed ^ 1, |_, plane| {
                prune(&sparse.by_term(&plane.weights), plane.bias, classes)
            })
        };
        let width = vectors.first().map_or(0, |v| v.len());
        let beside: Vec<&[f32]> = read.iter().map(|row| vectors[*row]).collect();
        let joint = svm::Joint { dense: svm::Dense(&beside), scale: DENSE, sparse: &sparse };
        let both = || {
            svm::fit(&joint, &told, classes, cost, seed ^ 2, |_, mut plane| {
                let words = prune(&sparse.by_term(&plane.weights[width..]), plane.bias, classes);
                plane.weights.truncate(width);
                plane.weights.shrink_to_fit();
                plane.weights.iter_mut().for_each(|w| *w *= DENSE);
                (plane.weights, words)
            })
        };
        let dense = || {
            if few {
                let rows = svm::Dense(&vectors);
                let fitted = svm::fit(&rows, &labels, classes, cost, seed, |_, plane| plane);
                let bias = fitted.iter().map(|plane| plane.bias).collect();
                (fitted.iter().flat_map(|plane| &plane.weights).copied().collect(), bias)
            } else {
                softmax::fit(&vectors[..], &labels, classes, seed)
            }
        };
        // One by itself fits on one thread, the others' classes fill the rest.
        let wording =
            || WordingPlanes::fit(&wordings, &labels, classes, few.then_some(cost), seed ^ 7);
        let ((planes, bias), (wording, (both, lexical))) =
            rayon::join(dense, || rayon::join(wording, || rayon::join(both, lexical)));
        let (joint, kept): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        Self {
            centres: centres(&vectors, &labels, rows.labels.len(), classes),
            planes,
            bias,
            joint: joint.concat(),
            beside: SparsePlanes::new(vocabulary.len(), kept),
            lexical: SparsePlanes::new(vocabulary.len(), lexical),
            vocabulary,
            wording,
        }
    }

    /// What a ticket's words say by themselves.
    pub(super) fn read(&self, terms: &Terms, wording: &[i8]) -> WordViews {
        let words = self.vocabulary.vector(terms);
        let margins = |planes: &SparsePlanes| {
            let mut margins = vec![0.0; self.bias.len()];
            planes.margins(&words, &mut margins);
            margins
        };
        WordViews {
            lexical: margins(&self.lexical),
            beside: margins(&self.beside),
            wording: self.wording.margins(wording),
        }
    }

    /// The views of one ticket: `VIEWS × classes`, view by view. `neighbours` are classes with
    /// cosines, the most similar first.
    pub(super) fn look(
        &self,
        vector: &[f32],
        words: &WordViews,
        neighbours: &[(usize, f32)],
    ) -> Vec<f32> {
        let classes = self.bias.len();
        let mut scores = vec![0.0; VIEWS * classes];
        let (planes, rest) = scores.split_at_mut(classes);
        let (lexical, rest) = rest.split_at_mut(classes);
        let (votes, rest) = rest.split_at_mut(classes);
        let (centres, rest) = rest.split_at_mut(classes);
        let (joint, rest) = rest.split_at_mut(classes);
        let (closest, wording) = rest.split_at_mut(classes);
        let width = vector.len().max(1);
        planes.copy_from_slice(&self.bias);
        joint.copy_from_slice(&words.beside);
        lexical.copy_from_slice(&words.lexical);
        wording.copy_from_slice(&words.wording);
        for (scores, planes) in [(planes, &self.planes), (joint, &self.joint)] {
            for (score, plane) in scores.iter_mut().zip(planes.chunks_exact(width)) {
                *score += dot(plane, vector);
            }
        }
        let neighbours = &neighbours[..neighbours.len().min(NEIGHBOURS)];
        vote(neighbours, votes);
        come_closest(neighbours, closest);
        for (score, centre) in centres.iter_mut().zip(self.centres.chunks_exact(width)) {
            *score = dot(centre, vector);
        }
        scores
    }
}

/// Rows that have about `most` terms together, if all have more.
fn affordable(terms: &[&Terms], labels: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let total: usize = terms.iter().map(|terms| terms.len()).sum();
    if total <= most {
        return (0..terms.len()).collect();
    }
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    for label in labels {
        *sizes.entry(*label).or_default() += 1;
    }
    let share = most as f64 / total as f64;
    let mut random = Rng::with_seed(seed ^ 5);
    let mut is_taken = |row: &usize| sizes[&labels[*row]] <= FEW || random.f64() < share;
    (0..terms.len()).filter(|row| is_taken(row)).collect()
}

/// The logarithm of each class's share in the neighbours' similarity-weighted vote.
fn vote(neighbours: &[(usize, f32)], votes: &mut [f32]) {
    let nearest = neighbours.first().map_or(0.0, |n| n.1);
    let weight = |cosine: f32| (SHARPNESS * (cosine - nearest)).exp();
    let total: f32 = neighbours.iter().map(|n| weight(n.1)).sum();
    let even = 1.0 / votes.len() as f32;
    let certain = if neighbours.is_empty() { 0.0 } else { (1.0 - ANY_CLASS) / total };
    let any = if neighbours.is_empty() { 1.0 } else { ANY_CLASS };
    votes.fill(0.0);
    for &(class, cosine) in neighbours {
        votes[class] += weight(cosine) * certain;
    }
    for share in votes {
        *share = (*share + even * any + 1e-4).ln();
    }
}

/// The cosine of each class's most similar neighbour. Of a class that is not among them it is known
/// only that it comes no closer than the last.
fn come_closest(neighbours: &[(usize, f32)], closest: &mut [f32]) {
    closest.fill(neighbours.last().map_or(0.0, |n| n.1));
    for &(class, cosine) in neighbours {
        closest[class] = closest[class].max(cosine);
    }
}

/// The mean vector of each class, of unit length. Vectors from the `tickets`-th on are the
/// taxonomy's.
fn centres(vectors: &[&[f32]], labels: &[usize], tickets: usize, classes: usize) -> Vec<f32> {
    let width = vectors.first().map_or(1, |v| v.len());
    let mut centres = vec![0.0_f32; classes * width];
    for (at, (vector, label)) in vectors.iter().zip(labels).enumerate() {
        let weight = if at < tickets { 1.0 } else { OWN_WORDS };
        for (c, x) in centres[label * width..][..width].iter_mut().zip(*vector) {
            *c += weight * x;
        }
    }
    centres.chunks_exact_mut(width).for_each(unit);
    centres
}

pub(super) fn unit(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        for x in vector {
            *x /= length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_as_close_as_its_most_similar_ticket() {
        let closest = |neighbours: &[(usize, f32)]| {
            let mut closest = vec![9.0; 3];
            come_closest(neighbours, &mut closest);
            closest
        };
        assert_eq!(closest(&[(2, 0.9), (0, 0.8), (2, 0.7)]), vec![0.8, 0.7, 0.9]);
        assert_eq!(closest(&[]), vec![0.0; 3]);
    }

    #[test]
    fn of_a_history_too_large_a_share_is_read_and_of_rare_classes_all() {
        let terms: Vec<Terms> =
            (0..2_010).map(|n| Terms::of(&format!("ticket number {n} of many"))).collect();
        let terms: Vec<&Terms> = terms.iter().collect();
        // Ten tickets of a rare class among two thousand of another.
        let labels: Vec<usize> = (0..2_010).map(|n| usize::from(n % 201 == 200)).collect();
        let total: usize = terms.iter().map(|terms| terms.len()).sum();
        assert_eq!(affordable(&terms, &labels, total, 1).len(), terms.len());
        let read = affordable(&terms, &labels, total / 4, 1);
        assert!(read.is_sorted() && (400..620).contains(&read.len()), "{}", read.len());
        assert_eq!(read.iter().filter(|row| labels[**row] == 1).count(), 10);
        assert_eq!(read, affordable(&terms, &labels, total / 4, 1));
        assert_ne!(read, affordable(&terms, &labels, total / 4, 2));
    }
}
