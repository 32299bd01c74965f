//! Which of the waiting requests make the next batch. Pure.

use super::Lane;

/// Tokens of a batch that serves people: large enough to keep the cores busy.
const INTERACTIVE_TOKENS: usize = 2048;
/// Tokens of a bulk batch: about one long text, because an interactive request may have to wait for
/// one. The encoder is nearly as fast on so few as on many.
const BULK_TOKENS: usize = 256;
/// After so many interactive batches in a row, waiting bulk work gets one, so that it never starves.
const INTERACTIVE_RUN: usize = 8;

/// A waiting request, as the planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) lane: Lane,
    pub(super) tokens: usize,
    /// Whether its deadline has passed. Such a request is never picked.
    pub(super) expired: bool,
}

/// Picks the requests (by position, rising) that make the next batch, oldest first within the lane
/// whose turn it is. Never empty while something waits that has not expired: a request over the
/// budget goes alone.
///
/// `interactive_run` is the number of interactive batches since the last bulk one.
pub(super) fn plan(waiting: &[Waiting], interactive_run: usize) -> Vec<usize> {
    let due = |lane| waiting.iter().enumerate().filter(move |(_, w)| w.lane == lane && !w.expired);
    let waits = |lane| due(lane).next().is_some();
    let bulk_turn =
        waits(Lane::Bulk) && (!waits(Lane::Interactive) || interactive_run >= INTERACTIVE_RUN);
    let (lane, budget) =
        if bulk_turn { (Lane::Bulk, BULK_TOKENS) } else { (Lane::Interactive, INTERACTIVE_TOKENS) };
    let mut tokens = 0;
    let mut batch = Vec::new();
    for (at, request) in due(lane) {
        tokens += request.tokens;
        if tokens > budget && !batch.is_empty() {
            break;
        }
        batch.push(at);
    }
    batch
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waiting() -> impl Strategy<Value = Vec<Waiting>> {
        let one = (any::<bool>(), 1usize..1200, prop::bool::weighted(0.2));
        let one = one.prop_map(|(bulk, tokens, expired)| Waiting {
            lane: if bulk { Lane::Bulk } else { Lane::Interactive },
            tokens,
            expired,
        });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn a_batch_is_one_lane_in_order_within_budget(waiting in waiting(), run in 0usize..20) {
            let batch = plan(&waiting, run);
            prop_assert_eq!(batch.is_empty(), waiting.iter().all(|w| w.expired));
            prop_assert!(batch.iter().all(|&i| !waiting[i].expired));
            prop_assert!(batch.is_sorted());
            if let Some(&first) = batch.first() {
                let lane = waiting[first].lane;
                prop_assert!(batch.iter().all(|&i| waiting[i].lane == lane));
                let oldest = waiting.iter().position(|w| w.lane == lane && !w.expired);
                prop_assert_eq!(oldest, Some(first));
                let tokens: usize = batch.iter().map(|&i| waiting[i].tokens).sum();
                let budget = if lane == Lane::Bulk { BULK_TOKENS } else { INTERACTIVE_TOKENS };
                prop_assert!(batch.len() == 1 || tokens <= budget);
            }
        }

        #[test]
        fn everything_is_served_in_the_end(mut waiting in waiting()) {
            let mut run = 0;
            for _ in 0..waiting.len() {
                let batch = plan(&waiting, run);
                if let Some(&first) = batch.first() {
                    run = if waiting[first].lane == Lane::Bulk { 0 } else { run + 1 };
                }
                for at in batch.into_iter().rev() {
                    waiting.remove(at);
                }
            }
            prop_assert!(waiting.iter().all(|w| w.expired));
        }

        #[test]
        fn people_go_first_until_bulk_is_due(mut waiting in waiting()) {
            waiting.push(Waiting { lane: Lane::Interactive, tokens: 9, expired: false });
            waiting.push(Waiting { lane: Lane::Bulk, tokens: 9, expired: false });
            prop_assert_eq!(waiting[plan(&waiting, 0)[0]].lane, Lane::Interactive);
            prop_assert_eq!(waiting[plan(&waiting, INTERACTIVE_RUN)[0]].lane, Lane::Bulk);
        }
    }
}
