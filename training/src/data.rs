//! Labelled tickets to fine-tune on: as the classifier and the backtest read them.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use deskhand::backtest::readable;
use deskhand::exports::read_labelled;
use deskhand::text::Rules;

/// A ticket with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line in the file, from 1.
    pub(crate) line: u64,
    /// Its words as the service hands them to the encoder: cleaned and redacted.
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
    /// Without the label, without a word of text, or no ticket at all.
    pub(crate) unusable: usize,
    /// Out of scope, whatever their label says.
    pub(crate) out_of_scope: usize,
}

/// Reads JSON lines or CSV, plain or gzip. Nothing but text, label, split and scope is looked at.
///
/// # Errors
/// The file cannot be read, or no row has the label.
pub(crate) fn read(path: &Path, label: &str) -> Result<Dataset> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| name.clone())?;
    let read = read_labelled(file, Some(label)).with_context(|| name.clone())?;
    let rules = Rules::default();
    let unusable = read.unlabelled + read.faults.count;
    let mut found = Dataset { unusable, ..Dataset::default() };
    for ticket in read.tickets {
        let label = ticket.label(label).unwrap_or_default().trim().to_owned();
        let text = readable(&ticket.text, &rules);
        if !ticket.in_scope() {
            found.out_of_scope += 1;
        } else if text.is_empty() || label.is_empty() {
            found.unusable += 1;
        } else {
            let split = ticket.split.unwrap_or_default();
            found.rows.push(Row { line: ticket.line, text, label, split });
        }
    }
    ensure!(!found.rows.is_empty(), "{name}: no row in scope has a text and {label:?}");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_the_service_reads_and_what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        let lines = concat!(
            "{\"subject\":\"VPN\",\"body\":\"is <b>down</b>, I am a@b.example\",\"team\":\"Network\",\"split\":\"train\"}\n\n",
            "{\"body\":\"what is the weather\",\"team\":\"Network\",\"scope\":\"oos\"}\n",
            "{\"body\":\"no label\"}\n{\"team\":\"Network\"}\n",
        );
        std::fs::write(&file, lines).unwrap();
        let found = read(&file, "team").unwrap();
        assert_eq!(found.rows.len(), 1);
        let row = &found.rows[0];
        assert_eq!((row.line, row.label.as_str(), row.split.as_str()), (1, "Network", "train"));
        assert!(row.text.starts_with("VPN\nis down") && !row.text.contains("a@b"), "{}", row.text);
        assert_eq!((found.unusable, found.out_of_scope), (2, 1));
        let refused = format!("{:#}", read(&file, "category").unwrap_err());
        assert!(refused.contains("a.jsonl") && refused.contains("team"), "{refused}");
    }
}
