//! What was learned of one label field.

use super::calibrator::{self, Calibrator};
use super::lexical::Terms;
use super::novelty::{self, Novelty};
use super::promise::{Promise, Promises};
use super::stack::{Stack, softmax};
use super::views::{VIEWS, Views, WordViews};

/// Two tickets this alike say the same.
const THE_SAME: f32 = 0.98;

/// A ticket, as a model sees it.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Its embedding, of unit length.
    pub vector: &'a [f32],
    /// What its words say: [`FieldModel::read`].
    pub words: &'a WordViews,
    /// The most similar labelled tickets: class and cosine, the most similar first.
    pub neighbours: &'a [(usize, f32)],
}

/// What a model says of a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// One a class; they add up to 1.
    pub probabilities: Vec<f32>,
    /// The likeliest class; of equally likely ones the first.
    pub top: usize,
    /// 0 to 1: how sure it is that the ticket is of any of the classes at all.
    pub in_scope: f32,
}

impl Prediction {
    /// The likeliest class's probability.
    pub fn confidence(&self) -> f32 {
        self.probabilities.get(self.top).copied().unwrap_or_default()
    }

    /// How far the answer can be trusted where tickets of no class may come: falls where either
    /// the class or its being one of them is in doubt.
    pub fn trust(&self) -> f32 {
        self.confidence() * self.in_scope
    }
}

/// A classifier for one label field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldModel {
    pub(super) classes: Vec<String>,
    /// Tickets that each class was fitted on.
    pub(super) support: Vec<u32>,
    pub(super) views: Views,
    pub(super) stack: Stack,
    pub(super) calibrator: Calibrator,
    pub(super) novelty: Novelty,
    pub(super) promises: Promises,
}

impl FieldModel {
    /// The labels, by class.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How many tickets each class was fitted on.
    pub fn support(&self) -> &[u32] {
        &self.support
    }

    /// Numbers in the vectors that it reads.
    pub fn dimensions(&self) -> usize {
        self.views.centres.len() / self.classes.len().max(1)
    }

    /// What thresholds are chosen from.
    pub fn promises(&self) -> &Promises {
        &self.promises
    }

    /// Below this [`Prediction::trust`] a ticket is taken for one of no class.
    pub fn novelty_threshold(&self) -> f32 {
        self.novelty.threshold
    }

    /// Whether an answer is applied without a person: it is sure enough for the promise, and not to
    /// a ticket of no class.
    pub fn applies(&self, promise: &Promise, prediction: &Prediction) -> bool {
        prediction.trust() >= self.novelty.threshold
            && promise.applies(prediction.top, prediction.confidence())
    }

    /// The weights of the views: planes, words, votes, centres, joint planes, closest tickets,
    /// the words' own vectors.
    pub fn weights(&self) -> [f32; VIEWS] {
        self.stack.weights
    }

    /// Reads a ticket's words, which needs no vector: it can be done while that is made.
    pub fn read(&self, terms: &Terms, wording: &[i8]) -> WordViews {
        self.views.read(terms, wording)
    }

    /// Answers a ticket.
    pub fn predict(&self, query: Query<'_>) -> Prediction {
        let views = self.views.look(query.vector, query.words, query.neighbours);
        judge(&self.stack, self.calibrator, &self.novelty, &views, query.neighbours)
    }
}

/// From what the views say to an answer.
pub(super) fn judge(
    stack: &Stack,
    calibration: Calibrator,
    novelty: &Novelty,
    views: &[f32],
    neighbours: &[(usize, f32)],
) -> Prediction {
    let mut probabilities = stack.logits(views);
    softmax(&mut probabilities);
    let top = top(&probabilities);
    let in_scope = novelty.in_scope(&novelty::signs(views, &probabilities, neighbours));
    calibration.apply(&mut probabilities, top);
    if let Some(most) = contradiction(neighbours, top).filter(|most| probabilities[top] > *most) {
        calibrator::set(&mut probabilities, top, most);
    }
    Prediction { probabilities, top, in_scope }
}

/// How sure an answer may be at most where the very same ticket has had different labels: about as
/// often as it had this one.
fn contradiction(neighbours: &[(usize, f32)], top: usize) -> Option<f32> {
    let same = || neighbours.iter().filter(|n| n.1 >= THE_SAME);
    let (all, right) = (same().count(), same().filter(|n| n.0 == top).count());
    (right < all).then(|| (right as f32 + 0.5) / (all as f32 + 0.5))
}

/// The position of the largest; of equals the first.
pub(super) fn top(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}
