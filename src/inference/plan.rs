//! Which of the waiting requests make the next batch. Pure.

use super::Lane;

/// Tokens of a batch that serves people: large enough to keep the cores busy.
const INTERACTIVE_TOKENS: usize = 2048;
/// Tokens of a bulk batch: small, because an interactive request may have to wait for one.
const BULK_TOKENS: usize = 768;
/// After so many interactive batches in a row, waiting bulk work gets one, so that it never starves.
const INTERACTIVE_RUN: usize = 8;

/// A waiting request, as the planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) lane: Lane,
    pub(super) tokens: usize,
}

/// Picks the requests (by position, rising) that make the next batch, oldest first within the lane
/// whose turn it is. Never empty while something waits: a request over the budget goes alone.
///
/// `interactive_run` is the number of interactive batches since the last bulk one.
pub(super) fn plan(waiting: &[Waiting], interactive_run: usize) -> Vec<usize> {
    let waits = |lane| waiting.iter().any(|w| w.lane == lane);
    let bulk_turn =
        waits(Lane::Bulk) && (!waits(Lane::Interactive) || interactive_run >= INTERACTIVE_RUN);
    let (lane, budget) =
        if bulk_turn { (Lane::Bulk, BULK_TOKENS) } else { (Lane::Interactive, INTERACTIVE_TOKENS) };
    let mut tokens = 0;
    let mut batch = Vec::new();
    for (at, request) in waiting.iter().enumerate().filter(|(_, w)| w.lane == lane) {
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
        let one = (any::<bool>(), 1usize..1200).prop_map(|(bulk, tokens)| Waiting {
            lane: if bulk { Lane::Bulk } else { Lane::Interactive },
            tokens,
        });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn a_batch_is_one_lane_in_order_within_budget(waiting in waiting(), run in 0usize..20) {
            let batch = plan(&waiting, run);
            prop_assert_eq!(batch.is_empty(), waiting.is_empty());
            prop_assert!(batch.is_sorted());
            if let Some(&first) = batch.first() {
                let lane = waiting[first].lane;
                prop_assert!(batch.iter().all(|&i| waiting[i].lane == lane));
                let oldest = waiting.iter().position(|w| w.lane == lane);
                prop_assert_eq!(oldest, Some(first));
                let tokens: usize = batch.iter().map(|&i| waiting[i].tokens).sum();
                prop_assert!(batch.len() == 1 || tokens <= INTERACTIVE_TOKENS);
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
            prop_assert!(waiting.is_empty());
        }

        #[test]
        fn people_go_first_until_bulk_is_due(mut waiting in waiting()) {
            waiting.push(Waiting { lane: Lane::Interactive, tokens: 9 });
            waiting.push(Waiting { lane: Lane::Bulk, tokens: 9 });
            prop_assert_eq!(waiting[plan(&waiting, 0)[0]].lane, Lane::Interactive);
            prop_assert_eq!(waiting[plan(&waiting, INTERACTIVE_RUN)[0]].lane, Lane::Bulk);
        }
    }
}
