//! Tickets by their words: an inverted index with BM25 scores.

use std::collections::HashMap;

use crate::text::Terms;

/// How fast a repeated term stops to count, and how much a long text has to make up for: the usual
/// values (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009).
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Bits of a posting that hold the count; those above are the slot.
const COUNT_BITS: u32 = 4;
const SLOTS: usize = 1 << (32 - COUNT_BITS);
/// The length of a text that was taken out.
const GONE: u32 = u32::MAX;
/// Texts that were taken out leave their postings behind until there are this many of them, and
/// half as many as there are texts.
const SOME: usize = 64;

/// The terms of texts, each in a numbered slot.
#[derive(Debug, Default)]
pub struct Lexical {
    /// For each term, slot and count of the texts that have it, by slot.
    postings: HashMap<u32, Vec<u32>>,
    /// Terms of the text in each slot.
    lengths: Vec<u32>,
    texts: usize,
    /// Terms of all texts.
    length: u64,
}

impl Lexical {
    /// Adds a text and says where. A text without terms has no place, nor has one too many.
    pub fn add(&mut self, terms: &Terms) -> Option<u32> {
        let slot = self.lengths.len();
        if terms.is_empty() || slot >= SLOTS {
            return None;
        }
        for (term, count) in terms.iter() {
            self.postings.entry(term).or_default().push((slot as u32) << COUNT_BITS | count);
        }
        self.lengths.push(terms.length());
        self.texts += 1;
        self.length += u64::from(terms.length());
        Some(slot as u32)
    }

    /// Takes a text out.
    pub fn remove(&mut self, slot: u32) {
        let Some(length) = self.lengths.get_mut(slot as usize).filter(|l| **l != GONE) else {
            return;
        };
        self.texts -= 1;
        self.length -= u64::from(*length);
        *length = GONE;
    }

    /// Whether so many texts have been taken out that [`Lexical::compact`] pays.
    pub(super) fn is_sparse(&self) -> bool {
        let gone = self.lengths.len() - self.texts;
        gone > SOME && gone > self.texts / 2
    }

    /// Forgets what was taken out, and says for each old slot which is the new one.
    pub(super) fn compact(&mut self) -> Vec<Option<u32>> {
        let mut next = 0..;
        let moved: Vec<Option<u32>> = (self.lengths.iter())
            .map(|&length| if length == GONE { None } else { next.next() })
            .collect();
        self.lengths.retain(|&length| length != GONE);
        self.postings.retain(|_, postings| {
            postings.retain_mut(|posting| {
                let (slot, count) = unpacked(*posting);
                let Some(slot) = moved[slot] else { return false };
                *posting = slot << COUNT_BITS | count;
                true
            });
            postings.shrink_to_fit();
            !postings.is_empty()
        });
        moved
    }

    /// How well the text in each slot answers a query: BM25 (the form whose weights are never
    /// negative), in nats. A term of the query counts once however often it stands there, and not
    /// at all where more than half of the texts have it.
    pub fn scores(&self, query: &Terms) -> Vec<f32> {
        let mut scores = vec![0.0; self.lengths.len()];
        let texts = self.texts as f64;
        let average = self.length as f64 / texts;
        let all_there = self.texts == self.lengths.len();
        let there = |posting: &&u32| self.lengths[unpacked(**posting).0] != GONE;
        for (term, _) in query.iter() {
            let Some(postings) = self.postings.get(&term) else { continue };
            let holders =
                if all_there { postings.len() } else { postings.iter().filter(there).count() };
            if 2 * holders > self.texts {
                continue;
            }
            let holders = holders as f64;
            let rarity = ((texts - holders + 0.5) / (holders + 0.5)).ln_1p();
            let weight = (rarity * (K1 + 1.0)) as f32;
            let (fixed, per_term) = ((K1 * (1.0 - B)) as f32, (K1 * B / average) as f32);
            for &posting in postings {
                let (slot, count) = unpacked(posting);
                // A text that was taken out gets a score as well; nobody asks for it.
                let length = self.lengths[slot] as f32;
                let count = count as f32;
                scores[slot] += weight * count / (count + fixed + per_term * length);
            }
        }
        scores
    }
}

fn unpacked(posting: u32) -> (usize, u32) {
    ((posting >> COUNT_BITS) as usize, posting & ((1 << COUNT_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// BM25 as the books have it, over texts as lists of words.
    fn by_the_book(texts: &BTreeMap<u8, Vec<&str>>, query: &[&str]) -> BTreeMap<u8, f64> {
        let n = texts.values().filter(|t| !t.is_empty()).count() as f64;
        let average = texts.values().map(Vec::len).sum::<usize>() as f64 / n;
        let mut distinct = query.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let score = |text: &Vec<&str>| {
            let mut sum = 0.0;
            for word in &distinct {
                let df = texts.values().filter(|t| t.contains(word)).count() as f64;
                let tf = text.iter().filter(|w| *w == word).count() as f64;
                if df > 0.0 && 2.0 * df <= n {
                    let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
                    let norm = 1.2 * (1.0 - 0.75 + 0.75 * text.len() as f64 / average);
                    sum += idf * tf * 2.2 / (tf + norm);
                }
            }
            sum
        };
        texts.iter().map(|(id, text)| (*id, score(text))).collect()
    }

    fn words() -> impl Strategy<Value = Vec<&'static str>> {
        let word = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
        prop::collection::vec(word, 0..12)
    }

    proptest! {
            /// Whatever was added, replaced and taken out before, the scores are those of the book.
            #[test]
            fn scores_are_those_of_the_book(
                steps in prop::collection::vec((0u8..30, prop::option::of(words())), 0..200),
                query in words(),
                compacted in any::<bool>(),
            ) {
                let mut lexical = Lexical::default();
                let mut slots = BTreeMap::new();
                let mut texts = BTreeMap::new();
                for (id, text) in steps {
                    if let Some(slot) = slots.remove(&id) {
                        lexical.remove(slot);
                        lexical.remove(slot);
                    }
                    texts.remove(&id);
                    if let Some(text) = text {
                        if let Some(slot) = lexical.add(&Terms::of(&text.join(" "))) {
                            slots.insert(id, slot);
                        }
                        texts.insert(id, text);
                    }
                    if compacted && lexical.is_sparse() {
                        let moved = lexical.compact();
                        for slot in slots.values_mut() {
    *slot = moved[*slot as usize].unwrap();
    }
                        prop_assert_eq!(lexical.lengths.len(), slots.len());
                    }
                }
                let scores = lexical.scores(&Terms::of(&query.join(" ")));
                for (id, expected) in by_the_book(&texts, &query) {
                    let found = slots.get(&id).map_or(0.0, |slot| scores[*slot as usize]);
                    prop_assert!((f64::from(found) - expected).abs() < 1e-4, "{found} {expected}");
                }
            }
        }

    #[test]
    fn what_was_taken_out_is_forgotten() {
        let mut lexical = Lexical::default();
        let slots: Vec<_> =
            (0..100).map(|n| lexical.add(&Terms::of(&format!("word{n}")))).collect();
        slots.iter().flatten().for_each(|slot| lexical.remove(*slot));
        assert!(lexical.is_sparse());
        lexical.compact();
        assert!(lexical.postings.is_empty() && lexical.lengths.is_empty());
        assert_eq!(lexical.scores(&Terms::of("word1")), Vec::<f32>::new());
        assert_eq!(lexical.add(&Terms::of("")), None);
    }
}
