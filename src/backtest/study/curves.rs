//! How answers change with what was learned from: fewer tickets, none, the months before.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::super::answers::{Answers, answers};
use super::super::parts::Parts;
use super::super::run::{Regime, RunError, Settings};
use super::{Case, MIDDLE};
use crate::judge::report::{ColdStart, Gain, LearningPoint, Month};
use crate::judge::{Share, metrics, splits};

/// Tickets that the models behind curves learn from at most.
const CURVE_ROWS: usize = 4_000;
/// Points of the learning curve below the last: each costs a fit.
const STEPS: usize = 3;
/// Tickets that a month's model learns from at most.
const MONTH_ROWS: usize = 3_000;
/// Months that are judged at most: fewer where each costs more.
const MONTHS: (usize, usize) = (6, 3);
/// Where a history is large.
const LARGE: usize = 12_000;
/// A month with fewer tickets says nothing.
const MONTH_LEAST: usize = 10;
/// Tickets of each label that a desk may begin with.
const BEGINNINGS: [usize; 3] = [1, 3, 10];

/// Learns and answers.
pub(super) fn ask(
    case: Case<'_>,
    parts: &Parts,
    regime: Regime,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<Answers, RunError> {
    let settings = Settings { regime, seed: case.seed, model: None, baselines: false };
    answers(case.data, case.labels, case.names, case.words, parts, settings, advance)
}

/// Points of the learning curve, the last of them what is judged anyway, and the labels that gained
/// most over the last step.
pub(super) fn learning(
    case: Case<'_>,
    parts: &Parts,
    main: &Answers,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<(Vec<LearningPoint>, Vec<Gain>), RunError> {
    let sizes = sizes(parts.fit.len());
    let mut points = Vec::new();
    let mut before: Option<(Answers, Parts)> = None;
    for (at, size) in sizes.iter().enumerate() {
        let smaller = Parts { fit: sample(&parts.fit, *size, case.seed), ..scored(parts) };
        let answers = ask(case, &smaller, Regime::Automatic, &|_, _| ())?;
        points.push(learning_point(&answers, smaller.fit.len())?);
        before = Some((answers, smaller));
        advance(at + 1, sizes.len());
    }
    points.push(learning_point(main, parts.fit.len())?);
    let gains = match before {
        Some((answers, smaller)) => gains(case, &answers, &smaller, main, parts)?,
        None => Vec::new(),
    };
    Ok((points, gains))
}

/// The same rows to be judged by.
fn scored(parts: &Parts) -> Parts {
    Parts { score: parts.score.clone(), how: parts.how.clone(), ..Parts::default() }
}

fn sizes(all: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut size = (all / 2).min(CURVE_ROWS);
    while size >= 30 && sizes.len() < STEPS {
        sizes.push(size);
        size /= 2;
    }
    sizes.reverse();
    sizes
}

/// So many of the rows by chance; a smaller sample is part of a larger one.
fn sample(rows: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let mut rows = rows.to_vec();
    Rng::with_seed(seed).shuffle(&mut rows);
    rows.truncate(most);
    rows.sort_unstable();
    rows
}

fn learning_point(answers: &Answers, learned: usize) -> Result<LearningPoint, RunError> {
    let scores = answers.scores()?;
    let accuracy = metrics::accuracy(&scores).estimate();
    Ok(LearningPoint { learned, accuracy, macro_f1: metrics::macro_f1(&scores) })
}

/// Labels that gained most from the last step of the learning curve.
fn gains(
    case: Case<'_>,
    before: &Answers,
    smaller: &Parts,
    after: &Answers,
    parts: &Parts,
) -> Result<Vec<Gain>, RunError> {
    let f1 = |answers: &Answers| -> Result<BTreeMap<usize, (f64, usize)>, RunError> {
        let figures = metrics::per_class(&answers.scores()?);
        Ok(figures.into_iter().map(|c| (c.class, (c.f1, c.support))).collect())
    };
    let (was, is) = (f1(before)?, f1(after)?);
    let held = |parts: &Parts, label: usize| {
        parts.fit.iter().filter(|r| case.labels[**r] == label).count()
    };
    let mut gains = Vec::new();
    for (label, (f1_to, support)) in is {
        let f1_from = was.get(&label).map_or(0.0, |w| w.0);
        // On fewer judged tickets a gain is luck.
        if support >= 10 && f1_to - f1_from >= 0.02 && label < case.names.len() {
            gains.push(Gain {
                label: case.names[label].clone(),
                from: held(smaller, label),
                to: held(parts, label),
                f1_from,
                f1_to,
            });
        }
    }
    gains.sort_by(|a, b| (b.f1_to - b.f1_from).total_cmp(&(a.f1_to - a.f1_from)));
    gains.truncate(8);
    Ok(gains)
}

/// From the labels' names alone to a few tickets of each.
pub(super) fn cold_start(
    case: Case<'_>,
    parts: &Parts,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<ColdStart>, RunError> {
    let numbers: Vec<u32> = case.labels.iter().map(|l| *l as u32).collect();
    let mut points = Vec::new();
    let beginnings = BEGINNINGS.iter().map(|n| Some(*n));
    for (at, per_label) in std::iter::once(None).chain(beginnings).enumerate() {
        let (regime, fit) = match per_label {
            None => (Regime::Described, parts.fit.clone()),
            Some(n) => (Regime::Automatic, splits::per_class(&parts.fit, &numbers, n, case.seed)),
        };
        let learned = if per_label.is_none() { 0 } else { fit.len() };
        // Where a label has no more tickets, more of them say nothing new.
        let again = points.last().is_some_and(|p: &ColdStart| learned > 0 && p.learned == learned);
        if learned <= CURVE_ROWS && learned <= parts.fit.len() && !again {
            let parts = Parts { fit, ..scored(parts) };
            let answers = ask(case, &parts, regime, &|_, _| ())?;
            let accuracy = metrics::accuracy(&answers.scores()?).estimate();
            points.push(ColdStart { per_label: per_label.unwrap_or(0), learned, accuracy });
        }
        advance(at + 1, BEGINNINGS.len() + 1);
    }
    Ok(points)
}

/// Each month by a model of the months before; the latest of them where there are many.
pub(super) fn months(
    case: Case<'_>,
    advance: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Month>, RunError> {
    let mut by_month: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, time) in case.times.iter().enumerate() {
        if let Some(time) = time {
            by_month.entry(time.strftime("%Y-%m").to_string()).or_default().push(row);
        }
    }
    let most = if case.labels.len() > LARGE { MONTHS.1 } else { MONTHS.0 };
    let names: Vec<&String> = by_month.keys().collect();
    let first = names.len().saturating_sub(most).max(1);
    let mut months = Vec::new();
    for at in first..names.len() {
        let mut earlier: Vec<usize> =
            names[..at].iter().flat_map(|m| &by_month[*m]).copied().collect();
        let groups: BTreeSet<usize> = earlier.iter().map(|r| case.data.groups[*r]).collect();
        let known: BTreeSet<usize> = earlier.iter().map(|r| case.labels[*r]).collect();
        let score: Vec<usize> = by_month[names[at]]
            .iter()
            .copied()
            .filter(|r| !groups.contains(&case.data.groups[*r]))
            .collect();
        earlier.sort_by_key(|r| case.times[*r]);
        let fit = earlier[earlier.len().saturating_sub(MONTH_ROWS)..].to_vec();
        if score.len() >= MONTH_LEAST && fit.len() >= 3 * MONTH_LEAST {
            let unknown = score.iter().filter(|r| !known.contains(&case.labels[**r])).count();
            let parts = Parts { fit, score, ..Parts::default() };
            let answers = ask(case, &parts, Regime::Automatic, &|_, _| ())?;
            months.push(month(names[at], &parts, &answers, unknown)?);
        }
        advance(at - first + 1, names.len() - first);
    }
    Ok(months)
}

fn month(name: &str, parts: &Parts, answers: &Answers, unknown: usize) -> Result<Month, RunError> {
    let scores = answers.scores()?;
    let correct = scores.correct();
    let applied = answers.applied.iter().filter(|a| a[MIDDLE]).count();
    let right = answers.applied.iter().zip(&correct).filter(|(a, c)| a[MIDDLE] && **c).count();
    let n = scores.len();
    Ok(Month {
        month: name.to_owned(),
        learned: parts.fit.len(),
        judged: n,
        accuracy: metrics::accuracy(&scores).estimate(),
        coverage: applied as f64 / n as f64,
        precision: (applied > 0).then(|| Share { successes: right, trials: applied }.estimate()),
        unknown: unknown as f64 / n as f64,
    })
}
