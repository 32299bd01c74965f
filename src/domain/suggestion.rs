//! The answer to a ticket. These types are what the API sends, field by field.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Draft, DraftReason, SuggestionId, TicketId};

/// What should happen with a suggested label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Sure enough to be applied without a person.
    Auto,
    /// Worth showing; a person decides.
    Suggest,
    /// Not known; the label is only the best guess.
    Abstain,
}

/// Why a decision is not `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The probability is under the policy's threshold.
    LowConfidence,
    /// Unlike anything seen.
    Novel,
    /// The most similar tickets disagree.
    Conflict,
    /// The encoder was not trained on this language.
    UnsupportedLanguage,
    /// Nothing was left after cleaning.
    Empty,
    /// The taxonomy has no label for this field.
    NoLabels,
}

/// What an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// The taxonomy's descriptions and examples alone.
    Described,
    /// Resolved tickets, by similarity.
    FewShot,
    /// A model fitted on resolved tickets.
    Trained,
}

/// A label that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alternative {
    /// From the taxonomy.
    pub label: String,
    /// 0 to 1.
    pub probability: f32,
}

/// The answer for one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelDecision {
    /// The best guess, also when abstaining; `null` only where the taxonomy has no label at all.
    pub label: Option<String>,
    /// 0 to 1.
    pub probability: f32,
    /// What to do with it.
    pub decision: Decision,
    /// Why not `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What it rests on.
    pub regime: Regime,
    /// What became of the tickets most like it; none where none of them has a label of this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
    /// The next best labels, best first.
    pub alternatives: Vec<Alternative>,
}

/// How many of the most similar resolved tickets, 20 at most, have a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Support {
    /// Those with this very label.
    pub same: u32,
    /// Those with any label of its field.
    pub of: u32,
}

/// The answer for the team, with the part of the organisation it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TeamDecision {
    /// As for any field.
    #[serde(flatten)]
    pub decision: LabelDecision,
    /// The team's own attribute in the taxonomy.
    pub department: Option<String>,
}

/// A resolved ticket like this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Similar {
    /// Which.
    pub ticket_id: TicketId,
    /// Its subject line.
    pub subject: String,
    /// Cosine similarity, −1 to 1.
    pub score: f32,
    /// What it was about.
    pub category: Option<String>,
    /// Who solved it.
    pub team: Option<String>,
    /// How.
    pub resolution: Option<String>,
}

/// What similar tickets are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// By their vectors alone: the index knows no words.
    Vector,
    /// By vectors and words together.
    VectorAndWords,
}

/// Which versions of everything learned gave an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelVersions {
    /// The trained weights and the taxonomy behind the labels.
    pub bundle: String,
    /// The encoder's fingerprint.
    pub encoder: String,
    /// The thresholds.
    pub policy: String,
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// Cleaning and language detection.
    pub clean: f32,
    /// Waiting for and running the encoder.
    pub embed: f32,
    /// The similarity search.
    pub search: f32,
    /// Votes, policy and draft.
    pub decide: f32,
    /// All of it, up to the point where the answer was ready to be stored.
    pub total: f32,
}

/// Everything that is suggested for one ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The suggestion's own id.
    pub id: SuggestionId,
    /// The ticket it is for.
    pub ticket_id: TicketId,
    /// What it is about.
    pub category: LabelDecision,
    /// Who should have it.
    pub team: TeamDecision,
    /// How urgent it is.
    pub priority: LabelDecision,
    /// Resolved tickets like it, most similar first.
    pub similar: Vec<Similar>,
    /// A reply, if there is support for one.
    pub draft: Option<Draft>,
    /// Why there is no draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_reason: Option<DraftReason>,
    /// What to ask the requester, where there is no draft and a fact is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_question: Option<String>,
    /// ISO 639-1 code, or `und` where the text is too short to tell.
    pub language: String,
    /// What this answer had to do without: `text_truncated`, `index`.
    pub degraded: Vec<Degraded>,
    /// What gave this answer.
    pub model: ModelVersions,
    /// Where the time went.
    pub timings_ms: Timings,
}

/// Something that an answer had to do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Degraded {
    /// The text was longer than a model reads; its beginning was used.
    TextTruncated,
    /// The similarity index did not answer.
    Index,
}
