//! Telling when sources contradict each other.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::select::Candidate;
use super::words::Words;
use crate::text;

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

static NEGATES: LazyLock<HashSet<u64>> =
    LazyLock::new(|| NEGATIONS.into_iter().map(hash).collect());
static UNDO: LazyLock<Vec<(u64, u64)>> =
    LazyLock::new(|| OPPOSITES.into_iter().map(|(x, y)| (hash(x), hash(y))).collect());
/// All that may turn a sentence round.
static TURNS: LazyLock<HashSet<u64>> = LazyLock::new(|| {
    let opposites = UNDO.iter().flat_map(|(x, y)| [*x, *y]);
    NEGATES.iter().copied().chain(opposites).collect()
});

fn hash(word: &str) -> u64 {
    text::words(word).next().map_or(0, |word| word.hash)
}

/// A sentence as it is compared: its words, and those of them that turn nothing round.
struct Said<'a> {
    all: &'a Words,
    about: Words,
    negated: bool,
}

impl<'a> Said<'a> {
    fn new(all: &'a Words) -> Self {
        let about = all.without(|w| TURNS.contains(&w));
        Self { all, about, negated: all.iter().any(|w| NEGATES.contains(&w)) }
    }

    /// Whether another says the opposite about the same.
    fn contradicts(&self, other: &Self) -> bool {
        self.about.weight().min(other.about.weight()) >= LEAST_WEIGHT
            && self.about.likeness(&other.about) >= ALIKE
            && (self.negated != other.negated || opposed(self.all, other.all))
    }
}

/// A pair of words that undo each other, one in each sentence and neither in both.
fn opposed(a: &Words, b: &Words) -> bool {
    UNDO.iter().any(|&(x, y)| {
        let only = |w, here: &Words, there: &Words| here.contains(w) && !there.contains(w);
        only(x, a, b) && only(y, b, a) || only(y, a, b) && only(x, b, a)
    })
}

/// Whether a sentence that was chosen is contradicted by one of another source.
pub(super) fn contradicted(chosen: &[Candidate<'_>], considered: &[Candidate<'_>]) -> bool {
    let all: Vec<Said<'_>> = considered.iter().map(|c| Said::new(c.words())).collect();
    chosen.iter().any(|c| {
        let said = Said::new(c.words());
        let mut others = considered.iter().zip(&all).filter(|(o, _)| o.source != c.source);
        others.any(|(_, other)| said.contradicts(other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_contradict_and_other_sentences_do_not() {
        let said = |a, b| Said::new(&Words::of(a)).contradicts(&Said::new(&Words::of(b)));
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
