//! What was lately made of texts, by the text: an encoder's embeddings, say.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

/// SHA-256 of a text.
pub type Key = [u8; 32];

/// By what something is remembered that was made of a text.
pub fn key(text: &str) -> Key {
    Sha256::digest(text.as_bytes()).into()
}

/// What was used last of what was made of texts, always in one way: a bounded number of such.
///
/// Two generations: what is used moves to the young one; when that is full, it becomes the old one
/// and what nobody asked for in the meantime is gone. So between `half` and twice that are kept,
/// and every step takes the same time.
pub struct Memory<V> {
    half: usize,
    generations: Mutex<Generations<V>>,
}

struct Generations<V> {
    young: HashMap<Key, V>,
    old: HashMap<Key, V>,
    /// How often everything was forgotten.
    forgotten: u64,
}

impl<V> Generations<V> {
    fn new(forgotten: u64) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), forgotten }
    }
}

impl<V: Clone> Memory<V> {
    /// Room for twice `half` values.
    pub fn new(half: usize) -> Self {
        Self { half, generations: Mutex::new(Generations::new(0)) }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<V>> {
        // Both maps are whole whenever the lock is free.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a text.
    pub fn get(&self, key: &Key) -> Option<V> {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let value = generations.old.remove(key)?;
        self.insert(&mut generations, *key, value.clone());
        Some(value)
    }

    /// How often everything was forgotten.
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Keeps what was begun when everything had been forgotten so often. What was forgotten
    /// meanwhile stays so.
    pub fn put(&self, key: Key, value: V, forgotten: u64) {
        let mut generations = self.lock();
        if generations.forgotten == forgotten {
            self.insert(&mut generations, key, value);
        }
    }

    /// Forgets everything, and what is begun by now.
    pub fn clear(&self) {
        let mut generations = self.lock();
        *generations = Generations::new(generations.forgotten + 1);
    }

    fn insert(&self, generations: &mut Generations<V>, key: Key, value: V) {
        if generations.young.len() >= self.half {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Embedding;
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
