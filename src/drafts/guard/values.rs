//! Values, addresses, commands, paths, names and times: each must stand in the sources.

use super::lexicon::{alike, is_plain, words};

/// Words for numbers, by what they say. "One" is mostly no number.
const NUMBERS: [(&str, &str); 74] = [
    ("zero", "0"),
    ("both", "2"),
    ("two", "2"),
    ("twice", "2"),
    ("second", "2"),
    ("three", "3"),
    ("third", "3"),
    ("four", "4"),
    ("fourth", "4"),
    ("five", "5"),
    ("fifth", "5"),
    ("six", "6"),
    ("sixth", "6"),
    ("seven", "7"),
    ("seventh", "7"),
    ("eight", "8"),
    ("eighth", "8"),
    ("nine", "9"),
    ("ninth", "9"),
    ("ten", "10"),
    ("tenth", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("fifteen", "15"),
    ("twenty", "20"),
    ("twentieth", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("ninety", "90"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("beide", "2"),
    ("beiden", "2"),
    ("zwei", "2"),
    ("zweimal", "2"),
    ("drei", "3"),
    ("dreimal", "3"),
    ("vier", "4"),
    ("fünf", "5"),
    ("sechs", "6"),
    ("sieben", "7"),
    ("acht", "8"),
    ("neun", "9"),
    ("zehn", "10"),
    ("zwölf", "12"),
    ("zwanzig", "20"),
    ("dreißig", "30"),
    ("hundert", "100"),
    ("deux", "2"),
    ("trois", "3"),
    ("quatre", "4"),
    ("cinq", "5"),
    ("sept", "7"),
    ("huit", "8"),
    ("neuf", "9"),
    ("dix", "10"),
    ("douze", "12"),
    ("quinze", "15"),
    ("vingt", "20"),
    ("trente", "30"),
    ("dos", "2"),
    ("tres", "3"),
    ("cuatro", "4"),
    ("cinco", "5"),
    ("seis", "6"),
    ("siete", "7"),
    ("ocho", "8"),
    ("nueve", "9"),
    ("diez", "10"),
    ("quince", "15"),
    ("veinte", "20"),
    ("treinta", "30"),
];
/// Words that are not numbers as often as they are: they need not be there, but count if they are.
const VAGUE: [&str; 4] = ["second", "both", "neuf", "beide"];

/// What is a number in a text: words with digits, and words for numbers.
fn values(text: &str, strict: bool) -> Vec<String> {
    let mut found = Vec::new();
    let token = |c: char| c.is_whitespace() || "()[]\"'`´“”„«»;!?=<>|".contains(c);
    for raw in text.split(token) {
        let raw = raw.trim_matches(|c: char| !c.is_alphanumeric());
        if raw.chars().any(|c| c.is_ascii_digit()) {
            found.push(raw.to_owned());
            // "2.33", "50GB", "1.10-13": parts may be written apart.
            found.extend(
                raw.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',' && c != ':')
                    .map(|p| p.trim_matches(['.', ',', ':']).to_owned())
                    .filter(|p| !p.is_empty()),
            );
        }
    }
    for word in words(text) {
        let known = NUMBERS.iter().find(|(name, _)| *name == word);
        if let Some((name, digits)) = known.filter(|(name, _)| !strict || !VAGUE.contains(name)) {
            debug_assert!(!name.is_empty());
            found.push((*digits).to_owned());
        }
    }
    found
}

pub(super) fn values_known(sentence: &str, said: &str) -> bool {
    let known = values(said, false);
    let plain = |v: &str| v.trim_start_matches('0').replace([',', '.'], "");
    let known_plain: Vec<String> = known.iter().map(|k| plain(k)).collect();
    values(sentence, true).iter().all(|v| {
        known.contains(v) || known_plain.contains(&plain(v)) || {
            // A word such as "sha-256" or "th" forms: each of its numbers has to be known.
            let parts = v.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty());
            let letters = v.chars().any(char::is_alphabetic);
            letters && said.contains(v.as_str())
                || letters
                    && v.chars().next().is_some_and(|c| c.is_ascii_digit())
                    && parts.clone().count() == 1
                    && parts.into_iter().all(|p| known_plain.contains(&plain(p)))
        }
    })
}

/// Whether a word is an address: of a page, a host, a mailbox.
fn is_address(word: &str) -> bool {
    if word.contains("://") || word.contains('@') {
        return true;
    }
    let host = word.split('/').next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    labels.len() >= 2
        && labels
            .iter()
            .all(|l| !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-'))
        && labels.last().is_some_and(|l| l.len() >= 2 && l.chars().all(|c| c.is_ascii_alphabetic()))
        && labels.iter().any(|l| l.chars().any(char::is_alphabetic))
        && !(labels.len() == 2 && labels.iter().any(|l| l.chars().count() == 1))
}

pub(super) fn addresses_known(sentence: &str, said: &str) -> bool {
    let token = |c: char| c.is_whitespace() || "()[]<>\"“”„«»`,;".contains(c);
    let trim = |c: char| !c.is_alphanumeric() && c != '/';
    let known: Vec<&str> = said.split(token).map(|w| w.trim_matches(trim)).collect();
    let wanted = sentence.split(token).map(|w| w.trim_matches(trim)).filter(|w| is_address(w));
    wanted.into_iter().all(|w| {
        let w = w.trim_end_matches('/');
        known.iter().any(|k| k.trim_end_matches('/') == w)
    })
}

/// Code between back-ticks, paths, and ways through menus.
pub(super) fn commands_known(sentence: &str, said: &str) -> bool {
    let flat = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let said_flat = flat(said);
    let codes = sentence.split('`').skip(1).step_by(2);
    let codes = codes.filter(|c| !c.trim().is_empty());
    if !codes.into_iter().all(|code| said_flat.contains(&flat(code))) {
        return false;
    }
    let token = |c: char| c.is_whitespace() || "()[]\"“”„«»`,;".contains(c);
    let path = |w: &&str| {
        let slashes = w.matches('/').count();
        w.contains('\\')
            || (w.starts_with('/') && w.len() > 2)
            || (slashes >= 2 && !w.contains("://"))
            || is_identifier(w)
    };
    let mut paths =
        sentence.split(token).map(|w| w.trim_end_matches(['.', ':', '!', '?'])).filter(path);
    if !paths.all(|p| said_flat.contains(&p.to_lowercase())) {
        return false;
    }
    menus_known(sentence, said)
}

/// Names that only machines use: `APP-Figma`, `app_ro`, `WIN-Kiosk`, `-Language`, `.csv`, `DELETE`.
fn is_identifier(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !"-_.%$".contains(c));
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let camel = word.contains('-')
        && word.chars().next().is_some_and(char::is_uppercase)
        && word.split('-').skip(1).any(|p| p.chars().next().is_some_and(char::is_uppercase));
    let all_upper = letters >= 4
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    letters >= 2
        && (word.contains('_')
            || word.starts_with('-')
            || word.starts_with('%')
            || camel
            || all_upper
            || (word.starts_with('.') && word.len() <= 6))
}

/// `Settings > Apps`: every station of the way must be one of the sources'.
fn menus_known(sentence: &str, said: &str) -> bool {
    let said: Vec<String> = words(&said.to_lowercase()).map(str::to_owned).collect();
    let known = |part: &str| {
        let part = part.to_lowercase();
        let mut all = words(&part).map(str::to_owned);
        all.all(|w| said.contains(&w))
    };
    let pieces: Vec<&str> = sentence.split(" > ").collect();
    pieces.iter().enumerate().all(|(n, piece)| {
        if pieces.len() == 1 {
            return true;
        }
        // What stands next to the mark: capitalised words before it, the first word behind it.
        let last: Vec<&str> = piece.split_whitespace().rev().take(1).collect();
        let first = piece.split_whitespace().next().unwrap_or_default();
        let before = n + 1 == pieces.len() || last.iter().all(|w| known(w));
        let behind = n == 0 || known(first);
        before && behind
    })
}

/// Words that place something in time. Beginnings would be too loose, so each form stands here.
const TIMES: &str = "today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday \
    sunday january february march april june july august september october november december morning \
    afternoon evening noon midnight weekend heute morgen gestern montag dienstag mittwoch donnerstag \
    freitag samstag sonntag januar februar märz april juni juli oktober dezember demain hier \
    aujourd lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet \
    août septembre octobre novembre décembre mañana hoy ayer lunes martes miércoles jueves viernes \
    sábado domingo enero febrero marzo abril junio julio agosto septiembre octubre noviembre diciembre \
    immediately straightaway shortly";
/// Phrases that do.
const TIME_PHRASES: [&str; 14] = [
    " next week",
    " next month",
    " this week",
    " this month",
    " end of the week",
    " end of the month",
    " within the hour",
    " straight away",
    " right away",
    " every hour",
    " nächste woche",
    " nächsten monat",
    " la semaine prochaine",
    " la próxima semana",
];

pub(super) fn times_known(sentence: &str, said: &str) -> bool {
    static WORDS: std::sync::LazyLock<std::collections::HashSet<&str>> =
        std::sync::LazyLock::new(|| TIMES.split_whitespace().collect());
    let plain = |w: &str| w.strip_suffix('s').filter(|p| WORDS.contains(p)).unwrap_or(w).to_owned();
    let known: Vec<String> = words(said).map(plain).collect();
    let every = |w: &String| !WORDS.contains(w.as_str()) || known.contains(w);
    let (padded, padded_said) = (super::lexicon::padded(sentence), super::lexicon::padded(said));
    words(sentence).map(plain).all(|w| every(&w))
        && TIME_PHRASES.iter().all(|p| !padded.contains(p) || padded_said.contains(p))
}

/// Names of people and products: capitalised words that no source has. In German every noun is
/// capitalised, so there only what cannot be a noun counts.
pub(super) fn names_known(sentence: &str, said: &str) -> bool {
    let lower = said.to_lowercase();
    let known: Vec<&str> = words(&lower).collect();
    let known_form = |word: &str| known.iter().any(|k| alike(k, word));
    let nouns = capitals(said) > 0.28;
    let mut begins = true;
    let mut raws = sentence.split_whitespace().peekable();
    while let Some(raw) = raws.next() {
        // The first word is a subject, and so a name, where the sources' verb follows it.
        let verb =
            raws.peek().is_some_and(|next| next.ends_with('s') && known_form(&next.to_lowercase()));
        let owner = raw.ends_with("'s") || raw.ends_with("’s");
        let opens = begins && !verb && !owner;
        begins = raw.ends_with(['.', '!', '?', ':']);
        for word in raw.split(|c: char| !c.is_alphanumeric()) {
            let low = word.to_lowercase();
            if word.chars().count() < 2
                || word.chars().any(|c| c.is_ascii_digit())
                || !word.chars().any(char::is_uppercase)
                || is_plain(&low)
                || known.contains(&low.as_str())
            {
                continue;
            }
            let inner = word.chars().skip(1).any(char::is_uppercase);
            let person = super::super::names::is_first_name(&low);
            let new = !known_form(&low);
            if inner || person || (!opens && !nouns && new) {
                return false;
            }
        }
    }
    true
}

/// The share of a text's longer words that are capitalised within a sentence.
fn capitals(text: &str) -> f32 {
    let (mut upper, mut all) = (0.0f32, 0.0f32);
    for word in text.split_whitespace().skip(1).filter(|w| w.chars().all(char::is_alphabetic)) {
        if word.chars().count() >= 4 {
            all += 1.0;
            upper += f32::from(u8::from(word.chars().next().is_some_and(char::is_uppercase)));
        }
    }
    let german = words(&text.to_lowercase())
        .any(|w| ["der", "die", "das", "und", "nicht", "im", "wenn"].contains(&w));
    if german && all > 0.0 { upper / all } else { 0.0 }
}
