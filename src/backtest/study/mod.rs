//! A whole study of one kind of label: everything that a report says of it but the label doctor.

mod curves;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answers::{Answers, Rival, rivals};
use super::parts::Parts;
use super::prepare::Prepared;
use super::run::{Regime, RunError, TARGETS};
use super::watch::{Stage, Watch};
use crate::classify::ClassWords;
use crate::judge::binomial::mcnemar;
use crate::judge::report::{
    Baseline, Class, Confusion, Curve, CurvePoint, Effort, Field, Misroute, OperatingPoint,
};
use crate::judge::{Scores, Share, metrics, paired_bootstrap};

/// The target that tables speak of where one must do.
const MIDDLE: usize = 1;
/// Points of the coverage curve that are kept.
const CURVE_POINTS: usize = 60;
/// Labels that the confusion matrix shows; the rarest of more stand together.
const SHOWN_LABELS: usize = 24;
/// What the matrix calls those.
const REST: &str = "all other labels";
/// Mistakes that are listed, and examples of each.
const MISROUTES: (usize, usize) = (12, 2);

/// A labelled history, prepared; lists have one item a ticket but `names` and `words`.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// `category`, `team`.
    pub name: &'a str,
    /// As a classifier reads it.
    pub data: &'a Prepared,
    /// Redacted subjects, to show.
    pub subjects: &'a [String],
    /// Each ticket's label.
    pub labels: &'a [usize],
    /// The labels.
    pub names: &'a [String],
    /// What labels say by their own words.
    pub words: &'a [ClassWords],
    /// When each was asked.
    pub times: &'a [Option<Timestamp>],
    /// For all that is left to chance.
    pub seed: u64,
}

/// What minutes are assumed.
#[derive(Debug, Clone, Copy)]
pub struct Minutes {
    /// To read and route a ticket by hand.
    pub triage: f64,
    /// Lost by a wrong label.
    pub misroute: f64,
    /// What bounced tickets took longer, where known.
    pub measured: Option<f64>,
}

/// Judges the label on these parts.
///
/// # Errors
/// Nothing could be fitted or judged.
pub fn study(
    case: Case<'_>,
    parts: &Parts,
    minutes: Minutes,
    watch: &dyn Watch,
) -> Result<(Field, Answers), RunError> {
    let begin = |stage| watch.begin(stage, Some(case.name));
    let advance = |done: usize, of: usize| watch.advance(done, of);
    begin(Stage::Fitting);
    let main = curves::ask(case, parts, Regime::Automatic, &advance)?;
    begin(Stage::Simpler);
    let others = rivals(case.data, case.labels, case.names.len(), parts, case.seed);
    advance(1, 1);
    let mut field = judge(case, parts, &main, &others, minutes)?;
    begin(Stage::Learning);
    (field.learning, field.gains) = curves::learning(case, parts, &main, &advance)?;
    begin(Stage::Beginning);
    field.cold_start = curves::cold_start(case, parts, &advance)?;
    begin(Stage::Months);
    field.months = curves::months(case, &advance)?;
    Ok((field, main))
}

fn judge(
    case: Case<'_>,
    parts: &Parts,
    main: &Answers,
    others: &[Rival],
    minutes: Minutes,
) -> Result<Field, RunError> {
    let scores = main.scores()?;
    let (outcomes, correct) = (scores.outcomes(), scores.correct());
    let n = scores.len();
    let mut baselines = Vec::new();
    for rival in others {
        baselines.push(baseline(rival, main, &correct, case)?);
    }
    let operating = TARGETS
        .iter()
        .enumerate()
        .map(|(at, target)| {
            let applied = main.applied.iter().filter(|a| a[at]).count();
            let right = main.applied.iter().zip(&correct).filter(|(a, c)| a[at] && **c).count();
            OperatingPoint {
                target: *target,
                promised: main.promises[at].coverage,
                coverage: Share { successes: applied, trials: n }.estimate(),
                precision: (applied > 0)
                    .then(|| Share { successes: right, trials: applied }.estimate()),
                applied,
                right,
            }
        })
        .collect();
    let realised = metrics::coverage_curve(&outcomes)
        .into_iter()
        .map(|p| (p.coverage.value(), p.precision.value()))
        .collect::<Vec<_>>();
    Ok(Field {
        name: case.name.to_owned(),
        split: parts.how.clone(),
        labels: case.names.len(),
        learned: parts.fit.len(),
        judged: n,
        accuracy: metrics::accuracy(&scores).estimate(),
        macro_f1: metrics::macro_f1_estimate(&scores, case.seed),
        top3: metrics::top_k(&scores, 3).estimate(),
        ece: metrics::ece_estimate(&outcomes, case.seed),
        ece_if_calibrated: metrics::calibrated_ece(&outcomes, 0.95, case.seed),
        baselines,
        operating,
        curve: Curve { promised: thin(&main.foretold), realised: thin(&realised) },
        reliability: metrics::reliability(&outcomes, metrics::ECE_BINS),
        confusion: confusion(case.names, &scores),
        classes: classes(case, parts, main, &scores),
        misroutes: misroutes(case, main),
        effort: Effort {
            tickets_a_month: tickets_a_month(case.times),
            minutes_a_triage: minutes.triage,
            minutes_a_misroute: minutes.misroute,
            measured_misroute: minutes.measured,
        },
        learning: Vec::new(),
        gains: Vec::new(),
        cold_start: Vec::new(),
        months: Vec::new(),
    })
}

fn baseline(
    rival: &Rival,
    main: &Answers,
    correct: &[bool],
    case: Case<'_>,
) -> Result<Baseline, RunError> {
    let right: Vec<bool> =
        rival.answers.iter().zip(&main.truth).map(|(a, t)| *a == Some(*t as usize)).collect();
    let share: Share = right.iter().copied().collect();
    // Certain answers; one that has none is of a class beyond all.
    let width = case.names.len() + 1;
    let mut certain = vec![0.0; right.len() * width];
    for (row, answer) in rival.answers.iter().enumerate() {
        certain[row * width + answer.unwrap_or(width - 1)] = 1.0;
    }
    let scores = Scores::new(width, certain, main.truth.clone())?;
    let hits = |right: &[bool]| right.iter().map(|r| f64::from(u8::from(*r))).collect::<Vec<_>>();
    let (ours, theirs) = (hits(correct), hits(&right));
    let mean = |hits: &[f64], drawn: &[u32]| {
        let sum: f64 = hits.iter().zip(drawn).map(|(h, d)| h * f64::from(*d)).sum();
        sum / hits.len() as f64
    };
    Ok(Baseline {
        name: rival.name.to_owned(),
        accuracy: share.estimate(),
        macro_f1: metrics::macro_f1_estimate(&scores, case.seed),
        ahead: paired_bootstrap(
            ours.len(),
            case.seed,
            |drawn| mean(&ours, drawn),
            |drawn| mean(&theirs, drawn),
        ),
        p: mcnemar(correct, &right).p,
    })
}

/// Some of a curve's points, evenly by coverage, the last always.
fn thin(curve: &[(f64, f64)]) -> Vec<CurvePoint> {
    let mut points = Vec::new();
    let mut next = 0.0;
    for (at, (coverage, precision)) in curve.iter().enumerate() {
        if *coverage >= next || at + 1 == curve.len() {
            points.push(CurvePoint { coverage: *coverage, precision: *precision });
            next = coverage + 1.0 / CURVE_POINTS as f64;
        }
    }
    points
}

fn classes(case: Case<'_>, parts: &Parts, main: &Answers, scores: &Scores) -> Vec<Class> {
    let mut learned = vec![0_usize; case.names.len()];
    for row in &parts.fit {
        learned[case.labels[*row]] += 1;
    }
    let mut classes: Vec<Class> = metrics::per_class(scores)
        .into_iter()
        .filter(|c| c.class < case.names.len())
        .map(|c| {
            let hits = (c.recall * c.support as f64).round() as usize;
            let applied = main.applied.iter().zip(&main.truth);
            let applied = applied.filter(|(a, t)| a[MIDDLE] && **t as usize == c.class).count();
            Class {
                label: case.names[c.class].clone(),
                support: c.support,
                learned: learned[c.class],
                precision: Share { successes: hits, trials: c.predicted }.estimate(),
                recall: Share { successes: hits, trials: c.support }.estimate(),
                f1: c.f1,
                coverage: applied as f64 / c.support.max(1) as f64,
            }
        })
        .collect();
    classes.sort_by(|a, b| b.support.cmp(&a.support).then_with(|| a.label.cmp(&b.label)));
    classes
}

fn misroutes(case: Case<'_>, main: &Answers) -> Vec<Misroute> {
    let mut pairs: BTreeMap<(usize, usize), (usize, Vec<usize>)> = BTreeMap::new();
    for (at, (top, truth)) in main.top().into_iter().zip(&main.truth).enumerate() {
        if top != *truth as usize {
            let pair = pairs.entry((*truth as usize, top)).or_default();
            pair.0 += usize::from(main.applied[at][MIDDLE]);
            pair.1.push(main.rows[at]);
        }
    }
    let name = |label: usize| case.names.get(label).cloned().unwrap_or_default();
    let mut misroutes: Vec<Misroute> = pairs
        .into_iter()
        .map(|((truth, answer), (applied, rows))| Misroute {
            truth: name(truth),
            answer: name(answer),
            tickets: rows.len(),
            applied,
            examples: rows.iter().take(MISROUTES.1).map(|r| case.subjects[*r].clone()).collect(),
        })
        .collect();
    misroutes.sort_by_key(|m| std::cmp::Reverse((m.applied, m.tickets)));
    misroutes.truncate(MISROUTES.0);
    misroutes
}

/// The matrix with labels that are taken for each other side by side; the rarest stand together.
fn confusion(names: &[String], scores: &Scores) -> Confusion {
    let matrix = metrics::confusion(scores);
    let known = names.len().min(matrix.classes());
    let rows = |c: usize| (0..matrix.classes()).map(|p| matrix.count(c, p)).sum::<u32>();
    let given = |c: usize| (0..matrix.classes()).map(|t| matrix.count(t, c)).sum::<u32>();
    let mut used: Vec<usize> = (0..known).filter(|c| rows(*c) + given(*c) > 0).collect();
    used.sort_by_key(|c| std::cmp::Reverse(rows(*c)));
    let rest = used.len() > SHOWN_LABELS;
    used.truncate(SHOWN_LABELS);
    let order = matrix.families(&used);
    let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(at, c)| (*c, at)).collect();
    let size = order.len() + usize::from(rest);
    let at = |c: usize| place.get(&c).copied().unwrap_or(order.len());
    let mut counts = vec![vec![0; size]; size];
    for truth in 0..matrix.classes() {
        for answer in 0..matrix.classes() {
            if at(truth) < size && at(answer) < size {
                counts[at(truth)][at(answer)] += matrix.count(truth, answer) as usize;
            }
        }
    }
    let mut labels: Vec<String> = order.iter().map(|c| names[*c].clone()).collect();
    if rest {
        labels.push(REST.to_owned());
    }
    Confusion { labels, counts }
}

fn tickets_a_month(times: &[Option<Timestamp>]) -> Option<f64> {
    let seconds: Vec<i64> = times.iter().flatten().map(|t| t.as_second()).collect();
    let (first, last) = (seconds.iter().min()?, seconds.iter().max()?);
    let months = (last - first) as f64 / (86_400.0 * 30.44);
    (months >= 0.5).then(|| seconds.len() as f64 / months)
}
