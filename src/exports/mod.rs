//! Exports of ticketing systems, read as resolved tickets, and labelled data: JSON lines or CSV.
//!
//! Columns are found by the names that common systems give them, and can be named by hand. A bad
//! row is reported with its line and field, and never stops the others. Pure: bytes in, rows out.

mod articles;
mod columns;
mod csv;
mod dates;
mod history;
mod jsonl;
mod labelled;
mod row;
mod thread;

use std::fmt;

pub use articles::{Articles, read_articles};
pub use columns::{ColumnMap, Field, MapError};
pub use dates::DateOrder;
pub use history::{
    History, HistoryOptions, HistoryTicket, Late, Leak, Limits, System, Tally, read_history,
    strip_leaks,
};
pub use labelled::{
    Faults, Labelled, LabelledError, LabelledTicket, Row, each_labelled, read_labelled,
};

use crate::domain::ResolvedTicket;

/// What to expect of an export.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Columns named by hand.
    pub map: ColumnMap,
    /// The ticketing system that the ids belong to.
    pub system: String,
}

/// An export, read.
#[derive(Debug, Default)]
pub struct Export {
    /// The rows that make a ticket, in the file's order.
    pub rows: Vec<ResolvedTicket>,
    /// The line that each of them begins on, from 1.
    pub lines: Vec<u64>,
    /// Those that do not, and why.
    pub faults: Vec<RowFault>,
    /// Values that could not be read and that a ticket can do without.
    pub warnings: Vec<RowFault>,
    /// Which column became which field.
    pub columns: Vec<(Field, String)>,
    /// Columns that were left alone.
    pub unused: Vec<String>,
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line that the row begins on, from 1.
    pub line: u64,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// What was expected, and what stands there.
    pub reason: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why a whole file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// No column holds text.
    #[error(
        "no column for the subject or the body was found among: {found}; \
         name it, for example --map subject={example}"
    )]
    NoText {
        /// The columns there are.
        found: String,
        /// One of them.
        example: String,
    },
    /// A column named by hand is not there.
    #[error("--map {field}={column}: there is no such column; there are: {found}")]
    NoSuchColumn {
        /// The field.
        field: Field,
        /// The name given.
        column: String,
        /// The columns there are.
        found: String,
    },
    /// More than may be read at once.
    #[error(
        "the file holds more than {} MB of text, which is more than is read at once; export fewer \
         months or only the columns that are needed, or raise --max-megabytes",
        .limit >> 20
    )]
    TooLarge {
        /// Bytes that are read at most.
        limit: u64,
    },
    /// The file is not what its first bytes promise.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads an export. JSON lines are told from CSV by the first character.
///
/// # Errors
/// The file as a whole makes no sense; faults of single rows are in the [`Export`].
pub fn read(bytes: &[u8], options: &Options) -> Result<Export, ExportError> {
    let text = decode(bytes);
    match text.trim_start().chars().next() {
        None => Err(ExportError::Empty),
        Some('{') => jsonl::read(&text, options),
        Some('[') => Err(ExportError::Unreadable(
            "this is a JSON array; put one ticket on each line (jq -c '.[]' FILE > FILE.jsonl)"
                .to_owned(),
        )),
        Some(_) => csv::read(&text, options),
    }
}

/// UTF-8 or UTF-16 by its mark, else UTF-8, else what spreadsheets on Windows write.
fn decode(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(map: &str) -> Options {
        Options { map: map.parse().unwrap(), system: "test".to_owned() }
    }

    fn read_text(text: &str) -> Export {
        read(text.as_bytes(), &options("")).unwrap()
    }

    #[test]
    fn a_servicenow_export_is_recognised() {
        let export = read_text(
            "number,short_description,description,assignment_group,priority,close_notes,opened_at,u_x\n\
             INC001,VPN,\"down\nsince 9\",Network,3 - Moderate,Restarted gateway,2025-03-04 08:00:00,9\n",
        );
        assert!(export.faults.is_empty(), "{:?}", export.faults);
        let row = &export.rows[0];
        assert_eq!(row.ticket.source.as_ref().unwrap().id, "INC001");
        assert_eq!(row.ticket.text.body, "down\nsince 9");
        assert_eq!(row.outcome.team.as_deref(), Some("Network"));
        assert_eq!(row.outcome.resolution.as_deref(), Some("Restarted gateway"));
        assert_eq!(row.ticket.created_at.unwrap().to_string(), "2025-03-04T08:00:00Z");
        assert_eq!(export.unused, ["u_x"]);
    }

    #[test]
    fn columns_can_be_named_by_hand() {
        let export = read(
            "Titel;Text;Gruppe\nVPN;geht nicht;Netz\n".as_bytes(),
            &options("subject=Titel,team=Gruppe"),
        )
        .unwrap();
        assert_eq!(export.rows[0].ticket.text.subject, "VPN");
        assert_eq!(export.rows[0].ticket.text.body, "geht nicht");
        assert_eq!(export.rows[0].outcome.team.as_deref(), Some("Netz"));
    }

    #[test]
    fn a_bad_row_names_its_line_and_field_and_spares_the_rest() {
        let export = read_text(
            "{\"subject\":\"a\",\"category\":\"x\"}\n\n{\"subject\":7}\n{broken\n{\"subject\":\"b\",\"minutes\":\"soon\"}\n{\"subject\":\"c\"}\n",
        );
        let subjects: Vec<_> = export.rows.iter().map(|r| r.ticket.text.subject.as_str()).collect();
        assert_eq!(subjects, ["a", "c"]);
        let places: Vec<_> = export.faults.iter().map(|f| (f.line, f.column.as_deref())).collect();
        assert_eq!(places, [(3, Some("subject")), (4, None), (5, Some("minutes"))]);
    }

    #[test]
    fn csv_lines_are_counted_across_quoted_breaks() {
        let export = read_text("subject,created\n\"a\nb\",2025-01-01\nc,never\nd\n");
        assert_eq!(export.rows.len(), 2, "a ticket can do without its time");
        let place = |f: &RowFault| (f.line, f.column.clone());
        assert_eq!(place(&export.warnings[0]), (4, Some("created".to_owned())));
        assert_eq!(place(&export.faults[0]), (5, None));
    }

    #[test]
    fn a_row_without_an_id_gets_the_same_one_each_time() {
        let one = read_text("subject,body\na,b\na,b\na,c\n");
        let ids: Vec<_> =
            one.rows.iter().map(|r| r.ticket.source.as_ref().unwrap().id.clone()).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
    }

    #[test]
    fn a_file_without_text_columns_is_refused_with_advice() {
        let refused = read(b"a,b\n1,2\n", &options(""));
        assert!(matches!(refused, Err(ExportError::NoText { .. })), "{refused:?}");
        let refused = read(b"subject\nx\n", &options("body=text"));
        assert!(matches!(refused, Err(ExportError::NoSuchColumn { .. })), "{refused:?}");
    }

    #[test]
    fn a_bare_status_is_no_resolution() {
        let export =
            read_text("Summary,Resolution,Created\na,Done,04/Mar/25 9:15 AM\nb,Rebooted it,\n");
        assert_eq!(export.rows[0].outcome.resolution, None);
        assert_eq!(export.rows[1].outcome.resolution.as_deref(), Some("Rebooted it"));
        assert_eq!(export.rows[0].ticket.created_at.unwrap().to_string(), "2025-03-04T09:15:00Z");
    }

    #[test]
    fn rows_are_on_the_lines_that_an_editor_shows() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["", "id,subject", "1,\"two", "lines\"", "", "", "2,x", "ragged"].join(end);
            let export = read(text.as_bytes(), &options("")).unwrap();
            assert_eq!(export.lines, [3, 7], "{end:?}");
            assert_eq!(export.faults[0].line, 8, "{end:?}");
        }
    }

    #[test]
    fn windows_text_is_read() {
        let export = read(b"subject\nGr\xfc\xdfe\n", &options("")).unwrap();
        assert_eq!(export.rows[0].ticket.text.subject, "Grüße");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, &options(""));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\":,;\n\ta-c0-9\\\\]{0,200}") {
            let _ = read(text.as_bytes(), &options(""));
        }
    }
}
