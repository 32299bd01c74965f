//! JSON lines and CSV in any encoding, row by row.

use std::io::{self, BufReader, Cursor, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use serde_json::{Map, Value};

use super::rows::Rows;
use super::{HistoryOptions, peek};
use crate::domain::Message;
use crate::exports::ExportError;
use crate::exports::labelled::lines::{Line, Lines, records};
use crate::exports::thread::messages;

/// As much of a file as its encoding and its kind are told from.
const HEAD: usize = 1 << 20;
/// Objects that are read before the columns are settled: a field may be absent from the first.
const OBJECTS: usize = 2_000;
/// A table's title and notes may stand above its header.
const PREAMBLE: usize = 10;

pub(super) fn read(
    input: impl Read,
    options: &HistoryOptions,
    rows: &mut Rows<'_>,
) -> Result<(), ExportError> {
    let broken = |e: io::Error| ExportError::Unreadable(format!("it cannot be read: {e}"));
    let (head, rest) = peek(input, HEAD).map_err(broken)?;
    let encoding = encoding(&head);
    encoding.name().clone_into(&mut rows.history.encoding);
    let limit = options.limits.text;
    let whole = Counted { inner: Cursor::new(head).chain(rest), left: limit };
    let mut decoder =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).strip_bom(true).build(whole);
    let (head, rest) = peek(&mut decoder, HEAD).map_err(|e| too_large(&e, limit))?;
    let first = head.iter().find(|b| !b.is_ascii_whitespace()).copied();
    let separator = separator(&String::from_utf8_lossy(&head));
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, Cursor::new(head).chain(rest)));
    match first {
        None => Err(ExportError::Empty),
        Some(b'[') => Err(ExportError::Unreadable(
            "this is a JSON array; put one ticket on each line (jq -c '.[]' FILE > FILE.jsonl)"
                .to_owned(),
        )),
        Some(b'<') => Err(ExportError::Unreadable(
            "this is a web page or XML, whatever its name says; export the tickets as CSV, XLSX or \
             JSON lines, or open the file in a spreadsheet and save it as XLSX"
                .to_owned(),
        )),
        Some(b'{') => json(&mut lines, rows).map_err(|e| too_large(&e, limit))?,
        Some(_) => csv(&mut lines, separator, rows).map_err(|e| too_large(&e, limit))?,
    }
}

/// The encoding by its mark, by what is valid, by many zeros, or by what is most likely.
fn encoding(head: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return encoding;
    }
    let zeros =
        |odd: usize| head.iter().skip(odd).step_by(2).take(1_000).filter(|b| **b == 0).count();
    let half = head.len().min(2_000) / 4;
    if half > 4 && zeros(1) > half {
        return UTF_16LE;
    }
    if half > 4 && zeros(0) > half {
        return UTF_16BE;
    }
    // The head may end within a character.
    match std::str::from_utf8(head) {
        Ok(_) => return UTF_8,
        Err(e) if e.error_len().is_none() && head.len() == HEAD => return UTF_8,
        Err(_) => {}
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(head, head.len() < HEAD);
    detector.guess(None, Utf8Detection::Allow)
}

/// Ends with an error where a file is larger than it may be.
struct Counted<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "too large"))?;
        Ok(read)
    }
}

fn too_large(error: &io::Error, limit: u64) -> ExportError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return ExportError::TooLarge { limit };
    }
    ExportError::Unreadable(format!("it cannot be read on: {error}; is it complete?"))
}

fn json(
    lines: &mut Lines<impl io::BufRead>,
    rows: &mut Rows<'_>,
) -> io::Result<Result<(), ExportError>> {
    let mut begun: Vec<(u64, Map<String, Value>)> = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    loop {
        let read = lines.next()?;
        if let Some(Line { number, content }) = &read {
            match content.as_ref().map_err(ToString::to_string).and_then(|line| object(line)) {
                Ok(None) => {}
                Ok(Some(object)) if rows.has_header() => add(*number, &object, &columns, rows),
                Ok(Some(object)) => begun.push((*number, object)),
                Err(reason) => rows.fault(*number, reason),
            }
        }
        let over = read.is_none();
        if !rows.has_header() && (over || begun.len() >= OBJECTS) {
            for (_, object) in &begun {
                columns.extend(object.keys().cloned());
                columns.sort();
                columns.dedup();
            }
            if begun.is_empty() {
                return Ok(Ok(()));
            }
            if let Err(error) = rows.try_header(&columns) {
                return Ok(Err(error));
            }
            for (number, object) in begun.drain(..) {
                add(number, &object, &columns, rows);
            }
        }
        if over {
            return Ok(Ok(()));
        }
    }
}

fn object(line: &[u8]) -> Result<Option<Map<String, Value>>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let object = serde_json::from_slice::<Map<String, Value>>(line);
    object.map(|o| Some(flat(o))).map_err(|e| format!("expected a JSON object: {e}"))
}

/// Systems put an issue's fields into an object of their own; its keys become columns.
fn flat(mut object: Map<String, Value>) -> Map<String, Value> {
    for wrapper in ["fields", "ticket", "issue", "helpdesk_ticket"] {
        if let Some(Value::Object(inner)) = object.get(wrapper).cloned() {
            object.remove(wrapper);
            for (key, value) in inner {
                object.entry(key).or_insert(value);
            }
        }
    }
    object
}

fn add(line: u64, object: &Map<String, Value>, columns: &[String], rows: &mut Rows<'_>) {
    let cells: Vec<Option<String>> =
        columns.iter().map(|c| object.get(c).and_then(plain)).collect();
    let messages: Vec<Message> =
        object.get("messages").and_then(|m| messages(m).ok()).unwrap_or_default();
    rows.add(line, &cells, messages);
}

/// A value as text: what it is called, where it is an object; its parts, where it is a list.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Object(object) => ["displayName", "name", "value", "title", "content"]
            .into_iter()
            .find_map(|key| object.get(key).and_then(Value::as_str))
            .map(str::to_owned),
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().filter_map(plain).collect();
            (!parts.is_empty()).then(|| parts.join(" > "))
        }
    }
}

/// What stands between the fields: the candidate that divides most of the first lines evenly, and
/// the header into most parts.
fn separator(head: &str) -> u8 {
    if let Some(named) = head.trim_start().strip_prefix("sep=") {
        return named.bytes().next().unwrap_or(b',');
    }
    let parts = |line: &str, separator: u8| {
        let mut quoted = false;
        let fields = line.bytes().filter(|b| {
            quoted ^= *b == b'"';
            *b == separator && !quoted
        });
        fields.count()
    };
    let lines: Vec<&str> =
        head.lines().filter(|l| !l.trim().is_empty()).take(PREAMBLE + 10).collect();
    let worth = |separator: u8| {
        let most = lines.iter().map(|l| parts(l, separator)).max().unwrap_or(0);
        let so_wide = lines.iter().filter(|l| parts(l, separator) == most).count();
        (most.min(3) * so_wide, most)
    };
    [b';', b'\t', b'|']
        .into_iter()
        .fold(b',', |best, s| if worth(s) > worth(best) { s } else { best })
}

fn csv(
    lines: &mut Lines<impl io::BufRead>,
    separator: u8,
    rows: &mut Rows<'_>,
) -> io::Result<Result<(), ExportError>> {
    let mut refused: Option<ExportError> = None;
    let mut above = 0;
    while let Some(Line { number, content }) = lines.next_row(separator)? {
        let row = match content {
            Ok(row) => row,
            Err(reason) => {
                rows.fault(number, reason);
                continue;
            }
        };
        if row.trim_ascii().is_empty() || (number == 1 && row.starts_with(b"sep=")) {
            continue;
        }
        rows.history.undecodable += String::from_utf8_lossy(row).matches('\u{fffd}').count();
        for record in records(row, separator) {
            let record = record?;
            let cells: Vec<String> =
                record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            if !rows.has_header() {
                if let Err(error) = rows.try_header(&cells) {
                    refused.get_or_insert(error);
                    above += 1;
                }
                if above >= PREAMBLE {
                    return Ok(Err(refused.unwrap_or(ExportError::Empty)));
                }
            } else if cells.len() == rows.width() {
                let cells: Vec<Option<String>> = cells.into_iter().map(Some).collect();
                rows.add(number, &cells, Vec::new());
            } else {
                let (expected, found) = (rows.width(), cells.len());
                let fault = crate::exports::csv::ragged(number, expected, found);
                rows.fault(number, fault.reason);
            }
        }
    }
    match refused {
        Some(error) if !rows.has_header() => Ok(Err(error)),
        _ => Ok(Ok(())),
    }
}
