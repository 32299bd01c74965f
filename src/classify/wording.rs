//! Planes through what a ticket's words mean by themselves: the encoder's lowest layer, averaged.
//!
//! The layers above it make a sentence of the words, and what they smooth over sometimes tells
//! labels apart. Such vectors all have much in common; without that, planes do better (Mu and
//! Viswanath, *All-but-the-Top*, ICLR 2018).

use super::softmax::{self, DenseRows};
use super::svm;
use super::views::unit;

/// Planes, with what all tickets have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct WordingPlanes {
    /// The mean direction.
    pub(super) common: Vec<f32>,
    /// `classes × dimensions`.
    pub(super) planes: Vec<f32>,
    /// One a class.
    pub(super) bias: Vec<f32>,
}

/// Wordings as rows, made numbers when they are looked at: kept in full they would take as much
/// room as all embeddings.
struct Directions<'a> {
    codes: &'a [&'a [i8]],
    common: &'a [f32],
}

impl DenseRows for Directions<'_> {
    fn len(&self) -> usize {
        self.codes.len()
    }

    fn width(&self) -> usize {
        self.common.len()
    }

    fn read(&self, row: usize, into: &mut [f32]) {
        direction(self.codes[row], self.common, into);
    }
}

impl WordingPlanes {
    /// Fits planes through wordings, all of one length. Where there are few, with this C, support
    /// vectors do better than probabilities.
    pub(super) fn fit(
        codes: &[&[i8]],
        labels: &[usize],
        classes: usize,
        few: Option<f32>,
        seed: u64,
    ) -> Self {
        let common = common(codes);
        let rows = Directions { codes, common: &common };
        let (planes, bias) = match few {
            None => softmax::fit(&rows, labels, classes, seed),
            Some(cost) => {
                let row = |row: usize| {
                    let mut numbers = vec![0.0; common.len()];
                    rows.read(row, &mut numbers);
                    numbers
                };
                let rows: Vec<Vec<f32>> = (0..codes.len()).map(row).collect();
                let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
                let fitted =
                    svm::fit(&svm::Dense(&rows), labels, classes, cost, seed, |_, plane| plane);
                let bias = fitted.iter().map(|plane| plane.bias).collect();
                (fitted.into_iter().flat_map(|plane| plane.weights).collect(), bias)
            }
        };
        Self { common, planes, bias }
    }

    /// How far on its side of each plane a ticket is.
    pub(super) fn margins(&self, codes: &[i8]) -> Vec<f32> {
        let mut row = vec![0.0; self.common.len()];
        direction(codes, &self.common, &mut row);
        let planes = self.planes.chunks_exact(row.len().max(1));
        let mut margins = self.bias.clone();
        for (margin, plane) in margins.iter_mut().zip(planes) {
            *margin += svm::dot(plane, &row);
        }
        margins
    }
}

/// The mean direction of rows.
fn common(codes: &[&[i8]]) -> Vec<f32> {
    let width = codes.first().map_or(0, |row| row.len());
    let (mut mean, mut row) = (vec![0.0; width], vec![0.0; width]);
    let nothing = vec![0.0; width];
    let share = 1.0 / codes.len().max(1) as f32;
    for codes in codes {
        direction(codes, &nothing, &mut row);
        for (mean, x) in mean.iter_mut().zip(&row) {
            *mean += share * x;
        }
    }
    mean
}

/// The direction of a wording without what all have in common, of unit length; nothing stays
/// nothing.
fn direction(codes: &[i8], common: &[f32], into: &mut [f32]) {
    into.fill(0.0);
    for (x, code) in into.iter_mut().zip(codes) {
        *x = f32::from(*code);
    }
    if into.iter().all(|x| *x == 0.0) {
        return;
    }
    unit(into);
    for (x, common) in into.iter_mut().zip(common) {
        *x -= common;
    }
    unit(into);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wordings that differ in little beside what they have in common.
    fn rows() -> (Vec<Vec<i8>>, Vec<usize>) {
        let row = |at: usize| {
            let mut codes = vec![100_i8, 90, 80, (at % 7) as i8, 0, 0, 0, 0];
            codes[4 + at % 3] = 12;
            codes
        };
        ((0..120).map(row).collect(), (0..120).map(|at| at % 3).collect())
    }

    #[test]
    fn what_all_have_in_common_is_no_hindrance() {
        let (rows, labels) = rows();
        let codes: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
        for few in [None, Some(3.0)] {
            let planes = WordingPlanes::fit(&codes, &labels, 3, few, 1);
            let right = |(codes, label): &(&&[i8], &usize)| {
                crate::classify::field::top(&planes.margins(codes)) == **label
            };
            assert_eq!(codes.iter().zip(&labels).filter(right).count(), 120, "{few:?}");
            assert_eq!(planes, WordingPlanes::fit(&codes, &labels, 3, few, 1));
            // Of no words nothing is known but how frequent labels are.
            assert_eq!(planes.margins(&[0; 8]), planes.bias);
        }
    }

    #[test]
    fn without_any_row_there_is_nothing_to_say() {
        let planes = WordingPlanes::fit(&[], &[], 2, None, 1);
        assert_eq!(planes.margins(&[1, 2]), [0.0, 0.0]);
    }
}
