//! One-off values out of a sentence: names, dates, times, ticket numbers, accounts, amounts. What
//! stands in their place is a field that the agent fills in.

use std::collections::BTreeSet;

use crate::domain::{DraftField, FieldKind};

/// A word of a text that is no blank, with its place in bytes, punctuation left out.
#[derive(Debug)]
struct Token<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    /// In lower case.
    lower: String,
}

/// A value of one case: a stretch of a sentence that becomes a field.
#[derive(Debug)]
pub(super) struct Value {
    start: usize,
    end: usize,
    kind: FieldKind,
    /// Its words in lower case.
    words: Vec<String>,
}

impl Value {
    /// Whether it stays as it is, because the ticket itself says it. `kept` are the ticket's words
    /// in lower case.
    pub(super) fn is_kept(&self, kept: &BTreeSet<String>) -> bool {
        self.kind != FieldKind::Private && self.words.iter().all(|word| kept.contains(word))
    }
}

/// The values of one case in a sentence, in its order. Code between back-ticks has none.
pub(super) fn values(sentence: &str) -> Vec<Value> {
    let tokens = tokens(sentence);
    let mut values = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let found = placeholder(&tokens, at)
            .or_else(|| phone(&tokens, at))
            .or_else(|| amount(&tokens, at))
            .or_else(|| date(&tokens, at))
            .or_else(|| time(&tokens, at))
            .or_else(|| case_number(&tokens, at))
            .or_else(|| account(&tokens, at))
            .or_else(|| name(sentence, &tokens, at));
        let Some((kind, taken)) = found else {
            at += 1;
            continue;
        };
        let words = &tokens[at..at + taken];
        values.push(Value {
            start: words[0].start,
            end: words[taken - 1].end,
            kind,
            words: words.iter().map(|token| token.lower.clone()).collect(),
        });
        at += taken;
    }
    values
}

/// Puts fields in the place of values, which are in the sentence's order.
pub(super) fn replace<'a>(
    sentence: &str,
    values: impl Iterator<Item = &'a Value>,
) -> (String, Vec<DraftField>) {
    let (mut text, mut fields, mut from) = (String::with_capacity(sentence.len()), Vec::new(), 0);
    for value in values {
        let here = &sentence[value.start..value.end];
        let placeholder = match value.kind {
            FieldKind::Private => here.to_owned(),
            kind => format!("[{}]", kind.name()),
        };
        text.push_str(&sentence[from..value.start]);
        text.push_str(&placeholder);
        fields.push(DraftField { kind: value.kind, placeholder });
        from = value.end;
    }
    text.push_str(&sentence[from..]);
    (text, fields)
}

/// The words of a sentence without those in back-ticks. Brackets stay, because redaction writes
/// its placeholders with them.
fn tokens(sentence: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut ticked = false;
    let mut start = None;
    let mut push = |from: usize, to: usize| {
        let raw = &sentence[from..to];
        let trim = |c: char| !c.is_alphanumeric() && !"[]€$£#&@".contains(c);
        let left = raw.len() - raw.trim_start_matches(trim).len();
        let mut text = raw.trim_matches(trim);
        for possessive in ["'s", "’s"] {
            text = text.strip_suffix(possessive).unwrap_or(text);
        }
        if !text.is_empty() {
            let start = from + left;
            let lower = text.to_lowercase();
            tokens.push(Token { start, end: start + text.len(), text, lower });
        }
    };
    for (at, c) in sentence.char_indices() {
        let breaks = c.is_whitespace()
            || c == '`'
            || c == '('
            || c == ')'
            || c == '/'
                && start.is_some_and(|s: usize| sentence[s..at].chars().all(char::is_alphabetic));
        if breaks {
            if let Some(from) = start.take().filter(|_| !ticked) {
                push(from, at);
            }
            if c == '`' {
                ticked = !ticked;
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(from) = start.filter(|_| !ticked) {
        push(from, sentence.len());
    }
    tokens
}

type Found = Option<(FieldKind, usize)>;

/// `[email]`: what redaction has left.
fn placeholder(tokens: &[Token<'_>], at: usize) -> Found {
    let inside = tokens[at].text.strip_prefix('[')?.strip_suffix(']')?;
    let named = !inside.is_empty()
        && inside.len() <= 32
        && inside
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    named.then_some((FieldKind::Private, 1))
}

/// `ext. 4402`
fn phone(tokens: &[Token<'_>], at: usize) -> Found {
    let word = tokens[at].lower.as_str();
    let next = tokens.get(at + 1)?.text;
    let number = next.len() >= 2 && next.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    (["ext", "extension", "tel", "durchwahl", "poste"].contains(&word) && number)
        .then_some((FieldKind::Phone, 2))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || ".,'’".contains(c))
}

/// `34,290.75 EUR`, `€120`
fn amount(tokens: &[Token<'_>], at: usize) -> Found {
    const CODES: [&str; 8] = ["EUR", "USD", "GBP", "CHF", "€", "$", "£", "Euro"];
    let text = tokens[at].text;
    let next = tokens.get(at + 1).map(|t| t.text);
    if text.strip_prefix(['€', '$', '£']).or(text.strip_suffix(['€', '£'])).is_some_and(is_number)
    {
        return Some((FieldKind::Amount, 1));
    }
    let pair = |a: &str, b: &str| is_number(a) && CODES.contains(&b);
    let next = next?;
    (pair(text, next) || pair(next, text)).then_some((FieldKind::Amount, 2))
}

/// Months and days of the week in the desk's languages, in lower case.
const MONTHS: [&str; 56] = [
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "janvier",
    "février",
    "mars",
    "avril",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "may",
    "mar",
    "jänner",
];
const DAYS: [&str; 28] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "lundi",
    "mardi",
    "mercredi",
    "jeudi",
    "vendredi",
    "samedi",
    "dimanche",
    "lunes",
    "martes",
    "miércoles",
    "jueves",
    "viernes",
    "sábado",
    "domingo",
];
const EVERY: [&str; 8] = ["every", "each", "jeden", "jeder", "chaque", "cada", "todos", "tous"];

fn date(tokens: &[Token<'_>], at: usize) -> Found {
    let text = tokens[at].text;
    let lower = |n: usize| tokens.get(n).map_or("", |t| t.lower.as_str());
    let before = if at > 0 { lower(at - 1) } else { "" };
    let month = |n: usize| MONTHS.contains(&lower(n));
    let year = |n: usize| {
        let text = lower(n);
        text.len() == 4 && (text.starts_with("19") || text.starts_with("20")) && is_number(text)
    };
    if numeric_date(text) {
        return Some((FieldKind::Date, 1));
    }
    if DAYS.contains(&lower(at)) {
        return (!EVERY.contains(&before)).then(|| {
            let more = day(lower(at + 1)) && month(at + 2);
            (FieldKind::Date, if more { 3 } else { 1 })
        });
    }
    if day(lower(at)) {
        let de = usize::from(lower(at + 1) == "de" || lower(at + 1) == "of");
        if month(at + 1 + de) {
            return Some((FieldKind::Date, 2 + de + usize::from(year(at + 2 + de))));
        }
        let ordinal = lower(at).trim_start_matches(|c: char| c.is_ascii_digit()).len() == 2;
        return (ordinal && before == "the").then_some((FieldKind::Date, 1));
    }
    // "May" and "March" are words too, so a month needs a day or a year behind it.
    let whole = month(at) && text.starts_with(char::is_uppercase);
    if whole && day(lower(at + 1)) {
        return Some((FieldKind::Date, 2 + usize::from(year(at + 2))));
    }
    (whole && year(at + 1)).then_some((FieldKind::Date, 2))
}

fn day(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
    let suffix = &text[digits.len()..];
    ["", "st", "nd", "rd", "th", ".", "er"].contains(&suffix)
        && digits.parse::<u8>().is_ok_and(|n| (1..=31).contains(&n))
}

/// `2025-01-31`, `31.01.2025`, `31/01/2025`
fn numeric_date(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && ['-', '.', '/'].into_iter().any(|mark| {
            let parts: Vec<&str> = text.split(mark).collect();
            let sizes: Vec<usize> = parts.iter().map(|p| p.len()).collect();
            let digits =
                parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
            let sized = matches!(sizes[..], [4, 2, 2] | [1..=2, 1..=2, 4])
                || mark == '/' && matches!(sizes[..], [1..=2, 1..=2, 2]);
            digits && sized
        })
}

/// `09:40`, `9:30 am`, `18 h`, `7 h 56`
fn time(tokens: &[Token<'_>], at: usize) -> Found {
    let text = tokens[at].text;
    let two = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    let next = |n: usize| tokens.get(at + n).map_or("", |t| t.text);
    let suffix = ["am", "pm", "a.m", "p.m", "Uhr", "h"].contains(&next(1));
    if text.split_once(':').is_some_and(|(h, m)| two(h) && two(m) && m.len() == 2) {
        return Some((FieldKind::Time, 1 + usize::from(suffix)));
    }
    if two(text) && next(1) == "h" {
        return Some((FieldKind::Time, if two(next(2)) { 3 } else { 2 }));
    }
    (two(text) && ["am", "pm", "Uhr"].contains(&next(1))).then_some((FieldKind::Time, 2))
}

/// Prefixes of numbers that mean the same to everybody.
const PUBLIC: [&str; 14] = [
    "ISO", "SHA", "AES", "RFC", "CVE", "UTF", "KB", "TLS", "WPA", "HTTP", "ERR", "RSA", "MS", "IEC",
];

/// `TB-1302`, `INC0012345`, `#861`, `case 5521`, and the tags on machines: `TB-L-0671`.
fn case_number(tokens: &[Token<'_>], at: usize) -> Found {
    const NOUNS: [&str; 8] =
        ["case", "ticket", "request", "incident", "pr", "mr", "order", "invoice"];
    let text = tokens[at].text;
    let digits = |t: &str| t.len() >= 3 && t.bytes().all(|b| b.is_ascii_digit());
    if text.strip_prefix('#').is_some_and(digits) {
        return Some((FieldKind::Ticket, 1));
    }
    let next = tokens.get(at + 1).map_or("", |t| t.text);
    if NOUNS.contains(&tokens[at].lower.as_str()) && digits(next.trim_start_matches('#')) {
        return Some((FieldKind::Ticket, 2));
    }
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    if letters < 2 || PUBLIC.contains(&&text[..letters]) {
        return None;
    }
    let rest = &text[letters..];
    if letters >= 3 && rest.len() >= 5 && digits(rest) {
        return Some((FieldKind::Ticket, 1));
    }
    let parts: Vec<&str> = rest.strip_prefix('-')?.split('-').collect();
    let (last, middle) = parts.split_last()?;
    let upper =
        |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !digits(last) || !middle.iter().all(upper) {
        return None;
    }
    Some((if middle.is_empty() { FieldKind::Ticket } else { FieldKind::Asset }, 1))
}

/// `first.last`: how most companies name accounts. A file has a shorter second part.
fn account(tokens: &[Token<'_>], at: usize) -> Found {
    const FILES: [&str; 12] = [
        "json", "yaml", "html", "docx", "xlsx", "pptx", "toml", "conf", "local", "plist", "timer",
        "service",
    ];
    let (first, last) = tokens[at].text.split_once('.')?;
    let word = |t: &str, least: usize| {
        t.chars().count() >= least && t.chars().all(|c| c.is_lowercase() || c == '-')
    };
    (word(first, 2) && word(last, 4) && !FILES.contains(&last)).then_some((FieldKind::Account, 1))
}

/// Titles before a name.
const TITLES: [&str; 18] = [
    "mr", "mrs", "ms", "miss", "dr", "prof", "herr", "herrn", "frau", "m", "mme", "mlle", "sr",
    "sra", "don", "doña", "monsieur", "madame",
];
/// Words that people stand behind.
const TOWARDS: [&str; 26] = [
    "told",
    "called",
    "asked",
    "informed",
    "phoned",
    "thanks",
    "thank",
    "dear",
    "hi",
    "hello",
    "hallo",
    "bonjour",
    "hola",
    "by",
    "with",
    "colleague",
    "manager",
    "from",
    "for",
    "agreed",
    "appelé",
    "mit",
    "von",
    "avec",
    "con",
    "liebe",
];
/// What people do.
const DOINGS: [&str; 30] = [
    "confirmed",
    "confirms",
    "tested",
    "checked",
    "approved",
    "said",
    "says",
    "agreed",
    "wrote",
    "called",
    "asked",
    "has",
    "had",
    "was",
    "will",
    "is",
    "can",
    "knows",
    "owns",
    "sends",
    "signed",
    "collected",
    "made",
    "drew",
    "hat",
    "ist",
    "wird",
    "kann",
    "a",
    "ha",
];

fn name(sentence: &str, tokens: &[Token<'_>], at: usize) -> Found {
    let token = &tokens[at];
    let lower = token.lower.as_str();
    let next = tokens.get(at + 1);
    let adjacent = |a: &Token<'_>, b: &Token<'_>| {
        sentence[a.end..b.start].chars().all(|c| c.is_whitespace() || c == '.')
    };
    if TITLES.contains(&lower) && token.text.starts_with(char::is_uppercase) {
        return next
            .filter(|n| is_capitalised(n.text) && adjacent(token, n))
            .map(|_| (FieldKind::Name, 2));
    }
    let initial = token.text.chars().count() == 1
        && token.text.chars().all(char::is_uppercase)
        && sentence[token.end..].starts_with('.');
    if initial {
        return next
            .filter(|n| is_capitalised(n.text) && adjacent(token, n))
            .map(|_| (FieldKind::Name, 2));
    }
    if !is_capitalised(token.text) {
        return None;
    }
    let surname = next.filter(|n| {
        is_capitalised(n.text) && adjacent(token, n) && !sentence[token.end..].starts_with('.')
    });
    if super::names::is_first_name(lower) {
        return Some((FieldKind::Name, 1 + usize::from(surname.is_some())));
    }
    // Somebody unknown, between words that only people stand between.
    let before = at.checked_sub(1).map_or("", |b| tokens[b].lower.as_str());
    let towards = ["told", "called", "phoned", "informed", "dear", "appelé"].contains(&before);
    let after = tokens.get(at + 1 + usize::from(surname.is_some())).map_or("", |t| t.text);
    let between = TOWARDS.contains(&before) && DOINGS.contains(&after);
    (towards && surname.is_none() && at + 1 < tokens.len() && DOINGS.contains(&after) || between)
        .then_some((FieldKind::Name, 1 + usize::from(surname.is_some())))
}

/// `Dagny`, not `OKTA` nor `iPhone` nor `GlobalProtect`.
fn is_capitalised(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_uppercase)
        && chars.clone().count() >= 1
        && chars.all(|c| c.is_lowercase() || "-'’".contains(c))
}

#[cfg(test)]
mod tests;
