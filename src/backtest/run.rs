//! Fits, scores and compares.

use rayon::prelude::*;

use super::baselines;
use super::figures::{Baselines, CoverageAt, Figures, OutOfScope, ScopePair};
use super::parts::Parts;
use super::prepare::Prepared;
use crate::classify::nearest::nearest;
use crate::classify::{
    Calibration, ClassWords, FieldModel, FitError, Labelled, NEIGHBOURS, Options, Prediction,
    Query, Terms, UNKNOWN_CLASS, fit,
};
use crate::judge::metrics::{self, ScopeCurve};
use crate::judge::splits::SplitError;
use crate::judge::{Outcomes, ScoreError, Scores};

/// Target precisions that are reported.
pub const TARGETS: [f64; 3] = [0.90, 0.95, 0.98];
/// The accuracy that must be left when out-of-scope tickets are turned away.
const IN_SCOPE_ACCURACY: f64 = 0.95;

/// What the answers may rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regime {
    /// Whatever there is.
    Automatic,
    /// The labels' own words alone.
    Described,
}

/// How to judge.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// What answers may rest on.
    pub regime: Regime,
    /// For what is left to chance.
    pub seed: u64,
    /// Judges this model instead of fitting one; the rows to learn from are its memory.
    pub model: Option<&'a FieldModel>,
    /// Whether simpler means are judged on the same tickets.
    pub baselines: bool,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing could be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Nothing could be judged.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The data cannot be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The bundle's model has none of the labels.
    #[error("the model knows none of the labels in the data")]
    Labels,
}

/// Judges labels on prepared tickets. `labels` holds each ticket's label by number in `names`
/// (ignored out of scope), `words` what each label's own words say; with several parts, their
/// answers are judged together. `advance` hears of finished steps and of how many there are.
///
/// # Errors
/// Nothing could be fitted or judged.
pub fn run(
    data: &Prepared,
    labels: &[usize],
    names: &[String],
    words: &[ClassWords],
    all: &[Parts],
    settings: Settings<'_>,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<Figures, RunError> {
    let mut pool = Pool::default();
    for (turn, parts) in all.iter().enumerate() {
        let advance = |done: usize, of: usize| advance(turn * of + done, all.len() * of);
        let known = Known::new(labels, parts, names.len());
        let described = settings.regime == Regime::Described;
        // With descriptions alone every label of the data is known, and no ticket is.
        let known = if described { Known::everything(names.len()) } else { known };
        let rows = if described { &[][..] } else { &parts.fit[..] };
        let fitted;
        let (model, known) = if let Some(model) = settings.model {
            (model, Known::of_model(model, names)?)
        } else {
            fitted = learn(data, labels, names, words, parts, rows, &known, settings, &advance)?;
            (&fitted, known)
        };
        let memory: Vec<usize> =
            rows.iter().copied().filter(|r| known.class(labels[*r]).is_some()).collect();
        pool.score(data, labels, parts, model, &known, &memory);
        if settings.baselines {
            pool.compare(data, labels, parts, names.len(), settings.seed);
        }
    }
    pool.figures(names.len(), settings)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one call, named where it is made")]
pub(super) fn learn(
    data: &Prepared,
    labels: &[usize],
    names: &[String],
    words: &[ClassWords],
    parts: &Parts,
    rows: &[usize],
    known: &Known,
    settings: Settings<'_>,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<FieldModel, FitError> {
    let class = |row: &usize| (*row, known.class(labels[*row]).unwrap_or(UNKNOWN_CLASS));
    let learned = rows.iter().map(class).filter(|(_, class)| *class != UNKNOWN_CLASS);
    let learned = Labelled::of(data.readings(), learned);
    let calibration = Labelled::of(data.readings(), parts.calibrate.iter().map(class));
    let classes: Vec<String> = known.labels.iter().map(|l| names[*l].clone()).collect();
    let words: Vec<ClassWords> = if words.is_empty() {
        Vec::new()
    } else {
        known.labels.iter().map(|l| words[*l].clone()).collect()
    };
    let history = learned.history(&classes, &words);
    let held = learned.positions(&parts.calibrate);
    let calibration = if settings.regime == Regime::Described || calibration.is_empty() {
        Calibration::Folds
    } else if held.is_empty() {
        Calibration::Apart(calibration.history(&classes, &words))
    } else {
        Calibration::Held(&held)
    };
    fit(history, calibration, Options { seed: settings.seed }, advance)
}

/// The labels that a model knows, by class.
pub(super) struct Known {
    labels: Vec<usize>,
    class: Vec<Option<usize>>,
}

impl Known {
    pub(super) fn new(labels: &[usize], parts: &Parts, count: usize) -> Self {
        let mut seen = vec![false; count];
        for row in &parts.fit {
            seen[labels[*row]] = true;
        }
        Self::from_labels((0..count).filter(|l| seen[*l]).collect(), count)
    }

    pub(super) fn everything(count: usize) -> Self {
        Self::from_labels((0..count).collect(), count)
    }

    pub(super) fn of_model(model: &FieldModel, names: &[String]) -> Result<Self, RunError> {
        // A model's class whose label is not in the data gets a number beyond them.
        let mut beyond = names.len();
        let labels: Vec<usize> = model
            .classes()
            .iter()
            .map(|class| {
                names.iter().position(|n| n == class).unwrap_or_else(|| {
                    beyond += 1;
                    beyond - 1
                })
            })
            .collect();
        if labels.iter().all(|l| *l >= names.len()) {
            return Err(RunError::Labels);
        }
        Ok(Self::from_labels(labels, beyond))
    }

    fn from_labels(labels: Vec<usize>, count: usize) -> Self {
        let mut class = vec![None; count];
        for (at, label) in labels.iter().enumerate() {
            class[*label] = Some(at);
        }
        Self { labels, class }
    }

    /// The label that a class stands for.
    pub(super) fn label(&self, class: usize) -> usize {
        self.labels[class]
    }

    /// Labels of the data, and beyond them those that only the model has.
    pub(super) fn classes(&self) -> usize {
        self.class.len()
    }

    pub(super) fn class(&self, label: usize) -> Option<usize> {
        self.class.get(label).copied().flatten()
    }
}

/// Answers of all parts together.
#[derive(Default)]
struct Pool {
    /// Probabilities by label of the data, and the rest that is of none of them.
    answers: Vec<Vec<f32>>,
    truth: Vec<u32>,
    trust: Vec<f32>,
    strange: Vec<f32>,
    /// Turned away at the deployed threshold: known ones answered right and kept, unknown rejected.
    kept_right: usize,
    rejected: usize,
    applied: [(usize, usize); TARGETS.len()],
    promised: [(f64, f64, f64); TARGETS.len()],
    turns: usize,
    majority: usize,
    lexical: Option<usize>,
    nearest: usize,
}

impl Pool {
    fn score(
        &mut self,
        data: &Prepared,
        labels: &[usize],
        parts: &Parts,
        model: &FieldModel,
        known: &Known,
        memory: &[usize],
    ) {
        let predict = |rows: &[usize]| predictions(data, labels, model, known, rows, memory);
        let predictions = predict(&parts.score);
        for (slot, target) in TARGETS.into_iter().enumerate() {
            let promise = model.promises().at(target);
            for (row, p) in parts.score.iter().zip(&predictions) {
                if model.applies(&promise, p) {
                    self.applied[slot].0 += 1;
                    self.applied[slot].1 += usize::from(known.labels[p.top] == labels[*row]);
                }
            }
            let coverage = promise.coverage;
            self.promised[slot].0 += coverage.value;
            self.promised[slot].1 += coverage.low;
            self.promised[slot].2 += coverage.high;
        }
        for (row, p) in parts.score.iter().zip(predictions) {
            let mut by_label = vec![0.0; known.class.len()];
            for (class, probability) in p.probabilities.iter().enumerate() {
                by_label[known.labels[class]] = *probability;
            }
            let right = known.labels[p.top] == labels[*row];
            self.kept_right += usize::from(right && p.trust() >= model.novelty_threshold());
            self.trust.push(p.trust());
            self.truth.push(labels[*row] as u32);
            self.answers.push(by_label);
        }
        for p in predict(&parts.out_of_scope) {
            self.rejected += usize::from(p.trust() < model.novelty_threshold());
            self.strange.push(p.trust());
        }
        self.turns += 1;
    }

    fn compare(
        &mut self,
        data: &Prepared,
        labels: &[usize],
        parts: &Parts,
        classes: usize,
        seed: u64,
    ) {
        let of = |rows: &[usize]| rows.iter().map(|r| labels[*r]).collect::<Vec<_>>();
        let (learned, truth) = (of(&parts.fit), of(&parts.score));
        let most = baselines::majority(&learned, classes);
        self.majority += truth.iter().filter(|t| **t == most).count();
        let near = near(data, &parts.score, &parts.fit, 1);
        let found = near.iter().map(|n| n.first().map(|(row, _)| labels[*row]));
        self.nearest += found.zip(&truth).filter(|(f, t)| *f == Some(**t)).count();
        let terms: Vec<&Terms> = parts.fit.iter().map(|r| &data.terms[*r]).collect();
        let queries: Vec<&Terms> = parts.score.iter().map(|r| &data.terms[*r]).collect();
        if let Some(found) = baselines::tfidf_lr(&terms, &learned, classes, &queries, seed) {
            let right = found.iter().zip(&truth).filter(|(f, t)| f == t).count();
            *self.lexical.get_or_insert(0) += right;
        }
    }

    fn figures(self, names: usize, settings: Settings<'_>) -> Result<Figures, RunError> {
        let (n, seed) = (self.truth.len(), settings.seed);
        // A model may know labels that the data do not have; every row is as wide as the widest.
        let classes = self.answers.iter().map(Vec::len).max().unwrap_or(names);
        let mut probabilities = Vec::with_capacity(n * classes);
        for mut row in self.answers {
            row.resize(classes, 0.0);
            probabilities.extend(row);
        }
        let scores = Scores::new(classes, probabilities, self.truth)?;
        let outcomes = scores.outcomes();
        let curve = metrics::coverage_curve(&outcomes);
        let coverage_at = TARGETS
            .into_iter()
            .zip(self.applied.iter().zip(&self.promised))
            .map(|(target, (&(applied, right), promised))| {
                let turns = self.turns as f64;
                CoverageAt {
                    target,
                    promised_coverage: crate::judge::Estimate {
                        value: promised.0 / turns,
                        low: promised.1 / turns,
                        high: promised.2 / turns,
                    },
                    coverage: applied as f64 / n as f64,
                    precision: (applied > 0).then(|| right as f64 / applied as f64),
                    oracle_coverage: metrics::widest_coverage(&curve, target)
                        .map_or(0.0, |point| point.coverage.value()),
                    applied,
                    right,
                }
            })
            .collect();
        let share = |hits: usize| hits as f64 / n as f64;
        let trusted = Outcomes::new(self.trust.clone(), scores.correct())?;
        let oos = if self.strange.is_empty() {
            None
        } else {
            let curve = ScopeCurve::new(&trusted, self.strange.clone())?;
            let best = curve.largest_recall(IN_SCOPE_ACCURACY);
            Some(OutOfScope {
                curve: ScopePair {
                    recall: best.as_ref().map_or(0.0, |p| p.recall.value()),
                    in_scope_accuracy: best.map_or_else(
                        || metrics::accuracy(&scores).value(),
                        |p| p.in_scope_accuracy.value(),
                    ),
                },
                deployed: ScopePair {
                    recall: self.rejected as f64 / self.strange.len() as f64,
                    in_scope_accuracy: share(self.kept_right),
                },
                auroc: metrics::auroc(&self.trust, &self.strange)?,
            })
        };
        Ok(Figures {
            n,
            accuracy: metrics::accuracy(&scores).estimate(),
            macro_f1: metrics::macro_f1_estimate(&scores, seed),
            top3: metrics::top_k(&scores, 3).estimate(),
            ece: metrics::ece_estimate(&outcomes, seed),
            ece_if_calibrated: metrics::calibrated_ece(&outcomes, 0.95, seed),
            reliability: metrics::reliability(&outcomes, metrics::ECE_BINS),
            brier: metrics::brier_estimate(&scores, seed),
            coverage_at,
            oos,
            baselines: settings.baselines.then(|| Baselines {
                majority: share(self.majority),
                tfidf_lr: self.lexical.map(share),
                nearest: share(self.nearest),
            }),
        })
    }
}

/// What a model answers to rows that have `memory` to look for neighbours in.
pub(super) fn predictions(
    data: &Prepared,
    labels: &[usize],
    model: &FieldModel,
    known: &Known,
    rows: &[usize],
    memory: &[usize],
) -> Vec<Prediction> {
    let near = near(data, rows, memory, NEIGHBOURS);
    let answer = |(row, near): (&usize, Vec<(usize, f32)>)| {
        let labelled =
            near.into_iter().filter_map(|(r, cosine)| Some((known.class(labels[r])?, cosine)));
        model.predict(Query {
            vector: &data.vectors[*row],
            words: &model.read(&data.terms[*row], &data.wordings[*row]),
            neighbours: &labelled.collect::<Vec<_>>(),
        })
    };
    rows.par_iter().zip(near).map(answer).collect()
}

/// The rows of the memory most similar to each of the given ones.
pub(super) fn near(
    data: &Prepared,
    rows: &[usize],
    memory: &[usize],
    k: usize,
) -> Vec<Vec<(usize, f32)>> {
    let queries: Vec<&[f32]> = rows.iter().map(|r| &data.vectors[*r][..]).collect();
    let held: Vec<&[f32]> = memory.iter().map(|r| &data.vectors[*r][..]).collect();
    let found = nearest(&queries, &held, k, |_, _| true);
    found
        .into_iter()
        .map(|near| near.into_iter().map(|(at, cosine)| (memory[at], cosine)).collect())
        .collect()
}

/// The tickets most similar to each of the given ones, near-duplicates left out.
pub(super) fn nearest_others(data: &Prepared, rows: &[usize], k: usize) -> Vec<Vec<(usize, f32)>> {
    let all: Vec<&[f32]> = data.vectors.iter().map(Vec::as_slice).collect();
    let queries: Vec<&[f32]> = rows.iter().map(|r| all[*r]).collect();
    nearest(&queries, &all, k, |query, row| data.groups[rows[query]] != data.groups[row])
}
