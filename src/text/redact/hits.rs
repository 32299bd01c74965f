//! What a scanner found.

use std::ops::Range;

use super::Kind;
use super::units::{MASK, Units};

/// Finds of one scan, in order and apart.
#[derive(Debug, Default)]
pub(super) struct Hits(Vec<(Kind, Range<usize>)>);

impl Hits {
    /// Adds a find. One that reaches back into the last is cut; masks inside are left alone.
    pub(super) fn push(&mut self, units: &Units, kind: &Kind, range: Range<usize>) {
        let start = range.start.max(self.end());
        let mut from = start;
        for i in (start..range.end).filter(|i| units.at(*i) == MASK) {
            self.add(kind, from..i);
            from = i + 1;
        }
        self.add(kind, from..range.end);
    }

    fn add(&mut self, kind: &Kind, range: Range<usize>) {
        if !range.is_empty() {
            self.0.push((kind.clone(), range));
        }
    }

    /// Where the last find ends.
    pub(super) fn end(&self) -> usize {
        self.0.last().map_or(0, |(_, range)| range.end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Kind, Range<usize>)> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
