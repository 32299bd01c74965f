//! How good the answers were, told by what agents made of them.
//!
//! An agent who sees a label agrees with it more readily than one who does not, so these figures are
//! kinder than a back-test. What was rejected for another reason than its category says nothing
//! about labels and is left out of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Triage;
use crate::domain::{Action, Decision, LabelDecision, LabelField, RejectReason, WorkspaceId};
use crate::judge::metrics::{ReliabilityBin, reliability};
use crate::judge::{Outcomes, Share};
use crate::store::{StoreError, StoredSuggestion};

/// Decisions that are looked at, the newest.
const LOOKED_AT: u32 = 5_000;
/// Bins of a reliability diagram, and decisions that each should have at least.
const BINS: usize = 10;
const IN_A_BIN: usize = 10;

/// How good answers were.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Decisions that this rests on.
    pub decided: usize,
    /// Whether there were more, which are not counted.
    pub cut: bool,
    /// When the oldest of them was answered.
    pub since: Option<Timestamp>,
    /// Suggestions that were taken as they were.
    pub approved: Share,
    /// Suggestions of which a label was changed.
    pub overridden: Share,
    /// Drafts that were sent on word for word, among those of approved and edited suggestions.
    pub drafts_kept: Share,
    /// By field.
    pub fields: Vec<FieldQuality>,
}

/// How good the labels of one field were.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldQuality {
    /// Which.
    pub field: LabelField,
    /// Labels that agents left as they were.
    pub accuracy: Share,
    /// Answers that were sure enough to be applied.
    pub coverage: Share,
    /// Of these, those that were left as they were.
    pub precision: Share,
    /// How sure the answers were, and how often they were right. Empty where there are too few.
    pub reliability: Vec<ReliabilityBin>,
    /// By suggested label, the most frequent first: how often it was left, and how often it was
    /// sure enough.
    pub labels: Vec<(String, Share, Share)>,
}

impl Triage {
    /// How good a desk's answers were: those of one bundle, or all.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn quality(
        &self,
        workspace: &WorkspaceId,
        bundle: Option<&str>,
    ) -> Result<Quality, StoreError> {
        let mut decided = self.parts.store.decided(workspace, bundle, LOOKED_AT + 1).await?;
        let cut = decided.len() > LOOKED_AT as usize;
        decided.truncate(LOOKED_AT as usize);
        Ok(Quality::of(&decided, cut))
    }
}

impl Quality {
    /// From suggestions with a decision in force.
    pub fn of(decided: &[StoredSuggestion], cut: bool) -> Self {
        let made = || decided.iter().filter_map(|s| Some((s, s.decision.as_ref()?)));
        let overridden = |stored: &StoredSuggestion| {
            LabelField::ALL.into_iter().any(|field| right(stored, field) == Some(false))
        };
        let drafted = made().filter(|(s, decision)| {
            s.suggestion.draft.is_some()
                && matches!(decision.action, Action::Approve | Action::Edit)
        });
        Self {
            decided: decided.len(),
            cut,
            since: decided.iter().map(|s| s.created_at).min(),
            approved: made().map(|(_, decision)| decision.action == Action::Approve).collect(),
            overridden: decided.iter().map(overridden).collect(),
            drafts_kept: drafted.map(|(_, d)| d.effort.edit_distance == Some(0)).collect(),
            fields: LabelField::ALL.map(|field| FieldQuality::of(field, decided)).into(),
        }
    }
}

impl FieldQuality {
    fn of(field: LabelField, decided: &[StoredSuggestion]) -> Self {
        let judged: Vec<(&LabelDecision, bool)> = decided
            .iter()
            .filter_map(|stored| Some((answer(stored, field), right(stored, field)?)))
            .collect();
        let applied = |answer: &LabelDecision| answer.decision == Decision::Auto;
        let mut labels: BTreeMap<&str, Vec<(bool, bool)>> = BTreeMap::new();
        for (answer, right) in &judged {
            let label = answer.label.as_deref().unwrap_or_default();
            labels.entry(label).or_default().push((*right, applied(answer)));
        }
        let mut labels: Vec<(String, Share, Share)> = labels
            .into_iter()
            .map(|(label, seen)| {
                let left = seen.iter().map(|(right, _)| *right).collect();
                (label.to_owned(), left, seen.iter().map(|(_, applied)| *applied).collect())
            })
            .collect();
        labels.sort_by_key(|(_, left, _)| std::cmp::Reverse(left.trials));
        let confidence = judged.iter().map(|(answer, _)| answer.probability).collect();
        let outcomes = Outcomes::new(confidence, judged.iter().map(|(_, right)| *right).collect());
        let bins = (judged.len() / IN_A_BIN).min(BINS);
        Self {
            field,
            accuracy: judged.iter().map(|(_, right)| *right).collect(),
            coverage: judged.iter().map(|(answer, _)| applied(answer)).collect(),
            precision: judged.iter().filter(|(a, _)| applied(a)).map(|(_, right)| *right).collect(),
            reliability: match outcomes {
                Ok(outcomes) if bins > 0 => reliability(&outcomes, bins),
                _ => Vec::new(),
            },
            labels,
        }
    }
}

fn answer(stored: &StoredSuggestion, field: LabelField) -> &LabelDecision {
    let suggestion = &stored.suggestion;
    match field {
        LabelField::Category => &suggestion.category,
        LabelField::Team => &suggestion.team.decision,
        LabelField::Priority => &suggestion.priority,
    }
}

/// Whether an agent left a label as it was suggested; `None` where that cannot be told.
fn right(stored: &StoredSuggestion, field: LabelField) -> Option<bool> {
    let (decision, answer) = (stored.decision.as_ref()?, answer(stored, field));
    answer.label.as_ref()?;
    if decision.action == Action::Reject {
        let about = decision.effort.reason == Some(RejectReason::WrongCategory);
        return (about && field == LabelField::Category).then_some(false);
    }
    Some(decision.labels.get(field)? == answer.label.as_deref()?)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        AgentDecision, DecisionId, Effort, Labels, ModelVersions, Regime, Status, Suggestion,
        SuggestionId, TeamDecision, TicketId, Timings,
    };
    use crate::store::TicketHead;

    fn label(label: &str, probability: f32) -> LabelDecision {
        LabelDecision {
            label: Some(label.to_owned()),
            probability,
            decision: if probability > 0.9 { Decision::Auto } else { Decision::Suggest },
            reason: None,
            regime: Regime::Trained,
            support: None,
            alternatives: Vec::new(),
        }
    }

    /// A suggestion of VPN for Network, and what became of it.
    fn decided(
        probability: f32,
        action: Action,
        category: &str,
        reason: Option<RejectReason>,
    ) -> StoredSuggestion {
        let id = Uuid::nil();
        let labels = Labels {
            category: Some(category.to_owned()),
            team: Some("Network".to_owned()),
            priority: None,
        };
        StoredSuggestion {
            seq: 1,
            suggestion: Suggestion {
                id: SuggestionId::new(id),
                ticket_id: TicketId::new(id),
                category: label("VPN", probability),
                team: TeamDecision { decision: label("Network", 0.5), department: None },
                priority: label("low", 0.5),
                similar: Vec::new(),
                draft: None,
                draft_reason: None,
                draft_question: None,
                language: "en".to_owned(),
                degraded: Vec::new(),
                model: ModelVersions {
                    bundle: String::new(),
                    encoder: String::new(),
                    policy: String::new(),
                },
                timings_ms: Timings::default(),
            },
            ticket: TicketHead { subject: String::new(), requester: None, source: None },
            status: Status::from(action),
            version: 2,
            created_at: Timestamp::UNIX_EPOCH,
            decision: Some(AgentDecision {
                id: DecisionId::new(id),
                action,
                by: "Ann".to_owned(),
                at: Timestamp::UNIX_EPOCH,
                labels: if action == Action::Reject { Labels::default() } else { labels },
                reply: None,
                effort: Effort { reason, ..Effort::default() },
            }),
        }
    }

    #[test]
    fn figures_are_of_what_agents_left_or_changed() {
        let all = [
            decided(0.95, Action::Approve, "VPN", None),
            decided(0.95, Action::Reroute, "Wi-Fi", None),
            decided(0.6, Action::Edit, "VPN", None),
            decided(0.6, Action::Reject, "", Some(RejectReason::WrongCategory)),
            decided(0.6, Action::Reject, "", Some(RejectReason::Tone)),
        ];
        let quality = Quality::of(&all, false);
        let share = |successes, trials| Share { successes, trials };
        assert_eq!(quality.approved, share(1, 5));
        assert_eq!(quality.overridden, share(2, 5));
        let category = &quality.fields[0];
        assert_eq!(
            category.accuracy,
            share(2, 4),
            "one that was rejected for its tone says nothing"
        );
        assert_eq!((category.coverage, category.precision), (share(2, 4), share(1, 2)));
        assert_eq!(category.labels, [("VPN".to_owned(), share(2, 4), share(2, 4))]);
        assert!(category.reliability.is_empty(), "four are too few for a diagram");
        assert_eq!(quality.fields[1].accuracy, share(3, 3));
        assert_eq!(
            quality.fields[2].accuracy,
            share(0, 0),
            "nobody said anything about priorities"
        );
    }

    #[test]
    fn enough_decisions_make_a_diagram() {
        let answers = |n: usize| decided(n as f32 / 100.0, Action::Approve, "VPN", None);
        let all: Vec<StoredSuggestion> = (0..100).map(answers).collect();
        let quality = Quality::of(&all, false);
        assert_eq!(quality.fields[0].reliability.len(), 10);
        assert_eq!(Quality::of(&[], false).fields[0].accuracy.trials, 0);
    }
}
