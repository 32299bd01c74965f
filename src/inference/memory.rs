//! Embeddings that were computed lately, by the text they are of.
//!
//! A cache belongs to one encoder, so the hash of the text is key enough.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::Embedding;

/// SHA-256 of a text.
pub(super) type Key = [u8; 32];

pub(super) fn key(text: &str) -> Key {
    Sha256::digest(text.as_bytes()).into()
}

/// The embeddings used last, a bounded number of them.
///
/// Two generations: what is used moves to the young one; when that is full, it becomes the old one
/// and what nobody asked for in the meantime is gone. So between `half` and twice that are kept,
/// and every step takes the same time.
pub(super) struct Memory {
    half: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Embedding>,
    old: HashMap<Key, Embedding>,
    /// How often everything was forgotten.
    forgotten: u64,
}

impl Memory {
    /// Room for twice `half` embeddings.
    pub(super) fn new(half: usize) -> Self {
        Self { half, generations: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Both maps are whole whenever the lock is free.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Embedding> {
        let mut generations = self.lock();
        if let Some(embedding) = generations.young.get(key) {
            return Some(embedding.clone());
        }
        let embedding = generations.old.remove(key)?;
        self.insert(&mut generations, *key, embedding.clone());
        Some(embedding)
    }

    /// How often everything was forgotten.
    pub(super) fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Keeps what was begun when everything had been forgotten so often. What was forgotten
    /// meanwhile stays so.
    pub(super) fn put(&self, key: Key, embedding: Embedding, forgotten: u64) {
        let mut generations = self.lock();
        if generations.forgotten == forgotten {
            self.insert(&mut generations, key, embedding);
        }
    }

    pub(super) fn clear(&self) {
        let mut generations = self.lock();
        let forgotten = generations.forgotten + 1;
        *generations = Generations { forgotten, ..Generations::default() };
    }

    fn insert(&self, generations: &mut Generations, key: Key, embedding: Embedding) {
        if generations.young.len() >= self.half {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, embedding);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn embedding(n: u8) -> Embedding {
        Embedding { vector: vec![f32::from(n)], truncated: false, tokens: 1 }
    }

    proptest! {
        #[test]
        fn it_is_bounded_right_and_keeps_the_latest(
            uses in prop::collection::vec(0u8..60, 0..300),
            half in 1usize..20,
        ) {
            let memory = Memory::new(half);
            for (at, &n) in uses.iter().enumerate() {
                let key = key(&n.to_string());
                if let Some(found) = memory.get(&key) {
                    prop_assert_eq!(found, embedding(n));
                } else {
                    let window = &uses[at.saturating_sub(half)..at];
                    prop_assert!(!window.contains(&n), "used lately and gone");
                    memory.put(key, embedding(n), 0);
                }
                let generations = memory.lock();
                prop_assert!(generations.young.len() + generations.old.len() <= 2 * half);
            }
            memory.clear();
            prop_assert!(uses.iter().all(|n| memory.get(&key(&n.to_string())).is_none()));
        }
    }

    #[test]
    fn what_was_begun_before_all_was_forgotten_stays_forgotten() {
        let memory = Memory::new(4);
        let begun = memory.forgotten();
        memory.clear();
        memory.put(key("erased"), embedding(1), begun);
        assert_eq!(memory.get(&key("erased")), None);
        memory.put(key("new"), embedding(2), memory.forgotten());
        assert_eq!(memory.get(&key("new")), Some(embedding(2)));
    }
}
