//! One row's values to one resolved ticket.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::RowFault;
use super::columns::Field;
use crate::domain::ids::hex;
use crate::domain::{ExternalRef, Message, Outcome, ResolvedTicket, Ticket, TicketText};

/// Ids longer than this are not ids.
const MAX_ID: usize = 200;

/// The values of one row, as text, by field.
pub(super) trait Values {
    /// The value, if there is one that is not blank, or a complaint about its kind.
    fn text(&self, field: Field) -> Result<Option<String>, String>;
    /// What the file calls the field.
    fn column(&self, field: Field) -> String;
    /// The thread.
    fn messages(&self) -> Result<Vec<Message>, String> {
        Ok(Vec::new())
    }
}

pub(super) fn resolved_ticket(
    line: u64,
    values: &impl Values,
    system: &str,
    warnings: &mut Vec<RowFault>,
) -> Result<ResolvedTicket, RowFault> {
    let fault = |field: Field, reason: String| RowFault {
        line,
        column: Some(values.column(field)),
        reason,
    };
    let text = |field| values.text(field).map_err(|reason| fault(field, reason));
    let minutes = text(Field::Minutes)?
        .map(|value| {
            value.trim().parse().map_err(|_| {
                fault(Field::Minutes, format!("expected a whole number, found {value:?}"))
            })
        })
        .transpose()?;
    let words = TicketText {
        subject: text(Field::Subject)?.unwrap_or_default(),
        body: text(Field::Body)?.unwrap_or_default(),
        messages: values.messages().map_err(|reason| fault(Field::Messages, reason))?,
    };
    if words.subject.is_empty() && words.body.is_empty() && words.messages.is_empty() {
        let reason = "neither a subject nor a body".to_owned();
        return Err(RowFault { line, column: None, reason });
    }
    let label = |field| Ok::<_, RowFault>(text(field)?.map(|value| value.trim().to_owned()));
    let mut time = |field| -> Result<Option<Timestamp>, RowFault> {
        let Some(value) = text(field)? else { return Ok(None) };
        let read = timestamp(&value);
        if read.is_none() {
            warnings.push(fault(field, no_time(&value)));
        }
        Ok(read)
    };
    let (created_at, resolved_at) = (time(Field::Created)?, time(Field::Resolved)?);
    let outcome = Outcome {
        category: label(Field::Category)?,
        team: label(Field::Team)?,
        priority: label(Field::Priority)?,
        resolution: text(Field::Resolution)?.filter(|text| !is_status(text)),
        resolved_at,
        handling_minutes: minutes,
    };
    let requester = text(Field::Requester)?;
    let id = match text(Field::Id)? {
        Some(id) if id.len() > MAX_ID => {
            return Err(fault(Field::Id, format!("expected at most {MAX_ID} bytes")));
        }
        Some(id) => id,
        // The same row must find itself again; its text and time are what it is known by.
        None => {
            hex(&Sha256::digest(format!("{words:?}{requester:?}{created_at:?}")))[..32].to_owned()
        }
    };
    // Several systems' tickets may be in one file; ids are only unique within one.
    let named = text(Field::System)?.filter(|name| name.len() <= MAX_ID);
    let system = named.unwrap_or_else(|| system.to_owned());
    let source = ExternalRef { system, id, url: text(Field::Url)? };
    let ticket = Ticket { text: words, requester, created_at, source: Some(source) };
    Ok(ResolvedTicket { ticket, outcome })
}

fn no_time(value: &str) -> String {
    let shown: String = value.chars().take(40).collect();
    format!("expected a time such as 2025-03-04T09:15:00Z or 2025-03-04 09:15, found {shown:?}")
}

/// What systems put where a resolution should be.
const STATUSES: [&str; 14] = [
    "done",
    "fixed",
    "resolved",
    "closed",
    "solved",
    "complete",
    "completed",
    "duplicate",
    "unresolved",
    "won't fix",
    "won't do",
    "cannot reproduce",
    "incomplete",
    "declined",
];

fn is_status(text: &str) -> bool {
    STATUSES.iter().any(|status| text.trim().eq_ignore_ascii_case(status))
}

/// How times without an offset are written where the month has a name, so that nothing is guessed.
const NAMED_MONTHS: [&str; 5] = [
    "%d/%b/%y %I:%M %p",
    "%d/%b/%Y %H:%M",
    "%d-%b-%Y %H:%M:%S",
    "%d-%b-%Y %H:%M",
    "%b %d, %Y %I:%M %p",
];

/// ISO 8601 with an offset, or without one and then in UTC; with or without a time of day.
pub(super) fn timestamp(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    if let Ok(instant) = value.parse::<Timestamp>() {
        return Some(instant);
    }
    let civil = value
        .strip_suffix(" UTC")
        .unwrap_or(value)
        .parse::<DateTime>()
        .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", value))
        .ok()
        .or_else(|| NAMED_MONTHS.iter().find_map(|f| DateTime::strptime(f, value).ok()))?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_systems_write_them() {
        let nine = "2025-03-04T09:15:00Z";
        for text in [
            "2025-03-04T09:15:00Z",
            "2025-03-04T10:15:00+01:00",
            "2025-03-04 09:15:00",
            "2025-03-04 09:15",
            "2025-03-04 09:15:00 UTC",
        ] {
            assert_eq!(timestamp(text).map(|t| t.to_string()).as_deref(), Some(nine), "{text}");
        }
        assert_eq!(timestamp("2025-03-04").unwrap().to_string(), "2025-03-04T00:00:00Z");
        // Is it the third of April or the fourth of March? A guess would be wrong half the time.
        assert_eq!(timestamp("03/04/2025"), None);
    }
}
