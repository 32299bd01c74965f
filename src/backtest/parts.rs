//! Which rows serve for what.

use std::collections::BTreeSet;

use crate::exports::LabelledTicket;
use crate::judge::splits::{self, SplitError};

/// The share that is judged by where the data name no part for it.
const TEST_SHARE: f64 = 0.2;

/// Rows by what they serve for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Learned from.
    pub fit: Vec<usize>,
    /// Calibrated on: rows that are not learned from or, where the data name none for that, rows
    /// of `fit`, answered by a model without them, beside parts of `fit` left out in turn.
    pub calibrate: Vec<usize>,
    /// Judged by.
    pub score: Vec<usize>,
    /// Scored too, but of no class.
    pub out_of_scope: Vec<usize>,
    /// In words.
    pub how: String,
}

impl Parts {
    /// How many of the judged rows the encoder was fine-tuned on: figures flatter it there.
    pub fn taught(&self, taught: &[bool]) -> usize {
        self.score.iter().filter(|row| taught[**row]).count()
    }

    /// How many of the judged rows say nearly the same as one that is learned from: none where the
    /// split is ours. `groups` as for [`Plan::divide`].
    pub fn repeated(&self, groups: &[usize]) -> usize {
        let learned: BTreeSet<usize> = self.fit.iter().map(|row| groups[*row]).collect();
        self.score.iter().filter(|row| learned.contains(&groups[**row])).count()
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Rows from this one on are of a file of their own, to be judged by.
    pub test_from: Option<usize>,
    /// The part that is scored.
    pub score: Option<String>,
    /// So many parts in turn instead.
    pub folds: Option<usize>,
    /// So many tickets of each label to learn from.
    pub per_class: Option<usize>,
    /// For what is left to chance.
    pub seed: u64,
}

/// Data that cannot be divided as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PartsError {
    /// No part of that name.
    #[error("no ticket is of the split {wanted:?}; there are: {found}")]
    NoSuchPart {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The split's rules.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// One side is empty.
    #[error("there is no labelled ticket {0}")]
    Nothing(&'static str),
}

impl Plan {
    /// Divides labelled tickets; more than once if in folds. `classes` holds each row's label by
    /// number, and `groups` its near-duplicates' number.
    ///
    /// # Errors
    /// There is no such part, or one side would be empty.
    pub fn divide(
        &self,
        tickets: &[LabelledTicket],
        classes: &[u32],
        groups: &[usize],
    ) -> Result<Vec<Parts>, PartsError> {
        let mut all = match self.folds {
            Some(k) => self.in_folds(tickets, classes, groups, k)?,
            None => vec![self.once(tickets, classes, groups)?],
        };
        for parts in &mut all {
            if let Some(n) = self.per_class {
                parts.fit = splits::per_class(&parts.fit, classes, n, self.seed);
                // A sample is all there is: nothing may come from rows outside it.
                parts.calibrate.clear();
                parts.how = format!("{}; {n} tickets of each label, seed {}", parts.how, self.seed);
            }
            if parts.fit.is_empty() {
                return Err(PartsError::Nothing("to learn from"));
            }
            if parts.score.is_empty() {
                return Err(PartsError::Nothing("to be judged by"));
            }
        }
        Ok(all)
    }

    fn once(
        &self,
        tickets: &[LabelledTicket],
        classes: &[u32],
        groups: &[usize],
    ) -> Result<Parts, PartsError> {
        let named = |row: usize| tickets[row].split.as_deref().unwrap_or_default();
        let rows = 0..tickets.len();
        if let Some(first) = self.test_from {
            return Ok(sort(tickets, rows, "a file of its own is scored", |row| {
                if row >= first { Role::Score } else { learning(named(row)) }
            }));
        }
        let mut names: BTreeSet<&str> =
            tickets.iter().map(|t| t.split.as_deref().unwrap_or_default()).collect();
        let some_unnamed = names.remove("");
        let divided = names.len() > 1 || names.contains("test") && some_unnamed;
        let wanted = match &self.score {
            Some(name) => Some(name.as_str()),
            None if divided => Some("test"),
            None => None,
        };
        if let Some(wanted) = wanted {
            if !names.contains(wanted) {
                let found = names.into_iter().collect::<Vec<_>>().join(", ");
                return Err(PartsError::NoSuchPart { wanted: wanted.to_owned(), found });
            }
            let how = format!("the data's own split; {wanted} is scored");
            return Ok(sort(tickets, rows, &how, |row| match named(row) {
                name if name == wanted => Role::Score,
                "test" => Role::Nothing,
                name => learning(name),
            }));
        }
        let dated = tickets.iter().filter(|t| t.created_at.is_some()).count();
        let times: Vec<_> = tickets.iter().map(|t| t.created_at).collect();
        let by_time = if dated * 2 > tickets.len() {
            splits::by_time(&times, groups, TEST_SHARE).map(Some)
        } else {
            Ok(None)
        };
        let by_time = match by_time {
            // All came in at once, or most of them last, or first: that is no order to go by.
            Err(SplitError::NoOrder { .. }) => None,
            Ok(Some(split)) if split.test.len() > split.train.len() => None,
            Ok(Some(split)) if (split.test.len() as f64) < TEST_SHARE * rows.len() as f64 / 2.0 => {
                None
            }
            by_time => by_time?,
        };
        let (split, how) = if let Some(split) = by_time {
            (split, "the latest fifth is scored".to_owned())
        } else {
            let all: Vec<usize> = rows.clone().collect();
            let split = splits::carve(&all, groups, classes, TEST_SHARE, self.seed)?;
            (
                split,
                format!(
                    "a fifth by chance is scored, near-duplicates together, seed {}",
                    self.seed
                ),
            )
        };
        let scored: BTreeSet<usize> = split.test.into_iter().collect();
        Ok(sort(
            tickets,
            rows,
            &how,
            |row| {
                if scored.contains(&row) { Role::Score } else { Role::Fit }
            },
        ))
    }

    fn in_folds(
        &self,
        tickets: &[LabelledTicket],
        classes: &[u32],
        groups: &[usize],
        k: usize,
    ) -> Result<Vec<Parts>, PartsError> {
        let folds = splits::folds(groups, classes, k, self.seed)?;
        let how = format!("{k} folds, near-duplicates together, seed {}", self.seed);
        let fold = |fold| {
            sort(tickets, 0..tickets.len(), &how, |row| {
                if folds[row] == fold { Role::Score } else { Role::Fit }
            })
        };
        Ok((0..k).map(fold).collect())
    }
}

enum Role {
    Fit,
    Calibrate,
    Hold,
    Score,
    Nothing,
}

/// `valid` and `tune` are learned from as well: what a model is made of is selected by folds.
fn learning(name: &str) -> Role {
    match name {
        "calibration" => Role::Calibrate,
        "valid" | "tune" => Role::Hold,
        _ => Role::Fit,
    }
}

fn sort(
    tickets: &[LabelledTicket],
    rows: std::ops::Range<usize>,
    how: &str,
    role: impl Fn(usize) -> Role,
) -> Parts {
    let mut parts = Parts { how: how.to_owned(), ..Parts::default() };
    let mut held = Vec::new();
    for row in rows {
        match (role(row), tickets[row].in_scope()) {
            (Role::Fit, true) => parts.fit.push(row),
            (Role::Hold, true) => {
                parts.fit.push(row);
                held.push(row);
            }
            (Role::Calibrate, true) => parts.calibrate.push(row),
            (Role::Score, true) => parts.score.push(row),
            (Role::Score, false) => parts.out_of_scope.push(row),
            _ => {}
        }
    }
    if parts.calibrate.is_empty() {
        parts.calibrate = held;
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::TicketText;

    fn tickets(
        rows: impl Iterator<Item = (Option<&'static str>, Option<i64>)>,
    ) -> Vec<LabelledTicket> {
        rows.map(|(split, second)| LabelledTicket {
            line: 1,
            id: None,
            text: TicketText::default(),
            labels: BTreeMap::new(),
            resolution: None,
            split: split.map(str::to_owned),
            created_at: second.map(|s| Timestamp::from_second(s).unwrap()),
            scope: None,
            language: None,
            tags: Vec::new(),
            duplicates: Vec::new(),
            relevant: Vec::new(),
        })
        .collect()
    }

    fn divided(tickets: &[LabelledTicket]) -> Result<Parts, PartsError> {
        let classes: Vec<u32> = (0..tickets.len() as u32).map(|n| n % 2).collect();
        let groups: Vec<usize> = (0..tickets.len()).collect();
        let mut parts = Plan::default().divide(tickets, &classes, &groups)?;
        Ok(parts.remove(0))
    }

    #[test]
    fn dates_that_give_no_order_leave_it_to_chance() {
        let ordered = divided(&tickets((0..100).map(|n| (None, Some(n))))).unwrap();
        assert_eq!(ordered.score, (80..100).collect::<Vec<_>>());
        // All of one day, and nearly all of the last one.
        for last in [0, 10] {
            let days = (0..100).map(|n| (None, Some(if n < last { 0 } else { 86_400 })));
            let parts = divided(&tickets(days)).unwrap();
            assert_eq!(parts.score.len(), 20, "{}", parts.how);
        }
    }

    #[test]
    fn one_name_for_a_part_divides_nothing_unless_it_is_the_test() {
        let some = |name| tickets((0..100).map(move |n| ((n < 30).then_some(name), None)));
        assert_eq!(divided(&some("train")).unwrap().score.len(), 20);
        assert_eq!(divided(&some("test")).unwrap().score, (0..30).collect::<Vec<_>>());
    }

    #[test]
    fn copies_on_both_sides_of_the_data_s_own_split_are_counted() {
        let names = ["train", "train", "test", "test", "test"];
        let tickets = tickets(names.into_iter().map(|name| (Some(name), None)));
        let groups = [0, 1, 0, 3, 0];
        let parts = Plan::default().divide(&tickets, &[0; 5], &groups).unwrap();
        assert_eq!(parts[0].repeated(&groups), 2);
        let none = [0, 1, 2, 3, 4];
        assert_eq!(parts[0].repeated(&none), 0);
    }
}
