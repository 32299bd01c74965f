//! Fitting a classifier to a history.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::calibrator::Calibrator;
use super::field::FieldModel;
use super::history::History;
use super::lexical::Terms;
use super::novelty::{Novelty, Signs, signs};
use super::promise::Promises;
use super::settle::{Calibration, Crossed, Sight, look, settle};
use super::stack::{DESCRIBED, PRIOR, Stack, softmax};
use super::unseen::{FOLDS, Folds, Unseen, most_rows, neighbours, sample};
use super::views::{VIEWS, Views};
use super::words::ClassWords;

/// Rows that novelty is learned from at most.
const NOVELTY_ROWS: usize = 4_000;
/// Rows that are learned from while classes are hidden, at most.
const NOVELTY_HISTORY: usize = 15_000;
/// Fewer classes cannot be hidden in turn.
const NOVELTY_CLASSES: usize = 4;
/// Parts of the classes that are hidden in turn of all [`FOLDS`], where each is a long fit: in rows
/// times classes. What is learned from them are seven numbers.
const FEWER_PARTS: usize = 2;
const LONG_FIT: usize = 4_000_000;
/// Fewer calibration rows than this say less than the folds do.
const CALIBRATION_ROWS: usize = 500;

/// How to fit.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// For folds and samples.
    pub seed: u64,
}

/// Why nothing can be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// There are no labels.
    #[error("there is no label to learn")]
    NoClasses,
    /// Too many for one model.
    #[error("{0} labels; at most 65,536 can be told apart")]
    TooManyClasses(usize),
    /// Neither tickets nor words.
    #[error("there are neither labelled tickets nor words that describe the labels")]
    Nothing,
    /// Vectors of different encoders.
    #[error("vectors of {0} and of {1} numbers; all must come from one encoder")]
    Dimensions(usize, usize),
}

impl History<'_> {
    fn check(&self) -> Result<(), FitError> {
        let classes = self.classes.len();
        if classes == 0 {
            return Err(FitError::NoClasses);
        }
        if classes > 1 << 16 {
            return Err(FitError::TooManyClasses(classes));
        }
        let words = self.words.iter().map(|w| w.vector.len());
        let mut widths = self.vectors.iter().map(|v| v.len()).chain(words);
        let Some(width) = widths.next() else { return Err(FitError::Nothing) };
        match widths.find(|w| *w != width) {
            Some(other) => Err(FitError::Dimensions(width, other)),
            None => Ok(()),
        }
    }
}

/// Fits a classifier. `advance` hears of each finished part and of how many there are.
///
/// The same history, options and kind of processor give the same model, bit by bit.
///
/// # Errors
/// There is nothing to learn from.
pub fn fit(
    history: History<'_>,
    calibration: Calibration<'_>,
    options: Options,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<FieldModel, FitError> {
    history.check()?;
    let (n, classes) = (history.labels.len(), history.classes.len());
    let mut support = vec![0_u32; classes];
    for label in history.labels {
        support[*label] += 1;
    }
    let all: Vec<usize> = (0..n).collect();
    let folds = Folds::of(history, options.seed);
    let steps = 1 + folds.as_ref().map_or(0, |folds| folds.count + 1 + hidden_parts(n, classes));
    let mut done = 0;
    let mut step = || {
        done += 1;
        advance(done, steps);
    };

    let fixed = if n == 0 { DESCRIBED } else { PRIOR };
    let mut model = FieldModel {
        classes: history.classes.to_vec(),
        support,
        views: history.views(&all, options.seed),
        stack: Stack::fixed(fixed, classes),
        calibrator: Calibrator::default(),
        novelty: Novelty::default(),
        promises: Promises::default(),
    };
    step();
    let mut crossed = None;
    if let Some(folds) = &folds {
        let unseen = Unseen::look(history, folds, options, &mut step);
        let strength = Stack::bias_strength(unseen.looks());
        let rows: Vec<usize> = (0..unseen.rows.len()).collect();
        model.stack = Stack::fit(unseen.looks(), &rows, strength);
        step();
        model.novelty = learn_novelty(history, &model.stack, &unseen, options, &mut step);
        let stacks = unseen.stacks(strength);
        let in_turn = Crossed { unseen, stacks };
        settle(&mut model, &in_turn.sights(|_| true));
        crossed = Some(in_turn);
    }
    // Where there are no folds, few rows say more than nothing.
    let enough = |rows: usize| rows >= if folds.is_some() { CALIBRATION_ROWS } else { 1 };
    let some = |rows: Vec<usize>| sample(rows, most_rows(classes), options.seed);
    let weights = model.stack.clone();
    match calibration {
        Calibration::Apart(rows) => {
            let fresh = (0..rows.labels.len()).filter(|row| !rows.taught[*row]).collect();
            let rows = rows.rows(&some(fresh));
            if enough(rows.labels.len()) {
                let seen = look(&model.views, &history.rows(&all), &rows);
                let sights: Vec<Sight<'_>> = seen.iter().map(|seen| seen.by(&weights)).collect();
                settle(&mut model, &sights);
            }
        }
        Calibration::Latest(held) | Calibration::Held(held) if held.len() < n => {
            let judge = |row: &usize| {
                folds.as_ref().map_or(!history.taught[*row], |folds| folds.judge(*row))
            };
            let held: BTreeSet<usize> = held.iter().copied().filter(judge).collect();
            if enough(held.len()) {
                let others: Vec<usize> =
                    all.iter().copied().filter(|row| !held.contains(row)).collect();
                let rows = some(held.iter().copied().collect());
                let views = history.views(&others, options.seed);
                let seen = look(&views, &history.rows(&others), &history.rows(&rows));
                let crossed = crossed.as_ref();
                let stack =
                    |row| crossed.and_then(|crossed| crossed.without(row)).unwrap_or(&weights);
                let mut sights: Vec<Sight<'_>> =
                    seen.iter().zip(&rows).map(|(seen, row)| seen.by(stack(*row))).collect();
                if let (Calibration::Held(_), Some(crossed)) = (calibration, crossed) {
                    sights.extend(crossed.sights(|row| !held.contains(&row)));
                }
                settle(&mut model, &sights);
            }
        }
        _ => {}
    }
    Ok(model)
}

/// The class that each row is given by a model that has not learned from it; rows that cannot
/// judge ([`History::taught`]) are left out. Empty if those that can are too few.
///
/// # Errors
/// There is nothing to learn from.
pub fn unseen_answers(
    history: History<'_>,
    options: Options,
) -> Result<Vec<(usize, usize)>, FitError> {
    history.check()?;
    let classes = history.classes.len();
    let Some(folds) = Folds::of(history, options.seed) else { return Ok(Vec::new()) };
    let unseen = Unseen::look(history, &folds, options, &mut || ());
    let stacks = unseen.stacks(Stack::bias_strength(unseen.looks()));
    let likeliest = |(row, views): (usize, &[f32])| {
        let logits = Unseen::without(row, &stacks).logits(views);
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        (unseen.rows[row], best.map_or(0, |(class, _)| class))
    };
    Ok(unseen.views.chunks_exact(VIEWS * classes).enumerate().map(likeliest).collect())
}

/// How many parts of the classes are hidden in turn.
fn hidden_parts(rows: usize, classes: usize) -> usize {
    if rows.min(NOVELTY_HISTORY) * classes > LONG_FIT { FEWER_PARTS } else { FOLDS }
}

/// Hides a part of the classes in turn and learns to tell their tickets from the others'.
fn learn_novelty(
    history: History<'_>,
    stack: &Stack,
    unseen: &Unseen,
    options: Options,
    step: &mut impl FnMut(),
) -> Novelty {
    let classes = history.classes.len();
    let parts = hidden_parts(history.labels.len(), classes);
    if classes < NOVELTY_CLASSES {
        (0..parts).for_each(|_| step());
        return Novelty::default();
    }
    let mut order: Vec<usize> = (0..classes).collect();
    Rng::with_seed(options.seed ^ 2).shuffle(&mut order);
    let mut hidden_in = vec![0; classes];
    for (at, class) in order.into_iter().enumerate() {
        hidden_in[class] = at % FOLDS;
    }
    let chosen = sample(0..unseen.rows.len(), NOVELTY_ROWS, options.seed ^ 3);
    let size = VIEWS * classes;
    let known: Vec<Signs> = chosen
        .iter()
        .map(|i| {
            let views = &unseen.views[i * size..][..size];
            let mut p = stack.logits(views);
            softmax(&mut p);
            signs(views, &p, &unseen.neighbours[*i])
        })
        .collect();
    let mut hidden = Vec::new();
    let learned = sample(0..history.labels.len(), NOVELTY_HISTORY, options.seed ^ 4);
    for part in 0..parts {
        let shown = |class: usize| hidden_in[class] != part;
        let seen: Vec<usize> =
            learned.iter().copied().filter(|i| shown(history.labels[*i])).collect();
        let rows: Vec<usize> = chosen
            .iter()
            .map(|i| unseen.rows[*i])
            .filter(|row| !shown(history.labels[*row]))
            .collect();
        let fitted = Hiding { history, shown: &shown }.views(&seen, options.seed);
        let near = neighbours(history, &rows, shown);
        for (row, near) in rows.iter().zip(&near) {
            let words = fitted.read(history.terms[*row], history.wordings[*row]);
            let mut views = fitted.look(history.vectors[*row], &words, near);
            silence(&mut views, classes, &shown);
            let mut p = stack.logits(&views);
            for (class, z) in p.iter_mut().enumerate() {
                if !shown(class) {
                    *z = f32::NEG_INFINITY;
                }
            }
            softmax(&mut p);
            hidden.push(signs(&views, &p, near));
        }
        step();
    }
    Novelty::fit(&known, &hidden)
}

/// A history without some of its classes.
struct Hiding<'a, F> {
    history: History<'a>,
    shown: &'a F,
}

impl<F: Fn(usize) -> bool> Hiding<'_, F> {
    fn views(&self, rows: &[usize], seed: u64) -> Views {
        // A hidden class has no words either; an empty vector makes its centre nothing.
        let words: Vec<ClassWords> = self
            .history
            .words
            .iter()
            .enumerate()
            .map(|(class, words)| {
                if (self.shown)(class) {
                    words.clone()
                } else {
                    ClassWords {
                        vector: vec![0.0; words.vector.len()],
                        terms: Terms::default(),
                        wording: vec![0; words.wording.len()],
                    }
                }
            })
            .collect();
        History { words: &words, ..self.history }.views(rows, seed)
    }
}

/// A hidden class never says anything.
fn silence(views: &mut [f32], classes: usize, shown: &impl Fn(usize) -> bool) {
    for view in views.chunks_exact_mut(classes) {
        let least = view.iter().copied().fold(f32::INFINITY, f32::min);
        for (class, score) in view.iter_mut().enumerate() {
            if !shown(class) {
                *score = least;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::UNKNOWN_CLASS;

    /// Tickets of four labels in turn, `labels` says which; `fitted` gets them as a history.
    fn history<T>(labels: &[usize], fitted: impl Fn(History<'_>) -> T) -> T {
        let classes: Vec<String> = (0..4).map(|class| class.to_string()).collect();
        let vector = |row: usize| {
            let mut vector = vec![0.1_f32; 4];
            vector[row % 4] = 1.0;
            vector
        };
        let rows = labels.len();
        let vectors: Vec<Vec<f32>> = (0..rows).map(vector).collect();
        let terms: Vec<Terms> =
            (0..rows).map(|row| Terms::of(&format!("word{}", row % 4))).collect();
        fitted(History {
            vectors: &vectors.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            terms: &terms.iter().collect::<Vec<_>>(),
            wordings: &vec![&[1_i8, 2][..]; rows],
            labels,
            groups: &(0..rows).collect::<Vec<_>>(),
            taught: &vec![false; rows],
            classes: &classes,
            words: &[],
        })
    }

    /// Two tickets of each label: too few for folds.
    fn few(fitted: impl Fn(History<'_>) -> FieldModel) -> FieldModel {
        history(&[0, 1, 2, 3, 0, 1, 2, 3], fitted)
    }

    /// What a model makes of a probability of 0.7.
    fn sure(model: &FieldModel) -> f32 {
        let mut p = [0.7, 0.1, 0.1, 0.1];
        model.calibrator.apply(&mut p, 0);
        p[0]
    }

    #[test]
    fn where_there_are_no_folds_few_calibration_rows_are_used() {
        let options = Options { seed: 1 };
        let none = few(|h| fit(h, Calibration::Folds, options, &|_, _| ()).unwrap());
        assert_eq!(none.calibrator, Calibrator::default());
        let held = [4, 5, 6, 7];
        let within = few(|h| fit(h, Calibration::Latest(&held), options, &|_, _| ()).unwrap());
        assert_ne!(within.calibrator, Calibrator::default());
    }

    #[test]
    fn calibration_rows_of_an_unknown_label_count_as_wrong() {
        let options = Options { seed: 1 };
        let unknown = [UNKNOWN_CLASS; 8];
        let apart = |labels: &[usize]| {
            few(|h| {
                let rows = Calibration::Apart(History { labels, ..h });
                fit(h, rows, options, &|_, _| ()).unwrap()
            })
        };
        assert!(sure(&apart(&unknown)) < sure(&apart(&[0, 1, 2, 3, 0, 1, 2, 3])));
    }

    #[test]
    fn a_part_with_cleaner_labels_than_the_others_does_not_make_answers_too_sure() {
        let held: Vec<usize> = (1_400..2_000).collect();
        // Every fifth label of the others is a wrong one.
        let wrong = |row: usize| usize::from(row < 1_400 && row.is_multiple_of(5));
        let labels: Vec<usize> = (0..2_000).map(|row| (row + wrong(row)) % 4).collect();
        let calibrated = |calibration: Calibration<'_>| {
            sure(&history(&labels, |h| {
                fit(h, calibration, Options { seed: 1 }, &|_, _| ()).unwrap()
            }))
        };
        assert!(
            calibrated(Calibration::Latest(&held)) > calibrated(Calibration::Held(&held)) + 0.05
        );
    }

    #[test]
    fn all_classes_are_hidden_some_time_unless_they_are_thousands() {
        assert_eq!(hidden_parts(15_000, 150), FOLDS);
        assert_eq!(hidden_parts(200_000, 150), FOLDS, "learned from a part of the history");
        assert_eq!(hidden_parts(12_000, 2_000), FEWER_PARTS);
    }
}
