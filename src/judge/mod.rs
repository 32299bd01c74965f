//! Measuring: figures with their intervals. Pure; used by `eval/` and by live quality.

mod interval;

pub use interval::{Share, wilson};
