//! Lines of a file of any size, none of them held beyond [`MAX_ROW`].

use std::io::{self, BufRead};

use csv::{ByteRecord, ReaderBuilder};

use super::MAX_ROW;

/// A line or row, without its end.
pub(in crate::exports) struct Line<'a> {
    /// The number of its first line, from 1.
    pub(in crate::exports) number: u64,
    /// Its bytes, or why there are none.
    pub(in crate::exports) content: Result<&'a [u8], String>,
}

pub(in crate::exports) struct Lines<R> {
    input: R,
    read: u64,
    row: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(in crate::exports) fn new(input: R) -> Self {
        Self { input, read: 0, row: Vec::new() }
    }

    /// The number of the last line that was read.
    pub(in crate::exports) fn last(&self) -> u64 {
        self.read
    }

    /// The next line.
    pub(in crate::exports) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.row.clear();
        let Some(fits) = self.append()? else { return Ok(None) };
        Ok(Some(Line { number: self.read, content: self.content(fits) }))
    }

    /// The next row of CSV: a line, and those after it while a quoted field is open.
    pub(in crate::exports) fn next_row(&mut self, separator: u8) -> io::Result<Option<Line<'_>>> {
        self.row.clear();
        let number = self.read + 1;
        let (mut open, mut seen) = (false, 0);
        loop {
            match self.append()? {
                None if seen == 0 => return Ok(None),
                Some(true) => {
                    open = quote_open(&self.row[seen..], separator, open);
                    if open {
                        self.row.push(b'\n');
                        seen = self.row.len();
                        continue;
                    }
                    return Ok(Some(Line { number, content: self.content(true) }));
                }
                None => {
                    let reason = "a quote is opened here and never closed".to_owned();
                    return Ok(Some(Line { number, content: Err(reason) }));
                }
                Some(false) => {
                    return Ok(Some(Line { number, content: self.content(false) }));
                }
            }
        }
    }

    fn content(&self, fits: bool) -> Result<&[u8], String> {
        if fits {
            return Ok(&self.row);
        }
        let megabytes = MAX_ROW >> 20;
        Err(format!("the row is longer than {megabytes} MB; is a quote or a line break missing?"))
    }

    /// Appends the next line to the row; whether it still fits, or None at the end. What does not
    /// fit is passed over.
    fn append(&mut self) -> io::Result<Option<bool>> {
        let (mut any, mut fits) = (false, true);
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            fits &= self.row.len() + part.len() <= MAX_ROW;
            if fits {
                self.row.extend_from_slice(part);
            }
            any |= !buffer.is_empty();
            let (used, over) = (end.map_or(buffer.len(), |end| end + 1), buffer.is_empty());
            self.input.consume(used);
            if end.is_some() || over {
                if any {
                    self.read += 1;
                }
                if self.row.last() == Some(&b'\r') {
                    self.row.pop();
                }
                return Ok(any.then_some(fits));
            }
        }
    }
}

/// The fields of a row; more than one record only where lines end in CR alone.
pub(in crate::exports) fn records(
    row: &[u8],
    separator: u8,
) -> impl Iterator<Item = csv::Result<ByteRecord>> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(row.len() + 1)
        .from_reader(row)
        .into_byte_records()
}

/// Whether a quoted field is open at the end of a line, if one was at its beginning. A quote opens a
/// field only at its start; elsewhere it is a character, as in `5" disk`.
fn quote_open(line: &[u8], separator: u8, mut open: bool) -> bool {
    let (mut quoted, mut start) = (open, !open);
    for &byte in line {
        match byte {
            b'"' if start => (open, quoted) = (true, true),
            // A doubled quote closes and opens again.
            b'"' if quoted => open = !open,
            _ if byte == separator && !open => {
                (start, quoted) = (true, false);
                continue;
            }
            _ => {}
        }
        start = false;
    }
    open
}
