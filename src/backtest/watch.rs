//! Hearing how far a study has come.

/// A part of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The export is read; its progress is in bytes.
    Reading,
    /// Tickets are embedded.
    Embedding,
    /// The model that is judged is fitted, and answers.
    Fitting,
    /// Simpler means answer the same tickets.
    Simpler,
    /// Fewer tickets are learned from.
    Learning,
    /// A desk without labels, and with a few.
    Beginning,
    /// Each month by a model of the months before.
    Months,
    /// The label doctor.
    Labels,
    /// Replies are drafted.
    Drafting,
}

impl Stage {
    /// What it is called on a terminal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "Reading",
            Self::Embedding => "Embedding",
            Self::Fitting => "Fitting and judging",
            Self::Simpler => "Simpler means",
            Self::Learning => "Learning curve",
            Self::Beginning => "From no labels on",
            Self::Months => "Month by month",
            Self::Labels => "Looking at labels",
            Self::Drafting => "Drafting",
        }
    }
}

/// Hears how far a study has come. Called from the threads that do the work.
pub trait Watch: Sync {
    /// A part begins; `field` is the kind of label that it is about.
    fn begin(&self, stage: Stage, field: Option<&str>);
    /// So much of so much of the part is done.
    fn advance(&self, done: usize, of: usize);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn begin(&self, _: Stage, _: Option<&str>) {}
    fn advance(&self, _: usize, _: usize) {}
}
