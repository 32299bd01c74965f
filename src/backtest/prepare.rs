//! From tickets to what a classifier reads.

use rayon::prelude::*;

use crate::classify::{ClassWords, Readings, Terms};
use crate::domain::TicketText;
use crate::inference::{Embedder, InferenceError};
use crate::judge::duplicates;
use crate::text::{Rules, clean};

/// Tickets as a classifier reads them; all lists have one item a ticket.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// Embeddings of unit length.
    pub vectors: Vec<Vec<f32>>,
    /// Words and their pieces.
    pub terms: Vec<Terms>,
    /// What the words mean by themselves.
    pub wordings: Vec<Vec<i8>>,
    /// Near-duplicates share a number.
    pub groups: Vec<usize>,
    /// Whether the encoder was fine-tuned on it.
    pub taught: Vec<bool>,
    /// The words themselves, cleaned and redacted.
    pub texts: Vec<String>,
}

impl Prepared {
    /// As a classifier reads them.
    pub fn readings(&self) -> Readings<'_> {
        Readings {
            vectors: &self.vectors,
            terms: &self.terms,
            wordings: &self.wordings,
            groups: &self.groups,
            taught: &self.taught,
        }
    }

    /// Puts pairs of tickets, and whatever is grouped with them, into one group.
    pub fn join(&mut self, pairs: &[(usize, usize)]) {
        let mut group = duplicates::Groups::from(std::mem::take(&mut self.groups));
        for (a, b) in pairs {
            group.join(*a, *b);
        }
        self.groups = group.numbers();
    }

    /// Some of the tickets, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            vectors: rows.iter().map(|r| self.vectors[*r].clone()).collect(),
            terms: rows.iter().map(|r| self.terms[*r].clone()).collect(),
            wordings: rows.iter().map(|r| self.wordings[*r].clone()).collect(),
            groups: rows.iter().map(|r| self.groups[*r]).collect(),
            taught: rows.iter().map(|r| self.taught[*r]).collect(),
            texts: rows.iter().map(|r| self.texts[*r].clone()).collect(),
        }
    }
}

/// A ticket's words as the service hands them to a model: cleaned and redacted.
pub fn readable(text: &TicketText, rules: &Rules) -> String {
    let cleaned = clean(text);
    rules.redact(&cleaned.text).into_owned()
}

/// Makes vectors of texts: an encoder of its own, or a service's queue.
pub trait Embed: Sync {
    /// A vector of unit length for each text, in their order; `advance` hears how many more are
    /// done. Blocks.
    ///
    /// # Errors
    /// The encoder failed.
    fn embed(
        &self,
        texts: &[String],
        advance: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, InferenceError>;

    /// What a text's words mean by themselves.
    ///
    /// # Errors
    /// The tokenizer failed on it.
    fn wording(&self, text: &str) -> Result<Vec<i8>, InferenceError>;

    /// Whether the encoder was fine-tuned on this very text.
    fn was_taught(&self, text: &str) -> bool;
}

impl Embed for Embedder {
    fn embed(
        &self,
        texts: &[String],
        advance: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, InferenceError> {
        Ok(self.embed_all(texts, advance)?.into_iter().map(|e| e.vector).collect())
    }

    fn wording(&self, text: &str) -> Result<Vec<i8>, InferenceError> {
        Self::wording(self, text)
    }

    fn was_taught(&self, text: &str) -> bool {
        Self::was_taught(self, text)
    }
}

/// Cleans, redacts by the built-in rules, embeds and groups tickets; `advance` hears how many more
/// are embedded. Blocks.
///
/// # Errors
/// The encoder failed.
pub fn prepare(
    tickets: &[&TicketText],
    encoder: &dyn Embed,
    advance: impl FnMut(usize),
) -> Result<Prepared, InferenceError> {
    prepare_by(&Rules::default(), tickets, encoder, advance)
}

/// The same by a desk's own rules.
///
/// # Errors
/// The encoder failed.
pub fn prepare_by(
    rules: &Rules,
    tickets: &[&TicketText],
    encoder: &dyn Embed,
    mut advance: impl FnMut(usize),
) -> Result<Prepared, InferenceError> {
    let texts: Vec<String> = tickets.par_iter().map(|text| readable(text, rules)).collect();
    Ok(Prepared {
        vectors: encoder.embed(&texts, &mut advance)?,
        terms: texts.par_iter().map(|text| Terms::of(text)).collect(),
        wordings: texts.par_iter().map(|text| encoder.wording(text)).collect::<Result<_, _>>()?,
        groups: duplicates::groups(&texts),
        taught: texts.iter().map(|text| encoder.was_taught(text)).collect(),
        texts,
    })
}

/// What labels say by their names alone, and by the phrases that a taxonomy has for them.
///
/// `phrases` holds each label's name, description and examples, the name first.
///
/// # Errors
/// The encoder failed.
pub fn describe(
    phrases: &[Vec<String>],
    encoder: &dyn Embed,
) -> Result<Vec<ClassWords>, InferenceError> {
    let phrases: Vec<Vec<String>> = phrases
        .iter()
        .map(|own| {
            let (name, more) = own.split_first().map_or(("", &[][..]), |(n, more)| (n, more));
            ClassWords::phrases(name, more.iter().cloned())
        })
        .collect();
    let embedded = encoder.embed(&phrases.concat(), &mut |_| ())?;
    let mut vectors = embedded.iter().map(Vec::as_slice);
    let words = |own: &Vec<String>| {
        let wording = encoder.wording(&ClassWords::text(own))?;
        Ok(ClassWords::new(own, vectors.by_ref().take(own.len()), wording))
    };
    phrases.iter().map(words).collect()
}
