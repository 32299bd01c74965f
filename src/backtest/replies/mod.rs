//! Drafts held to what was really answered: the tickets of a history that have an answer, what a
//! draft for one of them may quote, and whether it says what its sources say.

mod library;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::domain::{
    Draft, DraftSettings, FieldKind, ResolvedTicket, SentenceKind, SourceKind, SourceRef,
};
use crate::drafts::{self, Material, Reading, Request, Source};
use crate::text::{Rules, UNDETERMINED, clean, detect};
pub use library::{Found, Library, id, row};

/// Tickets whose answer is known, as the service reads them.
#[derive(Debug)]
pub struct History {
    /// The tickets.
    pub rows: Vec<Row>,
    /// Whether all have a time; then they stand in its order.
    pub dated: bool,
}

/// A ticket whose answer is known.
#[derive(Debug)]
pub struct Row {
    /// Cleaned and redacted.
    pub text: String,
    /// ISO 639-1, or `und`.
    pub language: String,
    /// What was answered, redacted.
    pub resolution: String,
    /// Its place among the tickets that were given.
    pub origin: usize,
    ticket: ResolvedTicket,
    reference: SourceRef,
}

impl History {
    /// Those of the tickets that have an answer, in the order of their time where all have one.
    pub fn of(tickets: impl Iterator<Item = ResolvedTicket>) -> Self {
        let rules = Rules::default();
        let mut rows = Vec::new();
        for (n, ticket) in tickets.enumerate() {
            let Some(resolution) = ticket.outcome.resolution.as_deref() else { continue };
            let cleaned = clean(&ticket.ticket.text).text;
            let resolution = rules.redact(resolution).into_owned();
            if cleaned.is_empty() || resolution.trim().is_empty() {
                continue;
            }
            let reference = SourceRef { kind: SourceKind::Ticket, id: String::new() };
            rows.push(Row {
                language: detect(&cleaned).to_owned(),
                text: rules.redact(&cleaned).into_owned(),
                resolution,
                origin: n,
                ticket,
                reference,
            });
        }
        let dated = rows.iter().all(|r| r.ticket.ticket.created_at.is_some());
        if dated {
            rows.sort_by_key(|r| r.ticket.ticket.created_at);
        }
        // By its row, where `grounded` looks it up.
        for (at, row) in rows.iter_mut().enumerate() {
            row.reference.id = at.to_string();
        }
        Self { rows, dated }
    }

    /// Drafts an answer from what was found, as the service does; also returns the milliseconds.
    pub fn draft(
        &self,
        text: &str,
        language: &str,
        found: &[Found],
    ) -> (Result<Draft, drafts::Refusal>, f64) {
        let sources: Vec<Source<'_>> = found
            .iter()
            .map(|found| {
                let row = &self.rows[found.row];
                Source {
                    reference: &row.reference,
                    score: found.cosine,
                    words: found.words,
                    text: &row.resolution,
                    language: Some(&row.language),
                    category: row.ticket.outcome.category.as_deref(),
                    at: row.ticket.outcome.resolved_at,
                    stale: false,
                }
            })
            .collect();
        let settings = DraftSettings::default();
        let request = Request {
            text,
            language,
            // The truth is not known when a draft is made; the nearest source's is the guess.
            category: found
                .first()
                .and_then(|f| self.rows[f.row].ticket.outcome.category.as_deref()),
            requester: None,
            settings: &settings,
            votes: &HashMap::new(),
        };
        let start = Instant::now();
        let read = |text: &str| Arc::new(Reading::of(text));
        let draft = drafts::draft(&request, &Material::of(language, &sources, read));
        (draft, start.elapsed().as_secs_f64() * 1e3)
    }
}

/// The most similar ticket whose answer the requester could read.
pub fn nearest(history: &History, row: &Row, found: &[usize]) -> usize {
    let readable = |at: &usize| {
        let language = &history.rows[*at].language;
        language == &row.language || language == UNDETERMINED || row.language == UNDETERMINED
    };
    let mut rows = found.iter().copied();
    rows.clone().find(readable).or_else(|| rows.next()).unwrap_or_default()
}

/// A draft without its template's words, and without the blanks that an agent fills in.
pub fn own_words(draft: &Draft) -> String {
    let own = draft.sentences.iter().filter(|s| s.kind != SentenceKind::Template);
    let said = own.map(|sentence| {
        // What redaction left in place of a value stands in the true answer too.
        let blanks = sentence.fields.iter().filter(|f| f.kind != FieldKind::Private);
        blanks.fold(sentence.text.clone(), |text, f| text.replacen(&f.placeholder, " ", 1))
    });
    said.collect::<Vec<_>>().join("\n")
}

/// For each sentence of a draft, whether what it says stands in each source that it names: between
/// its fields word for word and in order.
pub fn grounded(history: &History, draft: &Draft) -> Vec<bool> {
    let own = draft.sentences.iter().filter(|s| s.kind != SentenceKind::Template);
    own.map(|sentence| {
        let mut pieces = Vec::new();
        let mut rest = sentence.text.as_str();
        for field in &sentence.fields {
            if let Some((before, after)) = rest.split_once(&field.placeholder) {
                pieces.push(before);
                rest = after;
            }
        }
        pieces.push(rest);
        let says = |source: &SourceRef| {
            let row = source.id.parse().ok().and_then(|at: usize| history.rows.get(at));
            let Some(row) = row else { return false };
            let mut text = plain_words(&row.resolution);
            pieces.iter().all(|piece| {
                let piece = plain_words(piece);
                let at = text.find(piece.trim());
                at.is_some_and(|at| {
                    text = text.split_off(at + piece.trim().len());
                    true
                })
            })
        };
        !sentence.sources.is_empty() && sentence.sources.iter().all(says)
    })
    .collect()
}

/// Lower-case words with one blank between.
fn plain_words(text: &str) -> String {
    let plain = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    plain.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{Outcome, Ticket, TicketText};

    #[test]
    fn sources_are_looked_up_where_they_stand_after_sorting() {
        let ticket = |second: i64| ResolvedTicket {
            ticket: Ticket {
                text: TicketText { body: format!("Printer {second} jams"), ..Default::default() },
                requester: None,
                created_at: Some(Timestamp::from_second(second).unwrap()),
                source: None,
            },
            outcome: Outcome {
                resolution: (second != 3).then(|| "Clean the rollers.".to_owned()),
                ..Default::default()
            },
        };
        let history = History::of([4, 3, 2, 1].into_iter().map(ticket));
        let origins: Vec<_> = history.rows.iter().map(|row| row.origin).collect();
        assert_eq!(origins, [3, 2, 0], "by time, and without the one that has no answer");
        for (at, row) in history.rows.iter().enumerate() {
            assert_eq!(row.reference.id, at.to_string());
        }
    }
}
