//! Tickets in memory: their vectors and their terms, searched exactly.

use std::collections::HashMap;

use super::lexical::Lexical;
use super::scan::{OtherLength, Packed};
use crate::domain::TicketId;
use crate::text::Terms;

/// What one nat of BM25 is worth in cosine.
///
/// Both sides are evidence, and evidence adds up as logarithms of odds. Sentence encoders are
/// trained with a softmax over cosines divided by a temperature of 0.05, so one unit of cosine is
/// worth 20 nats. BM25 is a sum of such logarithms as if each term were independent of the others
/// (Robertson and Spärck Jones, JASIS 1976); since terms are not, a tenth of it is counted.
/// How the tenth was chosen stands in docs/BENCHMARKS.md.
///
/// BM25 keeps its own unit instead of being stretched to a range, so each index and query sets what
/// its words are worth: short questions to a small index share words by chance and score little;
/// long reports that share what is rare among many tickets score much.
pub const LEXICAL_WEIGHT: f32 = 0.005;

/// A ticket with its cosine.
type Near = (TicketId, f32);
/// The same with what its words are worth.
type Alike = (TicketId, f32, f32);

/// The vectors and terms of tickets. Vectors have one length.
#[derive(Default)]
pub struct MemoryIndex {
    packed: Packed,
    /// Where the terms of each row are.
    slots: Vec<Option<u32>>,
    lexical: Lexical,
    rows: HashMap<TicketId, usize>,
}

impl MemoryIndex {
    /// Adds a ticket, or replaces it.
    ///
    /// # Errors
    /// The vector is not as long as the others; the ticket is not in the index then.
    pub fn put(&mut self, id: TicketId, vector: &[f32], terms: &Terms) -> Result<(), OtherLength> {
        self.remove(id);
        let row = self.packed.len();
        self.packed.push(id, vector)?;
        self.slots.push(self.lexical.add(terms));
        self.rows.insert(id, row);
        Ok(())
    }

    /// Takes a ticket out; one that is not there is no error.
    pub fn remove(&mut self, id: TicketId) {
        let Some(row) = self.rows.remove(&id) else { return };
        self.packed.swap_remove(row);
        if let Some(slot) = self.slots.swap_remove(row) {
            self.lexical.remove(slot);
        }
        if let Some(moved) = self.packed.id(row) {
            self.rows.insert(moved, row);
        }
        if self.lexical.is_sparse() {
            let moved = self.lexical.compact();
            for slot in &mut self.slots {
                *slot = slot.and_then(|slot| moved[slot as usize]);
            }
        }
    }

    /// How many tickets there are.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// How many numbers a search reads at least.
    pub(super) fn numbers(&self) -> usize {
        self.packed.numbers()
    }

    /// The `k` tickets nearest to a vector, with their cosines, best first, equals by id.
    pub fn nearest(&self, vector: &[f32], k: usize, exclude: Option<TicketId>) -> Vec<Near> {
        let [nearest] = self.packed.nearest(vector, k, self.row(exclude), |_| [0.0]);
        nearest
    }

    /// The `k` tickets most like a text by its vector and its words, best first, equals by id: those
    /// with the largest cosine plus [`LEXICAL_WEIGHT`] times BM25. Each with the one and the other.
    pub fn most_similar(
        &self,
        vector: &[f32],
        terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Vec<Alike> {
        let scores = self.lexical.scores(terms);
        let by_words = |row| self.by_words(&scores, row);
        let [found] = self.packed.nearest(vector, k, self.row(exclude), |row| [by_words(row)]);
        self.with_words(found, by_words)
    }

    /// [`MemoryIndex::nearest`] and [`MemoryIndex::most_similar`], in the time of one of them.
    pub(super) fn both(
        &self,
        vector: &[f32],
        terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> (Vec<Near>, Vec<Alike>) {
        let scores = self.lexical.scores(terms);
        let by_words = |row| self.by_words(&scores, row);
        let worth = |row| [0.0, by_words(row)];
        let [nearest, similar] = self.packed.nearest(vector, k, self.row(exclude), worth);
        (nearest, self.with_words(similar, by_words))
    }

    /// What a row's words are worth, by the scores of all.
    fn by_words(&self, scores: &[f32], row: usize) -> f32 {
        self.slots[row].map_or(0.0, |slot| LEXICAL_WEIGHT * scores[slot as usize])
    }

    fn with_words(&self, found: Vec<Near>, by_words: impl Fn(usize) -> f32) -> Vec<Alike> {
        let words = |id| self.row(Some(id)).map_or(0.0, &by_words);
        found.into_iter().map(|(id, cosine)| (id, cosine, words(id))).collect()
    }

    fn row(&self, id: Option<TicketId>) -> Option<usize> {
        id.and_then(|id| self.rows.get(&id).copied())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(n: u8) -> TicketId {
        TicketId::new(Uuid::from_u128(u128::from(n)))
    }

    /// Small whole numbers: sums are exact, and many scores are equal.
    fn vector() -> impl Strategy<Value = [f32; 4]> {
        prop::array::uniform4(-2i8..2).prop_map(|v| v.map(f32::from))
    }

    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec("[a-h]", 0..8).prop_map(|words| words.join(" "))
    }

    proptest! {
        /// Whatever happened before, a search finds what brute force over the newest state finds.
        #[test]
        fn what_is_found_is_what_brute_force_finds(
            steps in prop::collection::vec((0u8..20, prop::option::of((vector(), text()))), 0..160),
            query in vector(),
            words in text(),
            k in 0usize..8,
            exclude in prop::option::of(0u8..20),
        ) {
            let mut index = MemoryIndex::default();
            let mut truth = BTreeMap::new();
            for (ticket, entry) in steps {
                truth.remove(&ticket);
                match entry {
                    Some((vector, text)) => {
                        index.put(id(ticket), &vector, &Terms::of(&text)).unwrap();
                        truth.insert(ticket, (vector, text));
                    }
                    None => index.remove(id(ticket)),
                }
            }
            prop_assert_eq!(index.len(), truth.len());
            // The scores themselves have an oracle of their own; here they are those of an index
            // that never saw anything but the newest state.
            let mut fresh = Lexical::default();
            let slots: BTreeMap<_, _> =
                truth.iter().map(|(t, (_, text))| (*t, fresh.add(&Terms::of(text)))).collect();
            let scores = fresh.scores(&Terms::of(&words));
            let by_words = |t: &u8| slots[t].map_or(0.0, |slot| LEXICAL_WEIGHT * scores[slot as usize]);
            let cosine = |v: &[f32; 4]| v.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>() + 0.0;
            let expected = |by_words: &dyn Fn(&u8) -> f32| {
                let others = truth.iter().filter(|(ticket, _)| Some(**ticket) != exclude);
                let mut all: Vec<_> =
                    others.map(|(t, (v, _))| (id(*t), cosine(v), by_words(t))).collect();
                all.sort_by(|a, b| (b.1 + b.2).total_cmp(&(a.1 + a.2)).then(a.0.cmp(&b.0)));
                all.truncate(k);
                all
            };
            let exclude = exclude.map(id);
            let nearest = index.nearest(&query, k, exclude).into_iter();
            prop_assert_eq!(nearest.map(|n| (n.0, n.1, 0.0)).collect::<Vec<_>>(), expected(&|_| 0.0));
            let found = index.most_similar(&query, &Terms::of(&words), k, exclude);
            prop_assert_eq!(&found, &expected(&by_words));
            let (nearest, similar) = index.both(&query, &Terms::of(&words), k, exclude);
            prop_assert_eq!(nearest, index.nearest(&query, k, exclude));
            prop_assert_eq!(similar, found);
        }
    }

    #[test]
    fn words_tell_apart_what_vectors_do_not() {
        let mut index = MemoryIndex::default();
        for (n, text) in [(1, "mail is slow"), (2, "mail is slow 0x80040115"), (3, "it is slow")] {
            index.put(id(n), &[1.0, 0.0], &Terms::of(text)).unwrap();
        }
        let found = index.most_similar(&[1.0, 0.0], &Terms::of("code 0x80040115"), 2, None);
        let [(first, cosine, words), (second, _, none)] = found[..] else { panic!("{found:?}") };
        assert_eq!((first, cosine, second, none), (id(2), 1.0, id(1), 0.0));
        assert!(words > 0.0);
        assert_eq!(index.put(id(2), &[1.0], &Terms::default()), Err(OtherLength));
        assert_eq!(index.len(), 2, "the old one does not stay under a new name");
    }
}
