//! A text as the scanners see it: one unit a character, digits and blanks of all scripts folded
//! to ASCII, invisible characters left out, and what was already taken out as a single [`MASK`].
//!
//! A text and the same text with placeholders give the same units. Whatever the scanners find
//! therefore depends on the kept text alone, and redacting twice changes nothing.

use std::ops::Range;

/// Stands for a stretch that was taken out. It is the object replacement character, which some
/// mail programs leave where a picture was; that is something taken out as well.
pub(super) const MASK: char = '\u{fffc}';

/// What reads before the start and behind the end.
pub(super) const END: char = '\0';

/// Longest word that is read; no word of any list is longer.
const MAX_WORD: usize = 28;

#[derive(Debug, Clone, Copy)]
struct Unit {
    c: char,
    start: usize,
    end: usize,
}

/// The units of a text.
#[derive(Debug)]
pub(super) struct Units(Vec<Unit>);

#[cfg(test)]
thread_local! {
    /// Units read by the scanners of this thread; the measure of their work.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Units {
    /// Folds a text. `is_placeholder` says whether what stands between brackets is one of ours.
    pub(super) fn new(text: &str, is_placeholder: impl Fn(&str) -> bool) -> Self {
        let mut units = Vec::with_capacity(text.len());
        let mut skip_to = 0;
        for (start, c) in text.char_indices() {
            if start < skip_to {
                continue;
            }
            if c == '['
                && let Some(len) = placeholder(&text[start + 1..], &is_placeholder)
            {
                skip_to = start + 2 + len;
                units.push(Unit { c: MASK, start, end: skip_to });
            } else if let Some(c) = fold(c) {
                // The original's length: `c` is the folded one.
                let end = start + text[start..].chars().next().map_or(1, char::len_utf8);
                units.push(Unit { c, start, end });
            }
        }
        Self(units)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The unit at a place, or [`END`].
    pub(super) fn at(&self, i: usize) -> char {
        #[cfg(test)]
        STEPS.set(STEPS.get() + 1);
        self.0.get(i).map_or(END, |u| u.c)
    }

    /// The unit before a place, or [`END`].
    pub(super) fn before(&self, i: usize) -> char {
        i.checked_sub(1).map_or(END, |i| self.at(i))
    }

    /// The bytes that a range of units covers in the text.
    pub(super) fn bytes(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.0.get(range.start).map_or(0, |u| u.start);
        start..range.end.checked_sub(1).and_then(|i| self.0.get(i)).map_or(start, |u| u.end)
    }

    /// The bytes of each mask.
    pub(super) fn masks(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().filter(|u| u.c == MASK).map(|u| u.start..u.end)
    }

    /// Turns each range into one [`MASK`]. The ranges are in order and apart.
    pub(super) fn mask(&mut self, ranges: impl IntoIterator<Item = Range<usize>>) {
        let mut kept = Vec::with_capacity(self.0.len());
        let mut from = 0;
        for range in ranges {
            let bytes = self.bytes(&range);
            kept.extend_from_slice(self.0.get(from..range.start).unwrap_or_default());
            kept.push(Unit { c: MASK, start: bytes.start, end: bytes.end });
            from = range.end;
        }
        kept.extend_from_slice(self.0.get(from..).unwrap_or_default());
        self.0 = kept;
    }

    /// The first unit that starts at or behind a byte.
    pub(super) fn at_byte(&self, byte: usize) -> usize {
        self.0.partition_point(|u| u.start < byte)
    }

    /// Whether a literal stands at a place, letter for letter.
    pub(super) fn has(&self, i: usize, literal: &str) -> bool {
        literal.chars().enumerate().all(|(k, c)| self.at(i + k) == c)
    }

    /// The end of a run of at most `limit` units.
    pub(super) fn run(&self, from: usize, limit: usize, is_in: impl Fn(char) -> bool) -> usize {
        let mut i = from;
        while i - from < limit && is_in(self.at(i)) {
            i += 1;
        }
        i
    }

    /// The start of a run of at most `limit` units that ends at a place.
    pub(super) fn run_back(&self, to: usize, limit: usize, is_in: impl Fn(char) -> bool) -> usize {
        let mut i = to;
        while i > 0 && to - i < limit && is_in(self.before(i)) {
            i -= 1;
        }
        i
    }

    pub(super) fn skip_blanks(&self, i: usize) -> usize {
        self.run(i, 8, |c| c == ' ')
    }

    /// Whether a word may start here: there is no letter, digit or underscore before.
    pub(super) fn word_starts(&self, i: usize) -> bool {
        !is_word(self.before(i))
    }

    /// The units of a range as text.
    pub(super) fn text(&self, range: Range<usize>) -> String {
        range.map(|i| self.at(i)).collect()
    }

    /// The letters from a place on, in lower case, and where they end. Empty where there are none.
    pub(super) fn word(&self, i: usize) -> (String, usize) {
        let end = self.run(i, MAX_WORD, char::is_alphabetic);
        ((i..end).map(|i| lower(self.at(i))).collect(), end)
    }

    /// Up to `limit` words before a place, the nearest first, in lower case, on the same line and
    /// not more than 40 units away. A sentence's end is an end, a mask is a word of its own.
    pub(super) fn words_before(&self, place: usize, limit: usize) -> Vec<String> {
        let mut words = Vec::new();
        let mut i = place;
        let floor = place.saturating_sub(40);
        while i > floor && words.len() < limit {
            let c = self.before(i);
            if c == '\n' {
                break;
            }
            if c == MASK {
                words.push(MASK.to_string());
                i -= 1;
            } else if c.is_alphabetic() {
                let start = self.run_back(i, MAX_WORD, char::is_alphabetic);
                let word: String = (start..i).map(|i| lower(self.at(i))).collect();
                // "Tel. 0…" goes on, "… was closed. 0…" does not.
                let sentence = matches!(self.at(i), '.' | '!' | '?') && self.at(i + 1) == ' ';
                if sentence && (i - start > 5 || words.len() > 1) {
                    break;
                }
                // The "v" of "v4" is none.
                if i - start > 1 || !self.at(i).is_ascii_digit() {
                    words.push(word);
                }
                i = start;
            } else {
                i -= 1;
            }
        }
        words
    }
}

/// A placeholder's length, if one opens before `rest`.
fn placeholder(rest: &str, is_placeholder: impl Fn(&str) -> bool) -> Option<usize> {
    let len = rest
        .bytes()
        .take(40)
        .take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        .count();
    (rest.as_bytes().get(len) == Some(&b']') && is_placeholder(&rest[..len])).then_some(len)
}

/// Letters, digits and the underscore: what a word or an identifier is made of.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(super) fn lower(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// Where the decimal digits of other scripts begin.
const ZEROES: [char; 29] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{a620}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1fbf0}',
];

/// The character that a scanner sees for one of the text; nothing for an invisible one.
fn fold(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(match c {
            '\t' => ' ',
            '\r' => '\n',
            // Reads like the text's end, which no scanner crosses.
            c => c,
        });
    }
    Some(match c {
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' => return None,
        '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
        // Full-width forms of the ASCII marks, letters and digits.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xff01 + 0x21).unwrap_or(c),
        '\u{2024}' | '\u{fe52}' => '.',
        '\u{fe55}' | '\u{a789}' | '\u{2236}' => ':',
        '\u{2044}' | '\u{2215}' => '/',
        '\u{fe6b}' => '@',
        '\u{fe62}' => '+',
        c if c.is_whitespace() => ' ',
        c => ZEROES
            .iter()
            .find_map(|&zero| {
                let digit = u32::from(c).checked_sub(u32::from(zero)).filter(|d| *d < 10)?;
                char::from_digit(digit, 10)
            })
            .unwrap_or(c),
    })
}
