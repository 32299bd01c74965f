//! Measuring: figures with their intervals. Pure; used by `eval/` and by live quality.

mod interval;
mod rouge;

pub use interval::{Share, wilson};
pub use rouge::rouge_l;
