//! IP addresses. What follows one, a port or a prefix length, stays readable.

use std::net::Ipv6Addr;

use super::context::{self, Cue};
use super::units::{Units, is_word};

const MAX_V6: usize = 45;

/// The end of an IPv4 address that starts here. Four-part versions look the same, so the words
/// before it and its first part have a say. Loopback, netmasks and "any" say nothing of anybody.
pub(super) fn v4(units: &Units, start: usize) -> Option<usize> {
    let (parts, end) = four_parts(units, start)?;
    let (before, next, second) = (units.before(start), units.at(end), units.at(end + 1));
    let goes_on = is_word(next)
        || (next == '.' && second.is_ascii_digit())
        || (next == '-' && is_word(second) && !is_range(units, end + 1))
        || matches!(before, '.' | '_')
        || (before == '-' && !second_of_range(units, start));
    if goes_on || matches!(parts[0], 0 | 127 | 255) {
        return None;
    }
    let marked = (next == '/' && second.is_ascii_digit())
        || (next == ':' && second.is_ascii_digit())
        || matches!(before, '/' | '\\' | '@');
    if marked {
        return Some(end);
    }
    let words = units.words_before(start, 4);
    let cue = words
        .iter()
        .map(|w| context::of_word(w))
        .find(|c| matches!(c, Cue::Version | Cue::Address));
    let nearest = words.iter().find(|w| !JOINING.contains(&w.as_str()));
    let is_ip = match parts {
        // Private, documentation and link-local ranges: only the word right before counts.
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [192, 0, 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [169, 254, ..] => nearest.is_none_or(|w| context::of_word(w) != Cue::Version),
        // Few hosts and many versions start with a single digit.
        _ if context::of_word(&units.word(units.skip_blanks(end)).0) == Cue::Version => false,
        [..10, ..] => cue == Some(Cue::Address),
        _ => cue != Some(Cue::Version),
    };
    is_ip.then_some(end)
}

/// Words between "version" and its number.
const JOINING: [&str; 8] = ["to", "is", "ist", "est", "es", "nach", "number", "the"];

fn four_parts(units: &Units, start: usize) -> Option<([u8; 4], usize)> {
    let mut parts = [0; 4];
    let mut i = start;
    for (k, part) in parts.iter_mut().enumerate() {
        if k > 0 {
            if units.at(i) != '.' {
                return None;
            }
            i += 1;
        }
        let end = units.run(i, 4, |c| c.is_ascii_digit());
        let leading_zero = units.at(i) == '0' && end - i > 1;
        *part = units.text(i..end).parse().ok().filter(|_| !leading_zero)?;
        i = end;
    }
    Some((parts, i))
}

/// `.20` or `10.0.0.20` behind "10.0.0.5-".
fn is_range(units: &Units, start: usize) -> bool {
    let end = units.run(start, 4, |c| c.is_ascii_digit());
    four_parts(units, start).is_some()
        || (end > start && end - start < 4 && !is_word(units.at(end)))
}

/// Whether an address stands before the dash before this one.
fn second_of_range(units: &Units, start: usize) -> bool {
    let dash = start.saturating_sub(1);
    let first = units.run_back(dash, 15, |c| c.is_ascii_digit() || c == '.');
    dash == 0
        || !is_word(units.before(dash))
        || four_parts(units, first).is_some_and(|(_, end)| end == dash)
}

/// The end of an IPv6 address that starts here.
pub(super) fn v6(units: &Units, start: usize) -> Option<usize> {
    let is_in = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let run = units.run(start, MAX_V6 + 1, is_in);
    if run - start > MAX_V6 || is_word(units.at(run)) {
        return None;
    }
    let text = units.text(start..run);
    // A colon or full stop of the sentence may stand behind.
    let trimmed = text.trim_end_matches('.');
    let address = [trimmed, trimmed.strip_suffix(':').unwrap_or(trimmed)]
        .into_iter()
        .find(|text| text.parse::<Ipv6Addr>().is_ok())?;
    let groups = address.split(':').filter(|group| !group.is_empty());
    // `ace::add` is a name in a program, eight bytes are a port's world-wide name.
    let is_name = address.split(':').count() < 4 && !address.bytes().any(|b| b.is_ascii_digit());
    let is_bytes = groups.clone().count() == 8 && groups.clone().all(|group| group.len() == 2);
    let says_nothing = matches!(address, "::" | "::1") || groups.clone().all(|group| group == "0");
    (!is_name && !is_bytes && !says_nothing).then_some(start + address.len())
}
