//! What was answered, ticket by ticket, for reports that look behind the figures.

use std::collections::HashMap;

use super::baselines;
use super::parts::Parts;
use super::prepare::Prepared;
use super::run::{Known, Regime, RunError, Settings, TARGETS, learn, near, predictions};
use super::study::Case;
use crate::classify::{ClassWords, NEIGHBOURS, Promise, Terms};
use crate::judge::report::Similar;
use crate::judge::{ScoreError, Scores, Share, splits};

/// Answers to the tickets that were judged by.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The tickets, by their place in the data.
    pub rows: Vec<usize>,
    /// Labels that have a probability; those of the data come first.
    pub classes: usize,
    /// `rows × classes`.
    pub probabilities: Vec<f32>,
    /// The label of each.
    pub truth: Vec<u32>,
    /// Whether the label would be applied without a person, at each of [`TARGETS`].
    pub applied: Vec<[bool; TARGETS.len()]>,
    /// What each of [`TARGETS`] was said to come to.
    pub promises: Vec<Promise>,
    /// Coverage and precision as foretold from tickets that were left out in turn.
    pub foretold: Vec<(f64, f64)>,
}

impl Answers {
    /// As figures are reckoned from.
    ///
    /// # Errors
    /// There is none.
    pub fn scores(&self) -> Result<Scores, ScoreError> {
        Scores::new(self.classes, self.probabilities.clone(), self.truth.clone())
    }

    /// The likeliest label of each.
    pub fn top(&self) -> Vec<usize> {
        let top = |row: &[f32]| {
            (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
        };
        self.probabilities.chunks_exact(self.classes.max(1)).map(top).collect()
    }
}

/// Learns and answers as [`super::run()`] does, and hands out each answer. `labels`, `names` and
/// `words` as there.
///
/// # Errors
/// Nothing could be fitted.
pub fn answers(
    data: &Prepared,
    labels: &[usize],
    names: &[String],
    words: &[ClassWords],
    parts: &Parts,
    settings: Settings<'_>,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<Answers, RunError> {
    let described = settings.regime == Regime::Described;
    let known = if described {
        Known::everything(names.len())
    } else {
        Known::new(labels, parts, names.len())
    };
    let rows = if described { &[][..] } else { &parts.fit[..] };
    let fitted;
    let (model, known) = if let Some(model) = settings.model {
        (model, Known::of_model(model, names)?)
    } else {
        fitted = learn(data, labels, names, words, parts, rows, &known, settings, advance)?;
        (&fitted, known)
    };
    let memory: Vec<usize> =
        rows.iter().copied().filter(|r| known.class(labels[*r]).is_some()).collect();
    let promises: Vec<Promise> = TARGETS.iter().map(|t| model.promises().at(*t)).collect();
    let mut answers = Answers {
        rows: parts.score.clone(),
        classes: known.classes(),
        truth: parts.score.iter().map(|r| labels[*r] as u32).collect(),
        foretold: foretold(model.promises()),
        ..Answers::default()
    };
    for prediction in predictions(data, labels, model, &known, &parts.score, &memory) {
        answers.applied.push(std::array::from_fn(|at| model.applies(&promises[at], &prediction)));
        let start = answers.probabilities.len();
        answers.probabilities.resize(start + answers.classes, 0.0);
        for (class, probability) in prediction.probabilities.iter().enumerate() {
            answers.probabilities[start + known.label(class)] = *probability;
        }
    }
    answers.promises = promises;
    Ok(answers)
}

fn foretold(promises: &crate::classify::Promises) -> Vec<(f64, f64)> {
    let (mut right, n) = (0, promises.len());
    promises
        .answers()
        .enumerate()
        .map(|(at, (_, correct, _))| {
            right += usize::from(correct);
            ((at + 1) as f64 / n as f64, right as f64 / (at + 1) as f64)
        })
        .collect()
}

/// The same tickets by simpler means.
#[derive(Debug, Clone)]
pub struct Rival {
    /// What it does.
    pub name: &'static str,
    /// Its answer to each judged ticket; `None` where it has none.
    pub answers: Vec<Option<usize>>,
}

/// Answers the judged tickets by the most frequent label, by keyword rules, by TF-IDF with logistic
/// regression where that fits memory, and by the most similar ticket.
pub fn rivals(
    data: &Prepared,
    labels: &[usize],
    classes: usize,
    parts: &Parts,
    seed: u64,
) -> Vec<Rival> {
    let learned: Vec<usize> = parts.fit.iter().map(|r| labels[*r]).collect();
    let most = baselines::majority(&learned, classes);
    let all = |answer| vec![Some(answer); parts.score.len()];
    let text = |rows: &[usize]| rows.iter().map(|r| data.texts[*r].as_str()).collect::<Vec<_>>();
    let rules = baselines::keywords(&text(&parts.fit), &learned, classes, &text(&parts.score));
    let terms: Vec<&Terms> = parts.fit.iter().map(|r| &data.terms[*r]).collect();
    let queries: Vec<&Terms> = parts.score.iter().map(|r| &data.terms[*r]).collect();
    let nearest = near(data, &parts.score, &parts.fit, 1);
    let mut rivals = vec![
        Rival { name: "Most frequent label", answers: all(most) },
        Rival { name: "Keyword rules", answers: rules },
    ];
    if let Some(found) = baselines::tfidf_lr(&terms, &learned, classes, &queries, seed) {
        let answers = found.into_iter().map(Some).collect();
        rivals.push(Rival { name: "TF-IDF and logistic regression", answers });
    }
    let first = |near: Vec<(usize, f32)>| near.first().map(|(row, _)| labels[*row]);
    let answers = nearest.into_iter().map(first).collect();
    rivals.push(Rival { name: "Label of the nearest ticket", answers });
    rivals
}

/// What tickets look like to models that had not seen them: the evidence of the label doctor.
#[derive(Debug, Clone, Default)]
pub struct Unseen {
    /// `tickets × classes`; each row adds up to 1.
    pub probabilities: Vec<f32>,
    /// The most similar tickets of each, near-duplicates left out: place and cosine.
    pub similar: Vec<Vec<(usize, f32)>>,
}

/// Answers every ticket by models without it, in five folds that keep near-duplicates together.
///
/// Not by the whole stack, which would take five times as long: the mean of a logistic regression
/// over words and of the vote of the most similar tickets. Its answers are less sure than the
/// stack's and wrong in other places than a label is, which is what is wanted here.
///
/// # Errors
/// There are fewer groups of near-duplicates than folds.
pub fn unseen(
    data: &Prepared,
    labels: &[usize],
    classes: usize,
    seed: u64,
    advance: &mut dyn FnMut(),
) -> Result<Unseen, RunError> {
    let numbers: Vec<u32> = labels.iter().map(|l| *l as u32).collect();
    let folds = splits::folds(&data.groups, &numbers, FOLDS, seed)?;
    let all: Vec<usize> = (0..labels.len()).collect();
    let similar = super::run::nearest_others(data, &all, NEIGHBOURS);
    advance();
    let mut probabilities = vec![0.0_f32; labels.len() * classes];
    for fold in 0..FOLDS {
        let (held, seen): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|row| folds[**row] == fold);
        let of = |rows: &[usize]| rows.iter().map(|r| &data.terms[*r]).collect::<Vec<_>>();
        let learned: Vec<usize> = seen.iter().map(|r| labels[*r]).collect();
        let scores = baselines::tfidf_scores(&of(&seen), &learned, classes, &of(&held), seed);
        for (at, row) in held.iter().enumerate() {
            let own = &mut probabilities[row * classes..][..classes];
            vote(own, &similar[*row], labels);
            if let Some(scores) = &scores {
                let sigmoid: Vec<f32> =
                    scores.iter().map(|of| 1.0 / (1.0 + (-of[at]).exp())).collect();
                let sum = sigmoid.iter().sum::<f32>().max(f32::MIN_POSITIVE);
                for (p, s) in own.iter_mut().zip(sigmoid) {
                    *p = f32::midpoint(*p, s / sum);
                }
            }
        }
        advance();
    }
    Ok(Unseen { probabilities, similar })
}

/// Whether the tickets learned from that are most similar to a judged one have its label: as search
/// would show them.
pub fn similar(case: Case<'_>, parts: &Parts) -> Similar {
    const SHOWN: usize = 5;
    let near = near(case.data, &parts.score, &parts.fit, SHOWN);
    let mut known: HashMap<usize, usize> = HashMap::new();
    for row in &parts.fit {
        *known.entry(case.labels[*row]).or_default() += 1;
    }
    let (mut first, mut five, mut chance) = (Vec::new(), Vec::new(), 0.0);
    for (row, near) in parts.score.iter().zip(&near) {
        let label = case.labels[*row];
        let hits: Vec<bool> = near.iter().map(|(other, _)| case.labels[*other] == label).collect();
        first.push(hits.first() == Some(&true));
        five.push(hits.contains(&true));
        let share = known.get(&label).map_or(0.0, |n| *n as f64 / parts.fit.len().max(1) as f64);
        chance += 1.0 - (1.0 - share).powf(SHOWN as f64);
    }
    Similar {
        queries: parts.score.len(),
        among: parts.fit.len(),
        field: case.name.to_owned(),
        first: first.into_iter().collect::<Share>().estimate(),
        among_five: five.into_iter().collect::<Share>().estimate(),
        by_chance: chance / parts.score.len().max(1) as f64,
    }
}

/// Parts that are left out in turn.
const FOLDS: usize = 5;
/// How much a vote falls with distance: a cosine lower by a tenth counts a third.
const SHARPNESS: f32 = 11.0;

fn vote(into: &mut [f32], similar: &[(usize, f32)], labels: &[usize]) {
    let nearest = similar.first().map_or(0.0, |s| s.1);
    // Little is known where nothing is near.
    into.fill(0.05 / into.len().max(1) as f32);
    for (row, cosine) in similar {
        into[labels[*row]] += ((cosine - nearest) * SHARPNESS).exp();
    }
    let sum: f32 = into.iter().sum();
    for p in into {
        *p /= sum;
    }
}
