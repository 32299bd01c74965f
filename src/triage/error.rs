//! Why a use case was refused or failed.

use crate::domain::{LabelField, Status, TaxonomyError};
use crate::drafts::TemplateError;
use crate::inference::InferenceError;
use crate::store::StoreError;
use crate::writing::WritingError;

/// Why a use case did not happen. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TriageError {
    /// Subject, body and messages are all blank.
    #[error("the ticket is empty: subject, body and messages are all blank")]
    EmptyTicket,
    /// The workspace has nothing of that id.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It has changed since the caller looked.
    #[error("this is version {current}, not {expected}; read it again and decide anew")]
    Stale {
        /// The version that the caller named.
        expected: i64,
        /// The version that there is.
        current: i64,
    },
    /// There is a decision already.
    #[error("it was decided already: {}; undo that first", .status.name())]
    AlreadyDecided {
        /// How.
        status: Status,
    },
    /// The ticket went on, and a newer suggestion counts.
    #[error("a newer suggestion has taken this one's place")]
    Superseded,
    /// There is no decision that could be taken back.
    #[error("there is no decision in force that could be undone")]
    NothingToUndo,
    /// The taxonomy has no such label.
    #[error("the taxonomy has no {} {label:?}", .field.name())]
    UnknownLabel {
        /// Of which kind.
        field: LabelField,
        /// As the caller wrote it.
        label: String,
    },
    /// A mapping leads to a label that the new taxonomy lacks.
    #[error("the new taxonomy has no {} {to:?}, which {from:?} is mapped to", .field.name())]
    UnknownTarget {
        /// Of which kind.
        field: LabelField,
        /// The label that goes.
        from: String,
        /// The one in its place.
        to: String,
    },
    /// The caller changed nothing.
    #[error("{0}")]
    NoChange(&'static str),
    /// Tickets carry labels that the new taxonomy lacks.
    #[error(
        "these labels are in use and the new taxonomy lacks them: {}; keep them, or say in \
         `mappings` which label takes each one's place",
        list(.0)
    )]
    LabelsInUse(Vec<(LabelField, String, u64)>),
    /// The taxonomy contradicts itself.
    #[error(transparent)]
    Taxonomy(#[from] TaxonomyError),
    /// A template for drafts cannot be used.
    #[error("{error}")]
    Template {
        /// Its place in the list.
        at: usize,
        /// Why.
        error: TemplateError,
    },
    /// A thread that is longer than what is read.
    #[error("a thread has at most {0} messages")]
    ThreadFull(usize),
    /// Others kept changing the ticket.
    #[error("the ticket kept changing; try again")]
    Contended,
    /// The encoder is busy, stopped or failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The language model is busy or failed.
    #[error(transparent)]
    Writing(#[from] WritingError),
    /// An external index failed, where there is no answer without it.
    #[error(transparent)]
    Index(crate::index::IndexError),
    /// A bundle is not used, or none could be made.
    #[error(transparent)]
    Bundle(#[from] super::BundleFault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(labels: &[(LabelField, String, u64)]) -> String {
    let one = |(field, label, n): &(LabelField, String, u64)| {
        format!("{} {label:?} ({n} tickets)", field.name())
    };
    labels.iter().map(one).collect::<Vec<_>>().join(", ")
}
