//! Measuring: figures with their intervals, splits without leaks, near-duplicates, gates, the label
//! doctor, and reports. Pure; used by `eval/`, by calibration and by live quality.

pub mod binomial;
pub mod compare;
pub mod doctor;
pub mod duplicates;
mod estimate;
pub mod gate;
mod interval;
pub mod metrics;
pub mod report;
mod scores;
pub mod splits;

pub use estimate::{Estimate, RESAMPLES, bootstrap, paired_bootstrap};
pub use interval::{Share, wilson};
pub use scores::{Outcomes, ScoreError, Scores};
