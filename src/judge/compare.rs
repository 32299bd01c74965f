//! Two ways of labelling, on the same tickets.

use serde::Serialize;

use super::binomial::mcnemar;
use super::{Estimate, Share, paired_bootstrap};

/// What comparing two ways of labelling came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Tickets that both were judged by.
    pub tickets: usize,
    /// The share that the first has right.
    pub first: Estimate,
    /// The share that the second has right.
    pub second: Estimate,
    /// By how much the second is right more often, with the interval of the paired bootstrap. An
    /// interval without 0 is a difference beyond chance.
    pub difference: Estimate,
    /// `McNemar`'s exact test of that difference.
    pub p: f64,
    /// Tickets that both have right.
    pub both: usize,
    /// Tickets that only the first has right.
    pub only_first: usize,
    /// Tickets that only the second has right.
    pub only_second: usize,
    /// Tickets that neither has right.
    pub neither: usize,
    /// Labels whose tickets gain or lose by the second, those that change most first.
    pub labels: Vec<Change>,
    /// Tickets on which they differ and one is right, by their place: the second's gains first.
    #[serde(skip)]
    pub differ: Vec<usize>,
}

/// What becomes of one label's tickets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The label.
    pub label: String,
    /// Its tickets.
    pub tickets: usize,
    /// Those that only the second has right.
    pub gained: usize,
    /// Those that only the first has right.
    pub lost: usize,
    /// `McNemar`'s test within the label; many labels are looked at, so a small one is no proof.
    pub p: f64,
}

/// Compares answers to the same tickets; `None` is no answer, and never right. The lists are of one
/// length.
pub fn compare(
    first: &[Option<usize>],
    second: &[Option<usize>],
    truth: &[usize],
    names: &[String],
    seed: u64,
) -> Comparison {
    let right = |answers: &[Option<usize>]| -> Vec<bool> {
        answers.iter().zip(truth).map(|(answer, truth)| *answer == Some(*truth)).collect()
    };
    let (a, b) = (right(first), right(second));
    let test = mcnemar(&a, &b);
    let share = |right: &[bool]| right.iter().copied().collect::<Share>().estimate();
    let mean = |right: &[bool], drawn: &[u32]| {
        let hits = right.iter().zip(drawn).filter(|(right, _)| **right);
        hits.map(|(_, d)| f64::from(*d)).sum::<f64>() / right.len().max(1) as f64
    };
    let both = a.iter().zip(&b).filter(|(a, b)| **a && **b).count();
    let mut labels: Vec<Change> = names
        .iter()
        .enumerate()
        .filter_map(|(label, name)| {
            let rows: Vec<usize> = (0..truth.len()).filter(|row| truth[*row] == label).collect();
            let of = |right: &[bool]| rows.iter().map(|row| right[*row]).collect::<Vec<_>>();
            let test = mcnemar(&of(&a), &of(&b));
            (test.only_first + test.only_second > 0).then(|| Change {
                label: name.clone(),
                tickets: rows.len(),
                gained: test.only_second,
                lost: test.only_first,
                p: test.p,
            })
        })
        .collect();
    labels.sort_by_key(|c| std::cmp::Reverse(c.gained.abs_diff(c.lost)));
    let gained = (0..truth.len()).filter(|row| b[*row] && !a[*row]);
    let lost = (0..truth.len()).filter(|row| a[*row] && !b[*row]);
    Comparison {
        tickets: truth.len(),
        first: share(&a),
        second: share(&b),
        difference: paired_bootstrap(
            truth.len(),
            seed,
            |drawn| mean(&b, drawn),
            |drawn| mean(&a, drawn),
        ),
        p: test.p,
        both,
        only_first: test.only_first,
        only_second: test.only_second,
        neither: truth.len() - both - test.only_first - test.only_second,
        labels,
        differ: gained.chain(lost).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gains_and_who_loses_is_told_by_label() {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        // Nine of a: the second gains six of them; of b it loses two; c is answered alike.
        let truth = [vec![0; 9], vec![1; 6], vec![2; 5]].concat();
        let first: Vec<Option<usize>> =
            [vec![Some(1); 6], vec![Some(0); 3], vec![Some(1); 6], vec![None; 5]].concat();
        let second: Vec<Option<usize>> =
            [vec![Some(0); 9], vec![Some(2); 2], vec![Some(1); 4], vec![Some(0); 5]].concat();
        let found = compare(&first, &second, &truth, &names, 1);
        assert_eq!((found.both, found.only_first, found.only_second, found.neither), (7, 2, 6, 5));
        assert!((found.difference.value - 0.2).abs() < 1e-12);
        assert!(found.difference.low < 0.0 && found.difference.high > 0.3);
        // 2 · (1 + 8 + 28) / 2⁸
        assert!((found.p - 74.0 / 256.0).abs() < 1e-12, "{}", found.p);
        let labels: Vec<(&str, usize, usize)> =
            found.labels.iter().map(|c| (c.label.as_str(), c.gained, c.lost)).collect();
        assert_eq!(labels, [("a", 6, 0), ("b", 0, 2)]);
        assert_eq!(found.differ, [0, 1, 2, 3, 4, 5, 9, 10]);
    }

    #[test]
    fn the_same_answers_differ_in_nothing() {
        let names = vec!["a".to_owned()];
        let found = compare(&[Some(0), None], &[Some(0), None], &[0, 0], &names, 1);
        assert!(found.p > 0.999 && found.difference.value.abs() < 1e-12);
        assert!(found.labels.is_empty() && found.differ.is_empty());
        let none = compare(&[], &[], &[], &names, 1);
        assert_eq!((none.tickets, none.neither), (0, 0));
    }
}
