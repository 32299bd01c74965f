//! What a source says, read once for all the tickets that it is quoted to. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::fields::{self, Value};
use super::words::Words;
use super::{MIN_SIMILARITY, Source, guard, remarks, same_language, sentence_key, without_fields};
use crate::domain::{DraftField, FieldKind};
use crate::text::sentences;

/// Sources that are read, best first.
const READ: usize = 8;
/// Sentences of one source that are read.
const PER_SOURCE: usize = 24;
/// Fields that a sentence may have: one with more is about one case and no other.
const MAX_FIELDS: usize = 3;
/// What a sentence must still say once its fields are left out, in [`Words::weight`].
const LEAST_WEIGHT: f32 = 0.8;

/// A text that may be quoted, as drafts read it.
#[derive(Debug)]
pub struct Reading {
    pub(super) sentences: Vec<Sentence>,
    /// Its different words.
    pub(super) words: Words,
    /// All its words in their order, by hash.
    pub(super) order: Vec<u64>,
    /// Whether it tries to instruct a model.
    is_attack: bool,
}

/// A sentence of a source.
#[derive(Debug)]
pub(super) struct Sentence {
    /// As it stands there, without a list's mark.
    pub(super) text: String,
    /// Its place among its source's sentences, 0 to 1.
    pub(super) place: f32,
    pub(super) words: Words,
    /// [`sentence_key`] of its text.
    pub(super) key: u64,
    /// What in it is of one case only.
    values: Vec<Value>,
    /// It with a field for each of those; none where nobody else is to read it, or too little would
    /// be left of it.
    general: Option<General>,
}

/// A sentence with fields for what is of one case only.
#[derive(Debug, Clone)]
pub(super) struct General {
    pub(super) text: String,
    pub(super) fields: Vec<DraftField>,
    /// The different words of what it says beside its fields.
    pub(super) words: Words,
    /// All of those in their order, by hash.
    pub(super) order: Vec<u64>,
}

impl Reading {
    /// Reads a text.
    pub fn of(text: &str) -> Self {
        let quotable: Vec<&str> =
            sentences(text).into_iter().take(PER_SOURCE).map(without_mark).collect();
        let last = quotable.len().max(2) - 1;
        let sentence = |(at, text): (usize, &&str)| Sentence::of(text, at as f32 / last as f32);
        let (words, order) = Words::in_order(text);
        Self {
            sentences: quotable.iter().enumerate().map(sentence).collect(),
            words,
            order,
            is_attack: guard::is_attack(text),
        }
    }
}

impl Sentence {
    fn of(text: &str, place: f32) -> Self {
        // What looks like a template would be taken for one further on.
        let hidden = remarks::is_internal(text) || text.contains("{{") || text.contains("{%");
        let values = if hidden { Vec::new() } else { fields::values(text) };
        let general = if hidden { None } else { General::of(text, values.iter()) };
        Self {
            text: text.to_owned(),
            place,
            words: Words::of(text),
            key: sentence_key(text),
            values,
            general,
        }
    }

    /// It with fields where it is of one case only; `None` if too little would be left of it, or
    /// nobody else is to read it. Words in `kept` (lower case) stay: the ticket itself says them.
    pub(super) fn general(&self, kept: &BTreeSet<String>) -> Option<Cow<'_, General>> {
        if self.values.iter().any(|value| value.is_kept(kept)) {
            let others = self.values.iter().filter(|value| !value.is_kept(kept));
            return General::of(&self.text, others).map(Cow::Owned);
        }
        self.general.as_ref().map(Cow::Borrowed)
    }
}

impl General {
    fn of<'a>(sentence: &str, values: impl Iterator<Item = &'a Value>) -> Option<Self> {
        let (text, fields) = fields::replace(sentence, values);
        // What somebody did is about one case, and so is what has a value in every place.
        let somebody = |f: &&DraftField| matches!(f.kind, FieldKind::Name | FieldKind::Account);
        let about = fields.first().filter(somebody);
        if fields.len() > MAX_FIELDS || about.is_some_and(|f| text.starts_with(&f.placeholder)) {
            return None;
        }
        let (words, order) = Words::in_order(&without_fields(&text, &fields));
        (words.weight() >= LEAST_WEIGHT).then_some(Self { text, fields, words, order })
    }
}

/// What a draft may be made of: sources with what they say.
#[derive(Debug)]
pub struct Material<'a> {
    /// Most similar first.
    pub(super) sources: Vec<Quotable<'a>>,
    /// Whether any source, in whatever language, is similar enough.
    pub(super) near: bool,
}

/// A source that may be quoted.
#[derive(Debug)]
pub(super) struct Quotable<'a> {
    pub(super) source: Source<'a>,
    pub(super) says: Arc<Reading>,
}

impl<'a> Material<'a> {
    /// Those of some sources, in order of their similarity, that a draft in this language may be
    /// made of. `read` is [`Reading::of`], or remembers what that made of a text.
    pub fn of(language: &str, sources: &[Source<'a>], read: impl Fn(&str) -> Arc<Reading>) -> Self {
        let near = |s: &&Source<'_>| s.score >= MIN_SIMILARITY;
        let quotable = sources
            .iter()
            .filter(|s| near(s) && same_language(s.language, language))
            .map(|source| Quotable { source: *source, says: read(source.text) })
            .filter(|quotable| !quotable.says.is_attack)
            .take(READ);
        Self { sources: quotable.collect(), near: sources.iter().any(|s| near(&s)) }
    }

    /// By what the sentences are known that a draft may be made of: people's votes on them are
    /// asked for first.
    pub fn keys(&self) -> Vec<u64> {
        let sentences = self.sources.iter().flat_map(|quotable| &quotable.says.sentences);
        sentences.map(|sentence| sentence.key).collect()
    }
}

/// The sentence without what made it an item of a list.
fn without_mark(text: &str) -> &str {
    let bullets = ['-', '*', '•', '–', '·', '#', '>'];
    let bare = text.trim_start_matches(bullets);
    let text = if bare.starts_with(' ') { bare.trim_start() } else { text };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let marked = (1..=2).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
    if marked { rest[2..].trim_start() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mark_is_a_lists_and_not_a_words() {
        assert_eq!(without_mark("1. Open the portal page"), "Open the portal page");
        assert_eq!(without_mark("- Confirm it"), "Confirm it");
        assert_eq!(without_mark("-GrantSendOnBehalfTo is gone"), "-GrantSendOnBehalfTo is gone");
    }

    #[test]
    fn what_one_ticket_says_is_a_field_for_the_next() {
        let reading = Reading::of("Connected the new laptop for Anna at 08:40.");
        let general = |kept: &[&str]| {
            let kept = kept.iter().map(|word| (*word).to_owned()).collect();
            reading.sentences[0].general(&kept).unwrap().text.clone()
        };
        let without = "Connected the new laptop for [name] at [time].";
        assert_eq!(general(&[]), without);
        assert_eq!(general(&["08:40"]), "Connected the new laptop for [name] at 08:40.");
        assert_eq!(general(&["laptop"]), without);
    }

    proptest! {
        #[test]
        fn nobody_else_reads_what_is_for_colleagues(kept in "[a-z]{1,8}") {
            let reading = Reading::of(&format!("Called {kept}, closed. Set {{{{ {kept} }}}} again."));
            let kept = BTreeSet::from([kept]);
            prop_assert!(reading.sentences.iter().all(|s| s.general(&kept).is_none()));
        }
    }
}
