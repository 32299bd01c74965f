//! Words of a sentence and what they weigh.

use crate::text;

/// A word and what parts it from the next, in bytes, mostly.
const LETTERS: usize = 6;

/// A sentence's different words, by hash, and their weight together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Words {
    /// Rising by hash, each with its weight.
    set: Vec<(u64, f32)>,
    weight: f32,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        Self::in_order(text).0
    }

    /// Those of a text, and by hash all its words in their order.
    pub(super) fn in_order(text: &str) -> (Self, Vec<u64>) {
        let mut set = Vec::with_capacity(text.len() / LETTERS + 1);
        set.extend(text::words(text).map(|word| (word.hash, weight(word))));
        let order = set.iter().map(|(hash, _)| *hash).collect();
        (Self::new(set), order)
    }

    /// Those of several sentences together.
    pub(super) fn union<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        Self::new(all.flat_map(|words| &words.set).copied().collect())
    }

    fn new(mut set: Vec<(u64, f32)>) -> Self {
        set.sort_unstable_by_key(|(hash, _)| *hash);
        set.dedup_by_key(|(hash, _)| *hash);
        let weight = set.iter().map(|(_, weight)| weight).sum();
        Self { set, weight }
    }

    /// Whether a word is among them, by its hash.
    pub(super) fn contains(&self, hash: u64) -> bool {
        self.set.binary_search_by_key(&hash, |(hash, _)| *hash).is_ok()
    }

    /// Without the words whose hash a test finds.
    pub(super) fn without(&self, out: impl Fn(u64) -> bool) -> Self {
        Self::new(self.set.iter().filter(|(hash, _)| !out(*hash)).copied().collect())
    }

    /// The words' hashes.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.set.iter().map(|(hash, _)| *hash)
    }

    fn shared(&self, other: &Self) -> f32 {
        let (mut left, mut right) = (&self.set[..], &other.set[..]);
        let mut shared = 0.0;
        while let ([(a, weight), rest @ ..], [(b, _), others @ ..]) = (left, right) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => left = rest,
                std::cmp::Ordering::Greater => right = others,
                std::cmp::Ordering::Equal => {
                    shared += weight;
                    (left, right) = (rest, others);
                }
            }
        }
        shared
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
fn weight(word: text::Word) -> f32 {
    if word.has_digit { 1.0 } else { (word.length.min(8) as f32 / 8.0).powi(2) }
}
