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
    /// only what still is as the decision left it goes back to what it was. Decisions made since,
    /// the oldest first, each with what it led to, are as if this one had never been: where it says
    /// what this one left, it says what stood here.
    pub fn restored<'a>(
        &self,
        after: &Outcome,
        since: impl IntoIterator<Item = (&'a mut Self, &'a mut Outcome)>,
        now: &Outcome,
    ) -> Outcome {
        let (mut left, mut stood) = (after.clone(), self.outcome.clone());
        let mut listed = Some(self.listed);
        for (before, led_to) in since {
            let was = before.outcome.clone();
            before.outcome = replaced(&left, &stood, &was);
            // The first one found it listed by this one, the next by the first.
            before.listed = listed.take().unwrap_or(before.listed);
            // What it changed itself is no longer this one's.
            (left, stood) = (replaced(&was, &left, led_to), replaced(&was, &stood, led_to));
            *led_to = replaced(&left, &stood, led_to);
        }
        replaced(&left, &stood, now)
    }
}

/// An outcome with the fields that still are as in `old` as they are in `new`.
fn replaced(old: &Outcome, new: &Outcome, now: &Outcome) -> Outcome {
    fn field<T: Clone + PartialEq>(old: &T, new: &T, now: &T) -> T {
        if now == old { new.clone() } else { now.clone() }
    }
    Outcome {
        category: field(&old.category, &new.category, &now.category),
        team: field(&old.team, &new.team, &now.team),
        priority: field(&old.priority, &new.priority, &now.priority),
        resolution: field(&old.resolution, &new.resolution, &now.resolution),
        resolved_at: field(&old.resolved_at, &new.resolved_at, &now.resolved_at),
        handling_minutes: field(
            &old.handling_minutes,
            &new.handling_minutes,
            &now.handling_minutes,
        ),
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
        assert_eq!(before.restored(&after, [], &now), outcome("A", Some("rebooted")));
        let relabelled = outcome("C", None);
        assert_eq!(before.restored(&after, [], &relabelled), relabelled);
    }

    /// What is left is what those in force say, the newest first, whichever were taken back.
    #[test]
    fn decisions_may_be_taken_back_in_any_order() {
        let outcome = |[category, team]: [usize; 2]| Outcome {
            category: Some(category.to_string()),
            team: Some(team.to_string()),
            ..Outcome::default()
        };
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..500 {
            let (came, mut labels, mut now) = ([0; 2], [0; 2], outcome([0; 2]));
            let mut made = Vec::new();
            for n in 1..random.usize(2..7) {
                let before = Before { outcome: now.clone(), listed: n > 1 };
                let changes: [bool; 2] = std::array::from_fn(|_| random.bool());
                labels = std::array::from_fn(|at| if changes[at] { n } else { labels[at] });
                now = outcome(labels);
                made.push((before, now.clone(), changes, n));
            }
            while !made.is_empty() {
                let at = random.usize(0..made.len());
                let (before, after, ..) = made.remove(at);
                let since = made[at..].iter_mut().map(|(before, after, ..)| (before, after));
                now = before.restored(&after, since, &now);
                let mut expected = came;
                for (_, _, changes, n) in &made {
                    expected =
                        std::array::from_fn(|at| if changes[at] { *n } else { expected[at] });
                }
                assert_eq!(now, outcome(expected));
                assert!(made.first().is_none_or(|(before, ..)| !before.listed));
            }
        }
    }
}
