//! Labels from a ticket's words, with a probability that means what it says.
//!
//! Seven views of a ticket are wrong differently, so they are asked together: planes through the
//! embeddings (`softmax`), planes through hashed words and pieces of words ([`lexical`]), planes
//! through both ([`svm`]), planes through what the words mean by themselves (`wording`), the vote of
//! the most similar tickets, how close each class's most similar ticket comes, and the distance to
//! each class's centre, into which its name and description count as one more ticket (`views`). A
//! conditional logit weighs them (`stack`); it is fitted on rows that the views have not seen
//! (`unseen`), and how often its likeliest class is right is read off rows that neither has seen
//! (`calibrator`, `settle`), so its probabilities hold on new tickets. What is unlike anything seen
//! is told by a detector that learned it from classes hidden from it (`novelty`). From the same
//! unseen rows come the thresholds that keep a promised precision (`promise`). All of it is a
//! [`FieldModel`]; a [`Bundle`] is one a label field, on disk.
//!
//! Pure but for reading and writing bundles; vectors come in from outside.

pub mod bundle;
mod calibrator;
mod field;
mod fit;
mod history;
pub mod lexical;
mod matrix;
pub mod nearest;
mod novelty;
mod promise;
mod settle;
mod softmax;
mod sparse;
mod stack;
pub mod svm;
mod unseen;
mod views;
mod wording;
mod words;

pub use bundle::{Bundle, BundleError, BundleManifest};
pub use field::{FieldModel, Prediction, Query};
pub use fit::{FitError, Options, fit, unseen_answers};
pub use history::{History, Labelled, Readings};
pub use lexical::Terms;
pub use promise::{Promise, Promises};
pub use settle::{Calibration, UNKNOWN_CLASS};
pub use views::{NEIGHBOURS, WordViews};
pub use words::ClassWords;
