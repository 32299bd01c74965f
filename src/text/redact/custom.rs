//! The rules of a workspace's own.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::hits::Hits;
use super::units::{MASK, Units};
use super::{CustomRule, Kind, RuleError};

/// Rules of one's own; more would make every ticket slow.
pub(super) const MAX_RULES: usize = 64;
const MAX_NAME: usize = 32;
const MAX_PATTERN: usize = 1024;
/// Bytes of a compiled pattern, and of its cache of states.
const MAX_SIZE: usize = 1 << 18;
const MAX_NEST: u32 = 32;
/// Bytes that a pattern sees at a time. A search may read to the end for each match, so this,
/// not the ticket, is what its work grows with.
const PIECE: usize = 2048;

#[derive(Debug)]
pub(super) struct Pattern {
    kind: Kind,
    regex: Regex,
}

impl Pattern {
    pub(super) fn new(rule: &CustomRule) -> Result<Self, RuleError> {
        let error = |problem: String| RuleError { rule: rule.name.clone(), problem };
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if rule.name.is_empty() || rule.name.len() > MAX_NAME || !rule.name.bytes().all(plain) {
            return Err(error(format!("a name has 1 to {MAX_NAME} of a-z, 0-9 and _")));
        }
        if Kind::built_in(&rule.name).is_some() {
            return Err(error("this is the name of a built-in rule".to_owned()));
        }
        if rule.pattern.len() > MAX_PATTERN {
            return Err(error(format!("the pattern is longer than {MAX_PATTERN} bytes")));
        }
        let regex = RegexBuilder::new(&rule.pattern)
            .size_limit(MAX_SIZE)
            .dfa_size_limit(MAX_SIZE)
            .nest_limit(MAX_NEST)
            .multi_line(true)
            .build()
            .map_err(|e| error(e.to_string()))?;
        Ok(Self { kind: Kind::Custom(rule.name.as_str().into()), regex })
    }
}

/// Everything that the patterns match, the first rule's matches before the second's.
///
/// The patterns see the text line by line, with one character for what was taken out already.
pub(super) fn find(
    patterns: &[Pattern],
    text: &str,
    units: &mut Units,
) -> Vec<(Kind, Range<usize>)> {
    let mut found = Vec::new();
    for pattern in patterns {
        let mut hits = Hits::default();
        let haystack = Haystack::new(text, units);
        for piece in haystack.pieces() {
            let matches = pattern.regex.find_iter(&haystack.text[piece.clone()]);
            for range in matches.filter(|m| !m.is_empty()).map(|m| m.range()) {
                let start = haystack.place(piece.start + range.start);
                let end = haystack.place(piece.start + range.end);
                hits.push(units, &pattern.kind, units.at_byte(start)..units.at_byte(end));
            }
        }
        found.extend(hits.iter().map(|(kind, range)| (kind.clone(), units.bytes(range))));
        units.mask(hits.iter().map(|(_, range)| range.clone()));
    }
    found
}

/// The text with a [`MASK`] for what was taken out.
struct Haystack {
    text: String,
    /// Where a kept stretch begins, here and in the ticket.
    stretches: Vec<(usize, usize)>,
}

impl Haystack {
    fn new(text: &str, units: &Units) -> Self {
        let mut haystack = Self { text: String::with_capacity(text.len()), stretches: Vec::new() };
        let mut from = 0;
        for mask in units.masks() {
            haystack.stretches.push((haystack.text.len(), from));
            haystack.text.push_str(text.get(from..mask.start).unwrap_or_default());
            haystack.stretches.push((haystack.text.len(), mask.start));
            haystack.text.push(MASK);
            from = mask.end;
        }
        haystack.stretches.push((haystack.text.len(), from));
        haystack.text.push_str(text.get(from..).unwrap_or_default());
        haystack
    }

    /// The place in the ticket of one here.
    fn place(&self, at: usize) -> usize {
        let i = self.stretches.partition_point(|(here, _)| *here <= at);
        let stretch = i.checked_sub(1).and_then(|i| self.stretches.get(i));
        stretch.map_or(at, |(here, there)| there + (at - here))
    }

    /// Lines, long ones cut at a blank where there is one.
    fn pieces(&self) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let end = start + line.len();
            while end - start > PIECE {
                let limit = self.text.floor_char_boundary(start + PIECE);
                let blank = self.text[start..limit].rfind(' ').filter(|at| *at > PIECE / 2);
                let cut = blank.map_or(limit, |at| start + at + 1);
                pieces.push(start..cut);
                start = cut;
            }
            pieces.push(start..end);
            start = end;
        }
        pieces
    }
}
