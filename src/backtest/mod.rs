//! How well a desk's labels would have been told on its own history, honestly: what is judged was
//! never learned from, near-duplicates never stand on both sides, and every figure has an interval
//! and a baseline beside it.
//!
//! [`prepare()`] reads tickets as the service would; [`Parts`] says which rows serve for what;
//! [`run()`] fits, scores and compares; [`report`] makes all of it into a report of an export.

mod answers;
mod baselines;
mod figures;
mod parts;
mod prepare;
pub mod replies;
pub mod report;
mod run;
mod study;
mod watch;

pub use answers::{Answers, Rival, Unseen, answers, rivals, similar, unseen};
pub use figures::{Baselines, CoverageAt, Figures, OutOfScope, ScopePair};
pub use parts::{Parts, PartsError, Plan};
pub use prepare::{Embed, Prepared, describe, prepare, prepare_by, readable};
pub use run::{Regime, RunError, Settings, TARGETS, run};
pub use study::{Case, Minutes, study};
pub use watch::{Stage, Unwatched, Watch};
