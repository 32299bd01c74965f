//! What people decide about suggestions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DecisionId, Outcome, Taxonomy};

/// What an agent did with a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Took it as it was.
    Approve,
    /// Took it with another reply, or other labels.
    Edit,
    /// Gave it other labels.
    Reroute,
    /// Did not want it; nothing is learned.
    Reject,
    /// Said how the ticket was resolved.
    Resolve,
}

impl Action {
    /// As it stands in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit => "edit",
            Self::Reroute => "reroute",
            Self::Reject => "reject",
            Self::Resolve => "resolve",
        }
    }
}

/// Where a suggestion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for an agent.
    Open,
    /// Taken as it was.
    Approved,
    /// Taken with changes.
    Edited,
    /// Given other labels.
    Rerouted,
    /// Not wanted.
    Rejected,
    /// The ticket went on, and a newer suggestion took its place.
    Superseded,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Approved,
        Self::Edited,
        Self::Rerouted,
        Self::Rejected,
        Self::Superseded,
    ];

    /// As it stands in the store and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Edited => "edited",
            Self::Rerouted => "rerouted",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
        }
    }
}

impl From<Action> for Status {
    fn from(action: Action) -> Self {
        match action {
            Action::Approve | Action::Resolve => Self::Approved,
            Action::Edit => Self::Edited,
            Action::Reroute => Self::Rerouted,
            Action::Reject => Self::Rejected,
        }
    }
}

/// The labels of a ticket, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Labels {
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
}

/// The fields that labels are for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LabelField {
    /// What a ticket is about.
    Category,
    /// Who has it.
    Team,
    /// How urgent it is.
    Priority,
}

impl LabelField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Category, Self::Team, Self::Priority];

    /// As it stands in the store and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Team => "team",
            Self::Priority => "priority",
        }
    }
}

impl Labels {
    /// One field's label.
    pub fn get(&self, field: LabelField) -> Option<&str> {
        match field {
            LabelField::Category => self.category.as_deref(),
            LabelField::Team => self.team.as_deref(),
            LabelField::Priority => self.priority.as_deref(),
        }
    }

    /// The first label that the taxonomy does not have.
    pub fn unknown_to(&self, taxonomy: &Taxonomy) -> Option<(LabelField, &str)> {
        LabelField::ALL.into_iter().find_map(|field| {
            let label = self.get(field)?;
            let known = taxonomy.labels(field).any(|known| known == label);
            (!known).then_some((field, label))
        })
    }

    /// These labels, and where there is none, the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            category: self.category.or(other.category),
            team: self.team.or(other.team),
            priority: self.priority.or(other.priority),
        }
    }
}

/// Why an agent did not want a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The labels are wrong.
    WrongCategory,
    /// The draft does not solve it.
    WrongAnswer,
    /// The draft was right once.
    OutOfDate,
    /// The draft reads badly.
    Tone,
    /// No answer is needed.
    NotNeeded,
    /// Something else.
    Other,
}

impl RejectReason {
    /// Whether it speaks against what the draft says.
    pub fn is_about_the_draft(self) -> bool {
        matches!(self, Self::WrongAnswer | Self::OutOfDate)
    }
}

/// What a decision cost the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Effort {
    /// Seconds between the suggestion and the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Words that were put in, taken out or replaced between the draft and the approved reply; 0
    /// where the draft was taken as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit_distance: Option<u64>,
    /// Why a suggestion was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
}

/// What an agent decided, and what it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentDecision {
    /// Its id.
    pub id: DecisionId,
    /// What was done.
    pub action: Action,
    /// Who did it: a key's or a user's name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The labels that the ticket has been given.
    #[serde(flatten)]
    pub labels: Labels,
    /// The reply that was approved, for the agent's own system to send. It is never sent from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What it cost.
    #[serde(flatten)]
    pub effort: Effort,
}

/// What a decision replaced, so that it can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Before {
    /// The ticket's outcome.
    pub outcome: Outcome,
    /// Whether search could find it.
    pub listed: bool,
}

impl Before {
    /// The outcome once a decision that led from here to `after` is taken back, where `now` stands:
    /// only what still is as the decision left it goes back to what it was.
    pub fn restored(&self, after: &Outcome, now: &Outcome) -> Outcome {
        fn field<T: Clone + PartialEq>(before: &T, after: &T, now: &T) -> T {
            if now == after { before.clone() } else { now.clone() }
        }
        let before = &self.outcome;
        Outcome {
            category: field(&before.category, &after.category, &now.category),
            team: field(&before.team, &after.team, &now.team),
            priority: field(&before.priority, &after.priority, &now.priority),
            resolution: field(&before.resolution, &after.resolution, &now.resolution),
            resolved_at: field(&before.resolved_at, &after.resolved_at, &now.resolved_at),
            handling_minutes: field(
                &before.handling_minutes,
                &after.handling_minutes,
                &now.handling_minutes,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_back_leaves_what_others_have_changed_since() {
        let outcome = |category: &str, resolution: Option<&str>| Outcome {
            category: Some(category.to_owned()),
            resolution: resolution.map(str::to_owned),
            ..Outcome::default()
        };
        let before = Before { outcome: outcome("A", None), listed: false };
        let after = outcome("B", None);
        let now = outcome("B", Some("rebooted"));
        assert_eq!(before.restored(&after, &now), outcome("A", Some("rebooted")));
        let relabelled = outcome("C", None);
        assert_eq!(before.restored(&after, &relabelled), relabelled);
    }
}
