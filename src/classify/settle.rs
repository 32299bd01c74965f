//! Calibrates a model, and takes its thresholds, from rows that it has not seen.

use rayon::prelude::*;

use super::calibrator::Calibrator;
use super::field::{FieldModel, judge};
use super::history::{History, Tickets};
use super::nearest::nearest;
use super::promise::{Promises, TURNED_AWAY};
use super::stack::Stack;
use super::unseen::Unseen;
use super::views::{NEIGHBOURS, VIEWS, Views};

/// The label of a calibration row whose class nothing was learned of: no answer to it is right.
pub const UNKNOWN_CLASS: usize = usize::MAX;

/// What probabilities and thresholds are calibrated on.
#[derive(Debug, Clone, Copy)]
pub enum Calibration<'a> {
    /// Parts of the history, left out in turn, near-duplicates together.
    Folds,
    /// Tickets that are not learned from, with classes of the same list, or [`UNKNOWN_CLASS`].
    Apart(History<'a>),
    /// The latest rows of the history, as a model without them answers them: they are learned from
    /// as well, and stand for what is to come.
    Latest(&'a [usize]),
    /// Rows that the history's owner held out, answered like those, together with what the folds
    /// leave out of the others. They alone would stand for what is to come with all that is
    /// peculiar to a part, such as labels that somebody has looked through once more.
    Held(&'a [usize]),
}

/// Rows as models saw them that had not learned from them, with weights of the views of which each
/// was fitted without some of these rows.
pub(super) struct Crossed {
    pub(super) unseen: Unseen,
    pub(super) stacks: Vec<Stack>,
}

impl Crossed {
    /// Weights that were fitted without a row; none where no weights were fitted to it.
    pub(super) fn without(&self, row: usize) -> Option<&Stack> {
        let at = self.unseen.rows.binary_search(&row).ok()?;
        Some(Unseen::without(at, &self.stacks))
    }

    /// Those of the rows that are wanted.
    pub(super) fn sights(&self, wanted: impl Fn(usize) -> bool) -> Vec<Sight<'_>> {
        let Unseen { rows, labels, views, neighbours, .. } = &self.unseen;
        let views = views.chunks_exact(VIEWS * self.unseen.looks().classes);
        let all = rows.iter().zip(labels).zip(views).zip(neighbours).enumerate();
        all.filter(|(_, (((row, _), _), _))| wanted(**row))
            .map(|(at, (((_, label), views), near))| Sight {
                views,
                near,
                label: *label,
                stack: Unseen::without(at, &self.stacks),
            })
            .collect()
    }
}

/// A row as it looks to views, and weights, that have not seen it.
pub(super) struct Sight<'a> {
    views: &'a [f32],
    /// Classes with cosines.
    near: &'a [(usize, f32)],
    label: usize,
    stack: &'a Stack,
}

struct Answer {
    confidence: f32,
    trust: f32,
    correct: bool,
    top: usize,
}

/// Each row's answer.
fn answers(model: &FieldModel, sights: &[Sight<'_>]) -> Vec<Answer> {
    let answer = |sight: &Sight<'_>| {
        let Sight { views, near, label, stack } = *sight;
        let prediction = judge(stack, model.calibrator, &model.novelty, views, near);
        Answer {
            confidence: prediction.confidence(),
            trust: prediction.trust(),
            correct: prediction.top == label,
            top: prediction.top,
        }
    };
    sights.iter().map(answer).collect()
}

/// Calibrates a model and takes its thresholds from answers that it gives to unseen rows.
pub(super) fn settle(model: &mut FieldModel, sights: &[Sight<'_>]) {
    model.calibrator = Calibrator::default();
    let raw = answers(model, sights);
    let raw: Vec<(f32, bool)> = raw.iter().map(|a| (a.confidence, a.correct)).collect();
    model.calibrator = Calibrator::fit(&raw);
    let answers = answers(model, sights);
    model.novelty.choose(answers.iter().map(|a| (a.trust, a.correct)).collect());
    model.promises = promises(&answers, model.novelty.threshold);
}

fn promises(answers: &[Answer], trusted: f32) -> Promises {
    let sure = |a: &Answer| if a.trust >= trusted { a.confidence } else { TURNED_AWAY };
    Promises::new(answers.iter().map(|a| (sure(a), a.correct, a.top)).collect())
}

/// A row that some views have not seen, with what they make of it.
pub(super) struct Seen {
    views: Vec<f32>,
    near: Vec<(usize, f32)>,
    label: usize,
}

impl Seen {
    /// The same by weights that have not seen it either.
    pub(super) fn by<'a>(&'a self, stack: &'a Stack) -> Sight<'a> {
        Sight { views: &self.views, near: &self.near, label: self.label, stack }
    }
}

/// How rows look to `views`, which were fitted on `others`.
pub(super) fn look(views: &Views, others: &Tickets<'_>, rows: &Tickets<'_>) -> Vec<Seen> {
    let near = nearest(&rows.vectors, &others.vectors, NEIGHBOURS, |_, _| true);
    let look = |(i, near): (usize, Vec<(usize, f32)>)| {
        let near: Vec<(usize, f32)> =
            near.into_iter().map(|(row, cosine)| (others.labels[row], cosine)).collect();
        let words = views.read(rows.terms[i], rows.wordings[i]);
        let views = views.look(rows.vectors[i], &words, &near);
        Seen { views, near, label: rows.labels[i] }
    };
    near.into_par_iter().enumerate().map(look).collect()
}
