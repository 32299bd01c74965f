//! Right and wrong, over all rows and by class.

use super::super::estimate::bootstrap;
use super::super::scores::tied;
use super::super::{Estimate, Scores, Share};

/// The share of rows whose likeliest class is right.
pub fn accuracy(scores: &Scores) -> Share {
    scores.correct().into_iter().collect()
}

/// The share of rows whose true class is among the `k` likeliest. Of equally likely classes the
/// first comes first, so that `k = 1` is the accuracy.
pub fn top_k(scores: &Scores, k: usize) -> Share {
    let hit = |row: usize| {
        let (p, truth) = (scores.row(row), scores.truth()[row] as usize);
        p.get(truth).is_some_and(|own| {
            let before =
                p.iter().enumerate().filter(|(c, p)| *p > own || (tied(**p, *own) && *c < truth));
            before.count() < k
        })
    };
    (0..scores.len()).map(hit).collect()
}

/// One class's figures. What has no denominator is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFigures {
    /// The class; from [`Scores::classes`] on, one that the model does not know.
    pub class: usize,
    /// Of the rows that were given the class, the share that have it.
    pub precision: f64,
    /// Of the rows that have the class, the share that were given it.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Rows that have the class.
    pub support: usize,
    /// Rows that were given it.
    pub predicted: usize,
}

/// The figures of each class that some row has or was given, in order.
pub fn per_class(scores: &Scores) -> Vec<ClassFigures> {
    let tally = Tally::of(scores, &vec![1; scores.len()]);
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let figures = |class: usize| {
        let (hits, support, predicted) = tally.counts[class];
        ClassFigures {
            class,
            precision: share(hits, predicted),
            recall: share(hits, support),
            f1: share(2 * hits, support + predicted),
            support: support as usize,
            predicted: predicted as usize,
        }
    };
    tally.present().map(figures).collect()
}

/// F1 averaged over the classes that some row has or was given, each counting the same.
pub fn macro_f1(scores: &Scores) -> f64 {
    Tally::of(scores, &vec![1; scores.len()]).macro_f1()
}

/// [`macro_f1`] with its bootstrap interval.
pub fn macro_f1_estimate(scores: &Scores, seed: u64) -> Estimate {
    bootstrap(scores.len(), seed, |drawn| Tally::of(scores, drawn).macro_f1())
}

/// Hits, rows that have the class, rows that were given it: by class.
struct Tally {
    counts: Vec<(u64, u64, u64)>,
}

impl Tally {
    fn of(scores: &Scores, drawn: &[u32]) -> Self {
        let mut counts = vec![(0, 0, 0); class_count(scores)];
        for ((&top, &truth), &times) in scores.top().iter().zip(scores.truth()).zip(drawn) {
            let times = u64::from(times);
            counts[truth as usize].1 += times;
            counts[top as usize].2 += times;
            if top == truth {
                counts[top as usize].0 += times;
            }
        }
        Self { counts }
    }

    fn present(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.counts.len()).filter(|class| self.counts[*class].1 + self.counts[*class].2 > 0)
    }

    fn macro_f1(&self) -> f64 {
        let (sum, classes) = self.present().fold((0.0, 0usize), |(sum, classes), class| {
            let (hits, support, predicted) = self.counts[class];
            (sum + 2.0 * hits as f64 / (support + predicted) as f64, classes + 1)
        });
        sum / classes.max(1) as f64
    }
}

/// The classes that have a probability, and the unknown ones that some row has.
fn class_count(scores: &Scores) -> usize {
    let highest = scores.truth().iter().max().map_or(0, |highest| *highest as usize + 1);
    highest.max(scores.classes())
}

/// How often each class was taken for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u32>,
}

impl Confusion {
    /// How many classes: those with a probability, then the unknown ones.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows of class `truth` that were given class `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u32 {
        self.counts[truth * self.classes + predicted]
    }

    /// The confusions that occurred, `(truth, predicted, rows)`, the most frequent first.
    pub fn worst(&self) -> Vec<(usize, usize, u32)> {
        let pair = |(at, &rows): (usize, &u32)| (at / self.classes, at % self.classes, rows);
        let wrong =
            |&(truth, predicted, rows): &(usize, usize, u32)| truth != predicted && rows > 0;
        let mut pairs: Vec<_> = self.counts.iter().enumerate().map(pair).filter(wrong).collect();
        pairs.sort_by_key(|(_, _, rows)| std::cmp::Reverse(*rows));
        pairs
    }
}

impl Confusion {
    /// These classes in an order in which those that are taken for each other stand together: the
    /// leaves of an average-linkage tree (Sokal & Michener, *University of Kansas Science Bulletin*
    /// 1958) over the shares of confusions.
    pub fn families(&self, classes: &[usize]) -> Vec<usize> {
        let rows = |c: usize| (0..self.classes).map(|p| self.count(c, p)).sum::<u32>();
        let alike = |a: usize, b: usize| {
            let both = self.count(a, b) + self.count(b, a);
            f64::from(both) / f64::from((rows(a) + rows(b)).max(1))
        };
        let mut families: Vec<Vec<usize>> = classes.iter().map(|c| vec![*c]).collect();
        while families.len() > 1 {
            let mut best = (-1.0, 0, 1);
            for i in 0..families.len() {
                for j in i + 1..families.len() {
                    let (one, two) = (&families[i], &families[j]);
                    let pairs = one.iter().flat_map(|a| two.iter().map(|b| alike(*a, *b)));
                    let mean = pairs.sum::<f64>() / (one.len() * two.len()) as f64;
                    if mean > best.0 {
                        best = (mean, i, j);
                    }
                }
            }
            let joined = families.remove(best.2);
            families[best.1].extend(joined);
        }
        families.concat()
    }
}

/// The confusion matrix.
pub fn confusion(scores: &Scores) -> Confusion {
    let classes = class_count(scores);
    let mut counts = vec![0; classes * classes];
    for (&top, &truth) in scores.top().iter().zip(scores.truth()) {
        counts[truth as usize * classes + top as usize] += 1;
    }
    Confusion { classes, counts }
}
