//! From tickets to what a classifier reads.

use rayon::prelude::*;

use crate::classify::{ClassWords, Terms};
use crate::domain::TicketText;
use crate::inference::{Embedder, InferenceError};
use crate::judge::duplicates;
use crate::model::encoder::normalise;
use crate::text::{Rules, clean};

/// Tickets as a classifier reads them; all lists have one item a ticket.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Embeddings of unit length.
    pub vectors: Vec<Vec<f32>>,
    /// Words and their pieces.
    pub terms: Vec<Terms>,
    /// Near-duplicates share a number.
    pub groups: Vec<usize>,
}

/// A ticket's words as the service hands them to a model: cleaned and redacted.
pub fn readable(text: &TicketText, rules: &Rules) -> String {
    let cleaned = clean(text);
    rules.redact(&cleaned.text).into_owned()
}

/// Cleans, redacts, embeds and groups tickets; `advance` hears how many more are embedded. Blocks.
///
/// # Errors
/// The encoder failed.
pub fn prepare(
    tickets: &[&TicketText],
    embedder: &Embedder,
    advance: impl FnMut(usize),
) -> Result<Prepared, InferenceError> {
    let rules = Rules::default();
    let texts: Vec<String> = tickets.par_iter().map(|text| readable(text, &rules)).collect();
    let embeddings = embedder.embed_all(&texts, advance)?;
    Ok(Prepared {
        vectors: embeddings.into_iter().map(|e| e.vector).collect(),
        terms: texts.par_iter().map(|text| Terms::of(text)).collect(),
        groups: duplicates::groups(&texts),
    })
}

/// What labels say by their names alone, and by the phrases that a taxonomy has for them.
///
/// `phrases` holds each label's name, description and examples, the name first. A name counts
/// twice, as it is and as somebody would ask about it, which brings it nearer to real questions.
///
/// # Errors
/// The encoder failed.
pub fn describe(
    phrases: &[Vec<String>],
    embedder: &Embedder,
) -> Result<Vec<ClassWords>, InferenceError> {
    let mut texts = Vec::new();
    let mut counts = Vec::new();
    for phrases in phrases {
        let before = texts.len();
        let mut phrases = phrases.iter().filter(|p| !p.trim().is_empty());
        if let Some(name) = phrases.next() {
            let name = spoken(name);
            texts.push(format!("I have a question about {name}"));
            texts.push(name);
        }
        texts.extend(phrases.cloned());
        counts.push(texts.len() - before);
    }
    let embeddings = embedder.embed_all(&texts, |_| ())?;
    let width = embeddings.first().map_or(0, |e| e.vector.len());
    let mut embeddings = embeddings.into_iter().zip(texts);
    let words = counts.into_iter().map(|n| {
        let own: Vec<_> = embeddings.by_ref().take(n).collect();
        let mut vector = vec![0.0; width];
        for (embedding, _) in &own {
            for (sum, x) in vector.iter_mut().zip(&embedding.vector) {
                *sum += x;
            }
        }
        normalise(&mut vector);
        // The question's own words are the same for every label.
        let texts: Vec<&str> = own.iter().skip(1).map(|(_, text)| text.as_str()).collect();
        ClassWords { vector, terms: Terms::of(&texts.join("\n")) }
    });
    Ok(words.collect())
}

/// A label's name as words: `card_arrival` and `card-arrival` are read as `card arrival`.
fn spoken(name: &str) -> String {
    let words = name.replace(['_', '-', '/', '.'], " ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
