//! Replies to the judged tickets, held to what was really answered.

use std::collections::HashMap;

use super::load::Loaded;
use crate::backtest::replies::{History, Library, grounded, nearest, own_words};
use crate::backtest::{Prepared, Stage, Watch};
use crate::judge::report::Drafts;
use crate::judge::{Estimate, Share, bootstrap};
use crate::text::rouge_l;

/// Judged tickets that are drafted for, at most.
const DRAFTED: usize = 300;
/// Fewer answers are nothing to draft from.
const LEAST_ANSWERS: usize = 50;

/// Drafts for judged tickets whose answer is known, from the answers to earlier ones; none where
/// the export has hardly any answers.
pub(super) fn judge(
    loaded: &Loaded,
    prepared: &Prepared,
    judged: &[usize],
    seed: u64,
    watch: &dyn Watch,
) -> Option<Drafts> {
    let tickets = loaded.tickets.iter().map(|t| t.resolved.clone());
    let history = History::of(tickets);
    if history.rows.len() < LEAST_ANSWERS {
        return None;
    }
    let vectors: Vec<Vec<f32>> =
        history.rows.iter().map(|row| prepared.vectors[row.origin].clone()).collect();
    let place: HashMap<usize, usize> =
        history.rows.iter().enumerate().map(|(at, row)| (row.origin, at)).collect();
    let mut drawn: Vec<usize> = judged.iter().filter_map(|row| place.get(row).copied()).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut drawn);
    drawn.truncate(DRAFTED);
    drawn.sort_unstable();
    if drawn.is_empty() {
        return None;
    }
    let mut library = Library::default();
    watch.begin(Stage::Drafting, None);
    let (mut overlap, mut overlap_nearest, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut supported = Share { successes: 0, trials: 0 };
    let mut reasons: HashMap<String, usize> = HashMap::new();
    for (done, at) in drawn.iter().enumerate() {
        let row = &history.rows[*at];
        // A vector of another length than the others' has no answer to be judged by.
        library.grow(&history, &vectors, *at).ok()?;
        let found = library.sources(&vectors[*at], &row.text, Some(*at));
        let (draft, time) = history.draft(&row.text, &row.language, &found);
        times.push(time);
        match draft {
            Ok(draft) => {
                for says in grounded(&history, &draft) {
                    supported.trials += 1;
                    supported.successes += usize::from(says);
                }
                overlap.push(rouge_l(&own_words(&draft), &row.resolution));
                let near =
                    &history.rows[nearest(&history, row, &library.nearest(&vectors[*at], *at))];
                overlap_nearest.push(rouge_l(&near.resolution, &row.resolution));
            }
            Err(refusal) => {
                let reason = serde_json::to_value(refusal.reason).unwrap_or_default();
                let reason = reason.as_str().unwrap_or_default().replace('_', " ");
                *reasons.entry(reason).or_default() += 1;
            }
        }
        watch.advance(done + 1, drawn.len());
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    times.sort_by(f64::total_cmp);
    let refused = Share { successes: drawn.len() - overlap.len(), trials: drawn.len() };
    Some(Drafts {
        tickets: drawn.len(),
        refused: refused.estimate(),
        reasons,
        supported: supported.estimate(),
        overlap: mean(&overlap, seed),
        overlap_nearest: mean(&overlap_nearest, seed),
        median_ms: times[times.len() / 2],
    })
}

/// A mean with its bootstrap interval.
fn mean(values: &[f64], seed: u64) -> Estimate {
    bootstrap(values.len(), seed, |drawn| {
        let sum: f64 = values.iter().zip(drawn).map(|(v, d)| v * f64::from(*d)).sum();
        sum / values.len().max(1) as f64
    })
}
