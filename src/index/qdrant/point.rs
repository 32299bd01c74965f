//! A resolved ticket as a point: its UUID as the id, its embedding, and a payload of all that a
//! search shows.

use std::collections::HashMap;

use jiff::Timestamp;
use qdrant_client::Payload;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::{PointId, PointStruct, ScoredPoint, Value};
use uuid::Uuid;

use crate::domain::{Neighbour, Outcome, TicketId, WorkspaceId};
use crate::index::Entry;

/// The payload field that every filter names.
pub(super) const WORKSPACE: &str = "workspace";

/// The point's id of a ticket.
pub(super) fn point_id(id: TicketId) -> PointId {
    PointId::from(Uuid::from_bytes(*id.as_bytes()).to_string())
}

/// The ticket of a point; `None` if the point is none of ours.
pub(super) fn ticket_id(id: Option<PointId>) -> Option<TicketId> {
    match id?.point_id_options? {
        PointIdOptions::Uuid(text) => Uuid::try_parse(&text).ok().map(TicketId::new),
        PointIdOptions::Num(_) => None,
    }
}

/// The point of an entry.
pub(super) fn from_entry(workspace: &WorkspaceId, entry: &Entry) -> PointStruct {
    let outcome = &entry.outcome;
    let mut payload = Payload::new();
    payload.insert(WORKSPACE, workspace.as_str());
    payload.insert("subject", entry.subject.as_str());
    let texts = [
        ("language", &entry.language),
        ("category", &outcome.category),
        ("team", &outcome.team),
        ("priority", &outcome.priority),
        ("resolution", &outcome.resolution),
    ];
    // What is not known is left out; so nothing depends on how a server treats null.
    for (name, text) in texts {
        if let Some(text) = text {
            payload.insert(name, text.as_str());
        }
    }
    if let Some(at) = outcome.resolved_at {
        payload.insert("resolved_at", at.as_microsecond());
    }
    if let Some(minutes) = outcome.handling_minutes {
        payload.insert("handling_minutes", i64::from(minutes));
    }
    PointStruct::new(point_id(entry.ticket_id), entry.vector.clone(), payload)
}

/// The neighbour that a found point is.
///
/// # Errors
/// In words, what is wrong with the point: its id, a field that is missing or of another type, or
/// a workspace that was not asked for.
pub(super) fn to_neighbour(
    workspace: &WorkspaceId,
    point: ScoredPoint,
) -> Result<Neighbour, &'static str> {
    let ticket_id = ticket_id(point.id).ok_or("its id is no UUID")?;
    let mut fields = Fields(point.payload);
    // The filter has seen to that already; should a server ever ignore it, nothing leaks.
    if fields.text(WORKSPACE)?.as_deref() != Some(workspace.as_str()) {
        return Err("it is of another workspace");
    }
    let resolved_at = fields.number("resolved_at")?.map(Timestamp::from_microsecond).transpose();
    let handling_minutes = fields.number("handling_minutes")?.map(u32::try_from).transpose();
    Ok(Neighbour {
        ticket_id,
        // Adding zero makes −0 into 0: equal scores must be equal to the bit.
        score: point.score + 0.0,
        words: 0.0,
        subject: fields.text("subject")?.ok_or("it has no subject")?,
        outcome: Outcome {
            category: fields.text("category")?,
            team: fields.text("team")?,
            priority: fields.text("priority")?,
            resolution: fields.text("resolution")?,
            resolved_at: resolved_at.map_err(|_| "resolved_at is out of range")?,
            handling_minutes: handling_minutes.map_err(|_| "handling_minutes is out of range")?,
        },
        language: fields.text("language")?,
    })
}

/// A payload that is taken apart.
struct Fields(HashMap<String, Value>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Kind> {
        self.0.remove(name)?.kind.filter(|kind| !matches!(kind, Kind::NullValue(_)))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, &'static str> {
        match self.take(name) {
            None => Ok(None),
            Some(Kind::StringValue(text)) => Ok(Some(text)),
            Some(_) => Err("a field that should be text is not"),
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<i64>, &'static str> {
        match self.take(name) {
            None => Ok(None),
            Some(Kind::IntegerValue(number)) => Ok(Some(number)),
            Some(_) => Err("a field that should be a whole number is not"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            ticket_id: TicketId::new(Uuid::from_u128(7 << 100 | 1)),
            vector: vec![0.6, 0.8],
            subject: "Drucker 🖨️ klemmt".to_owned(),
            outcome: Outcome {
                category: Some("Printing".to_owned()),
                resolved_at: Timestamp::from_microsecond(1_700_000_000_123_456).ok(),
                handling_minutes: Some(12),
                ..Outcome::default()
            },
            language: Some("de".to_owned()),
        }
    }

    fn found(workspace: &WorkspaceId) -> ScoredPoint {
        let point = from_entry(workspace, &entry());
        ScoredPoint { id: point.id, payload: point.payload, score: -0.0, ..ScoredPoint::default() }
    }

    #[test]
    fn a_point_shows_what_was_put_in() {
        let workspace = WorkspaceId::main();
        let neighbour = to_neighbour(&workspace, found(&workspace)).unwrap();
        let entry = entry();
        assert_eq!(neighbour.ticket_id, entry.ticket_id);
        assert_eq!(neighbour.subject, entry.subject);
        assert_eq!(neighbour.outcome, entry.outcome);
        assert_eq!(neighbour.language, entry.language);
        assert!(neighbour.score.is_sign_positive());
    }

    #[test]
    fn a_point_of_another_shape_is_refused() {
        let workspace = WorkspaceId::main();
        let refused = |change: fn(&mut ScoredPoint)| {
            let mut point = found(&workspace);
            change(&mut point);
            to_neighbour(&workspace, point).unwrap_err()
        };
        assert_eq!(refused(|p| p.id = Some(PointId::from(7u64))), "its id is no UUID");
        assert_eq!(refused(|p| p.payload.clear()), "it is of another workspace");
        assert_eq!(refused(|p| drop(p.payload.remove("subject"))), "it has no subject");
        refused(|p| drop(p.payload.insert("workspace".to_owned(), "other".into())));
        refused(|p| drop(p.payload.insert("subject".to_owned(), 7.into())));
        refused(|p| drop(p.payload.insert("resolved_at".to_owned(), "today".into())));
        refused(|p| drop(p.payload.insert("resolved_at".to_owned(), i64::MAX.into())));
        refused(|p| drop(p.payload.insert("handling_minutes".to_owned(), (-1).into())));
    }
}
