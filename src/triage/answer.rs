//! From evidence to the labels of an answer: by the trained bundle where there is one, by the vote
//! of similar tickets and the taxonomy's words where there is none.

use std::cell::LazyCell;
use std::collections::HashSet;

use super::bundles::{Active, Heard, Thresholds};
use super::policy::{Circumstances, Learned, Policy, decide, decide_learned};
use super::prototypes::Prototypes;
use super::recall::Recall;
use super::vote::{self, Evidence, Scored};
use crate::classify::Query;
use crate::domain::{
    Decision, LabelDecision, LabelField, Neighbour, Outcome, Reason, Regime, Support, TeamDecision,
};

/// A class of at least so many tickets has been learned, not only met.
const TRAINED_FROM: u32 = 5;
/// Newer tickets have to speak against a label at least this strongly to be heard.
const HEARD: f32 = 0.1;

/// A bundle with what it reads of the ticket.
pub(super) struct Trained<'a> {
    pub(super) bundle: &'a Active,
    pub(super) words: &'a Heard,
    pub(super) thresholds: &'a Thresholds,
}

/// All that the labels are decided from.
pub(super) struct Question<'a> {
    pub(super) vector: Option<&'a [f32]>,
    pub(super) neighbours: &'a [Neighbour],
    pub(super) prototypes: &'a Prototypes,
    pub(super) trained: Option<Trained<'a>>,
    pub(super) circumstances: Circumstances,
}

impl Question<'_> {
    /// Category, team and priority.
    pub(super) fn answer(&self, policy: &Policy) -> (LabelDecision, TeamDecision, LabelDecision) {
        let taxonomy = &self.prototypes.taxonomy;
        let described = LazyCell::new(|| self.described());
        let decided = |field| {
            let decided = self.learned(field).map_or_else(
                || {
                    let voted = decide(policy, &self.voted(field, &described), self.circumstances);
                    // Where a precision is promised, a vote that was never measured keeps to it.
                    if self.trained.is_some() { unpromised(voted) } else { voted }
                },
                |learned| decide_learned(policy.suggest, &learned, self.circumstances),
            );
            LabelDecision { support: self.support(field, decided.label.as_deref()), ..decided }
        };
        let team = decided(LabelField::Team);
        let department = team.label.as_deref().and_then(|label| taxonomy.team(label));
        let team = TeamDecision {
            department: department.and_then(|t| t.department.clone()),
            decision: team,
        };
        (decided(LabelField::Category), team, decided(LabelField::Priority))
    }

    /// How well each category's own words describe the ticket.
    fn described(&self) -> Vec<Scored> {
        let similarities = self.vector.map(|vector| self.prototypes.similarities(vector));
        let described = similarities.map(|s| vote::described(&s)).unwrap_or_default();
        if described.is_empty() {
            let categories = &self.prototypes.taxonomy.categories;
            return vote::uniform(categories.iter().map(|category| &category.label));
        }
        described
    }

    /// What similar tickets and the taxonomy's own words say of a field.
    fn voted(&self, field: LabelField, described: &[Scored]) -> Evidence {
        let taxonomy = &self.prototypes.taxonomy;
        let vote = |known: &dyn Fn(&str) -> bool, prior: &[Scored]| {
            vote::vote(self.neighbours, |outcome| label(outcome, field), known, prior)
        };
        match field {
            LabelField::Category => vote(&|label| taxonomy.category(label).is_some(), described),
            LabelField::Team => {
                let mut prior = vote::described_teams(described, taxonomy);
                if prior.is_empty() {
                    prior = vote::uniform(taxonomy.teams.iter().map(|team| &team.label));
                }
                vote(&|label| taxonomy.team(label).is_some(), &prior)
            }
            LabelField::Priority => {
                let known = |label: &str| taxonomy.priorities.iter().any(|p| p == label);
                vote(&known, &vote::described_priorities(taxonomy))
            }
        }
    }

    /// What became of the tickets most like it.
    fn support(&self, field: LabelField, suggested: Option<&str>) -> Option<Support> {
        let mut support = Support { same: 0, of: 0 };
        for known in self.neighbours.iter().filter_map(|n| label(&n.outcome, field)) {
            support.of += 1;
            support.same += u32::from(Some(known) == suggested);
        }
        (support.of > 0).then_some(support)
    }

    /// What the bundle, and what was decided since it was fitted, say of a field; `None` where it
    /// has nothing to say.
    fn learned(&self, field: LabelField) -> Option<Learned> {
        let (trained, vector) = (self.trained.as_ref()?, self.vector?);
        let bundle = trained.bundle;
        let model = bundle.bundle.fields.get(field.name())?;
        let promise = trained.thresholds.get(field.name())?;
        let allowed: HashSet<&str> = self.prototypes.taxonomy.labels(field).collect();
        let (mut known, mut newer) = (Vec::new(), Vec::new());
        for neighbour in self.neighbours {
            let Some(label) = label(&neighbour.outcome, field) else { continue };
            if let Some(class) = bundle.class(field, label) {
                known.push((class, neighbour.score));
            }
            if allowed.contains(label) && !bundle.knows(neighbour.ticket_id, field, label) {
                newer.push((label, neighbour.score));
            }
        }
        let words = trained.words.get(field.name())?;
        let prediction = model.predict(Query { vector, words, neighbours: &known });
        let classes = model.classes();
        let named = classes.iter().zip(&prediction.probabilities);
        let model_says: Vec<Scored> = named
            .filter(|(label, _)| allowed.contains(label.as_str()))
            .map(|(label, p)| (label.clone(), *p))
            .collect();
        let top = classes.get(prediction.top)?;
        let recall = Recall::of(&newer);
        if !allowed.contains(top.as_str()) && recall.weight < 0.5 {
            // It means a label that has gone since; the others are no second best.
            return None;
        }
        let against = recall.against(top);
        let labels = recall.blend(model_says);
        let best = labels.first()?.0.as_str();
        let support = bundle.class(field, best).and_then(|c| model.support().get(c).copied());
        let regime = match support {
            _ if best != top.as_str() && against >= HEARD => Regime::FewShot,
            Some(n) if n >= TRAINED_FROM => Regime::Trained,
            Some(0) => Regime::Described,
            _ => Regime::FewShot,
        };
        // What was decided of the same kind of ticket makes it one of a known kind.
        let trust = prediction.trust() + recall.weight * (1.0 - prediction.trust());
        Some(Learned {
            promised: best == top.as_str()
                && against < HEARD
                && regime != Regime::Described
                && promise.applies(prediction.top, prediction.confidence()),
            novel: trust < model.novelty_threshold(),
            conflict: (HEARD..1.0 - HEARD).contains(&against),
            regime,
            labels,
        })
    }
}

/// The same answer, for a person to decide.
fn unpromised(decided: LabelDecision) -> LabelDecision {
    match decided.decision {
        Decision::Auto => LabelDecision {
            decision: Decision::Suggest,
            reason: Some(Reason::LowConfidence),
            ..decided
        },
        Decision::Suggest | Decision::Abstain => decided,
    }
}

fn label(outcome: &Outcome, field: LabelField) -> Option<&str> {
    match field {
        LabelField::Category => outcome.category.as_deref(),
        LabelField::Team => outcome.team.as_deref(),
        LabelField::Priority => outcome.priority.as_deref(),
    }
}
