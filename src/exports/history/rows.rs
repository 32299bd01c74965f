//! From cells to tickets, whatever file they came from.

use std::collections::HashMap;

use super::systems::{self, System};
use super::{History, HistoryOptions, HistoryTicket, settle_dates};
use crate::domain::{Message, ResolvedTicket};
use crate::exports::columns::{Field, Found};
use crate::exports::row::{Values, no_time, resolved_ticket};
use crate::exports::{ExportError, RowFault, dates};

/// Characters of a value that are kept: what a person reads of a ticket, and more than a model does.
const MAX_VALUE: usize = 64_000;

/// Rows under way.
pub(super) struct Rows<'a> {
    options: &'a HistoryOptions,
    found: Option<Found>,
    columns: Vec<String>,
    split: Option<usize>,
    scope: Option<usize>,
    /// Created and resolved as written, by ticket.
    times: Vec<[Option<String>; 2]>,
    pub(super) history: History,
}

impl<'a> Rows<'a> {
    pub(super) fn new(options: &'a HistoryOptions) -> Self {
        Self {
            options,
            found: None,
            columns: Vec::new(),
            split: None,
            scope: None,
            times: Vec::new(),
            history: History::default(),
        }
    }

    /// Whether these cells may be the header: some of them are names of fields.
    pub(super) fn try_header(&mut self, cells: &[String]) -> Result<(), ExportError> {
        let columns: Vec<String> = cells.iter().map(|c| c.trim().to_owned()).collect();
        let found = Found::among(&columns, &self.options.map)?;
        let position = |name: &str| columns.iter().position(|c| c.eq_ignore_ascii_case(name));
        (self.split, self.scope) = (position("split"), position("scope"));
        self.columns = columns;
        self.found = Some(found);
        Ok(())
    }

    pub(super) fn has_header(&self) -> bool {
        self.found.is_some()
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn fault(&mut self, line: u64, reason: String) {
        self.history.faults.add(RowFault { line, column: None, reason });
    }

    /// A row's cells, one a column.
    pub(super) fn add(&mut self, line: u64, cells: &[Option<String>], messages: Vec<Message>) {
        let Some(found) = &self.found else { return };
        let values = Cells { row: cells, found, messages };
        let mut warnings = Vec::new();
        match resolved_ticket(line, &values, "export", &mut warnings) {
            Ok(resolved) => {
                let ticket = self.ticket(line, resolved, &values);
                let raw = |field| values.raw(field).map(str::to_owned);
                self.times.push([raw(Field::Created), raw(Field::Resolved)]);
                self.history.tickets.push(ticket);
            }
            Err(fault) => self.history.faults.add(fault),
        }
        for warning in warnings {
            self.history.warnings.add(warning);
        }
    }

    fn ticket(&self, line: u64, mut resolved: ResolvedTicket, values: &Cells<'_>) -> HistoryTicket {
        let at = |at: Option<usize>| at.and_then(|at| values.row.get(at)?.clone());
        let number = |field| values.raw(field).and_then(|v| v.trim().parse::<f64>().ok());
        resolved.outcome.handling_minutes = number(Field::Minutes).map(|m| m.round() as u32);
        let path = values.raw(Field::Path).map(split_path).unwrap_or_default();
        let scope = at(self.scope).unwrap_or_default();
        HistoryTicket {
            line,
            resolved,
            thread: values.raw(Field::Thread).map(|t| t.trim().to_owned()),
            path,
            handovers: number(Field::Handovers).map(|n| n.max(0.0) as u32),
            split: at(self.split).filter(|s| !s.trim().is_empty()),
            in_scope: scope.is_empty() || scope == "in_scope",
        }
    }

    /// Reads times, now that all are there to tell their order, and says what there was.
    pub(super) fn finish(mut self) -> Result<History, ExportError> {
        let Some(found) = self.found.take() else { return Err(ExportError::Empty) };
        if self.history.tickets.is_empty() {
            let faults = &self.history.faults;
            return Err(match faults.first.first() {
                Some(first) => ExportError::Unreadable(format!(
                    "none of the {} rows makes a ticket; the first: {first}",
                    faults.count
                )),
                None => ExportError::Empty,
            });
        }
        for (slot, field) in [Field::Created, Field::Resolved].into_iter().enumerate() {
            let written = self.times.iter().filter_map(|t| t[slot].as_deref());
            let order = settle_dates(written, self.options.dates);
            let column = found.column(field).map(|(_, name)| name.to_owned());
            for (ticket, times) in self.history.tickets.iter_mut().zip(&self.times) {
                let Some(value) = &times[slot] else { continue };
                let time = dates::read(value, order);
                if time.is_none() {
                    let either = dates::read(value, Some(dates::DateOrder::DayFirst));
                    self.history.ambiguous_dates += usize::from(either.is_some() && slot == 0);
                    let fault = RowFault {
                        line: ticket.line,
                        column: column.clone(),
                        reason: no_time(value),
                    };
                    self.history.warnings.add(fault);
                }
                match field {
                    Field::Created => ticket.resolved.ticket.created_at = time,
                    _ => ticket.resolved.outcome.resolved_at = time,
                }
            }
            if field == Field::Created {
                self.history.dates = order;
            }
        }
        self.history.columns = found.pairs();
        self.history.system = System::of(&self.columns);
        self.history.late = systems::late(&self.history.columns, &found.unused);
        // Without ids, two tickets with the same words are two tickets.
        if found.column(Field::Id).is_some() {
            self.once();
        }
        Ok(self.history)
    }

    /// The same id twice is the same ticket; the later row is the newer state.
    fn once(&mut self) {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (at, ticket) in self.history.tickets.iter().enumerate() {
            if let Some(source) = &ticket.resolved.ticket.source {
                last.insert(&source.id, at);
            }
        }
        let mut kept = vec![false; self.history.tickets.len()];
        for at in last.into_values() {
            kept[at] = true;
        }
        let mut at = 0;
        let mut twice = Vec::new();
        self.history.tickets.retain(|ticket| {
            at += 1;
            if !kept[at - 1] {
                twice.push(ticket.line);
            }
            kept[at - 1]
        });
        for line in twice {
            let reason = "the same ticket stands further below".to_owned();
            self.history.faults.add(RowFault { line, column: None, reason });
        }
    }
}

/// `Service Desk > Network`, or a JSON list.
fn split_path(text: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return list;
    }
    let parts = text.split(['>', '|', ';', '\u{2192}']).map(|part| part.trim_matches([' ', '-']));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

struct Cells<'a> {
    row: &'a [Option<String>],
    found: &'a Found,
    messages: Vec<Message>,
}

impl Cells<'_> {
    fn raw(&self, field: Field) -> Option<&str> {
        let (at, _) = self.found.column(field)?;
        self.row.get(at)?.as_deref().filter(|value| !value.trim().is_empty())
    }
}

impl Values for Cells<'_> {
    fn text(&self, field: Field) -> Result<Option<String>, String> {
        // Times need their whole column to be read, minutes may be fractions.
        if matches!(field, Field::Created | Field::Resolved | Field::Minutes) {
            return Ok(None);
        }
        let Some(value) = self.raw(field) else { return Ok(None) };
        if field == Field::Body || field == Field::Resolution {
            let end = value.char_indices().nth(MAX_VALUE).map_or(value.len(), |(at, _)| at);
            return Ok(Some(value[..end].to_owned()));
        }
        Ok(Some(value.to_owned()))
    }

    fn column(&self, field: Field) -> String {
        self.found.column(field).map_or(field.name(), |(_, name)| name).to_owned()
    }

    fn messages(&self) -> Result<Vec<Message>, String> {
        Ok(self.messages.clone())
    }
}
