//! Telling when sources contradict each other.

use super::select::Candidate;
use super::words::Words;

/// Without what may differ, two sentences this much alike are about the same thing.
const ALIKE: f32 = 0.75;
/// Less than this says too little to contradict.
const LEAST_WEIGHT: f32 = 1.2;

/// Words that turn a sentence round.
const NEGATIONS: [&str; 29] = [
    "not", "never", "no", "don", "doesn", "didn", "cannot", "won", "isn", "shouldn", "mustn",
    "without", "nicht", "kein", "keine", "keinen", "nie", "niemals", "ohne", "pas", "jamais",
    "sans", "nunca", "jamás", "sin", "aucun", "ningún", "ninguna", "neither",
];

/// Words of which one undoes the other.
const OPPOSITES: [(&str, &str); 26] = [
    ("enable", "disable"),
    ("enabled", "disabled"),
    ("on", "off"),
    ("allow", "block"),
    ("allowed", "blocked"),
    ("install", "uninstall"),
    ("installed", "uninstalled"),
    ("grant", "revoke"),
    ("granted", "revoked"),
    ("add", "remove"),
    ("added", "removed"),
    ("before", "after"),
    ("always", "never"),
    ("open", "close"),
    ("lock", "unlock"),
    ("locked", "unlocked"),
    ("upgrade", "downgrade"),
    ("connect", "disconnect"),
    ("plug", "unplug"),
    ("increase", "decrease"),
    ("supported", "unsupported"),
    ("aktivieren", "deaktivieren"),
    ("aktiviert", "deaktiviert"),
    ("activer", "désactiver"),
    ("activar", "desactivar"),
    ("check", "uncheck"),
];

/// How often a sentence is negated, and its words without what turns it round.
pub(super) fn is_negated(words: &Words) -> bool {
    words.iter().any(|w| NEGATIONS.contains(&w))
}

/// A pair of words that undo each other, one in each sentence and neither in both.
fn opposed(a: &Words, b: &Words) -> bool {
    OPPOSITES.iter().any(|(x, y)| {
        let only = |w: &str, here: &Words, there: &Words| here.contains(w) && !there.contains(w);
        only(x, a, b) && only(y, b, a) || only(y, a, b) && only(x, b, a)
    })
}

/// Whether two sentences say opposite things about the same.
pub(super) fn contradict(a: &Words, b: &Words) -> bool {
    let turns =
        |w: &str| NEGATIONS.contains(&w) || OPPOSITES.iter().any(|(x, y)| *x == w || *y == w);
    let (left, right) = (a.without(turns), b.without(turns));
    if left.weight().min(right.weight()) < LEAST_WEIGHT || left.likeness(&right) < ALIKE {
        return false;
    }
    is_negated(a) != is_negated(b) || opposed(a, b)
}

/// Whether a sentence that was chosen is contradicted by one of another source.
pub(super) fn contradicted(chosen: &[Candidate<'_>], considered: &[Candidate<'_>]) -> bool {
    chosen.iter().any(|c| {
        let others = considered.iter().filter(|o| o.source != c.source);
        let mut others = others.map(|o| &o.words);
        others.any(|o| contradict(&c.words, o))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_contradict_and_other_sentences_do_not() {
        let said = |a, b| contradict(&Words::of(a), &Words::of(b));
        assert!(said(
            "Restart the dock after the firmware update.",
            "Do not restart the dock after the firmware update."
        ));
        assert!(said(
            "Enable cached mode in Outlook profile.",
            "Disable cached mode in Outlook profile."
        ));
        assert!(said(
            "Das Zertifikat aktivieren und neu starten.",
            "Das Zertifikat deaktivieren und neu starten."
        ));
        assert!(!said(
            "Restart the dock after the update.",
            "Restart the dock after the firmware update."
        ));
        assert!(!said("Enable cached mode.", "Remove the old printer queue and disable it."));
        assert!(!said("Turn it on.", "Turn it off."), "too little to tell what is meant");
    }
}
