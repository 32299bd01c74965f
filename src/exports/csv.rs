//! CSV: comma, semicolon or tab, quoted fields with line breaks.

use csv::{ReaderBuilder, StringRecord};

use super::columns::{Field, Found};
use super::row::{Values, resolved_ticket};
use super::{Export, ExportError, Options, RowFault};

pub(super) fn read(text: &str, options: &Options) -> Result<Export, ExportError> {
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter(text)).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| ExportError::Unreadable(e.to_string()))?.clone();
    let columns: Vec<String> = headers.iter().map(|h| h.trim().to_owned()).collect();
    let found = Found::among(&columns, &options.map)?;
    let mut export = Export { columns: found.pairs(), ..Export::default() };
    let mut record = StringRecord::new();
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    loop {
        let line = lines.of(reader.position().byte());
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                if record.len() != columns.len() {
                    export.faults.push(ragged(line, columns.len(), record.len()));
                    continue;
                }
                let values = Record { record: &record, found: &found };
                match resolved_ticket(line, &values, &options.system, &mut export.warnings) {
                    Ok(ticket) => {
                        export.rows.push(ticket);
                        export.lines.push(line);
                    }
                    Err(fault) => export.faults.push(fault),
                }
            }
            Err(e) => {
                export.faults.push(RowFault { line, column: None, reason: e.to_string() });
                break;
            }
        }
    }
    export.unused = found.unused;
    Ok(export)
}

/// Tells the lines that rows begin on. The reader's own count stops before the line breaks that it
/// passes over on its way to the next row: blank lines, and the second half of each CR LF.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the row that is read from this byte on, which is not before the last one.
    fn of(&mut self, byte: u64) -> u64 {
        while let Some(&here) = self.text.get(self.at) {
            let breaks = matches!(here, b'\r' | b'\n');
            if self.at as u64 >= byte && !breaks {
                break;
            }
            self.at += 1;
            let halfway = here == b'\r' && self.text.get(self.at) == Some(&b'\n');
            self.line += u64::from(breaks && !halfway);
        }
        self.line
    }
}

fn ragged(line: u64, expected: usize, found: usize) -> RowFault {
    let reason =
        format!("expected {expected} fields, found {found}; is a quote or a separator missing?");
    RowFault { line, column: None, reason }
}

struct Record<'a> {
    record: &'a StringRecord,
    found: &'a Found,
}

impl Values for Record<'_> {
    fn text(&self, field: Field) -> Result<Option<String>, String> {
        let value = self.found.column(field).and_then(|(at, _)| self.record.get(at));
        Ok(value.filter(|v| !v.trim().is_empty()).map(str::to_owned))
    }

    fn column(&self, field: Field) -> String {
        self.found.column(field).map_or(field.name(), |(_, name)| name).to_owned()
    }
}

/// The separator that occurs most often in the header line.
pub(super) fn delimiter(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    let count = |separator: u8| header.bytes().filter(|b| *b == separator).count();
    [b';', b'\t'].into_iter().fold(b',', |best, s| if count(s) > count(best) { s } else { best })
}
