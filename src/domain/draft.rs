//! Drafts of replies: proposals that a person approves, edits or rejects. Nothing is ever sent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a sentence of a draft comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct SourceRef {
    /// What kind of source.
    pub kind: SourceKind,
    /// Its id: a ticket's or an article's.
    pub id: String,
}

/// The kinds of source that a draft may quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A resolved ticket.
    Ticket,
    /// A knowledge article.
    Article,
}

/// Who wrote a sentence of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SentenceKind {
    /// Taken from the sources named beside it.
    Source,
    /// The template's own words.
    Template,
    /// Written by a language model from the sources named beside it, and checked against them.
    Model,
}

/// What belongs where a draft has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A person.
    Name,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// The number of a ticket, a change or an order.
    Ticket,
    /// The tag on a machine.
    Asset,
    /// A user's account.
    Account,
    /// A telephone extension.
    Phone,
    /// A sum of money.
    Amount,
    /// Something that redaction took out; the placeholder says what.
    Private,
}

impl FieldKind {
    /// As its placeholder has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Date => "date",
            Self::Time => "time",
            Self::Ticket => "ticket",
            Self::Asset => "asset",
            Self::Account => "account",
            Self::Phone => "phone",
            Self::Amount => "amount",
            Self::Private => "private",
        }
    }
}

/// A place that a person fills in before the draft is a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftField {
    /// What belongs there.
    pub kind: FieldKind,
    /// How it stands in the sentence, for example `[date]`.
    pub placeholder: String,
}

/// One sentence of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftSentence {
    /// The words.
    pub text: String,
    /// Whose they are.
    pub kind: SentenceKind,
    /// Where they come from; empty for the template's.
    pub sources: Vec<SourceRef>,
    /// What a person has to fill in, in the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<DraftField>,
}

/// A reply for a person to approve, edit or reject. Nothing is ever sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// The whole reply.
    pub text: String,
    /// The same, sentence by sentence with sources.
    pub sentences: Vec<DraftSentence>,
}

/// What happens while a draft is rewritten.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Rewriting {
    /// A sentence that its sources bear out.
    Sentence {
        /// The sentence.
        sentence: DraftSentence,
    },
    /// A sentence was dropped.
    Dropped {
        /// What spoke against it.
        fault: String,
    },
    /// The end.
    Draft {
        /// The reply; the extractive one where too little of the model's was kept.
        draft: Draft,
        /// Whether it is the model's.
        rewritten: bool,
        /// Sentences that were dropped.
        dropped: usize,
    },
}

/// Why there is no draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DraftReason {
    /// No resolved ticket and no article is similar enough.
    NoSimilarResolution,
    /// The similar tickets were resolved, but none says how.
    NoResolutionText,
    /// Nothing was left of the ticket after cleaning.
    Empty,
    /// The category itself is not known, so neither is what would solve it.
    UncertainCategory,
    /// The sources are in another language than the ticket.
    OtherLanguage,
    /// The sources contradict each other.
    Contradiction,
    /// The category is one that people answer themselves.
    Sensitive,
}

/// How a draft speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As a company writes.
    #[default]
    Formal,
    /// As colleagues write.
    Friendly,
}

/// The words around a draft's steps, for a category, a language, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftTemplate {
    /// Only for this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only for tickets in this language (ISO 639-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// A Jinja template that knows `steps` (each to be written once, in order), `name` (of the
    /// requester, or empty), `category` and `language`.
    pub text: String,
}

/// What a desk decides about its drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DraftSettings {
    /// How drafts speak, where no template says otherwise.
    pub tone: Tone,
    /// No draft is made for a category whose label holds one of these words or phrases.
    pub sensitive: Vec<String>,
    /// An article that was not changed for so many days is stale.
    pub stale_after_days: u32,
    /// The desk's own templates; the one that fits a ticket most closely counts.
    pub templates: Vec<DraftTemplate>,
}

impl Default for DraftSettings {
    fn default() -> Self {
        let sensitive = ["security incident", "data breach", "HR", "human resources", "legal"];
        Self {
            tone: Tone::default(),
            sensitive: sensitive.map(str::to_owned).into(),
            stale_after_days: 365,
            templates: Vec::new(),
        }
    }
}
