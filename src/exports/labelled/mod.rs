//! Labelled tickets, to learn from and to be judged by: JSON lines or CSV, plain or gzip, one ticket
//! a row. Read row by row, so that a file may be larger than memory.

pub(super) mod lines;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde_json::{Map, Value};

use self::lines::{Line, Lines, records};
use super::RowFault;
use super::csv::delimiter;
use crate::domain::TicketText;

/// Rows longer than this are no tickets, in bytes.
const MAX_ROW: usize = 8 << 20;

/// As much of a file as its format is told from, in bytes.
const HEAD: usize = 64 << 10;

/// How many faults are kept in full.
const KEPT_FAULTS: usize = 1_000;

/// A ticket and what is known about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledTicket {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// The only part that may be learned from: subject, body and messages.
    pub text: TicketText,
    /// Labels by field: `category`, `team`, `priority`, and any other field whose value is a text, a
    /// number or a truth value.
    pub labels: BTreeMap<String, String>,
    /// How it was solved.
    pub resolution: Option<String>,
    /// The part of the data that it belongs to: `train`, `valid`, `tune`, `calibration`, `test`,
    /// `query` or `corpus`.
    pub split: Option<String>,
    /// When it was asked.
    pub created_at: Option<Timestamp>,
    /// `in_scope`, or a name for what is out of scope.
    pub scope: Option<String>,
    /// ISO 639-1 code of its language.
    pub language: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Ids of the tickets that say the same.
    pub duplicates: Vec<String>,
    /// Ids of the tickets that a search for this one should find.
    pub relevant: Vec<String>,
}

impl LabelledTicket {
    /// The label in this field.
    pub fn label(&self, field: &str) -> Option<&str> {
        match field {
            "language" => self.language.as_deref(),
            _ => self.labels.get(field).map(String::as_str),
        }
    }

    /// Whether it may be learned from: it is not said to be out of scope.
    pub fn in_scope(&self) -> bool {
        self.scope.as_deref().is_none_or(|scope| scope == "in_scope")
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A ticket.
    Ticket(Box<LabelledTicket>),
    /// A row that makes none, and why.
    Fault(RowFault),
    /// A value that could not be read, in a row that makes a ticket all the same.
    Warning(RowFault),
}

/// Why a whole file is refused.
#[derive(Debug, thiserror::Error)]
pub enum LabelledError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// One JSON list instead of lines.
    #[error("this is a JSON array; put one ticket on each line (jq -c '.[]' FILE > FILE.jsonl)")]
    Array,
    /// Not an encoding that is read here.
    #[error("the file is in UTF-16; save it as UTF-8")]
    Utf16,
    /// It ends early, or cannot be read on.
    #[error("after line {line} the file cannot be read: {source}; is it complete?")]
    Broken {
        /// The last line that was read.
        line: u64,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// No column holds text.
    #[error("no column is named subject, body or messages; there are: {found}")]
    NoText {
        /// The columns there are.
        found: String,
    },
    /// Every row has a fault.
    #[error("none of the {count} rows makes a ticket; the first: {first}")]
    NoTickets {
        /// How many rows there are.
        count: usize,
        /// What is wrong with the first.
        first: RowFault,
    },
    /// No ticket has the label.
    #[error("no ticket has the label {label:?}; labels there are: {found}")]
    NoLabel {
        /// The label that was asked for.
        label: String,
        /// The labels that some ticket has.
        found: String,
    },
}

/// Some of the faults of a file, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// All of them.
    pub count: usize,
    /// The first thousand.
    pub first: Vec<RowFault>,
}

impl Faults {
    fn add(&mut self, fault: RowFault) {
        self.count += 1;
        if self.first.len() < KEPT_FAULTS {
            self.first.push(fault);
        }
    }
}

/// A file of labelled tickets, read to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labelled {
    /// The tickets, in the file's order.
    pub tickets: Vec<LabelledTicket>,
    /// Tickets that were left out because they lack the label.
    pub unlabelled: usize,
    /// Rows that make no ticket.
    pub faults: Faults,
    /// Values that could not be read and that a ticket can do without.
    pub warnings: Faults,
}

/// Reads all tickets that have the label, or all where none is named.
///
/// # Errors
/// The file as a whole makes no sense, breaks off, or holds no ticket with the label.
pub fn read_labelled(input: impl Read, label: Option<&str>) -> Result<Labelled, LabelledError> {
    let mut read = Labelled::default();
    let mut fields: BTreeSet<String> = BTreeSet::new();
    each_labelled(input, |row| match row {
        Row::Ticket(ticket) => {
            if label.is_none_or(|label| ticket.label(label).is_some()) {
                read.tickets.push(*ticket);
            } else {
                fields.extend(ticket.labels.into_keys());
                read.unlabelled += 1;
            }
        }
        Row::Fault(fault) => read.faults.add(fault),
        Row::Warning(warning) => read.warnings.add(warning),
    })?;
    if !read.tickets.is_empty() {
        return Ok(read);
    }
    match (label, read.faults.first.first()) {
        (Some(label), _) if read.unlabelled > 0 => {
            let found = Vec::from_iter(fields).join(", ");
            Err(LabelledError::NoLabel { label: label.to_owned(), found })
        }
        (_, Some(first)) => {
            Err(LabelledError::NoTickets { count: read.faults.count, first: first.clone() })
        }
        _ => Err(LabelledError::Empty),
    }
}

/// Hands each row on as it is read, and keeps none.
///
/// # Errors
/// The file as a whole makes no sense, or breaks off; the rows before that were handed on.
pub fn each_labelled(input: impl Read, mut take: impl FnMut(Row)) -> Result<(), LabelledError> {
    let broken = |source| LabelledError::Broken { line: 0, source };
    let (mark, input) = peek(input, 2).map_err(broken)?;
    let input: Box<dyn Read + '_> = match mark.as_slice() {
        [0x1f, 0x8b] => Box::new(MultiGzDecoder::new(io::Cursor::new(mark).chain(input))),
        _ => Box::new(io::Cursor::new(mark).chain(input)),
    };
    let (head, input) = peek(input, HEAD).map_err(broken)?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(LabelledError::Utf16);
    }
    let mark = if head.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0usize };
    let first = head[mark..].iter().find(|byte| !byte.is_ascii_whitespace()).copied();
    let short = head.len() < HEAD;
    let separator = delimiter(&String::from_utf8_lossy(&head[mark..]));
    let mut begun = io::Cursor::new(head);
    begun.set_position(mark as u64);
    let mut lines = Lines::new(BufReader::with_capacity(HEAD, begun.chain(input)));
    let read = match first {
        None if short => return Err(LabelledError::Empty),
        Some(b'[') => return Err(LabelledError::Array),
        None | Some(b'{') => json(&mut lines, &mut take).map(Ok),
        Some(_) => csv(&mut lines, separator, &mut take),
    };
    read.map_err(|source| LabelledError::Broken { line: lines.last(), source })?
}

/// The first bytes of a file, fewer only where it ends, and what follows them.
fn peek<R: Read>(mut input: R, bytes: usize) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::with_capacity(bytes);
    input.by_ref().take(bytes as u64).read_to_end(&mut head)?;
    Ok((head, input))
}

fn json(lines: &mut Lines<impl io::BufRead>, take: &mut impl FnMut(Row)) -> io::Result<()> {
    while let Some(Line { number, content }) = lines.next()? {
        let object = content.and_then(|line| {
            if line.trim_ascii().is_empty() {
                return Ok(None);
            }
            let text = std::str::from_utf8(line)
                .map_err(|e| format!("expected UTF-8, which ends at byte {}", e.valid_up_to()))?;
            let object = serde_json::from_str::<Map<String, Value>>(text);
            object.map(Some).map_err(|e| format!("expected a JSON object: {e}"))
        });
        match object {
            Ok(None) => {}
            Ok(Some(object)) => ticket::hand_on(number, object, take),
            Err(reason) => take(Row::Fault(RowFault { line: number, column: None, reason })),
        }
    }
    Ok(())
}

fn csv(
    lines: &mut Lines<impl io::BufRead>,
    separator: u8,
    take: &mut impl FnMut(Row),
) -> io::Result<Result<(), LabelledError>> {
    let mut columns: Vec<String> = Vec::new();
    while let Some(Line { number, content }) = lines.next_row(separator)? {
        let row = match content {
            Ok(row) => row,
            Err(reason) => {
                take(Row::Fault(RowFault { line: number, column: None, reason }));
                continue;
            }
        };
        for record in records(row, separator) {
            let record = record?;
            if columns.is_empty() {
                columns = record.iter().map(|c| decode(c).trim().to_owned()).collect();
                if !columns.iter().any(|c| ["subject", "body", "messages"].contains(&c.as_str())) {
                    return Ok(Err(LabelledError::NoText { found: columns.join(", ") }));
                }
            } else if record.len() == columns.len() {
                let values = record.iter().map(|value| Value::String(decode(value)));
                let fields = columns.iter().cloned().zip(values).collect();
                ticket::hand_on(number, fields, take);
            } else {
                let (expected, found) = (columns.len(), record.len());
                take(Row::Fault(super::csv::ragged(number, expected, found)));
            }
        }
    }
    Ok(Ok(()))
}

/// UTF-8, or else what spreadsheets on Windows write.
fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests;
