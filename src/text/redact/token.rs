//! Keys and tokens: those with a prefix of their own, those that a word announces, credentials in
//! addresses, private key blocks.

use std::ops::Range;

use super::units::{END, MASK, Units, is_word};
use super::words::{Words, words};

/// How much of a token is looked at before it is believed; the rest is then taken whole.
const LOOK: usize = 128;
const MAX_KEY_BLOCK: usize = 16 * 1024;

/// How a service's tokens begin, how many characters follow at least, and which marks may be
/// among them.
const PREFIXES: &[(&str, usize, &str)] = &[
    ("AGE-SECRET-KEY-1", 20, ""),
    ("AIza", 30, "_-"),
    ("AKIA", 16, ""),
    ("ASIA", 16, ""),
    ("ATATT3", 20, "_-="),
    ("GOCSPX-", 20, "_-"),
    ("SG.", 24, "._-"),
    ("dckr_pat_", 16, "_-"),
    ("dh_", 16, "_-"),
    ("dop_v1_", 32, ""),
    ("ghp_", 16, ""),
    ("gho_", 16, ""),
    ("ghu_", 16, ""),
    ("ghs_", 16, ""),
    ("ghr_", 16, ""),
    ("github_pat_", 16, "_"),
    ("gldt-", 16, "_-"),
    ("glpat-", 16, "_-."),
    ("glrt-", 16, "_-"),
    ("hf_", 20, ""),
    ("hvs.", 20, "_-"),
    ("npm_", 20, ""),
    ("pypi-", 30, "_-"),
    ("rk_live_", 10, ""),
    ("rk_test_", 10, ""),
    ("shpat_", 20, ""),
    ("sk-", 20, "_-"),
    ("sk_live_", 10, ""),
    ("sk_test_", 10, ""),
    ("whsec_", 16, "+/="),
    ("xapp-", 10, "-"),
    ("xoxa-", 10, "-"),
    ("xoxb-", 10, "-"),
    ("xoxe-", 10, "-"),
    ("xoxe.", 10, "-."),
    ("xoxp-", 10, "-"),
    ("xoxr-", 10, "-"),
    ("xoxs-", 10, "-"),
    ("ya29.", 20, "_-"),
];

/// A token, key or credential that starts here, or, for an address, stands right behind.
pub(super) fn find(units: &Units, i: usize) -> Option<Range<usize>> {
    match units.at(i) {
        '-' if units.before(i) != '-' => key_block(units, i),
        ':' if units.at(i + 1) == '/' && units.at(i + 2) == '/' => credentials(units, i),
        c if c.is_ascii_alphanumeric() && units.word_starts(i) => prefixed(units, i, c)
            .or_else(|| web_token(units, i))
            .or_else(|| authorization(units, i))
            .or_else(|| recovery_key(units, i))
            .or_else(|| announced(units, i))
            .map(|end| i..end)
            .map(|range| match units.word(i).0.as_str() {
                // The word stays, so that one can read what was there.
                "bearer" | "basic" => units.skip_blanks(units.word(i).1)..range.end,
                _ => range,
            }),
        _ => None,
    }
}

/// Digits, or capitals as well as small letters: not a word.
fn looks_random(units: &Units, range: Range<usize>) -> bool {
    let (mut digit, mut upper, mut small) = (false, false, false);
    for i in range {
        let c = units.at(i);
        digit |= c.is_ascii_digit();
        upper |= c.is_ascii_uppercase();
        small |= c.is_ascii_lowercase();
    }
    digit || (upper && small)
}

fn prefixed(units: &Units, start: usize, first: char) -> Option<usize> {
    if units.before(start) == '-' {
        return None;
    }
    PREFIXES.iter().filter(|(prefix, ..)| prefix.starts_with(first)).find_map(
        |(prefix, least, marks)| {
            if !units.has(start, prefix) {
                return None;
            }
            let is_in = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
            let from = start + prefix.len();
            let seen = units.run(from, LOOK, is_in);
            let believed = seen - from >= *least && looks_random(units, from..seen);
            believed.then(|| trimmed(units, from, units.run(seen, usize::MAX, is_in)))
        },
    )
}

/// Without the sentence's marks at the end.
fn trimmed(units: &Units, start: usize, end: usize) -> usize {
    let marks = units.run_back(end, 3, |c| matches!(c, '.' | '-'));
    marks.max(start)
}

/// A JSON web token: `eyJ…`, two or three parts.
fn web_token(units: &Units, start: usize) -> Option<usize> {
    if !units.has(start, "eyJ") || matches!(units.before(start), '-' | '.' | '/' | '+') {
        return None;
    }
    let is_in = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '=');
    let seen = units.run(start, LOOK, is_in);
    let believed = seen - start >= 32 && looks_random(units, start + 3..seen);
    believed.then(|| trimmed(units, start, units.run(seen, usize::MAX, is_in)))
}

/// `Bearer …`, and `Basic …` in an `Authorization` header.
fn authorization(units: &Units, start: usize) -> Option<usize> {
    if !matches!(units.at(start), 'b' | 'B') {
        return None;
    }
    let (word, end) = units.word(start);
    let least = match word.as_str() {
        "bearer" => 16,
        "basic" if units.words_before(start, 1).first()? == "authorization" => 8,
        _ => return None,
    };
    let from = units.skip_blanks(end);
    let is_in = |c: char| c.is_ascii_alphanumeric() || "._~+/=-".contains(c);
    let seen = units.run(from, LOOK, is_in);
    let believed = from > end && seen - from >= least && looks_random(units, from..seen);
    believed.then(|| trimmed(units, from, units.run(seen, usize::MAX, is_in)))
}

/// A drive's recovery key: eight times six digits, each a multiple of eleven.
fn recovery_key(units: &Units, start: usize) -> Option<usize> {
    if !units.at(start).is_ascii_digit() || units.before(start) == '-' {
        return None;
    }
    let mut i = start;
    for group in 0..8 {
        if group > 0 {
            if units.at(i) != '-' {
                return None;
            }
            i += 1;
        }
        let end = units.run(i, 7, |c| c.is_ascii_digit());
        let value: u32 = units.text(i..end).parse().ok()?;
        if end - i != 6 || !value.is_multiple_of(11) {
            return None;
        }
        i = end;
    }
    (!is_word(units.at(i))).then_some(i)
}

/// What a secret without a prefix is made of, but for the `=` that may end it.
fn is_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/_~.-".contains(c)
}

/// A long random run with a word such as "key" or "secret" before it; a shorter one if the word
/// is plain and a colon or an equals sign stands between.
fn announced(units: &Units, start: usize) -> Option<usize> {
    // Only whole runs, so that each is looked at once.
    if is_secret(units.before(start)) {
        return None;
    }
    let seen = units.run(start, LOOK, is_secret);
    let end = trimmed(units, start, units.run(seen, usize::MAX, is_secret));
    let end = units.run(end, 2, |c| c == '=');
    let (len, seen) = (end - start, seen.min(end));
    if len < 16 {
        return None;
    }
    let text = units.text(start..seen);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    // Base32 has few digits; a word has none.
    if digits == 0 || letters == 0 {
        return None;
    }
    let has = |is: fn(&u8) -> bool| text.bytes().any(|b| is(&b));
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    let alphanumeric = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'=');
    let is_guid = len == 36 && [8, 13, 18, 23].iter().all(|k| units.at(start + k) == '-');
    let is_path = text.bytes().filter(|b| *b == b'/').count() * 8 > len
        || (text.contains('.') && !text.contains('~'));
    let long = len >= 32 && !is_guid && (hex || alphanumeric || (mixed && !is_path));
    let short = (alphanumeric || is_guid || (mixed && digits > 1)) && !is_path;
    match announcement(units, start)? {
        Announced::Assigned if long || short => Some(end),
        Announced::Near if long => Some(end),
        _ => None,
    }
}

enum Announced {
    /// `client_secret = `, "the API key is".
    Assigned,
    /// "the key that we use for it, …".
    Near,
}

fn announcement(units: &Units, start: usize) -> Option<Announced> {
    let mark = units.run_back(start, 4, |c| " \n\"'`(<>".contains(c));
    let sign = matches!(units.before(mark), ':' | '=');
    let words = units.words_before(mark, 6);
    // A secret on a line of its own below its name.
    let own_line = words.is_empty() && units.before(mark) == '\n';
    if own_line {
        return None;
    }
    let place =
        words.iter().position(|word| is_secret_word(word) || NO_SECRET.contains(word.as_str()))?;
    let word = words.get(place)?;
    let next = words.get(place + 1).map_or("", String::as_str);
    if !is_secret_word(word) || NO_SECRET_KEY.contains(next) {
        return None;
    }
    let key = word.ends_with("key") || word.ends_with("keys");
    let plain = !key || word.len() > 4 || KEY_OF.contains(next);
    let copula = words.iter().take(place).all(|w| COPULAS.contains(w.as_str()));
    let assigned = plain && copula && (sign || place > 0);
    Some(if assigned { Announced::Assigned } else { Announced::Near })
}

fn is_secret_word(word: &str) -> bool {
    const ENDS: &str = "\
        key keys secret secrets token tokens schlüssel credential credentials geheimnis psk";
    static WHOLE: Words =
        Words::new(|| words("clé clave jeton secreto llave sig hmac signature apikeys"));
    ENDS.split_ascii_whitespace().any(|end| word.ends_with(end)) || WHOLE.contains(word)
}

static COPULAS: Words = Words::new(|| words("is was ist lautet est es value now"));

/// What makes "key" the name of a secret.
static KEY_OF: Words = Words::new(|| {
    words(
        "\
    api access secret shared auth subscription encryption private app account storage signing master \
    service instrumentation stripe",
    )
});

/// What makes a key no secret.
static NO_SECRET_KEY: Words =
    Words::new(|| words("public registry foreign primary row partition sort cache host"));

/// Nearer than the secret's word they say that it is something else.
static NO_SECRET: Words = Words::new(|| {
    words(
        "\
    sha md checksum checksums hash hashes fingerprint thumbprint digest commit prüfsumme \
    fingerabdruck empreinte huella id ids guid uuid etag build serial seriennummer version file \
    datei fichier archivo device correlation request trace session tenant object name ticket",
    )
});

/// The name and password between `://` and `@`.
fn credentials(units: &Units, colon: usize) -> Option<Range<usize>> {
    const MAX: usize = 256;
    if !units.before(colon).is_ascii_alphanumeric() {
        return None;
    }
    let start = colon + 3;
    let is_in = |c: char| !c.is_whitespace() && !"/?#\"'<>@".contains(c) && c != MASK && c != END;
    let end = units.run(start, MAX, is_in);
    let text = units.text(start..end);
    let (name, password) = text.split_once(':')?;
    let variable = name.starts_with(['$', '{', '%']) || password.starts_with(['$', '{', '%']);
    (units.at(end) == '@' && !password.is_empty() && !variable).then_some(start..end)
}

/// What stands between the marks of a private key.
fn key_block(units: &Units, start: usize) -> Option<Range<usize>> {
    let is_head = |c: char| c.is_ascii_uppercase() || c == ' ' || c.is_ascii_digit();
    if !units.has(start, "-----BEGIN ") {
        return None;
    }
    let label = units.run(start + 11, 60, is_head);
    if !units.text(start + 11..label).contains("PRIVATE KEY") || !units.has(label, "-----") {
        return None;
    }
    let from = units.run(label + 5, 4, char::is_whitespace);
    // To the closing mark; without one, as far as it may be the key.
    let mut end = units.run(from, MAX_KEY_BLOCK, |c| {
        c.is_ascii_alphanumeric() || c.is_whitespace() || "+/=:,.".contains(c) || c == MASK
    });
    while units.at(end) == '-' && !units.has(end, "-----") && end - from < MAX_KEY_BLOCK {
        end = units.run(end + 1, MAX_KEY_BLOCK, |c| {
            c.is_ascii_alphanumeric() || c.is_whitespace() || "+/=:,.".contains(c) || c == MASK
        });
    }
    if !units.has(end, "-----END") {
        end = units.run(from, MAX_KEY_BLOCK, |c| c.is_ascii_alphanumeric() || "+/=\n".contains(c));
    }
    let end = units.run_back(end, 4, char::is_whitespace);
    let random = end > from + 16 && looks_random(units, from..end.min(from + LOOK));
    random.then_some(from..end)
}
