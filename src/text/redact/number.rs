//! Digits in groups: payment cards and the national numbers that are made of digits.

use std::ops::Range;

use super::Kind;
use super::check;
use super::context::{self, Cue};
use super::units::{Units, is_word};

const MAX_DIGITS: usize = 24;
const MAX_GROUPS: usize = 10;

/// Digits with single separators between them.
#[derive(Debug)]
struct Run {
    digits: Vec<u8>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    len: usize,
    /// What stands before it; nothing before the first.
    separator: char,
    end: usize,
}

impl Run {
    fn read(units: &Units, start: usize) -> Self {
        let mut run = Self { digits: Vec::new(), groups: Vec::new() };
        let (mut i, mut separator) = (start, '\0');
        while run.digits.len() <= MAX_DIGITS && run.groups.len() < MAX_GROUPS {
            let end = units.run(i, MAX_DIGITS + 1, |c| c.is_ascii_digit());
            if end == i {
                break;
            }
            let digits = (i..end).filter_map(|i| units.at(i).to_digit(10));
            run.digits.extend(digits.map(|d| d as u8));
            run.groups.push(Group { len: end - i, separator, end });
            separator = units.at(end);
            if !matches!(separator, ' ' | '-' | '.' | '/' | '+') {
                break;
            }
            i = end + 1;
        }
        run
    }

    /// The first digits and their end, if the groups have these lengths, one separator of those
    /// allowed between them all, and nothing that belongs to them behind.
    fn shape(&self, units: &Units, lens: &[usize], separators: &str) -> Option<(&[u8], usize)> {
        let groups = self.groups.get(..lens.len())?;
        let (first, last) = (groups.get(1).map(|g| g.separator), groups.last()?);
        let fits = groups.iter().zip(lens).enumerate().all(|(i, (group, len))| {
            group.len == *len
                && (i == 0
                    || (Some(group.separator) == first && separators.contains(group.separator)))
        });
        if !fits || !ends(units, last.end) {
            return None;
        }
        Some((self.digits.get(..lens.iter().sum())?, last.end))
    }
}

/// Whether an identifier may end here: no letter follows, and no further part.
pub(super) fn ends(units: &Units, end: usize) -> bool {
    let next = units.at(end);
    let joined = matches!(next, '-' | '.' | '/') && is_word(units.at(end + 1));
    !(is_word(next) || joined)
}

/// Whether a number may start here: not in the middle of an identifier or an amount.
pub(super) fn starts(units: &Units, start: usize) -> bool {
    let (before, second) = (units.before(start), units.before(start.saturating_sub(1)));
    match before {
        '-' | '/' | '\\' => !is_word(second),
        '.' | ',' => !second.is_ascii_digit(),
        '#' => false,
        before => !is_word(before),
    }
}

/// A card or a national number that starts with a digit here.
pub(super) fn find(
    units: &Units,
    start: usize,
    wanted: impl Fn(&Kind) -> bool,
) -> Option<(Kind, Range<usize>)> {
    if !starts(units, start) {
        return None;
    }
    let run = Run::read(units, start);
    if run.digits.len() < 8 {
        return None;
    }
    let found = |kind, end| Some((kind, start..end));
    if wanted(&Kind::Card)
        && let Some(end) = card(units, &run, start)
    {
        return found(Kind::Card, end);
    }
    if wanted(&Kind::NationalId)
        && let Some(end) = national(units, &run, start)
    {
        return found(Kind::NationalId, end);
    }
    None
}

fn card(units: &Units, run: &Run, start: usize) -> Option<usize> {
    const SHAPES: [&[usize]; 8] = [
        &[4, 4, 4, 4, 3],
        &[4, 4, 4, 4, 2],
        &[4, 4, 4, 4, 1],
        &[4, 4, 4, 4],
        &[4, 4, 4, 1],
        &[4, 6, 5],
        &[4, 6, 4],
        &[6, 13],
    ];
    let is_card = |digits: &[u8]| is_issued(digits) && check::luhn(digits);
    for shape in SHAPES {
        if let Some((digits, end)) = run.shape(units, shape, " -.")
            && is_card(digits)
        {
            return Some(end);
        }
    }
    let len = run.groups.first()?.len;
    let (digits, end) = run.shape(units, &[len], "")?;
    // One number in ten has the right check digit, so a word that says otherwise is believed.
    let is_card = (13..=19).contains(&len) && is_card(digits);
    (is_card && context::cue(units, start) != Cue::Thing).then_some(end)
}

/// Whether a network issues numbers with this start and length.
fn is_issued(digits: &[u8]) -> bool {
    let start = |n| digits.iter().take(n).fold(0_u32, |v, &d| v * 10 + u32::from(d));
    let len = digits.len();
    match (start(1), start(2), start(3), start(4)) {
        (4, ..) => matches!(len, 13 | 16 | 19),
        (_, 51..=55, ..) | (_, _, _, 2221..=2720) => len == 16,
        (_, 34 | 37, ..) => len == 15,
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) => (14..=19).contains(&len),
        (_, _, _, 6011) | (_, 35 | 62 | 65, ..) | (_, _, 644..=649, _) => (16..=19).contains(&len),
        (_, 50 | 56..=58 | 60 | 61 | 63 | 66..=69, ..) => (13..=19).contains(&len),
        _ => false,
    }
}

fn national(units: &Units, run: &Run, start: usize) -> Option<usize> {
    let shape = |lens: &[usize], separators| run.shape(units, lens, separators);
    let number = |digits: &[u8]| digits.iter().fold(0_u32, |v, &d| v * 10 + u32::from(d));
    // United States: no check digit, but areas and groups that are never given.
    if let Some((d, end)) = shape(&[3, 2, 4], "-").or_else(|| shape(&[3, 2, 4], " ")) {
        let (area, group, serial) = (number(&d[..3]), number(&d[3..5]), number(&d[5..]));
        let dashed = run.groups.get(1).is_some_and(|g| g.separator == '-');
        let cue = context::cue(units, start);
        let believed = if dashed { cue != Cue::Thing } else { cue == Cue::Person };
        if believed && !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0 {
            return Some(end);
        }
    }
    // Switzerland.
    if let Some((d, end)) = shape(&[3, 4, 4, 2], ". -").or_else(|| shape(&[13], ""))
        && d.starts_with(&[7, 5, 6])
        && check::ean(d)
    {
        return Some(end);
    }
    // France: sex, year, month, place, order, key. Corsica's letters are not read.
    if let Some((d, end)) = [&[1, 2, 2, 2, 3, 3, 2][..], &[13, 2], &[15], &[1, 2, 2, 5, 3, 2]]
        .iter()
        .find_map(|lens| shape(lens, " .-"))
        && matches!(d[0], 1 | 2 | 7 | 8)
        && matches!(number(&d[3..5]), 1..=12 | 20..=42 | 50..=99)
        && number(&d[13..]) == 97 - check::modulo(&d[..13], 97)
    {
        return Some(end);
    }
    // India: four by four by four, and not the first part of something longer.
    if let Some((d, end)) = shape(&[4, 4, 4], " -")
        && d[0] >= 2
        && run.groups.get(3).is_none_or(|g| g.separator != ' ' || g.len != 4)
        && check::verhoeff(d)
        && context::cue(units, start) != Cue::Thing
    {
        return Some(end);
    }
    // Sweden.
    if let Some((d, end)) = [&[6, 4][..], &[8, 4]].iter().find_map(|lens| shape(lens, "-+")) {
        let short = &d[d.len() - 10..];
        let (month, day) = (number(&short[2..4]), number(&short[4..6]));
        if (1..=12).contains(&month)
            && matches!(day, 1..=31 | 61..=91)
            && check::luhn(short)
            && context::cue(units, start) != Cue::Thing
        {
            return Some(end);
        }
    }
    german_tax(units, run, start).or_else(|| spanish(units, run))
}

/// Among the first ten digits one stands twice or three times, as in all that were given out.
fn german_tax(units: &Units, run: &Run, start: usize) -> Option<usize> {
    let (d, end) = run.shape(units, &[2, 3, 3, 3], " ").or_else(|| run.shape(units, &[11], ""))?;
    let mut counts = [0_u8; 10];
    for &digit in &d[..10] {
        counts[usize::from(digit)] += 1;
    }
    let repeated: Vec<u8> = counts.into_iter().filter(|n| *n > 1).collect();
    let given = d[0] != 0 && matches!(repeated[..], [2 | 3]) && check::mod_11_10(d);
    let believed = matches!(context::cue(units, start), Cue::None | Cue::Person);
    (given && believed).then_some(end)
}

/// The letter that stands for a Spanish number.
pub(super) fn spanish_letter(number: u32) -> char {
    char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[number as usize % 23])
}

/// Eight digits and their letter.
fn spanish(units: &Units, run: &Run) -> Option<usize> {
    let groups: &[usize] = if run.groups.first()?.len == 8 { &[8] } else { &[2, 3, 3] };
    let has_shape =
        run.groups.get(..groups.len())?.iter().zip(groups).enumerate().all(|(i, (group, len))| {
            group.len == *len && (i == 0 || matches!(group.separator, '.' | ' '))
        });
    let digits_end = run.groups.get(groups.len() - 1)?.end;
    let letter = digits_end + usize::from(matches!(units.at(digits_end), '-' | ' '));
    let number = run.digits.get(..8)?.iter().fold(0_u32, |v, &d| v * 10 + u32::from(d));
    let right = units.at(letter) == spanish_letter(number);
    (has_shape && right && ends(units, letter + 1)).then_some(letter + 1)
}
