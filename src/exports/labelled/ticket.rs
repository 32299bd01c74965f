//! One row's fields to one labelled ticket.

use serde_json::{Map, Value};

use super::super::RowFault;
use super::super::jsonl::kind;
use super::super::row::{no_time, timestamp};
use super::super::thread::messages;
use super::{LabelledTicket, Row};
use crate::domain::{Message, TicketText};

/// Labels whose values must be readable; others are there or not.
const LABELS: [&str; 3] = ["category", "team", "priority"];

/// Makes a ticket of a row and hands it on, or why not.
pub(super) fn hand_on(line: u64, fields: Map<String, Value>, take: &mut impl FnMut(Row)) {
    let mut warnings = Vec::new();
    let row = match read(line, fields, &mut warnings) {
        Ok(ticket) => Row::Ticket(Box::new(ticket)),
        Err(fault) => Row::Fault(fault),
    };
    take(row);
    warnings.into_iter().map(Row::Warning).for_each(take);
}

fn read(
    line: u64,
    fields: Map<String, Value>,
    warnings: &mut Vec<RowFault>,
) -> Result<LabelledTicket, RowFault> {
    let mut ticket = LabelledTicket { line, ..LabelledTicket::default() };
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        let fault = |reason| RowFault { line, column: Some(name.clone()), reason };
        match name.as_str() {
            "id" => ticket.id = plain(&value).map_err(fault)?,
            "subject" => ticket.text.subject = text(value).map_err(fault)?.unwrap_or_default(),
            "body" => ticket.text.body = text(value).map_err(fault)?.unwrap_or_default(),
            "messages" => ticket.text.messages = thread(&value).map_err(fault)?,
            "resolution" => ticket.resolution = text(value).map_err(fault)?,
            "split" => ticket.split = plain(&value).map_err(fault)?,
            "scope" => ticket.scope = plain(&value).map_err(fault)?,
            "language" => ticket.language = plain(&value).map_err(fault)?,
            "tags" => ticket.tags = list(&value).map_err(fault)?,
            "duplicates" => ticket.duplicates = list(&value).map_err(fault)?,
            "relevant" => ticket.relevant = list(&value).map_err(fault)?,
            "created_at" => match plain(&value).map_err(fault)? {
                None => {}
                Some(time) => {
                    ticket.created_at = timestamp(&time);
                    if ticket.created_at.is_none() {
                        warnings.push(fault(no_time(&time)));
                    }
                }
            },
            _ => match plain(&value) {
                Ok(Some(label)) => {
                    ticket.labels.insert(name, label);
                }
                Err(reason) if LABELS.contains(&name.as_str()) => return Err(fault(reason)),
                Ok(None) | Err(_) => {}
            },
        }
    }
    let TicketText { subject, body, messages } = &ticket.text;
    if subject.is_empty() && body.is_empty() && messages.is_empty() {
        let reason = "neither a subject nor a body nor messages".to_owned();
        return Err(RowFault { line, column: None, reason });
    }
    Ok(ticket)
}

/// A text that is not blank, as written.
fn text(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        other => Err(format!("expected text, found {}", kind(&other))),
    }
}

/// A text without blanks around it, or a number or truth value as text.
fn plain(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        other => Err(format!("expected text or a number, found {}", kind(other))),
    }
}

/// A list of texts, or one text with commas or semicolons between them.
fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(values) => {
            let values: Result<Vec<Option<String>>, String> = values.iter().map(plain).collect();
            Ok(values?.into_iter().flatten().collect())
        }
        Value::String(text) => {
            let parts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(str::to_owned).collect())
        }
        other => Err(format!("expected a list of texts, found {}", kind(other))),
    }
}

/// A thread, as a list or, in CSV, as JSON text.
fn thread(value: &Value) -> Result<Vec<Message>, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            messages(&serde_json::from_str(text).map_err(|e| format!("expected JSON: {e}"))?)
        }
        value => messages(value),
    }
}
