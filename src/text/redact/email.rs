//! E-mail addresses: from each `@` outwards.

use std::ops::Range;

use super::units::Units;

const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
const MAX_TOP_LABEL: usize = 24;

/// The address around the `@` at a place.
pub(super) fn around(units: &Units, at: usize) -> Option<Range<usize>> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-'&~".contains(c);
    let mut start = units.run_back(at, MAX_LOCAL, is_local);
    start = units.run(start, MAX_LOCAL, |c| !c.is_alphanumeric() && c != '_' && c != '@');
    // `git@host.org:path` is how one writes a repository, `https://git@host.org` too.
    let in_address = units.before(start) == '/' && units.before(start.saturating_sub(1)) == '/';
    if start >= at || in_address || (at - start == 3 && units.has(start, "git@")) {
        return None;
    }
    domain(units, at + 1).map(|end| start..end)
}

/// The end of the domain name that starts at a place. It has two labels or more, and ends with
/// one of letters.
fn domain(units: &Units, from: usize) -> Option<usize> {
    let mut best = None;
    let mut start = from;
    let mut labels = 0;
    while start - from < MAX_DOMAIN {
        let end = units.run(start, 63, |c| c.is_alphanumeric() || c == '-');
        if end == start || (labels >= 2 && units.at(start).is_uppercase()) {
            break;
        }
        let top = units.run(start, MAX_TOP_LABEL, char::is_alphabetic);
        let is_top = (top == end && end - start >= 2) || units.has(start, "xn--");
        if labels >= 1 && is_top && !is_scaled_picture(units, from, start, end) {
            best = Some(end);
        }
        if units.at(end) != '.' {
            break;
        }
        labels += 1;
        start = end + 1;
    }
    best
}

/// `2x.png` in "logo@2x.png".
fn is_scaled_picture(units: &Units, from: usize, top: usize, end: usize) -> bool {
    top - from == 3
        && units.at(from).is_ascii_digit()
        && units.at(from + 1) == 'x'
        && ["png", "jpg", "jpeg", "gif", "svg", "webp"].contains(&units.text(top..end).as_str())
}
