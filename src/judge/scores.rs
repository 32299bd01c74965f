//! What is judged: scored rows.

/// Probabilities may add up to 1 within this much: they are `f32`, of up to thousands of classes.
const SUM_TOLERANCE: f64 = 1e-3;

/// Rows with the probability of each class, and the truth. Never empty, and never with a value that
/// is no probability: so every figure of it is defined.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    classes: usize,
    probabilities: Vec<f32>,
    truth: Vec<u32>,
    top: Vec<u32>,
}

/// Why rows cannot be judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// There is nothing to judge.
    #[error("there are no rows to judge")]
    Empty,
    /// The parts do not fit together.
    #[error("expected {expected} values for {what}, found {found}")]
    Length {
        /// Which part.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A value that is no probability, or no number.
    #[error("row {row}: {value} is not {expected}")]
    Value {
        /// The row, from 0.
        row: usize,
        /// What stands there.
        value: f32,
        /// What should.
        expected: &'static str,
    },
    /// A row's probabilities do not add up.
    #[error("row {row}: the probabilities add up to {sum}, not to 1")]
    Sum {
        /// The row, from 0.
        row: usize,
        /// What they add up to.
        sum: f64,
    },
    /// A class beyond any that there can be.
    #[error("row {row}: there is no class {class}; unknown ones are numbered on from {classes}")]
    Class {
        /// The row, from 0.
        row: usize,
        /// The class.
        class: u32,
        /// How many classes have a probability.
        classes: usize,
    },
}

impl Scores {
    /// Rows as `n × classes` probabilities, row by row, with the class that is right for each.
    ///
    /// A true class that the model does not know is numbered on from `classes` (the first unknown
    /// one is `classes`, and so on): such a row is always wrong, and counts.
    ///
    /// # Errors
    /// No rows, sizes that do not fit, values outside 0 to 1 or not numbers, rows that do not add
    /// up to 1.
    pub fn new(
        classes: usize,
        probabilities: Vec<f32>,
        truth: Vec<u32>,
    ) -> Result<Self, ScoreError> {
        if truth.is_empty() || classes == 0 {
            return Err(ScoreError::Empty);
        }
        let (expected, found) = (truth.len().saturating_mul(classes), probabilities.len());
        if expected != found {
            return Err(ScoreError::Length { what: "the probabilities", expected, found });
        }
        let mut top = Vec::with_capacity(truth.len());
        for (row, p) in probabilities.chunks_exact(classes).enumerate() {
            if let Some(&value) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return Err(ScoreError::Value { row, value, expected: "a probability" });
            }
            let sum: f64 = p.iter().map(|p| f64::from(*p)).sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(ScoreError::Sum { row, sum });
            }
            top.push((1..classes).fold(0, |best, c| if p[c] > p[best] { c } else { best }) as u32);
        }
        // More unknown classes than rows cannot be; tables are sized by the largest number.
        let limit = classes + truth.len();
        if let Some(row) = truth.iter().position(|t| *t as usize >= limit) {
            return Err(ScoreError::Class { row, class: truth[row], classes });
        }
        Ok(Self { classes, probabilities, truth, top })
    }

    /// How many rows; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// How many classes have a probability.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// A row's probabilities, by class.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.classes..][..self.classes]
    }

    /// The class that is right for each row; from [`Scores::classes`] on, one that has no
    /// probability.
    pub fn truth(&self) -> &[u32] {
        &self.truth
    }

    /// The likeliest class of each row; of equally likely ones the first.
    pub fn top(&self) -> &[u32] {
        &self.top
    }

    /// Whether each row's likeliest class is right.
    pub fn correct(&self) -> Vec<bool> {
        self.top.iter().zip(&self.truth).map(|(top, truth)| top == truth).collect()
    }

    /// Each row's top probability, and whether it is right.
    pub fn outcomes(&self) -> Outcomes {
        let confidence = (0..self.len()).map(|row| self.row(row)[self.top[row] as usize]).collect();
        Outcomes { confidence, correct: self.correct() }
    }
}

/// Answers with how sure each was and whether it was right: what thresholds and calibration are
/// about. Never empty, and never with a confidence that is no number.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    confidence: Vec<f32>,
    correct: Vec<bool>,
}

impl Outcomes {
    /// Answers by confidence (any finite number, higher is surer; probabilities where calibration is
    /// measured) and rightness.
    ///
    /// # Errors
    /// No answers, two lengths, a confidence that is not finite.
    pub fn new(confidence: Vec<f32>, correct: Vec<bool>) -> Result<Self, ScoreError> {
        let (expected, found) = (correct.len(), confidence.len());
        if expected != found {
            return Err(ScoreError::Length { what: "the confidences", expected, found });
        }
        if correct.is_empty() {
            return Err(ScoreError::Empty);
        }
        finite(&confidence)?;
        Ok(Self { confidence, correct })
    }

    /// How many answers; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.correct.len()
    }

    /// How sure each is.
    pub fn confidence(&self) -> &[f32] {
        &self.confidence
    }

    /// Whether each is right.
    pub fn correct(&self) -> &[bool] {
        &self.correct
    }
}

pub(super) fn finite(values: &[f32]) -> Result<(), ScoreError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(ScoreError::Value { row, value: values[row], expected: "a number" }),
        None => Ok(()),
    }
}

/// Whether two confidences are the very same.
#[expect(clippy::float_cmp, reason = "near is not tied")]
pub(super) fn tied(a: f32, b: f32) -> bool {
    a == b
}

/// Rows by confidence, the least sure first.
pub(super) fn ascending(confidence: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..confidence.len()).collect();
    order.sort_by(|a, b| confidence[*a].total_cmp(&confidence[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_probability_is_refused_by_row() {
        let scores = |p: &[f32], truth: &[u32]| Scores::new(2, p.to_vec(), truth.to_vec());
        assert_eq!(scores(&[], &[]), Err(ScoreError::Empty));
        assert!(matches!(scores(&[1.0], &[0]), Err(ScoreError::Length { expected: 2, .. })));
        for bad in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            let refused = scores(&[0.5, 0.5, bad, 0.5], &[0, 0]);
            assert!(matches!(refused, Err(ScoreError::Value { row: 1, .. })), "{refused:?}");
        }
        assert!(matches!(scores(&[0.5, 0.4], &[0]), Err(ScoreError::Sum { row: 0, .. })));
        assert!(matches!(scores(&[0.5, 0.5], &[3]), Err(ScoreError::Class { class: 3, .. })));
        assert!(scores(&[0.0, 1.0], &[2]).is_ok(), "one unknown class");
    }

    #[test]
    fn of_equally_likely_classes_the_first_is_the_answer() {
        let scores = Scores::new(3, vec![0.2, 0.4, 0.4], vec![1]).unwrap();
        assert_eq!(scores.top(), [1]);
        assert_eq!(scores.outcomes(), Outcomes::new(vec![0.4], vec![true]).unwrap());
    }

    #[test]
    fn confidences_must_be_numbers() {
        let refused = Outcomes::new(vec![0.1, f32::NAN], vec![true, false]);
        assert!(matches!(refused, Err(ScoreError::Value { row: 1, .. })), "{refused:?}");
        assert!(
            Outcomes::new(vec![0.1], vec![]).is_err() && Outcomes::new(vec![], vec![]).is_err()
        );
    }
}
