use std::fmt::Write as _;
use std::io::Write as _;

use zip::write::SimpleFileOptions;

use super::super::{HistoryOptions, read_history};
use crate::exports::ExportError;

/// A sheet: its name, its rows, its merged regions.
type Sheet<'a> = (&'a str, &'a [&'a [Cell]], &'a [&'a str]);

/// A workbook as spreadsheets write it, as small as it may be. A cell is a text, or a number with a
/// style (1: a date and time).
fn workbook(sheets: &[Sheet<'_>]) -> Vec<u8> {
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut put = |name: &str, content: &str| {
        file.start_file(name, SimpleFileOptions::default()).unwrap();
        file.write_all(content.as_bytes()).unwrap();
    };
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    put(
        "[Content_Types].xml",
        &format!(
            r#"<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>"#
        ),
    );
    put(
        "_rels/.rels",
        &format!(
            r#"<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
        ),
    );
    put(
        "xl/styles.xml",
        &format!(
            r#"<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>"#
        ),
    );
    let (mut names, mut relations) = (String::new(), String::new());
    for (n, (name, rows, merges)) in sheets.iter().enumerate() {
        let n = n + 1;
        write!(names, r#"<sheet name="{name}" sheetId="{n}" r:id="s{n}"/>"#).unwrap();
        write!(relations, r#"<Relationship Id="s{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>"#).unwrap();
        let mut data = String::new();
        for (r, row) in rows.iter().enumerate() {
            write!(data, r#"<row r="{}">"#, r + 1).unwrap();
            for (c, cell) in row.iter().enumerate() {
                let place = format!("{}{}", (b'A' + c as u8) as char, r + 1);
                match cell {
                    Nothing => {}
                    Text(text) => {
                        write!(data, r#"<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>"#)
                            .unwrap();
                    }
                    Date(day) => {
                        write!(data, r#"<c r="{place}" s="1"><v>{day}</v></c>"#).unwrap();
                    }
                    Number(n) => write!(data, r#"<c r="{place}"><v>{n}</v></c>"#).unwrap(),
                }
            }
            data.push_str("</row>");
        }
        let cells = merges
            .iter()
            .map(|m| format!(r#"<mergeCell ref="{m}"/>"#))
            .collect::<Vec<_>>()
            .concat();
        let merged = if merges.is_empty() {
            String::new()
        } else {
            format!("<mergeCells>{cells}</mergeCells>")
        };
        put(
            &format!("xl/worksheets/sheet{n}.xml"),
            &format!(
                r#"<worksheet xmlns="{main}"><sheetData>{data}</sheetData>{merged}</worksheet>"#
            ),
        );
    }
    put(
        "xl/_rels/workbook.xml.rels",
        &format!(
            r#"<Relationships xmlns="{package}/relationships">{relations}<Relationship Id="st" Type="{office}/styles" Target="styles.xml"/></Relationships>"#
        ),
    );
    put(
        "xl/workbook.xml",
        &format!(
            r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>"#
        ),
    );
    file.finish().unwrap().into_inner()
}

enum Cell {
    Nothing,
    Text(&'static str),
    Date(f64),
    Number(f64),
}

use Cell::{Date, Nothing, Number, Text};

#[test]
fn a_workbook_is_read_with_its_dates_and_merged_cells() {
    let rows: &[&[Cell]] = &[
        &[Text("Tickets of March"), Nothing, Nothing, Nothing],
        &[],
        &[Text("Number"), Text("Short description"), Text("Assignment group"), Text("Opened")],
        &[Number(17.0), Text("VPN &amp; Wi-Fi"), Text("Network"), Date(45_720.385_416_666_7)],
        &[Number(18.0), Text("Dial-in"), Nothing, Date(45_721.5)],
        &[Number(19.0), Text("No mail"), Text("Mail"), Text("06.03.2025 10:00")],
    ];
    let notes: &[&[Cell]] = &[&[Text("nothing here")]];
    let file = workbook(&[("Notes", notes, &[]), ("Page 1", rows, &["A1:D1", "C4:C5"])]);
    let history = read_history(file.as_slice(), &HistoryOptions::default()).unwrap();
    let read: Vec<(u64, &str, &str, &str, String)> = history
        .tickets
        .iter()
        .map(|t| {
            let ticket = &t.resolved.ticket;
            (
                t.line,
                ticket.source.as_ref().unwrap().id.as_str(),
                ticket.text.subject.as_str(),
                t.resolved.outcome.team.as_deref().unwrap_or_default(),
                ticket.created_at.unwrap().strftime("%Y-%m-%d %H:%M").to_string(),
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            (4, "17", "VPN & Wi-Fi", "Network", "2025-03-04 09:15".to_owned()),
            (5, "18", "Dial-in", "Network", "2025-03-05 12:00".to_owned()),
            (6, "19", "No mail", "Mail", "2025-03-06 10:00".to_owned()),
        ]
    );
}

#[test]
fn a_sheet_can_be_named_and_a_wrong_name_is_answered_with_the_right_ones() {
    let rows: &[&[Cell]] = &[&[Text("Subject")], &[Text("first")]];
    let other: &[&[Cell]] = &[&[Text("Subject")], &[Text("second")]];
    let file = workbook(&[("One", rows, &[]), ("Two", other, &[])]);
    let named = |sheet: &str| {
        let options = HistoryOptions { sheet: Some(sheet.to_owned()), ..HistoryOptions::default() };
        read_history(file.as_slice(), &options)
    };
    assert_eq!(named("Two").unwrap().tickets[0].resolved.ticket.text.subject, "second");
    assert!(named("Three").unwrap_err().to_string().contains("there are: One, Two"));
    let empty = workbook(&[("One", &[&[Text("a"), Text("b")]], &[])]);
    let refused = read_history(empty.as_slice(), &HistoryOptions::default());
    assert!(matches!(refused, Err(ExportError::NoText { .. })), "{refused:?}");
}
