//! Sparse rows as a fit reads them, over and over and in any order.

use std::cmp::Reverse;

use rayon::prelude::*;

use super::lexical::{Terms, Vocabulary};
use super::svm::{Rows, more, product};

/// Rows that are read in parallel before they are put in their place.
const BLOCK: usize = 4_096;

/// The words of texts as rows of a matrix. Its columns are a vocabulary's terms, those that most
/// rows have first, so that the weights that most products read lie together.
#[derive(Debug)]
pub(super) struct WordMatrix {
    /// Row `i` has the entries from `starts[i]` on.
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
    /// The vocabulary's term of each column.
    terms: Vec<u32>,
}

impl WordMatrix {
    /// Reads texts by a vocabulary.
    pub(super) fn read(vocabulary: &Vocabulary, texts: &[&Terms]) -> Self {
        let mut starts = Vec::with_capacity(texts.len() + 1);
        starts.push(0);
        let mut entries = Vec::with_capacity(texts.iter().map(|text| text.len()).sum());
        for block in texts.chunks(BLOCK) {
            let read: Vec<_> = block.par_iter().map(|text| vocabulary.vector(text)).collect();
            for vector in read {
                entries.extend(vector.terms.into_iter().zip(vector.weights));
                starts.push(entries.len());
            }
        }
        entries.shrink_to_fit();
        let mut rows = vec![0_u32; vocabulary.len()];
        for (term, _) in &entries {
            rows[*term as usize] += 1;
        }
        let mut terms: Vec<u32> = (0..vocabulary.len() as u32).collect();
        terms.sort_by_key(|term| Reverse(rows[*term as usize]));
        // From here on, where each term's column is.
        let mut columns = rows;
        for (column, term) in terms.iter().enumerate() {
            columns[*term as usize] = column as u32;
        }
        for (term, _) in &mut entries {
            *term = columns[*term as usize];
        }
        Self { starts, entries, terms }
    }

    /// Weights of the columns as weights of the vocabulary's terms.
    pub(super) fn by_term(&self, weights: &[f32]) -> Vec<f32> {
        let mut by_term = vec![0.0; weights.len()];
        for (term, weight) in self.terms.iter().zip(weights) {
            by_term[*term as usize] = *weight;
        }
        by_term
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[i]..self.starts[i + 1]]
    }
}

impl Rows for WordMatrix {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn width(&self) -> usize {
        self.terms.len()
    }

    #[inline(always)]
    fn dot<const N: usize>(&self, i: usize, w: &[[f32; N]]) -> [f32; N] {
        product(self.row(i), |_, (column, x)| (&w[*column as usize], *x))
    }

    #[inline(always)]
    fn add<const N: usize>(&self, i: usize, w: &mut [[f32; N]], scale: [f32; N]) {
        for (column, x) in self.row(i) {
            more(&mut w[*column as usize], &scale, *x);
        }
    }

    fn square(&self, i: usize) -> f32 {
        self.row(i).iter().map(|(_, x)| x * x).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_vocabularys_vectors_with_common_terms_first() {
        let texts = ["the printer is jammed", "the vpn is slow", "the the mailbox", ""];
        let texts: Vec<Terms> = texts.iter().map(|text| Terms::of(text)).collect();
        let texts: Vec<&Terms> = texts.iter().collect();
        let vocabulary = Vocabulary::fit(texts.iter().copied());
        let matrix = WordMatrix::read(&vocabulary, &texts);
        assert_eq!((matrix.len(), matrix.width()), (4, vocabulary.len()));
        for (i, text) in texts.iter().enumerate() {
            let vector = vocabulary.vector(text);
            let mut weights = vec![[0.0; 3]; matrix.width()];
            let scale = [0.0, 1.0, 2.0];
            matrix.add(i, &mut weights, scale);
            let second: Vec<f32> = weights.iter().map(|w| w[2]).collect();
            let by_term = matrix.by_term(&second);
            assert_eq!(by_term.iter().filter(|w| **w > 0.0).count(), vector.terms.len());
            for (term, weight) in vector.terms.iter().zip(&vector.weights) {
                assert!((by_term[*term as usize] - 2.0 * weight).abs() < 1e-6);
            }
            for (product, scale) in matrix.dot(i, &weights).iter().zip(scale) {
                assert!((product - scale * matrix.square(i)).abs() < 1e-4);
            }
        }
        // "the" is in all texts but the last, so no column before its own is in fewer.
        let rows_of = |column: u32| {
            (0..4).filter(|i| matrix.row(*i).iter().any(|(c, _)| *c == column)).count()
        };
        let counts: Vec<usize> = (0..matrix.width() as u32).map(rows_of).collect();
        assert!(counts[0] == 3 && counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    }
}
