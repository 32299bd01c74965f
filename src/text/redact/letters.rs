//! Numbers that begin with letters: IBANs and the national numbers with letters in them.

use super::check;
use super::context::{self, Cue};
use super::number::{ends, spanish_letter};
use super::units::{Units, is_word};

/// How long a country's IBANs are. From the registry of ISO 13616.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// The letters and digits from a place on, blanks and dashes between them left out, up to a
/// number of them; and where they end.
fn compact(units: &Units, start: usize, len: usize) -> Option<(Vec<char>, usize)> {
    let mut chars = Vec::with_capacity(len);
    let mut i = start;
    while chars.len() < len {
        let c = units.at(i);
        if c.is_ascii_alphanumeric() {
            chars.push(c.to_ascii_uppercase());
        } else if !matches!(c, ' ' | '-') || !units.at(i + 1).is_ascii_alphanumeric() {
            return None;
        }
        i += 1;
    }
    Some((chars, i))
}

/// The end of an IBAN that starts here.
pub(super) fn iban(units: &Units, start: usize) -> Option<usize> {
    let is_head = units.at(start).is_ascii_alphabetic()
        && units.at(start + 1).is_ascii_alphabetic()
        && (2..4).all(|k| units.at(start + k).is_ascii_digit() || units.at(start + k) == ' ');
    if !is_head {
        return None;
    }
    let country = units.text(start..start + 2).to_ascii_uppercase();
    let len = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?.1;
    let (chars, end) = compact(units, start, len)?;
    let (head, rest) = chars.split_at_checked(4)?;
    let is_iban = head[2].is_ascii_digit()
        && head[3].is_ascii_digit()
        && check::mod_97(rest.iter().chain(head).copied());
    // One text in 97 has the right check digits by chance, so words are not read as one.
    let in_fours =
        (start..end).all(|i| units.at(i).is_ascii_alphanumeric() == ((i - start) % 5 < 4));
    let letters = rest.iter().filter(|c| c.is_ascii_alphabetic()).count();
    let written = end - start == len || in_fours || letters <= 4;
    (is_iban && written && !is_word(units.at(end))).then_some(end)
}

/// The end of a national number with letters that starts here.
pub(super) fn national(units: &Units, start: usize) -> Option<usize> {
    british(units, start).or_else(|| foreigner(units, start)).or_else(|| italian(units, start))
}

/// Two letters, six digits, one letter; no check digit, but pairs that are never given.
fn british(units: &Units, start: usize) -> Option<usize> {
    if !units.at(start).is_ascii_uppercase() || !units.at(start + 1).is_ascii_uppercase() {
        return None;
    }
    let (chars, end) = compact(units, start, 9)?;
    let [a, b, digits @ .., last] = chars.as_slice() else { return None };
    let spaced = end - start > 9;
    let dashed = (start..end).any(|i| units.at(i) == '-');
    // "in 12 34 …" is no number: as one writes them, the letters are capitals.
    let capitals = units.at(start).is_ascii_uppercase() && units.at(end - 1).is_ascii_uppercase();
    let given = a.is_ascii_alphabetic()
        && b.is_ascii_alphabetic()
        && !"DFIQUV".contains(*a)
        && !"DFIOQUV".contains(*b)
        && !["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"]
            .contains(&[*a, *b].iter().collect::<String>().as_str())
        && digits.iter().all(char::is_ascii_digit)
        && ('A'..='D').contains(last);
    let grouped = !spaced || [2, 5, 8, 11].iter().all(|k| units.at(start + k) == ' ');
    let believed = || matches!(context::cue(units, start), Cue::None | Cue::Person | Cue::Phone);
    (given && capitals && grouped && !dashed && ends(units, end) && believed()).then_some(end)
}

/// Spain's number for foreigners: X, Y or Z, seven digits, a letter.
fn foreigner(units: &Units, start: usize) -> Option<usize> {
    let first = match units.at(start) {
        'X' => 0,
        'Y' => 1,
        'Z' => 2,
        _ => return None,
    };
    let digits = start + 1 + usize::from(units.at(start + 1) == '-');
    let end = units.run(digits, 8, |c| c.is_ascii_digit());
    let number = (digits..end)
        .filter_map(|i| units.at(i).to_digit(10))
        .fold(first, |number, d| number * 10 + d);
    let letter = end + usize::from(units.at(end) == '-');
    let right = end - digits == 7 && units.at(letter) == spanish_letter(number);
    (right && ends(units, letter + 1)).then_some(letter + 1)
}

/// Italy's codice fiscale, with its check letter. Digits may be replaced by letters where two
/// people would have the same.
fn italian(units: &Units, start: usize) -> Option<usize> {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
        6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ];
    if !units.at(start).is_ascii_alphabetic() || !units.at(start + 2).is_ascii_alphabetic() {
        return None;
    }
    let (chars, end) = compact(units, start, 16)?;
    let fits = chars.iter().enumerate().all(|(i, c)| match i {
        0..=5 | 8 | 11 | 15 => c.is_ascii_alphabetic(),
        _ => c.is_ascii_digit() || "LMNPQRSTUV".contains(*c),
    });
    // One in twenty-six runs of words that fit by chance has the right check letter.
    let fits = fits && chars.iter().filter(|c| c.is_ascii_digit()).count() >= 2;
    let sum: u32 = chars
        .iter()
        .take(15)
        .enumerate()
        .filter_map(|(i, c)| {
            let value = c.to_digit(36)?;
            let even = if value > 9 { value - 10 } else { value };
            Some(if i % 2 == 0 { ODD[value as usize] } else { even })
        })
        .sum();
    let check = char::from(b'A' + (sum % 26) as u8);
    (fits && chars.last() == Some(&check) && ends(units, end)).then_some(end)
}
