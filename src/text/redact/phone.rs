//! Telephone numbers, in the forms in which people write them.

use std::ops::Range;

use super::context::{self, Cue};
use super::number::starts;
use super::units::{Units, is_word};

const MAX_DIGITS: usize = 17;
const MAX_GROUPS: usize = 9;
/// Characters of a number with all its marks.
const MAX_LEN: usize = 48;

/// How many digits follow a country code, where the plan says so.
const NATIONAL_LENGTHS: &[(u32, usize, usize)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (39, 6, 11),
    (41, 9, 9),
    (43, 5, 12),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 9),
    (47, 8, 8),
    (48, 9, 9),
    (49, 6, 12),
    (61, 9, 9),
    (91, 10, 10),
    (351, 9, 9),
    (352, 5, 9),
    (353, 7, 9),
    (420, 9, 9),
];

/// Country codes of two digits. One digit: 1 and 7; all others have three.
const TWO_DIGITS: &[u32] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56,
    57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// A number as it was written.
#[derive(Debug)]
struct Dialled {
    plus: bool,
    digits: Vec<u8>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    len: usize,
    /// What stands before: a blank, `-`, `.`, `/`, or `(` for anything with a bracket.
    separator: char,
    /// The zero in brackets, which is dialled at home only, came before.
    trunk: bool,
    end: usize,
    /// All digits up to its end.
    total: usize,
}

impl Dialled {
    fn read(units: &Units, start: usize) -> Self {
        let mut number = Self { plus: false, digits: Vec::new(), groups: Vec::new() };
        let mut open = units.at(start) == '(';
        let mut i = start + usize::from(open);
        if units.at(i) == '+' {
            number.plus = true;
            i = units.skip_blanks(i + 1);
        }
        let (mut separator, mut trunk) = (if open { '(' } else { '\0' }, false);
        while number.groups.len() < MAX_GROUPS
            && number.digits.len() <= MAX_DIGITS
            && i - start < MAX_LEN
        {
            let end = units.run(i, MAX_DIGITS + 1, |c| c.is_ascii_digit());
            if end == i {
                break;
            }
            let digits = (i..end).filter_map(|i| units.at(i).to_digit(10));
            if separator == '(' && end - i == 1 && units.at(i) == '0' && units.at(end) == ')' {
                trunk = true;
            } else {
                number.digits.extend(digits.map(|d| d as u8));
                let total = number.digits.len();
                // The closing bracket belongs to the group that it closes.
                let end = end + usize::from(open && units.at(end) == ')');
                number.groups.push(Group { len: 0, separator, trunk, end, total });
                trunk = false;
            }
            let marks = units.run(end, 3, |c| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')'));
            separator = if trunk { '(' } else { ' ' };
            for k in end..marks {
                match units.at(k) {
                    '(' if open => return number.measured(),
                    '(' => (open, separator) = (true, '('),
                    ')' if !open => return number.measured(),
                    ')' => (open, separator) = (false, '('),
                    ' ' => {}
                    c if separator == '(' && c == '-' => {}
                    c if separator == ' ' => separator = c,
                    _ => return number.measured(),
                }
            }
            if marks == end {
                break;
            }
            i = marks;
        }
        number.measured()
    }

    fn measured(mut self) -> Self {
        let mut before = 0;
        for group in &mut self.groups {
            group.len = group.total - before;
            before = group.total;
        }
        self
    }

    fn lens(&self, groups: usize) -> Vec<usize> {
        self.groups.iter().take(groups).map(|g| g.len).collect()
    }

    fn separators(&self, groups: usize) -> Vec<char> {
        self.groups.iter().take(groups).skip(1).map(|g| g.separator).collect()
    }
}

/// A telephone number that starts here with a digit, a plus or a bracket.
pub(super) fn find(units: &Units, start: usize) -> Option<Range<usize>> {
    let first = units.at(start);
    let plus = first == '+' || (first == '(' && units.at(start + 1) == '+');
    let before = units.before(start);
    let amount_or_time = matches!(before, '$' | '€' | '£' | ':' | '=');
    if !starts(units, start)
        || before == '+'
        || (amount_or_time && !plus && !label_before(units, start))
    {
        return None;
    }
    let number = Dialled::read(units, start);
    if number.digits.len() < 7 {
        return None;
    }
    let cue = context::cue(units, start);
    let cue = if cue == Cue::None && is_initial(units, start) { Cue::Phone } else { cue };
    for groups in (1..=number.groups.len()).rev() {
        let last = number.groups.get(groups - 1)?;
        let next = number.groups.get(groups).map(|g| g.separator);
        if number.digits.len() > MAX_DIGITS && groups == number.groups.len() {
            continue;
        }
        if matches!(next, Some('-' | '.' | '/')) || !may_end(units, last.end) {
            continue;
        }
        if is_number(&number, groups, cue) {
            return Some(start..extension(units, last.end));
        }
    }
    None
}

/// `Tel:0171…`, `phone=0171…`.
fn label_before(units: &Units, start: usize) -> bool {
    matches!(units.before(start), ':' | '=')
        && !units.before(start.saturating_sub(1)).is_ascii_digit()
}

/// `T: 0171…`, `M. 0171…` in a signature.
fn is_initial(units: &Units, start: usize) -> bool {
    let mark = units.run_back(start, 2, |c| c == ' ');
    matches!(units.before(mark), ':' | '.')
        && matches!(units.before(mark.saturating_sub(1)), 'T' | 'M' | 'F' | 'P' | 'H')
        && units.word_starts(mark.saturating_sub(2))
}

/// Not in the middle of a time, an amount, a size or an identifier.
fn may_end(units: &Units, end: usize) -> bool {
    let (next, second) = (units.at(end), units.at(end + 1));
    let joined = matches!(next, ':' | '.' | ',' | '-' | '/') && is_word(second);
    let blanks = units.skip_blanks(end);
    let unit = units.at(blanks);
    let (word, _) = units.word(blanks);
    let is_extension = next == 'x' && second.is_ascii_digit();
    (is_extension || !is_word(next))
        && !(joined && !(next == '-' && second.is_alphabetic()))
        && !matches!(unit, '€' | '$' | '£' | '%' | '°')
        && !UNITS.contains(&word.as_str())
}

const UNITS: [&str; 22] = [
    "eur", "euro", "euros", "usd", "gbp", "chf", "kb", "mb", "gb", "tb", "bytes", "byte", "kwh",
    "rows", "users", "records", "km", "ms", "zeilen", "lignes", "hz", "mhz",
];

fn is_number(number: &Dialled, groups: usize, cue: Cue) -> bool {
    let Some(last) = number.groups.get(groups - 1) else { return false };
    let digits = number.digits.get(..last.total).unwrap_or_default();
    let lens = number.lens(groups);
    let separators = number.separators(groups);
    if digits.len() > MAX_DIGITS || is_date(digits, &lens, &separators) {
        return false;
    }
    if number.plus {
        return international(digits, number, groups);
    }
    match digits {
        [0, 0, rest @ ..] => {
            let written_apart = groups > 1 && lens[0] >= 3;
            let known = COMMON.iter().any(|code| has_code(rest, *code));
            (written_apart || (groups == 1 && known && digits.len() >= 11 && cue != Cue::Thing))
                && rest.first() != Some(&0)
                && international(rest, number, groups)
        }
        [0, ..] => national(digits, &lens, &separators, number, cue),
        _ => without_zero(digits, &lens, &separators, cue),
    }
}

/// Codes that a number without any blank is believed to have.
const COMMON: [u32; 16] = [1, 31, 32, 33, 34, 39, 41, 43, 44, 45, 46, 48, 49, 351, 352, 353];

fn has_code(digits: &[u8], code: u32) -> bool {
    country(digits).is_some_and(|(found, _)| found == code)
}

/// The country code and what follows it.
fn country(digits: &[u8]) -> Option<(u32, &[u8])> {
    let start = |n: usize| -> Option<u32> {
        Some(digits.get(..n)?.iter().fold(0, |v, &d| v * 10 + u32::from(d)))
    };
    let len = match (start(1)?, start(2)?) {
        (0, _) => return None,
        (1 | 7, _) => 1,
        (_, two) if TWO_DIGITS.contains(&two) => 2,
        _ => 3,
    };
    Some((start(len)?, digits.get(len..)?))
}

fn international(digits: &[u8], number: &Dialled, groups: usize) -> bool {
    let Some((code, rest)) = country(digits) else { return false };
    let rest = match rest {
        [0, 0, ..] => return false,
        // Some write the zero although it is not dialled; in Italy it is.
        [0, tail @ ..] if code != 39 => tail,
        rest => rest,
    };
    let (least, most) = NATIONAL_LENGTHS
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or((6, 12), |(_, least, most)| (*least, *most));
    let american = code != 1 || (matches!(rest, [2..=9, _, _, 2..=9, ..]));
    let apart = groups == 1
        || number.groups.iter().take(groups).any(|g| g.trunk)
        || digits.len() * 2 >= groups * 3;
    (least..=most).contains(&rest.len()) && american && apart
}

/// Numbers with the zero that is dialled at home.
fn national(
    digits: &[u8],
    lens: &[usize],
    separators: &[char],
    number: &Dialled,
    cue: Cue,
) -> bool {
    let told = cue == Cue::Phone;
    if digits.get(1) == Some(&0) || (cue == Cue::Thing || cue == Cue::Version) {
        return false;
    }
    let bracket = number.groups.first().is_some_and(|g| g.separator == '(');
    let slashes = separators.iter().filter(|c| **c == '/').count();
    let dots = separators.iter().filter(|c| **c == '.').count();
    let tidy = lens[0] >= 2
        && (bracket || lens[0] <= 6 || lens.len() <= 2)
        && (slashes == 0 || (slashes == 1 && separators.first() == Some(&'/')))
        && (dots == 0 || dots == separators.len())
        && lens.len() <= 7
        && lens.iter().skip(1).filter(|len| **len == 1).count() <= 1;
    match lens {
        [_] => told && (7..=13).contains(&digits.len()) || matches!(digits.len(), 10 | 11),
        _ => tidy && (if told { 7 } else { 9 }..=13).contains(&digits.len()),
    }
}

/// North American numbers, Spanish ones and the like, and whatever a word says is a number.
fn without_zero(digits: &[u8], lens: &[usize], separators: &[char], cue: Cue) -> bool {
    let told = cue == Cue::Phone;
    if matches!(cue, Cue::Thing | Cue::Version | Cue::Person) {
        return false;
    }
    let american = |d: &[u8]| matches!(d, [2..=9, _, _, 2..=9, _, _, _, _, _, _]);
    let same = separators.windows(2).all(|pair| pair[0] == pair[1] || pair[0] == '(');
    let spanish =
        matches!(digits[0], 6..=9) && separators.iter().all(|c| matches!(c, ' ' | '-' | '.'));
    match (lens, digits) {
        ([3, 3, 4], d) if same && american(d) => true,
        ([1, 3, 3, 4], [1, d @ ..]) if american(d) => true,
        ([10], d) if told && american(d) => true,
        // Nobody has "650 000 000"; an amount may.
        ([3, 3, 3], d) if spanish && same => {
            d.get(3..6) != Some(&[0, 0, 0]) && d.get(6..) != Some(&[0, 0, 0])
        }
        ([3, 2, 2, 2] | [2, 3, 2, 2], _) if spanish && same => true,
        _ => told && (7..=13).contains(&digits.len()) && lens.len() <= 6,
    }
}

/// A date, a month or a time of day stands first: `01.02.2024`, `03/2025 - …`, `08.30 - 17.00`.
fn is_date(digits: &[u8], lens: &[usize], separators: &[char]) -> bool {
    let value = |from: usize, len: usize| {
        digits.iter().skip(from).take(len).fold(0_u32, |v, &d| v * 10 + u32::from(d))
    };
    let year = |value: u32| (1900..2100).contains(&value);
    match (lens, separators) {
        ([a @ (1 | 2), b @ (1 | 2), 4, ..], [s, t, ..]) if s == t => {
            let (first, second) = (value(0, *a), value(*a, *b));
            first <= 31 && second <= 31 && year(value(a + b, 4))
        }
        ([4, b @ (1 | 2), c @ (1 | 2), ..], [s, t, ..]) if s == t => {
            year(value(0, 4)) && value(4, *b) <= 12 && value(4 + b, *c) <= 31
        }
        ([4, 4], _) => year(value(0, 4)) && year(value(4, 4)),
        ([8, ..], _) => {
            year(value(0, 4)) && (1..=12).contains(&value(4, 2)) && (1..=31).contains(&value(6, 2))
        }
        ([2, 4, ..], ['.' | '/', ..]) => value(0, 2) <= 12 && year(value(2, 4)),
        ([2, 2, 2, 2, ..], ['.', '-', '.', ..]) => true,
        ([2, 2, 2, ..], [s, t, rest @ ..]) => {
            s == t && rest.first().is_some_and(|r| r != s) && value(0, 2) <= 31 && value(2, 2) <= 12
        }
        _ => false,
    }
}

/// Where the number ends with its extension, if it has one.
fn extension(units: &Units, end: usize) -> usize {
    let mark = units.run(end, 3, |c| matches!(c, ' ' | ',' | ';' | '('));
    let (word, word_end) = units.word(mark);
    let known =
        ["ext", "extn", "extension", "x", "dw", "durchwahl", "app", "poste", "int", "interno"];
    if !known.contains(&word.as_str()) {
        return end;
    }
    let digits = units.run(word_end, 3, |c| matches!(c, ' ' | '.' | ':'));
    let last = units.run(digits, 7, |c| c.is_ascii_digit());
    if last == digits || last - digits > 6 || is_word(units.at(last)) { end } else { last }
}
