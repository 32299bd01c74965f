//! Passwords and PINs in prose: a word for one, something that joins, and a value that looks like
//! one. "My password is not working" has the first two only.

use std::ops::Range;

use super::looks::{self, Looks};
use super::units::{END, MASK, Units, lower};
use super::words::{self, Keyword};

/// Words between the keyword and what joins: "for the VPN", "(temporary)".
const MAX_BETWEEN: usize = 10;
const MAX_VALUE: usize = 128;
/// Words in quotation marks that may be one password.
const MAX_QUOTED: usize = 64;

/// How the value is joined to its keyword, and so how much it must look like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// `:` or `=`.
    Sign,
    /// "is", "lautet".
    Verb,
    /// Nothing: "password Sommer2024!".
    Beside,
}

/// A password whose keyword starts here, before it or behind it.
pub(super) fn find(units: &Units, i: usize) -> Option<Range<usize>> {
    let c = units.at(i);
    if c == MASK {
        return beside_name(units, i);
    }
    // `DB_PASSWORD` and `db.password` count; the letters before belong to the name.
    if !c.is_alphabetic() || units.before(i).is_alphanumeric() {
        return None;
    }
    let (keyword, end) = keyword(units, i)?;
    behind(units, keyword, end).or_else(|| ahead(units, keyword, i))
}

fn keyword(units: &Units, i: usize) -> Option<(Keyword, usize)> {
    let (word, end) = units.word(i);
    let keyword = words::keyword(&word)?;
    let Keyword::Phrase(phrases, pin) = keyword else { return Some((keyword, end)) };
    // "mot de passe", "access code": the other words follow.
    let end_of = |phrase: &&[&str]| {
        phrase.iter().try_fold(end, |at, expected| {
            let (word, end) = units.word(at + 1);
            (matches!(units.at(at), ' ' | '-') && word == *expected).then_some(end)
        })
    };
    let end = phrases.iter().find_map(end_of)?;
    Some((if pin { Keyword::Pin } else { Keyword::Password }, end))
}

/// Looks behind the keyword for what joins and the value.
fn behind(units: &Units, keyword: Keyword, keyword_end: usize) -> Option<Range<usize>> {
    // `password_hash`, `passwordPolicy` are names of something else; "Passwort-Manager" too.
    let mut i = keyword_end;
    if units.at(i) == '_' || units.at(i).is_alphanumeric() {
        return None;
    }
    let mut join = Join::Beside;
    let mut between = 0;
    let mut phrase = false;
    loop {
        i = units.run(i, 4, |c| c == ' ' || c == '*');
        match units.at(i) {
            END => return None,
            '\n' => {
                // Only a colon reaches the next line.
                if join != Join::Sign {
                    return None;
                }
                i = units.run(i, 3, char::is_whitespace);
                if units.at(i).is_whitespace() {
                    return None;
                }
            }
            ':' | '=' => {
                join = Join::Sign;
                i += 1;
            }
            '>' if join != Join::Sign => {
                // `->`, `=>`, `<password>`.
                join = Join::Sign;
                i += 1;
            }
            '>' => i += 1,
            '-' if join == Join::Beside => {
                let dash = units.run(i, 3, |c| c == '-');
                if units.at(dash) == ' ' && units.before(i) == ' ' && !phrase {
                    join = Join::Verb;
                } else if units.at(dash) != '>' && units.before(i) == ' ' {
                    return None;
                }
                i = dash;
            }
            '(' if join == Join::Beside => {
                if let Some(value) = value(units, i + 1, Join::Beside, keyword) {
                    return Some(value);
                }
                let close = units.run(i, 40, |c| c != ')' && c != '\n' && c != END);
                if units.at(close) != ')' {
                    return None;
                }
                i = close + 1;
            }
            '"' | '\'' | '`' if join == Join::Beside && matches!(units.at(i + 1), ':' | '=') => {
                i += 1;
            }
            MASK if join == Join::Beside && phrase => {
                between += 1;
                i += 1;
            }
            MASK => return None,
            _ => match step(units, i, keyword, &mut join, &mut phrase, &mut between)? {
                Step::Go(next) => i = next,
                Step::Value(range) => return Some(range),
            },
        }
        if between > MAX_BETWEEN || i > keyword_end + 160 {
            return None;
        }
    }
}

enum Step {
    Go(usize),
    Value(Range<usize>),
}

/// One word behind the keyword.
fn step(
    units: &Units,
    i: usize,
    keyword: Keyword,
    join: &mut Join,
    phrase: &mut bool,
    between: &mut usize,
) -> Option<Step> {
    let (word, end) = units.word(i);
    let whole = !word.is_empty() && !is_part(units, end);
    let joins = whole && *join != Join::Sign && words::is_verb(&word);
    if joins && !(*phrase && *join == Join::Verb) {
        *join = Join::Verb;
        *between += 1;
        return Some(Step::Go(end));
    }
    if *join != Join::Beside {
        let filler = whole && words::is_filler(&word) && units.at(end) == ' ';
        if filler && (*join == Join::Verb || words::is_kind(&word)) && *between < MAX_BETWEEN {
            *between += 1;
            return Some(Step::Go(end));
        }
        return value(units, i, *join, keyword).map(Step::Value);
    }
    if !*phrase
        && (!whole || !words::is_other_thing(&word))
        && let Some(range) = value(units, i, Join::Beside, keyword)
    {
        return Some(Step::Value(range));
    }
    if !whole || words::is_other_thing(&word) {
        return None;
    }
    *between += 1;
    if words::is_towards(&word) {
        // "changed my password to …": the value may stand here; else it is a phrase.
        let next = units.skip_blanks(end);
        if let Some(range) = value(units, next, Join::Beside, keyword) {
            return Some(Step::Value(range));
        }
        *phrase = true;
    } else if words::is_preposition(&word) {
        *phrase = true;
    } else if words::is_conjunction(&word) || !(*phrase || words::is_filler(&word)) {
        return None;
    }
    Some(Step::Go(end))
}

/// Whether a word goes on behind its letters.
fn is_part(units: &Units, end: usize) -> bool {
    let (next, second) = (units.at(end), units.at(end + 1));
    next.is_alphanumeric()
        || "_@#$%^&*+~!".contains(next) && (next != '!' || second.is_alphanumeric())
        || (matches!(next, '-' | '.' | '/' | '\'') && second.is_alphanumeric())
}

/// The value that starts here, if it looks like one.
fn value(units: &Units, start: usize, join: Join, keyword: Keyword) -> Option<Range<usize>> {
    let first = units.at(start);
    if let Some(close) = closing(first) {
        let end = units.run(start + 1, MAX_QUOTED, |c| {
            !close.contains(c) && c != '\n' && c != MASK && c != END
        });
        if close.contains(units.at(end)) && end > start + 1 {
            let text = units.text(start + 1..end);
            let believed = if text.contains(' ') {
                join != Join::Beside && looks::is_passphrase(&text)
            } else {
                believed(units, &text, end + 1, join, keyword)
            };
            return believed.then_some(start + 1..end);
        }
    }
    let from = start + usize::from(closing(first).is_some());
    let stop = units.run(from, MAX_VALUE, |c| {
        !c.is_whitespace() && c != MASK && c != END && c != '<' && c != '"'
    });
    let mut text = units.text(from..stop);
    // `Password=x;Database=y`, `password=x&user=y`: the next setting is not part of it.
    if join == Join::Sign
        && let Some((at, _)) = text.char_indices().find(|(at, c)| {
            let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
            (*c == ';' && rest.starts_with(char::is_alphabetic))
                || (*c == '&' && rest.split('&').next().is_some_and(|next| next.contains('=')))
        })
    {
        text.truncate(at);
    }
    let open = text.contains('(');
    let kept = text.trim_end_matches(|c| ".,;:'`»”“’]}".contains(c) || (c == ')' && !open));
    let end = from + kept.chars().count();
    believed(units, kept, end, join, keyword).then_some(from..end)
}

fn closing(open: char) -> Option<&'static str> {
    match open {
        '"' => Some("\""),
        '\'' => Some("'"),
        '`' => Some("`"),
        '“' | '„' | '”' => Some("”“\""),
        '‘' | '‚' | '’' => Some("’‘'"),
        '«' => Some("»"),
        '»' => Some("«"),
        _ => None,
    }
}

/// Whether a text may be a password, given how it is joined to the keyword.
fn believed(units: &Units, text: &str, end: usize, join: Join, keyword: Keyword) -> bool {
    let looks = Looks::of(text);
    let next_blank = units.run(end, 4, |c| c == ' ' || c == ')' || c == '#' || c == '"');
    let next = units.word(next_blank).0;
    if !looks.possible() || (looks.is_count() && words::is_unit(&next)) {
        return false;
    }
    if keyword == Keyword::Pin {
        return looks.is_pin() || (join == Join::Sign && looks.strong() && !looks.is_identifier());
    }
    match join {
        Join::Sign => {
            let last = !units.at(next_blank).is_alphanumeric() || units.at(end) != ' ';
            !looks.is_everyday()
                && (looks.marked() || (last && looks.letters() && text.chars().count() >= 4))
        }
        _ if keyword == Keyword::Sign => false,
        Join::Verb => looks.strong() || looks.is_number(5),
        Join::Beside => {
            (looks.strong() && text.chars().count() >= 5 && !looks.is_identifier())
                || looks.is_number(6)
        }
    }
}

/// "Sommer2024! is my password".
fn ahead(units: &Units, keyword: Keyword, keyword_start: usize) -> Option<Range<usize>> {
    let mut i = keyword_start;
    for _ in 0..4 {
        let word_end = units.run_back(i, 2, |c| c == ' ' || c == '-');
        let start = units.run_back(word_end, 20, char::is_alphabetic);
        let word: String = (start..word_end).map(|i| lower(units.at(i))).collect();
        if word.is_empty() || word_end == i {
            return None;
        }
        if words::is_present(&word) && i != keyword_start {
            let end = units.run_back(start, 2, |c| c == ' ' || c == '"' || c == '\'');
            let from = units.run_back(end, 40, |c| !c.is_whitespace() && c != MASK && c != END);
            let from = units.run(from, 2, |c| "\"'(`".contains(c));
            let text = units.text(from..end.max(from));
            let looks = Looks::of(&text);
            let believed = looks.possible()
                && if keyword == Keyword::Pin {
                    looks.is_pin()
                } else {
                    looks.strong() && !looks.is_identifier() && text.chars().count() >= 5
                };
            return (believed && end < start).then_some(from..end);
        }
        if !words::is_determiner(&word) {
            return None;
        }
        i = start;
    }
    None
}

/// `ann@example.org:Sommer2024`, as in lists of stolen accounts. The address is a mask already.
fn beside_name(units: &Units, mask: usize) -> Option<Range<usize>> {
    if units.at(mask + 1) != ':' || matches!(units.at(mask + 2), ' ' | '/') {
        return None;
    }
    let from = mask + 2;
    let end = units.run(from, MAX_VALUE, |c| !c.is_whitespace() && c != MASK && c != END);
    let text = units.text(from..end);
    let kept = text.trim_end_matches(['.', ',', ';', ')']);
    let looks = Looks::of(kept);
    let believed = looks.possible() && looks.strong() && !kept.contains('/') && kept.len() >= 6;
    believed.then(|| from..from + kept.chars().count())
}
