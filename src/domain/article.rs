//! Knowledge articles: what a desk has written down for everybody.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An article as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Its own id where it was written; the same id is the same article.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What it says, as Markdown.
    pub text: String,
    /// The category that it is about, if it says.
    pub category: Option<String>,
    /// ISO 639-1, if it says.
    pub language: Option<String>,
    /// When it was last changed, if it says.
    pub updated_at: Option<Timestamp>,
}

/// As much of an article as a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArticleHead {
    /// Its own id where it was written.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// The category that it is about.
    pub category: Option<String>,
    /// ISO 639-1, or `und`.
    pub language: String,
    /// When it was last changed, as it says itself, or else when it was first imported so.
    pub updated_at: Timestamp,
    /// Whether it is older than the desk trusts: drafts quote it only where nothing else helps.
    pub stale: bool,
}

/// A part of an article that a draft may quote.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Which article.
    pub article: ArticleHead,
    /// What it says, redacted.
    pub text: String,
    /// Its embedding, with the article's title and the part's heading.
    pub vector: Vec<f32>,
}
