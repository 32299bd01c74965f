//! Which rows are learned from together, and which are held out.

use std::collections::BTreeMap;

use super::noise::{key, shuffle};
use crate::data::Row;

/// Batches that are sorted by length together: enough for their texts to be of nearly equal
/// length, few enough for each epoch to mix them anew.
const SORTED_TOGETHER: usize = 20;

/// An epoch's batches of row numbers. Rows of about the same length stand together, so that the
/// shares of a batch that go to different threads are equal work.
pub(super) fn epoch(lengths: &[usize], size: usize, seed: u64, epoch: u64) -> Vec<Vec<usize>> {
    let rows = shuffle((0..lengths.len()).collect(), key(&[seed, epoch, 1]));
    let mut batches = Vec::new();
    for group in rows.chunks(size * SORTED_TOGETHER) {
        let mut group = group.to_vec();
        group.sort_by_key(|row| lengths[*row]);
        batches.extend(group.chunks(size).map(<[usize]>::to_vec));
    }
    shuffle(batches, key(&[seed, epoch, 2]))
}

/// Row numbers for fitting and for validation. Rows of any other split are in neither.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<usize>,
    pub(super) valid: Vec<usize>,
    /// Whether validation was carved from the training rows.
    pub(super) carved: bool,
}

/// `train` fits, `valid` and `tune` select. Where neither of those two is there, a share of each
/// label's training rows is taken, identical texts together; a file without `train` is all for
/// training, but for what it marks as another split.
pub(super) fn split(rows: &[Row], share: f64, seed: u64) -> Split {
    let named = rows.iter().any(|row| row.split == "train");
    let of = |names: &[&str]| -> Vec<usize> {
        (0..rows.len()).filter(|n| names.contains(&rows[*n].split.as_str())).collect()
    };
    let train = of(&[if named { "train" } else { "" }]);
    let valid = of(&["valid", "tune"]);
    if !valid.is_empty() {
        return Split { train, valid, carved: false };
    }
    let mut labels: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for n in train {
        labels.entry(&rows[n].label).or_default().entry(&rows[n].text).or_default().push(n);
    }
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (label, texts) in labels.into_values().enumerate() {
        let count: usize = texts.values().map(Vec::len).sum();
        let wanted = (count as f64 * share).round() as usize;
        let mut taken = 0;
        for group in shuffle(texts.into_values().collect(), key(&[seed, label as u64, 3])) {
            // The last group stays: no label goes without a row to learn from.
            if taken + group.len() <= wanted.min(count - 1) {
                taken += group.len();
                valid.extend(group);
            } else {
                train.extend(group);
            }
        }
    }
    train.sort_unstable();
    valid.sort_unstable();
    Split { train, valid, carved: true }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(text: &str, label: &str, split: &str) -> Row {
        Row { line: 0, text: text.to_owned(), label: label.to_owned(), split: split.to_owned() }
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_batch_of_an_epoch(lengths in prop::collection::vec(1usize..50, 1..300), size in 1usize..40, seed: u64) {
            let batches = epoch(&lengths, size, seed, 0);
            prop_assert!(batches.iter().all(|b| !b.is_empty() && b.len() <= size));
            let mut rows = batches.concat();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..lengths.len()).collect::<Vec<_>>());
            prop_assert_eq!(&batches, &epoch(&lengths, size, seed, 0));
        }

        #[test]
        fn carving_keeps_texts_together_and_every_label_in_training(
            rows in prop::collection::vec((0u8..12, 0u8..4), 1..120), share in 0.0f64..0.9, seed: u64,
        ) {
            let rows: Vec<Row> =
                rows.iter().map(|(t, l)| row(&t.to_string(), &l.to_string(), "")).collect();
            let split = split(&rows, share, seed);
            let mut all = [&split.train[..], &split.valid].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
            for v in &split.valid {
                prop_assert!(split.train.iter().any(|t| rows[*t].label == rows[*v].label));
                prop_assert!(!split.train.iter().any(|t| rows[*t] == rows[*v]));
            }
        }
    }

    #[test]
    fn the_files_own_split_is_kept_and_its_test_rows_are_left_alone() {
        let rows = [
            row("a", "x", "train"),
            row("b", "x", "test"),
            row("c", "x", "tune"),
            row("d", "x", ""),
        ];
        let expected = Split { train: vec![0], valid: vec![2], carved: false };
        assert_eq!(split(&rows, 0.1, 1), expected);
        let rows = [row("a", "x", "test"), row("b", "x", ""), row("c", "x", "")];
        let carved = split(&rows, 0.5, 1);
        assert_eq!((carved.train.len(), carved.valid.len(), carved.carved), (1, 1, true));
        assert!(!carved.train.contains(&0) && !carved.valid.contains(&0));
    }
}
