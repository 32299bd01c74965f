//! Ticket text, made fit for a model: HTML to text, quoted replies and signatures off, language.
//!
//! Everything here is pure, bounded in its work and safe on hostile text.

mod clean;
mod html;
mod language;
mod sentences;

pub use clean::{CleanText, MAX_CHARS, MAX_CLEAN_CHARS, clean};
pub use language::{UNDETERMINED, detect};
pub use sentences::sentences;
