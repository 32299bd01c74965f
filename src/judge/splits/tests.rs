use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// Groups of the given sizes, one after the other.
fn groups_of(sizes: &[usize]) -> Vec<usize> {
    sizes.iter().enumerate().flat_map(|(group, size)| vec![group; *size]).collect()
}

fn apart(groups: &[usize], a: &[usize], b: &[usize]) -> bool {
    let of = |rows: &[usize]| rows.iter().map(|row| groups[*row]).collect::<BTreeSet<_>>();
    of(a).is_disjoint(&of(b))
}

#[test]
fn the_datas_own_split_comes_first() {
    let parts = by_name(&[Some("train"), None, Some("test"), Some("train")]);
    assert_eq!(parts, BTreeMap::from([("", vec![1]), ("test", vec![2]), ("train", vec![0, 3])]));
}

#[test]
fn the_latest_are_judged_by() {
    let times: Vec<_> = [5, 1, 4, 2, 3, 6, 7, 8, 10, 9].map(at).into();
    let alone: Vec<usize> = (0..10).collect();
    assert_eq!(by_time(&times, &alone, 0.2).unwrap().test, [8, 9]);
    // The copy of the first ticket is as old as the first; so is the undated one.
    let mut groups = alone.clone();
    groups[8] = 1;
    assert_eq!(by_time(&times, &groups, 0.2).unwrap().test, [7, 9]);
    let mut undated = times;
    undated[9] = None;
    assert_eq!(by_time(&undated, &alone, 0.2).unwrap().test, [7, 8]);
}

#[test]
fn the_same_second_is_not_divided() {
    let times: Vec<_> = [1, 1, 1, 2, 2, 2, 2].map(at).into();
    let alone: Vec<usize> = (0..7).collect();
    assert_eq!(by_time(&times, &alone, 0.1).unwrap().test, [3, 4, 5, 6]);
}

#[test]
fn times_without_an_order_are_refused() {
    let none = |times: &[Option<Timestamp>], groups: &[usize]| by_time(times, groups, 0.2);
    let refused = none(&[at(1), at(1)], &[0, 1]);
    assert_eq!(refused, Err(SplitError::NoOrder { dated: 2, rows: 2 }));
    assert!(none(&[None, None], &[0, 1]).is_err());
    assert!(none(&[at(1), at(2)], &[0, 0]).is_err());
    assert!(none(&[], &[]).is_err());
    assert_eq!(by_time(&[at(1), at(2)], &[0, 1], 1.0), Err(SplitError::Share(1.0)));
}

#[test]
fn too_few_different_texts_are_refused() {
    let labels = [0; 6];
    let refused = folds(&[0, 0, 0, 1, 1, 2], &labels, 5, 1);
    assert_eq!(refused, Err(SplitError::TooFewGroups { groups: 3, parts: 5 }));
    assert_eq!(folds(&[0, 1], &labels, 1, 1), Err(SplitError::Folds(1)));
    assert!(carve(&[0, 1, 2], &[0; 6], &labels, 0.5, 1).is_err());
    assert!(carve(&[], &[], &[], 0.5, 1).is_err());
}

#[test]
fn labels_are_spread_over_the_folds() {
    let labels: Vec<u32> = (0..1_000).map(|row| if row < 5 { 9 } else { row as u32 % 4 }).collect();
    let alone: Vec<usize> = (0..1_000).collect();
    let fold = folds(&alone, &labels, 5, 3).unwrap();
    for f in 0..5 {
        let rows: Vec<usize> = (0..1_000).filter(|row| fold[*row] == f).collect();
        assert_eq!(rows.len(), 200);
        assert_eq!(rows.iter().filter(|row| labels[**row] == 9).count(), 1);
        for label in 0..4 {
            let here = rows.iter().filter(|row| labels[**row] == label).count();
            assert!((49..=50).contains(&here), "{label}: {here}");
        }
    }
}

#[test]
fn a_label_with_one_row_is_learned_from() {
    // 40 rows of one label, and 40 labels with one row each.
    let labels: Vec<u32> = (0..80).map(|row| if row < 40 { 0 } else { row }).collect();
    let alone: Vec<usize> = (0..80).collect();
    let split = carve(&alone, &alone, &labels, 0.1, 5).unwrap();
    assert!(split.test.iter().all(|row| labels[*row] == 0), "{:?}", split.test);
    assert!((4..=8).contains(&split.test.len()), "{:?}", split.test);
}

#[test]
fn one_large_group_does_not_take_other_folds_rows() {
    let groups = groups_of(&[40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    let fold = folds(&groups, &vec![0; groups.len()], 3, 1).unwrap();
    let size = |f: usize| fold.iter().filter(|of| **of == f).count();
    let mut sizes = [size(0), size(1), size(2)];
    sizes.sort_unstable();
    assert_eq!(sizes, [6, 6, 40]);
}

#[test]
fn the_same_seed_draws_the_same_rows_on_every_machine() {
    let labels: Vec<u32> = (0..12).map(|row| row % 2).collect();
    let rows: Vec<usize> = (0..12).collect();
    assert_eq!(per_class(&rows, &labels, 2, 1), PINNED_SAMPLE);
    let split = carve(&rows, &rows, &labels, 0.34, 1).unwrap();
    assert_eq!(split.test, PINNED_PART);
}

const PINNED_SAMPLE: [usize; 4] = [3, 4, 10, 11];
const PINNED_PART: [usize; 4] = [1, 4, 7, 8];

proptest! {
    #[test]
    fn a_split_by_time_keeps_groups_whole_and_time_in_order(
        rows in prop::collection::vec((prop::option::weighted(0.9, 0i64..20), 0usize..12), 1..40),
        share in 0.05f64..0.95,
    ) {
        let times: Vec<_> = rows.iter().map(|(time, _)| time.and_then(at)).collect();
        let groups: Vec<usize> = rows.iter().map(|(_, group)| *group).collect();
        let Ok(split) = by_time(&times, &groups, share) else { return Ok(()) };
        prop_assert!(!split.train.is_empty() && !split.test.is_empty());
        prop_assert_eq!(split.train.len() + split.test.len(), rows.len());
        prop_assert!(apart(&groups, &split.train, &split.test));
        let first = |row: &usize| {
            let own = (0..rows.len()).filter(|other| groups[*other] == groups[*row]);
            own.map(|other| times[other]).min().unwrap()
        };
        let latest = split.train.iter().map(first).max().unwrap();
        prop_assert!(split.test.iter().map(first).all(|time| time > latest));
    }

    #[test]
    fn folds_hold_every_row_once_and_groups_whole(
        rows in prop::collection::vec((0usize..30, 0u32..6), 2..120),
        k in 2usize..6,
        seed: u64,
    ) {
        let groups: Vec<usize> = rows.iter().map(|(group, _)| *group).collect();
        let labels: Vec<u32> = rows.iter().map(|(_, label)| *label).collect();
        let found = folds(&groups, &labels, k, seed);
        let distinct = groups.iter().collect::<BTreeSet<_>>().len();
        prop_assert_eq!(found.is_err(), distinct < k);
        let Ok(fold) = found else { return Ok(()) };
        prop_assert_eq!(&fold, &folds(&groups, &labels, k, seed).unwrap());
        for f in 0..k {
            let (here, there): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|r| fold[*r] == f);
            prop_assert!(!here.is_empty());
            prop_assert!(apart(&groups, &here, &there));
        }
    }

    #[test]
    fn folds_of_single_rows_are_of_one_size(labels in prop::collection::vec(0u32..8, 10..200), seed: u64) {
        let alone: Vec<usize> = (0..labels.len()).collect();
        let fold = folds(&alone, &labels, 5, seed).unwrap();
        let size = |f: usize| fold.iter().filter(|of| **of == f).count();
        let sizes: Vec<usize> = (0..5).map(size).collect();
        // Labels are spread first: a fold may have one row more of each of the eight.
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 8, "{:?}", sizes);
    }

    #[test]
    fn a_carved_part_is_of_the_share_asked_for(
        labels in prop::collection::vec(0u32..4, 60..200),
        share in 0.1f64..0.5,
        seed: u64,
    ) {
        let rows: Vec<usize> = (0..labels.len()).filter(|row| row % 7 != 0).collect();
        let alone: Vec<usize> = (0..labels.len()).collect();
        let split = carve(&rows, &alone, &labels, share, seed).unwrap();
        let mut both = [split.train.clone(), split.test.clone()].concat();
        both.sort_unstable();
        prop_assert_eq!(both, rows.clone());
        let miss = split.test.len() as f64 - share * rows.len() as f64;
        prop_assert!(miss.abs() <= 4.0, "{}", miss);
    }

    #[test]
    fn samples_hold_each_label_and_are_nested(labels in prop::collection::vec(0u32..5, 1..60), n in 1usize..6, seed: u64) {
        let rows: Vec<usize> = (0..labels.len()).collect();
        let sample = per_class(&rows, &labels, n, seed);
        for label in 0..5 {
            let of = |rows: &[usize]| rows.iter().filter(|row| labels[**row] == label).count();
            prop_assert_eq!(of(&sample), of(&rows).min(n));
        }
        let larger: BTreeSet<usize> = per_class(&rows, &labels, n + 1, seed).into_iter().collect();
        prop_assert!(sample.iter().all(|row| larger.contains(row)));
    }
}
