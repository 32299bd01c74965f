//! What a back-test came to, as a page for people and as data for machines.
//!
//! [`Report`] is plain data and is what the JSON holds; [`html`] draws it. Whatever came out of an
//! export (labels, subjects, columns) is escaped where it is drawn, so that a hostile ticket stays
//! text. Every chart has a text alternative and its numbers in a table behind it. The page holds all
//! that it needs and opens no connection.

mod charts;
mod field;
mod format;
mod page;
mod sentence;
mod svg;

use serde::{Deserialize, Serialize};

pub use field::{
    Baseline, Class, ColdStart, Confusion, Curve, CurvePoint, Effort, Field, Gain, LearningPoint,
    Misroute, Month, OperatingPoint,
};
pub use page::{PageError, html, policy};

use super::Estimate;
use super::doctor::Doctor;

/// A whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What the history is called.
    pub title: String,
    /// The result in one sentence.
    pub answer: String,
    /// What it was made from, so that it can be made again.
    pub provenance: Provenance,
    /// What was read, and what was left out.
    pub data: Data,
    /// What a reader must know before believing a figure.
    pub warnings: Vec<String>,
    /// One for each kind of label: `category`, `team`.
    pub fields: Vec<FieldReport>,
    /// Whether search finds tickets of the same kind.
    pub similar: Option<Similar>,
    /// Drafts held to what was really answered.
    pub drafts: Option<Drafts>,
    /// How long one ticket takes here.
    pub latency: Option<Latency>,
}

/// One kind of label: how well it would have been told, and what is wrong with it as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldReport {
    /// The figures.
    #[serde(flatten)]
    pub field: Field,
    /// What the labels suffer from.
    pub doctor: Doctor,
}

/// What a report was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// When, in UTC.
    pub made_at: String,
    /// The command line.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// The encoder, with the beginning of its weights' hash.
    pub encoder: String,
    /// For all that is left to chance.
    pub seed: u64,
    /// The files that were read.
    pub files: Vec<InputFile>,
    /// Processor and operating system.
    pub machine: String,
    /// Threads that were used.
    pub threads: usize,
    /// How long it took, by stage, in seconds.
    pub seconds: Vec<(String, f64)>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Its name, without folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Tickets that were read.
    pub tickets: usize,
    /// The first one's day.
    pub from: Option<String>,
    /// The last one's.
    pub to: Option<String>,
    /// The ticketing system that the columns look like.
    pub system: Option<String>,
    /// What each column was taken for: field, column.
    pub columns: Vec<(String, String)>,
    /// Columns that no model saw, and why.
    pub left_out: Vec<LeftOut>,
    /// Tickets that were dropped, and why.
    pub dropped: Vec<Dropped>,
    /// Tickets that say nearly the same as an earlier one.
    pub near_duplicates: usize,
    /// Tickets that belong to the thread of another.
    pub same_thread: usize,
    /// Tickets by language (ISO 639-1 code; `und` where it cannot be told), the most frequent first.
    pub languages: Vec<(String, usize)>,
}

/// A column that no model saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name in the export.
    pub column: String,
    /// Why.
    pub why: String,
}

/// Tickets, or parts of them, that were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// What.
    pub what: String,
    /// How many.
    pub count: usize,
    /// Why.
    pub why: String,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Whether the tickets that search shows are of the ticket's own kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Similar {
    /// Tickets that were searched for.
    pub queries: usize,
    /// Tickets that were searched among: all before them, near-duplicates left out.
    pub among: usize,
    /// By which field a hit is told.
    pub field: String,
    /// The share whose most similar ticket has the same label.
    pub first: Estimate,
    /// The share that has one among the five most similar.
    pub among_five: Estimate,
    /// What five tickets drawn by chance would have come to.
    pub by_chance: f64,
}

/// Drafts held to what agents answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drafts {
    /// Tickets that were drafted for.
    pub tickets: usize,
    /// The share for which there was no draft.
    pub refused: Estimate,
    /// Why, the most frequent first.
    pub reasons: Vec<(String, usize)>,
    /// Of the sentences that drafts are made of, the share that stands in each source it names.
    pub supported: Estimate,
    /// Word overlap with what the agent wrote (ROUGE-L, 0 to 1).
    pub overlap: Estimate,
    /// The same for the answer of the most similar ticket, taken over as it is.
    pub overlap_nearest: Estimate,
    /// Median time of a draft, in milliseconds.
    pub median_ms: f64,
}

/// How long one ticket takes on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Tickets that were timed, one after the other.
    pub tickets: usize,
    /// Median, in milliseconds.
    pub median_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// What is in it.
    pub what: String,
}

#[cfg(test)]
mod tests;
