//! Who has a ticket open right now. Kept in memory, for as long as a page keeps saying so: it is a
//! courtesy among agents, and versions are what keeps them from overwriting each other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{SuggestionId, WorkspaceId};

/// A page that has been silent for so long is taken for closed.
const SILENT: Duration = Duration::from_secs(25);
/// Pages that are remembered; beyond, the courtesy ends.
const MOST: usize = 4096;

type Place = (WorkspaceId, SuggestionId);

/// Who looks at what.
#[derive(Default)]
pub(super) struct Presence(Mutex<HashMap<Place, Vec<Looking>>>);

struct Looking {
    /// Names the page: one person may have two open.
    page: String,
    who: String,
    since: Instant,
}

impl Presence {
    /// Notes that a page is open, and returns who else has the ticket open.
    pub(super) fn look(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
        page: &str,
        who: &str,
        now: Instant,
    ) -> Vec<String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, pages| {
            pages.retain(|looking| now.duration_since(looking.since) < SILENT);
            !pages.is_empty()
        });
        let room = known.values().map(Vec::len).sum::<usize>() < MOST;
        let pages = known.entry((workspace.clone(), id)).or_default();
        match pages.iter_mut().find(|looking| looking.page == page) {
            Some(looking) => looking.since = now,
            None if room => {
                pages.push(Looking { page: page.to_owned(), who: who.to_owned(), since: now });
            }
            None => {}
        }
        let mut others: Vec<String> =
            pages.iter().filter(|l| l.page != page).map(|l| l.who.clone()).collect();
        others.sort();
        others.dedup();
        others
    }

    /// Notes that a page was left.
    pub(super) fn leave(&self, workspace: &WorkspaceId, id: SuggestionId, page: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = known.get_mut(&(workspace.clone(), id)) {
            pages.retain(|looking| looking.page != page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_seen_for_as_long_as_their_page_is_open() {
        let (presence, main) = (Presence::default(), WorkspaceId::main());
        let id = SuggestionId::new(uuid::Uuid::from_u128(1));
        let start = Instant::now();
        let look = |page, who, after| {
            presence.look(&main, id, page, who, start + Duration::from_secs(after))
        };
        assert!(look("a", "Ann", 0).is_empty());
        assert_eq!(look("b", "Ben", 1), ["Ann"]);
        assert_eq!(look("a", "Ann", 20), ["Ben"]);
        assert_eq!(look("c", "Ann", 21), ["Ann", "Ben"], "one person, two pages");
        assert_eq!(look("a", "Ann", 30), ["Ann"], "Ben has been silent");
        presence.leave(&main, id, "c");
        assert!(look("a", "Ann", 31).is_empty());
        let other = SuggestionId::new(uuid::Uuid::from_u128(2));
        assert!(presence.look(&main, other, "d", "Eve", start).is_empty());
    }
}
