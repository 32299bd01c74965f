//! The figures themselves. Where scikit-learn has one, the value is the same; `tests/judge` holds
//! them to it.

mod calibration;
mod classes;
mod selective;

pub use calibration::{
    ECE_BINS, ReliabilityBin, brier, brier_estimate, calibrated_ece, ece, ece_estimate, log_loss,
    reliability,
};
pub use classes::{
    ClassFigures, Confusion, accuracy, confusion, macro_f1, macro_f1_estimate, per_class, top_k,
};
pub use selective::{
    CoveragePoint, ScopeCurve, ScopePoint, at_threshold, auroc, coverage_curve, widest_coverage,
};

#[cfg(test)]
mod tests;
