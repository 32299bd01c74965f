//! Drafting a reply from what helped before: sentences of resolutions and articles, chosen, made
//! general, put in order, each with its sources. Pure; it takes microseconds and no model.
//!
//! A draft is refused rather than guessed: without a source that is similar enough, where sources
//! contradict each other, in another language than theirs, and for categories that people answer
//! themselves.

mod conflict;
mod fields;
pub mod guard;
mod names;
mod passages;
mod question;
mod reading;
mod remarks;
pub mod rewrite;
mod select;
mod template;
mod words;

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::domain::{
    Draft, DraftField, DraftReason, DraftSentence, DraftSettings, SentenceKind, SourceRef,
};
use crate::text::{UNDETERMINED, sentences};
pub use passages::{Part, passages};
use reading::Quotable;
pub use reading::{Material, Reading};
use select::{Candidate, select};
use template::Around;
pub use template::{MAX_TEMPLATE, TemplateError, check_template};
use words::Words;

/// A source less similar to the ticket than this says nothing about it. Chosen so that a question
/// from elsewhere rarely finds one, and a ticket of the desk's own mostly does.
pub const MIN_SIMILARITY: f32 = 0.45;

/// Something that a draft may quote, redacted.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Which ticket or article.
    pub reference: &'a SourceRef,
    /// Cosine of the ticket to it, −1 to 1.
    pub score: f32,
    /// What the words that they share are worth beside that.
    pub words: f32,
    /// How it was solved, or what the article says.
    pub text: &'a str,
    /// ISO 639-1, if known.
    pub language: Option<&'a str>,
    /// What it is about.
    pub category: Option<&'a str>,
    /// When it was solved or written.
    pub at: Option<Timestamp>,
    /// Whether it is known to be out of date.
    pub stale: bool,
}

/// What people did with a sentence that was drafted before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Votes {
    /// How often it stayed in an approved reply.
    pub kept: u32,
    /// How often it was taken out.
    pub deleted: u32,
}

impl Votes {
    /// A sentence that leans so far is not drafted any more.
    const REFUSED: f32 = -0.6;

    /// −1 (always taken out) to 1 (always kept); a few votes say little.
    fn leaning(self) -> f32 {
        let (kept, deleted) = (self.kept as f32, self.deleted as f32);
        (kept - deleted) / (kept + deleted + 2.0)
    }
}

/// What is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The ticket, cleaned and redacted.
    pub text: &'a str,
    /// ISO 639-1, or `und`.
    pub language: &'a str,
    /// The category it is answered under.
    pub category: Option<&'a str>,
    /// Who asked, as the source system names them.
    pub requester: Option<&'a str>,
    /// How the desk drafts.
    pub settings: &'a DraftSettings,
    /// What became of sentences before, by [`sentence_key`].
    pub votes: &'a HashMap<u64, Votes>,
}

/// Why there is no draft, and what could be asked instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: DraftReason,
    /// A question for the requester, in the ticket's language.
    pub question: Option<&'static str>,
}

impl Refusal {
    /// A refusal with the question that would help, if one would.
    pub fn new(reason: DraftReason, text: &str, language: &str) -> Self {
        let helps = matches!(
            reason,
            DraftReason::NoSimilarResolution
                | DraftReason::UncertainCategory
                | DraftReason::NoResolutionText
                | DraftReason::Contradiction
        );
        let question = helps.then(|| question::question(text, language)).flatten();
        Self { reason, question }
    }
}

/// By what a sentence is known again: its words, whatever their case and the marks around them.
pub fn sentence_key(text: &str) -> u64 {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let mut joined = String::with_capacity(text.len());
    for word in words {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(&word.to_lowercase());
    }
    let digest = Sha256::digest(joined);
    digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// Drafts a reply, or says why not.
///
/// # Errors
/// Why there is no draft.
pub fn draft(request: &Request<'_>, material: &Material<'_>) -> Result<Draft, Refusal> {
    let refuse = |reason| Refusal::new(reason, request.text, request.language);
    if is_sensitive(request.category, request.settings) {
        return Err(refuse(DraftReason::Sensitive));
    }
    if !material.near {
        return Err(refuse(DraftReason::NoSimilarResolution));
    }
    let sources = &material.sources;
    if sources.is_empty() {
        return Err(refuse(DraftReason::OtherLanguage));
    }
    let ticket = Words::of(request.text);
    let kept: BTreeSet<String> = request.text.split_whitespace().map(bare).collect();
    let selection = select(&ticket, request.category, sources, request.votes, &kept);
    if selection.chosen.is_empty() {
        return Err(refuse(DraftReason::NoResolutionText));
    }
    if conflict::contradicted(&selection.chosen, &selection.considered) {
        return Err(refuse(DraftReason::Contradiction));
    }
    let chosen = selection.chosen.iter();
    let steps: Vec<DraftSentence> =
        chosen.map(|c| step(c, &selection.considered, sources)).collect();
    let language = spoken(request.language, sources);
    let around = Around {
        name: template::greeting_name(request.requester, request.settings.tone),
        category: request.category,
        language,
    };
    let own = template::pick(request.settings, request.category, language);
    let plain = || template::built_in(language, request.settings.tone);
    // Templates are checked when they are set; should one fail all the same, there is another.
    template::render(own, &steps, around)
        .or_else(|_| template::render(plain(), &steps, around))
        .map_err(|_| refuse(DraftReason::NoResolutionText))
}

/// The words of the built-in template alone, to measure what a draft adds to them.
pub fn template_words(language: &str) -> String {
    let around = Around { name: None, category: None, language };
    let draft =
        template::render(template::built_in(language, crate::domain::Tone::Formal), &[], around);
    draft.map(|d| d.text).unwrap_or_default()
}

fn step(
    candidate: &Candidate<'_>,
    considered: &[Candidate<'_>],
    sources: &[Quotable<'_>],
) -> DraftSentence {
    let same = considered.iter().filter(|c| c.sentence.key == candidate.sentence.key);
    let named: BTreeSet<usize> = same.map(|c| c.source).collect();
    let mut cited: Vec<SourceRef> = Vec::new();
    for quotable in named.into_iter().filter_map(|at| sources.get(at)) {
        // Two parts of one article are one source.
        if !cited.contains(quotable.source.reference) {
            cited.push(quotable.source.reference.clone());
        }
    }
    let general = &candidate.general;
    DraftSentence {
        text: general.text.clone(),
        kind: SentenceKind::Source,
        sources: cited,
        fields: general.fields.clone(),
    }
}

/// What a sentence says beside what is to be filled in.
fn without_fields(text: &str, fields: &[DraftField]) -> String {
    let blank = |text: String, field: &DraftField| text.replacen(&field.placeholder, " ", 1);
    fields.iter().fold(text.to_owned(), blank)
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// The language of the reply: the ticket's, or where it is too short to tell, the closest source's.
fn spoken<'a>(ticket: &'a str, sources: &[Quotable<'a>]) -> &'a str {
    let languages = sources.iter().filter_map(|q| q.source.language);
    let known = || languages.clone().find(|l| *l != UNDETERMINED);
    if ticket == UNDETERMINED { known().unwrap_or(ticket) } else { ticket }
}

fn same_language(source: Option<&str>, ticket: &str) -> bool {
    source.is_none_or(|s| s == ticket || s == UNDETERMINED) || ticket == UNDETERMINED
}

/// Whether people answer a category's tickets themselves: its label holds one of the desk's words
/// for that, as a word.
pub fn is_sensitive(category: Option<&str>, settings: &DraftSettings) -> bool {
    let Some(category) = category else { return false };
    let padded =
        |text: &str| format!(" {} ", text.to_lowercase().replace(['-', '/', '_', ','], " "));
    let label = padded(category);
    settings.sensitive.iter().any(|w| !w.trim().is_empty() && label.contains(&padded(w.trim())))
}

/// How much of a draft stayed in the reply that was approved: for each of its sentences that come
/// from a source, whether it did. A sentence whose fields were filled in has stayed.
pub fn kept_sentences(draft: &Draft, reply: &str) -> Vec<(u64, bool)> {
    let replied: Vec<Words> = sentences(reply).into_iter().map(Words::of).collect();
    let sources = draft.sentences.iter().filter(|s| s.kind != SentenceKind::Template);
    sources
        .map(|sentence| {
            let words = Words::of(&without_fields(&sentence.text, &sentence.fields));
            let stayed = replied.iter().any(|r| words.covered_by(r) >= 0.8);
            (sentence_key(&sentence.text), stayed)
        })
        .collect()
}

/// Words that have to be put in, taken out or replaced to make one text of another (Levenshtein).
pub fn edit_distance(from: &str, to: &str) -> u64 {
    let (from, to): (Vec<&str>, Vec<&str>) =
        (from.split_whitespace().collect(), to.split_whitespace().collect());
    let mut row: Vec<u64> = (0..=to.len() as u64).collect();
    for (n, a) in (1..).zip(&from) {
        let mut diagonal = std::mem::replace(&mut row[0], n);
        for (at, b) in to.iter().enumerate() {
            let replaced = diagonal + u64::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
