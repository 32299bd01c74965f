//! Whether a sentence denies what its sources say, or says what they deny.

use super::lexicon::{alike, padded, words};

/// Words that deny what stands behind them.
const NEGATORS: [&str; 36] = [
    "not",
    "never",
    "no",
    "cannot",
    "don't",
    "doesn't",
    "didn't",
    "won't",
    "can't",
    "isn't",
    "aren't",
    "wasn't",
    "shouldn't",
    "mustn't",
    "needn't",
    "without",
    "nothing",
    "nobody",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "keiner",
    "nie",
    "niemals",
    "ohne",
    "pas",
    "jamais",
    "sans",
    "aucun",
    "aucune",
    "nunca",
    "jamás",
    "sin",
    "ningún",
    "ne",
];
/// Words that say without a negator that something does not happen, or not any more. Beginnings.
const ENDS: [&str; 30] = [
    "failed", "failing", "failure", "refus", "reject", "block", "denie", "lack", "miss", "unable",
    "stop", "disab", "declin", "forbid", "forbad", "prohib", "prevent", "withdr", "instead",
    "broke", "offline", "gesperrt", "abgel", "fehl", "bloq", "refus", "rechaz", "fallo", "falló",
    "panne",
];
/// Words that leave something out. Beginnings.
const LIMITS: [&str; 22] = [
    "only", "until", "before", "unless", "expir", "limit", "lock", "too", "old", "less", "remov",
    "delet", "end", "nur", "erst", "seul", "solo", "sólo", "unlik", "at most", "most", "locked",
];
/// Words of which one undoes the other. Beginnings.
const OPPOSITES: [(&str, &str); 30] = [
    ("enab", "disab"),
    ("allow", "block"),
    ("allow", "forbid"),
    ("accept", "reject"),
    ("accept", "refus"),
    ("install", "uninstall"),
    ("grant", "revok"),
    ("lock", "unlock"),
    ("connect", "disconnect"),
    ("includ", "exclud"),
    ("before", "after"),
    ("always", "never"),
    ("show", "hide"),
    ("increas", "decreas"),
    ("raise", "lower"),
    ("raised", "lower"),
    ("start", "stop"),
    ("close", "open"),
    ("add", "remov"),
    ("aktiv", "deaktiv"),
    ("activ", "désactiv"),
    ("activ", "desactiv"),
    ("erlaub", "verbot"),
    ("kept", "delet"),
    ("plug", "unplug"),
    ("tick", "untick"),
    ("block", "unblock"),
    ("pair", "unpair"),
    ("supported", "unsupported"),
    ("charg", "discharg"),
];
/// What stands between a negator and what it denies: grammar, in the desk's languages.
const GRAMMAR: &str = "a an the any it its them they you your he she his her we us our i is are was were     be been being do does did have has had will would can could may might should must to of in on at by     for with from into that this there these those more longer yet so quite really ever even all only     out up der die das den dem des ein eine einen einem es sie ihr ihre wir sich mehr so zu im in am an     auf aus bei mit nach von vor werden wird wurde wurden kann können hat haben war ist sind le la les un     une des du de l on nous vous il elle plus y a été est sont être el los las una se ha han fue ser";
/// Words that begin another clause.
const CLAUSES: [&str; 22] = [
    "but", "and", "because", "since", "as", "which", "who", "when", "while", "if", "aber",
    "sondern", "und", "weil", "da", "mais", "et", "car", "sino", "pero", "y", "porque",
];
/// Phrases that take a step back again.
const NEEDLESS: [&str; 11] = [
    " no need ",
    " not necessary ",
    " need not ",
    " nothing to do ",
    " already ",
    " goes on ",
    " nicht nötig ",
    " nicht notwendig ",
    " pas nécessaire ",
    " no hace falta ",
    " no es necesario ",
];

/// A word with its place: whether a negator denies it, and whether its clause says an end.
struct Said {
    word: String,
    denied: bool,
    ended: bool,
}

/// The words that mean something, each with what is said of it.
fn said_of(text: &str) -> Vec<Said> {
    let mut out = Vec::new();
    for clause in text.split([';', ',', '.', '!', '?', ':']) {
        let clause = clause.replace('’', "'");
        let all: Vec<&str> = clause
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|w| !w.is_empty())
            .collect();
        let ended = all.iter().any(|w| ENDS.iter().any(|e| w.starts_with(e)));
        let mut denying = false;
        for word in all {
            if NEGATORS.contains(&word) {
                denying = true;
            } else if CLAUSES.contains(&word) {
                denying = false;
            } else if !grammar(word) {
                out.push(Said { word: word.to_owned(), denied: denying, ended });
                denying = false;
            }
        }
    }
    out
}

fn grammar(word: &str) -> bool {
    static WORDS: std::sync::LazyLock<std::collections::HashSet<&str>> =
        std::sync::LazyLock::new(|| GRAMMAR.split_whitespace().collect());
    WORDS.contains(word)
}

fn negates(text: &str) -> bool {
    padded(text).split(' ').any(|w| NEGATORS.contains(&w))
}

/// `turn … on`, `switched off`: what is done to a switch.
fn switches(text: &str) -> (bool, bool) {
    let all: Vec<&str> = words(text).collect();
    let verb =
        |w: &str| w.starts_with("turn") || w.starts_with("switch") || w == "leave" || w == "keep";
    let (mut on, mut off) = (false, false);
    for (at, word) in all.iter().enumerate() {
        if verb(word) {
            let reach = &all[at + 1..all.len().min(at + 6)];
            match reach.iter().find(|w| **w == "on" || **w == "off") {
                Some(&"on") => on = true,
                Some(_) => off = true,
                None => {}
            }
        }
    }
    (on, off)
}

/// Whether a sentence turns round what the sources say.
pub(super) fn turned_round(sentence: &str, sources: &str) -> bool {
    let (ours, theirs) = (said_of(sentence), said_of(sources));
    // Said by one and denied by the other, and never the other way.
    let denied = ours.iter().filter(|o| o.denied).any(|o| {
        let mut of = theirs.iter().filter(|t| alike(&t.word, &o.word)).peekable();
        let ends = ENDS.iter().any(|e| o.word.starts_with(e));
        of.peek().is_some() && of.all(|t| !t.denied && (!t.ended || ends))
    });
    let affirmed = theirs.iter().filter(|t| t.denied).any(|t| {
        let other = theirs.iter().any(|o| alike(&o.word, &t.word) && !o.denied);
        let mut of = ours.iter().filter(|o| alike(&o.word, &t.word)).peekable();
        !other && of.peek().is_some() && of.all(|o| !o.denied && !o.ended)
    });
    if denied || affirmed && !negates(sentence) {
        return true;
    }
    let find = |all: &[Said], prefix: &str| {
        all.iter().find(|s| s.word.starts_with(prefix)).map(|s| s.denied)
    };
    let opposed = OPPOSITES.iter().any(|(a, b)| {
        let only = |x: &str, y: &str| match (find(&ours, x), find(&theirs, y)) {
            (Some(our), Some(their)) => {
                our == their && find(&ours, y).is_none() && find(&theirs, x).is_none()
            }
            _ => false,
        };
        only(a, b) || only(b, a)
    });
    let ((on, off), (their_on, their_off)) = (switches(sentence), switches(sources));
    let switched = (on && !off && their_off && !their_on) || (off && !on && their_on && !their_off);
    let (text, said) = (padded(sentence), padded(sources));
    let needless = NEEDLESS.iter().any(|p| text.contains(p) && !said.contains(p));
    let excuses = |w: &str| ENDS.iter().chain(&LIMITS).any(|e| w.starts_with(e));
    let bare = negates(sentence) && !negates(sources) && !words(sources).any(excuses);
    opposed || switched || needless || bare
}
