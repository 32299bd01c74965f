//! Words of a sentence and what they weigh.

use std::collections::BTreeSet;

/// A sentence's different words in lower case, and their weight together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Words {
    set: BTreeSet<String>,
    weight: f32,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        let set: BTreeSet<String> = words.map(str::to_lowercase).collect();
        let weight = set.iter().map(|w| weight(w)).sum();
        Self { set, weight }
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.set.contains(word)
    }

    /// Without the words that a test finds.
    pub(super) fn without(&self, out: impl Fn(&str) -> bool) -> Self {
        let set: BTreeSet<String> = self.set.iter().filter(|w| !out(w)).cloned().collect();
        let weight = set.iter().map(|w| weight(w)).sum();
        Self { set, weight }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(String::as_str)
    }

    fn shared(&self, other: &Self) -> f32 {
        let (small, large) =
            if self.set.len() < other.set.len() { (self, other) } else { (other, self) };
        small.set.iter().filter(|w| large.set.contains(*w)).map(|w| weight(w)).sum()
    }

    /// How alike two sentences are, 0 to 1: the weight of what they share against both (Dice).
    pub(super) fn likeness(&self, other: &Self) -> f32 {
        ratio(2.0 * self.shared(other), self.weight + other.weight)
    }

    /// The share of this sentence that the other text has too, 0 to 1.
    pub(super) fn covered_by(&self, other: &Self) -> f32 {
        ratio(self.shared(other), self.weight)
    }

    /// How much there is: about the number of words that mean something.
    pub(super) fn weight(&self) -> f32 {
        self.weight
    }
}

fn ratio(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Short words are mostly grammar, in every language that a desk meets; long ones are mostly not.
fn weight(word: &str) -> f32 {
    let length = word.chars().take(8).count() as f32;
    if word.bytes().any(|b| b.is_ascii_digit()) { 1.0 } else { (length / 8.0).powi(2) }
}
