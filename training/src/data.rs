//! Labelled tickets for training, one JSON object a line, plain or gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use deskhand::domain::TicketText;
use deskhand::text;
use flate2::read::GzDecoder;
use serde_json::Value;

/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A ticket with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line in the file, from 1.
    pub(crate) line: usize,
    /// Subject and body, cleaned as the service cleans them.
    pub(crate) text: String,
    /// The label.
    pub(crate) label: String,
    /// `train`, `valid`, `test` and so on; empty where the file does not say.
    pub(crate) split: String,
}

/// The rows that have a text and the label and are in scope, and how many were left out.
#[derive(Debug, Default)]
pub(crate) struct Dataset {
    /// In the file's order.
    pub(crate) rows: Vec<Row>,
    /// Without the label, or without a word of text.
    pub(crate) unusable: usize,
    /// Out of scope, whatever their label says.
    pub(crate) out_of_scope: usize,
}

/// Reads `subject`, `body`, the label's field, `split` and `scope`; nothing else is looked at.
///
/// # Errors
/// The file cannot be read, a line is no JSON object, or no row has the label.
pub(crate) fn read(path: &Path, label: &str) -> Result<Dataset> {
    let name = path.display().to_string();
    let mut file = BufReader::new(File::open(path).with_context(|| name.clone())?);
    let zipped = file.fill_buf().with_context(|| name.clone())?.starts_with(&GZIP);
    let reader: Box<dyn Read> =
        if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut found = Dataset::default();
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let place = || format!("{name}, line {}", number + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let row: Value = serde_json::from_str(&line).with_context(place)?;
        if !row.is_object() {
            bail!("{}: expected a JSON object, one ticket a line", place());
        }
        found.take(&row, label, number + 1).with_context(place)?;
    }
    ensure!(
        !found.rows.is_empty(),
        "{name}: no row in scope has a text and {label:?}; name the label's field with --label"
    );
    Ok(found)
}

impl Dataset {
    fn take(&mut self, row: &Value, label: &str, line: usize) -> Result<()> {
        let field = |name: &str| match &row[name] {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            other => bail!("{name}: expected text, found {other}"),
        };
        if !matches!(field("scope")?.as_str(), "" | "in_scope") {
            self.out_of_scope += 1;
            return Ok(());
        }
        let ticket = TicketText {
            subject: field("subject")?,
            body: field("body")?,
            ..TicketText::default()
        };
        let text = text::clean(&ticket).text;
        let label = field(label)?.trim().to_owned();
        if text.is_empty() || label.is_empty() {
            self.unusable += 1;
        } else {
            self.rows.push(Row { line, text, label, split: field("split")? });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LINES: &str = concat!(
        "{\"subject\":\"VPN\",\"body\":\"is <b>down</b>\",\"team\":\"Network\",\"split\":\"train\"}\n\n",
        "{\"body\":\"what is the weather\",\"team\":\"Network\",\"scope\":\"oos\"}\n",
        "{\"body\":\"no label\"}\n{\"team\":\"Network\"}\n",
    );

    #[test]
    fn plain_and_gzip_are_read_alike_and_what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.jsonl");
        std::fs::write(&plain, LINES).unwrap();
        let zipped = folder.path().join("b");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(LINES.as_bytes()).unwrap();
        std::fs::write(&zipped, encoder.finish().unwrap()).unwrap();
        for path in [plain, zipped] {
            let read = read(&path, "team").unwrap();
            let row = Row {
                line: 1,
                text: "VPN\nis down".to_owned(),
                label: "Network".to_owned(),
                split: "train".to_owned(),
            };
            assert_eq!(read.rows, [row]);
            assert_eq!((read.unusable, read.out_of_scope), (2, 1));
        }
    }

    #[test]
    fn bad_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        for (text, expected) in [
            ("{\"body\":\"a\",\"team\":\"x\"}\n[1]\n", "line 2"),
            ("{\"body\":\"a\",\"team\":\"x\"}\n\n{\n", "line 3"),
            ("{\"body\":\"a\",\"team\":7}\n", "team: expected text"),
            ("{\"body\":\"a\",\"category\":\"x\"}\n", "--label"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = format!("{:#}", read(&path, "team").unwrap_err());
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
