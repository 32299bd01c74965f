//! A desk's history from its export as it is: JSON lines, CSV or a spreadsheet, in whatever encoding,
//! with whatever separator, dates as the desk writes them. Read row by row, so that only tickets are
//! held; more than [`Limits`] allow is refused with what to do.

mod leaks;
mod rows;
mod sheet;
mod systems;
mod text;

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

pub use leaks::{Leak, strip_leaks};
pub use systems::{Late, System};

use super::columns::{ColumnMap, Field};
use super::dates::{DateOrder, Evidence};
use super::{ExportError, RowFault};
use crate::domain::ResolvedTicket;
use rows::Rows;

/// How an export is to be read.
#[derive(Debug, Clone, Default)]
pub struct HistoryOptions {
    /// Columns named by hand.
    pub map: ColumnMap,
    /// How its dates are written, where the column itself does not tell.
    pub dates: Option<DateOrder>,
    /// The sheet, where a workbook has several.
    pub sheet: Option<String>,
    /// What is too much.
    pub limits: Limits,
}

/// What is too much for one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of text, unpacked.
    pub text: u64,
    /// Bytes of a workbook, which must be held as a whole.
    pub workbook: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text: 1 << 30, workbook: 128 << 20 }
    }
}

/// A ticket of a history, and what only a history knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryTicket {
    /// The line or row that it begins on, from 1.
    pub line: u64,
    /// The ticket and its outcome.
    pub resolved: ResolvedTicket,
    /// The thread that it belongs to: a parent's or a merged ticket's id.
    pub thread: Option<String>,
    /// The teams it went through, in turn.
    pub path: Vec<String>,
    /// How often it was handed over, where the export only counts.
    pub handovers: Option<u32>,
    /// The part of a divided data set that it belongs to.
    pub split: Option<String>,
    /// Whether it is of any of the labels at all.
    pub in_scope: bool,
}

/// An export, read.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Its tickets, in its order.
    pub tickets: Vec<HistoryTicket>,
    /// Rows that make none, and why: how many, and the first of them.
    pub faults: Tally,
    /// Values that could not be read.
    pub warnings: Tally,
    /// What each column was taken for.
    pub columns: Vec<(Field, String)>,
    /// Columns that hold what is only known later, and why.
    pub late: Vec<Late>,
    /// The system that the columns look like.
    pub system: Option<System>,
    /// The encoding that was found.
    pub encoding: String,
    /// Characters that could not be decoded.
    pub undecodable: usize,
    /// How the dates of the columns are written, where they do not say month or year first.
    pub dates: Option<DateOrder>,
    /// Dates of which nobody can tell day from month.
    pub ambiguous_dates: usize,
}

/// Faults, counted; the first few are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub count: usize,
    /// The first.
    pub first: Vec<RowFault>,
}

/// Faults that are kept.
const KEPT: usize = 20;

impl Tally {
    fn add(&mut self, fault: RowFault) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(fault);
        }
    }
}

/// Reads a history.
///
/// # Errors
/// The file as a whole makes no sense, is too large, or breaks off; faults of single rows are in the
/// [`History`].
pub fn read_history(input: impl Read, options: &HistoryOptions) -> Result<History, ExportError> {
    let broken = |e: std::io::Error| ExportError::Unreadable(format!("it cannot be read: {e}"));
    let mut input: Box<dyn Read + '_> = Box::new(input);
    // Packed once is usual; packed twice is a mistake that costs nothing to forgive.
    for _ in 0..2 {
        let (mark, rest) = peek(input, 2).map_err(broken)?;
        let packed = mark == [0x1f, 0x8b];
        let whole = Cursor::new(mark).chain(rest);
        input = if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    }
    let (mark, rest) = peek(input, 8).map_err(broken)?;
    let kind = Kind::of(&mark);
    let whole = Cursor::new(mark).chain(rest);
    let mut rows = Rows::new(options);
    match kind {
        Kind::Workbook => sheet::read(whole, options, &mut rows)?,
        Kind::Pdf => {
            return Err(ExportError::Unreadable(
                "this is a PDF; export the tickets as CSV, XLSX or JSON lines".to_owned(),
            ));
        }
        Kind::Text => text::read(whole, options, &mut rows)?,
    }
    rows.finish()
}

enum Kind {
    Workbook,
    Pdf,
    Text,
}

impl Kind {
    fn of(mark: &[u8]) -> Self {
        if mark.starts_with(b"PK\x03\x04") || mark.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            Self::Workbook
        } else if mark.starts_with(b"%PDF") {
            Self::Pdf
        } else {
            Self::Text
        }
    }
}

/// The first bytes, fewer only where there are no more, and what follows them.
fn peek<R: Read>(mut input: R, bytes: usize) -> std::io::Result<(Vec<u8>, R)> {
    let mut head = Vec::with_capacity(bytes);
    input.by_ref().take(bytes as u64).read_to_end(&mut head)?;
    Ok((head, input))
}

/// The order of a column's dates, and how many values stay unclear.
fn settle_dates(
    values: impl Iterator<Item = impl AsRef<str>> + Clone,
    asked: Option<DateOrder>,
) -> Option<DateOrder> {
    let mut evidence = Evidence::default();
    for value in values {
        evidence.add(value.as_ref());
    }
    asked.or(evidence.order())
}

/// A time that lies this far ahead of now is a mistake, not a time zone.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(26);

impl History {
    /// Takes times that lie in the future from the tickets that have one; how many, and one of them.
    pub fn forget_the_future(&mut self, now: Timestamp) -> (usize, Option<String>) {
        let limit = now.checked_add(AHEAD).unwrap_or(now);
        let (mut count, mut example) = (0, None);
        for ticket in &mut self.tickets {
            let time = &mut ticket.resolved.ticket.created_at;
            if let Some(ahead) = time.filter(|t| *t > limit) {
                count += 1;
                example.get_or_insert_with(|| format!("line {}: {ahead}", ticket.line));
                *time = None;
            }
        }
        (count, example)
    }
}

#[cfg(test)]
mod tests;
