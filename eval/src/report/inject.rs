//! Wrong labels put on tickets, to see how many the label doctor finds.

use std::collections::BTreeMap;

use deskhand::backtest::report::{Labels, Loaded};
use deskhand::judge::doctor::Doctor;
use deskhand::judge::{Share, metrics};
use serde::Serialize;

/// Puts a wrong label on a share of the tickets; which, by their place among the field's.
pub(crate) fn inject(labels: &mut Labels, share: f64, seed: u64) -> BTreeMap<usize, usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut rows: Vec<usize> = (0..labels.given.len()).collect();
    rng.shuffle(&mut rows);
    rows.truncate((share.clamp(0.0, 1.0) * rows.len() as f64).round() as usize);
    let mut was = BTreeMap::new();
    for row in rows {
        let right = labels.given[row];
        let other = rng.usize(..labels.names.len() - 1);
        was.insert(row, right);
        labels.given[row] = if other >= right { other + 1 } else { other };
    }
    was
}

/// How many of the injected wrong labels were found.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    tickets: usize,
    injected: usize,
    suspects: usize,
    found: usize,
    /// Of the suspects, the share that was injected: a floor, since the data have faults of their own.
    precision: deskhand::judge::Estimate,
    recall: deskhand::judge::Estimate,
    /// Among as many of the surest suspects as labels were injected.
    precision_of_the_surest: f64,
    /// Of the found ones, the share whose right label was suggested.
    suggested_right: f64,
    estimated_noise: f64,
    /// How well suspicion ranks: the area under the ROC curve of "is suspected, and how surely".
    auroc: Option<f64>,
}

pub(crate) fn told(
    labels: &Labels,
    loaded: &Loaded,
    injected: &BTreeMap<usize, usize>,
    doctor: &Doctor,
) -> Told {
    let wrong: BTreeMap<&str, &str> = injected
        .iter()
        .map(|(row, right)| (loaded.ids[labels.rows[*row]].as_str(), labels.names[*right].as_str()))
        .collect();
    let suspects = &doctor.mislabelled;
    let hit = |ticket: &str| wrong.contains_key(ticket);
    let found = suspects.iter().filter(|s| hit(&s.ticket)).count();
    let right =
        suspects.iter().filter(|s| wrong.get(s.ticket.as_str()) == Some(&s.suggested.as_str()));
    let right = right.count();
    let surest = suspects.iter().take(wrong.len());
    let surest_found = surest.clone().filter(|s| hit(&s.ticket)).count();
    let score: BTreeMap<&str, f32> =
        suspects.iter().map(|s| (s.ticket.as_str(), s.confidence - s.given)).collect();
    let of = |wanted: bool| -> Vec<f32> {
        let ids = labels.rows.iter().map(|r| loaded.ids[*r].as_str());
        ids.filter(|id| wrong.contains_key(id) == wanted)
            .map(|id| score.get(id).copied().unwrap_or_default())
            .collect()
    };
    Told {
        tickets: labels.given.len(),
        injected: wrong.len(),
        suspects: suspects.len(),
        found,
        precision: Share { successes: found, trials: suspects.len() }.estimate(),
        recall: Share { successes: found, trials: wrong.len() }.estimate(),
        precision_of_the_surest: surest_found as f64 / surest.len().max(1) as f64,
        suggested_right: right as f64 / found.max(1) as f64,
        estimated_noise: doctor.noise,
        auroc: metrics::auroc(&of(true), &of(false)).ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injected_labels_are_wrong_and_known() {
        let mut labels = Labels {
            field: "category".to_owned(),
            rows: (0..100).collect(),
            given: (0..100).map(|n| n % 4).collect(),
            names: (0..4).map(|n| format!("c{n}")).collect(),
        };
        let before = labels.given.clone();
        let injected = inject(&mut labels, 0.08, 1);
        let changed: Vec<usize> = (0..100).filter(|r| before[*r] != labels.given[*r]).collect();
        assert_eq!(changed, injected.keys().copied().collect::<Vec<_>>());
        assert_eq!(changed.len(), 8);
        assert!(injected.iter().all(|(row, right)| before[*row] == *right));
    }
}
