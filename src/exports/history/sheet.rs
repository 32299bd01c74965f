//! Workbooks: XLSX, XLS, ODS.

use std::io::{Cursor, Read};

use calamine::{Data, Dimensions, Reader, Sheets, open_workbook_auto_from_rs};

use super::HistoryOptions;
use super::rows::Rows;
use crate::exports::ExportError;

/// A table's title and notes may stand above its header.
const PREAMBLE: usize = 10;
/// Cells that one merged region may fill: a whole column merged by mistake is not copied down.
const MERGED: u32 = 10_000;

pub(super) fn read(
    input: impl Read,
    options: &HistoryOptions,
    rows: &mut Rows<'_>,
) -> Result<(), ExportError> {
    let limit = options.limits.workbook;
    let mut bytes = Vec::new();
    let broken = |e: std::io::Error| ExportError::Unreadable(format!("it cannot be read: {e}"));
    input.take(limit + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > limit {
        return Err(ExportError::TooLarge { limit });
    }
    unpacked(&bytes, options.limits.text)?;
    let mut workbook = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| {
        ExportError::Unreadable(format!(
            "it is no workbook that can be read: {e}; save it as XLSX or CSV"
        ))
    })?;
    "workbook".clone_into(&mut rows.history.encoding);
    let names = workbook.sheet_names().clone();
    let wanted: Vec<&String> = match &options.sheet {
        Some(sheet) if !names.contains(sheet) => {
            return Err(ExportError::Unreadable(format!(
                "there is no sheet {sheet:?}; there are: {}",
                names.join(", ")
            )));
        }
        Some(sheet) => names.iter().filter(|n| *n == sheet).collect(),
        None => names.iter().collect(),
    };
    let mut refused: Option<ExportError> = None;
    for name in wanted {
        let Ok(range) = workbook.worksheet_range(name) else { continue };
        let (top, left) = range.start().unwrap_or_default();
        let mut cells: Vec<Vec<Option<String>>> =
            range.rows().map(|row| row.iter().map(text).collect()).collect();
        for merged in merged(&mut workbook, name) {
            fill(&mut cells, merged, (top, left));
        }
        match table(&cells, top, rows) {
            Ok(()) => return Ok(()),
            Err(error) => refused.get_or_insert(error),
        };
    }
    Err(refused.unwrap_or(ExportError::Empty))
}

/// Refuses what would unpack to more than it may before anything is unpacked.
fn unpacked(bytes: &[u8], limit: u64) -> Result<(), ExportError> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return Ok(()) };
    let mut size = 0_u64;
    for at in 0..archive.len() {
        if let Ok(file) = archive.by_index_raw(at) {
            size = size.saturating_add(file.size());
        }
    }
    if size > limit { Err(ExportError::TooLarge { limit }) } else { Ok(()) }
}

fn merged<RS: Read + std::io::Seek + Clone>(
    workbook: &mut Sheets<RS>,
    name: &str,
) -> Vec<Dimensions> {
    match workbook {
        Sheets::Xlsx(book) => book.merge_cells_by_sheet_name(name).unwrap_or_default(),
        Sheets::Xls(book) => book.merge_cells_by_sheet_name(name).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What a merged region says, it says for each of its rows; across columns it is a heading and
/// stays where it is.
fn fill(cells: &mut [Vec<Option<String>>], merged: Dimensions, (top, left): (u32, u32)) {
    let rows = merged.end.0.saturating_sub(merged.start.0);
    if rows == 0 || rows > MERGED || merged.start.0 < top || merged.start.1 < left {
        return;
    }
    let (first, column) = ((merged.start.0 - top) as usize, (merged.start.1 - left) as usize);
    let Some(value) = cells.get(first).and_then(|row| row.get(column)).cloned().flatten() else {
        return;
    };
    for row in cells.iter_mut().skip(first + 1).take(rows as usize) {
        if let Some(cell @ None) = row.get_mut(column) {
            *cell = Some(value.clone());
        }
    }
}

fn table(cells: &[Vec<Option<String>>], top: u32, rows: &mut Rows<'_>) -> Result<(), ExportError> {
    let mut refused: Option<ExportError> = None;
    let mut above = 0;
    for (line, row) in (u64::from(top) + 1..).zip(cells) {
        if row.iter().all(Option::is_none) {
            continue;
        }
        if rows.has_header() {
            rows.add(line, row, Vec::new());
            continue;
        }
        let header: Vec<String> = row.iter().map(|c| c.clone().unwrap_or_default()).collect();
        if let Err(error) = rows.try_header(&header) {
            refused.get_or_insert(error);
            above += 1;
            if above >= PREAMBLE {
                break;
            }
        }
    }
    if rows.has_header() { Ok(()) } else { Err(refused.unwrap_or(ExportError::Empty)) }
}

/// A cell as text; a date as ISO 8601, so that nothing is left to guess.
fn text(cell: &Data) -> Option<String> {
    let text = match cell {
        Data::Empty | Data::Error(_) => return None,
        Data::Int(n) => n.to_string(),
        Data::Float(x) => x.to_string(),
        Data::Bool(truth) => truth.to_string(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        // A duration in days.
        Data::DateTime(duration) => (duration.as_f64() * 24.0 * 60.0).to_string(),
    };
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
