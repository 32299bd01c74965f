//! How much of one text stands in another, in its order.

use std::collections::HashMap;

use super::words::words;

/// ROUGE-L (Lin, ACL workshop 2004) as an F1, 0 to 1: the longest common subsequence of lower-case
/// words against both lengths. Two texts without a word have nothing in common.
pub fn rouge_l(candidate: &str, reference: &str) -> f64 {
    let mut numbering = Numbering::default();
    let (candidate, reference) = (numbering.of(candidate), numbering.of(reference));
    Reference::new(&reference).rouge_l(&candidate)
}

/// Numbers the words of texts that are to be compared.
#[derive(Debug, Default)]
pub struct Numbering(HashMap<u64, u32>);

impl Numbering {
    /// The numbers of a text's words, in its order; the same word has the same number.
    pub fn of(&mut self, text: &str) -> Vec<u32> {
        self.of_hashes(words(text).map(|word| word.hash))
    }

    /// The same where the words' hashes are known.
    pub fn of_hashes(&mut self, words: impl Iterator<Item = u64>) -> Vec<u32> {
        let next = |hash| {
            let fresh = self.0.len() as u32;
            *self.0.entry(hash).or_insert(fresh)
        };
        words.map(next).collect()
    }
}

/// A text that others are compared with.
#[derive(Debug)]
pub struct Reference {
    /// Where each word stands, a bit a place: `blocks` of 64 for each word's number.
    places: Vec<u64>,
    blocks: usize,
    length: usize,
}

impl Reference {
    /// From the numbers of its words.
    pub fn new(words: &[u32]) -> Self {
        let numbers = words.iter().max().map_or(0, |most| *most as usize + 1);
        let blocks = words.len().div_ceil(64);
        let mut places = vec![0; numbers * blocks];
        for (at, word) in words.iter().enumerate() {
            places[*word as usize * blocks + at / 64] |= 1 << (at % 64);
        }
        Self { places, blocks, length: words.len() }
    }

    /// As [`rouge_l`]; the same numbering made both.
    pub fn rouge_l(&self, candidate: &[u32]) -> f64 {
        let common = self.common_subsequence(candidate);
        if common == 0 {
            return 0.0;
        }
        let precision = common as f64 / candidate.len() as f64;
        let recall = common as f64 / self.length as f64;
        2.0 * precision * recall / (precision + recall)
    }

    /// The length of the longest common subsequence, 64 places at a time (Hyyrö, AWOCA 2004).
    fn common_subsequence(&self, candidate: &[u32]) -> usize {
        let mut row = vec![u64::MAX; self.blocks];
        for word in candidate {
            let places = self.places.get(*word as usize * self.blocks..).unwrap_or_default();
            let mut carry = false;
            for (row, places) in row.iter_mut().zip(places) {
                let matched = *row & places;
                let (sum, over) = row.overflowing_add(matched);
                let (sum, again) = sum.overflowing_add(u64::from(carry));
                carry = over || again;
                *row = sum | (*row & !matched);
            }
        }
        // A step up in the table's last row is a zero; beyond the last place all bits stay set.
        row.iter().map(|row| row.count_zeros() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_value() {
        // The subsequence "the gunman": 2 of 4 words on both sides (Lin 2004, section 3.2).
        let value = rouge_l("the gunman kill police", "police killed the gunman");
        assert!((value - 0.5).abs() < 1e-12, "{value}");
        assert!((rouge_l("Restart it.", "restart IT") - 1.0).abs() < 1e-12);
        assert!(rouge_l("", "").abs() < 1e-12);
    }

    /// One row of the table at a time.
    fn by_the_table(a: &[u32], b: &[u32]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row.last().copied().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn bits_count_what_the_table_does(
            a in prop::collection::vec(0u32..12, 0..200),
            b in prop::collection::vec(0u32..12, 0..200),
        ) {
            prop_assert_eq!(Reference::new(&b).common_subsequence(&a), by_the_table(&a, &b));
        }

        #[test]
        fn it_is_a_share_and_the_same_both_ways(a in "[abc ]{0,30}", b in "[abc ]{0,30}") {
            let value = rouge_l(&a, &b);
            prop_assert!((0.0..=1.0).contains(&value));
            prop_assert!((value - rouge_l(&b, &a)).abs() < 1e-12);
        }
    }
}
