//! Ticket text, made fit for a model: HTML to text, quoted replies and signatures off, personal
//! and secret data out, language, terms.
//!
//! Everything here is pure, bounded in its work and safe on hostile text.

mod clean;
mod html;
mod language;
mod phrases;
mod redact;
mod rouge;
mod sentences;
mod terms;
mod words;

pub use clean::{CleanText, MAX_CHARS, MAX_CLEAN_CHARS, clean};
pub use html::{Page, is_html, page, readable};
pub use language::{UNDETERMINED, detect};
pub use phrases::Phrases;
pub use redact::{CustomRule, Found, Kind, RuleError, RuleSettings, Rules};
pub use rouge::{Numbering, Reference, rouge_l};
pub use sentences::sentences;
pub use terms::Terms;
pub use words::{Word, words};
