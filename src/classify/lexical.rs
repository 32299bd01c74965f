//! Words and pieces of words as a sparse vector: hashed word 1–2-grams and character 3–5-grams,
//! weighted by how rare they are (Spärck Jones 1972).

use std::collections::HashMap;

/// Longest history whose rare terms are all kept; above it, a term that occurs once is noise.
const KEEP_RARE_UP_TO: usize = 1_000;
/// Most terms that a vocabulary keeps, the most frequent first.
const MAX_TERMS: usize = 1 << 19;
/// Character pieces of a word, its borders counted as one character each.
const PIECES: std::ops::RangeInclusive<usize> = 3..=5;
/// Longer words are noise (encoded data, tokens); only their beginning is read.
const MAX_WORD: usize = 64;

/// A sparse vector: positions in a vocabulary, rising, with their weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SparseVector {
    /// Positions, rising.
    pub terms: Vec<u32>,
    /// One weight a position.
    pub weights: Vec<f32>,
}

/// The terms of a history and how rare each is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// Hashes, rising.
    hashes: Vec<u32>,
    /// Inverse document frequencies, one a hash.
    rarity: Vec<f32>,
}

/// A text's terms with their counts, before a vocabulary is known. A history's are held at once, so
/// they are small: four bytes for most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Rising; words and pieces are told apart by the lowest bit.
    hashes: Box<[u32]>,
    /// The places of those that occur more than once, and how often.
    repeated: Box<[(u32, u32)]>,
}

impl Terms {
    /// The terms of a text.
    pub fn of(text: &str) -> Self {
        let mut hashes = Vec::with_capacity(text.len() * 3);
        let text = text.to_lowercase();
        words(&text, &mut hashes);
        pieces(&text, &mut hashes);
        hashes.sort_unstable();
        let mut repeated: Vec<(u32, u32)> = Vec::new();
        let (mut place, mut at) = (0, 0);
        while at < hashes.len() {
            let count = hashes[at..].iter().take_while(|hash| **hash == hashes[at]).count();
            if count > 1 {
                repeated.push((place as u32, count as u32));
            }
            hashes[place] = hashes[at];
            place += 1;
            at += count;
        }
        Self { hashes: hashes[..place].into(), repeated: repeated.into() }
    }

    /// How many different ones there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Each with its count, by rising hash.
    fn counted(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut repeated = self.repeated.iter().peekable();
        self.hashes.iter().enumerate().map(move |(place, hash)| {
            let count = repeated.next_if(|(at, _)| *at as usize == place);
            (*hash, count.map_or(1, |(_, count)| *count))
        })
    }
}

/// The lowest bit of a word's hash is 0, of a piece's 1.
const PIECE: u32 = 1;

fn words(text: &str, hashes: &mut Vec<u32>) {
    let mut previous = None;
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()) {
        let word = hash(word.chars().take(MAX_WORD).map(u32::from));
        hashes.push(short(word) & !PIECE);
        if let Some(previous) = previous {
            hashes.push(short(mix(word ^ u64::rotate_left(previous, 23))) & !PIECE);
        }
        previous = Some(word);
    }
}

fn pieces(text: &str, hashes: &mut Vec<u32>) {
    let mut padded = Vec::new();
    for word in text.split_whitespace() {
        padded.clear();
        padded.push(u32::from(' '));
        padded.extend(word.chars().take(MAX_WORD).map(u32::from));
        padded.push(u32::from(' '));
        for size in PIECES {
            if padded.len() < size {
                // A word shorter than the piece is taken once, whole.
                hashes.push(short(hash(padded.iter().copied())) | PIECE);
                break;
            }
            for piece in padded.windows(size) {
                hashes.push(short(hash(piece.iter().copied())) | PIECE);
            }
        }
    }
}

/// FNV-1a over characters, finished by a mixer: the same on every machine and in every version.
fn hash(chars: impl Iterator<Item = u32>) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for c in chars {
        state = (state ^ u64::from(c)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(state)
}

/// Where the first number of at least `least` stands in a rising list, at `from` or behind it:
/// close by, mostly, so it is looked for in steps that double (Bentley and Yao 1976).
fn first_from(rising: &[u32], from: usize, least: u32) -> usize {
    let (mut low, mut step) = (from, 1);
    while rising.get(low + step - 1).is_some_and(|number| *number < least) {
        low += step;
        step *= 2;
    }
    let end = rising.len().min(low + step - 1);
    low + rising[low..end].partition_point(|number| *number < least)
}

/// The upper half: of a million terms, one in two thousand shares it with another.
fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The finaliser of `SplitMix64` (Steele et al. 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Vocabulary {
    /// Counts in how many texts each term occurs.
    pub fn fit<'a>(texts: impl ExactSizeIterator<Item = &'a Terms>) -> Self {
        let n = texts.len();
        let mut documents: HashMap<u32, u32> = HashMap::new();
        for text in texts {
            for hash in &text.hashes {
                *documents.entry(*hash).or_default() += 1;
            }
        }
        let least = if n > KEEP_RARE_UP_TO { 2 } else { 1 };
        let mut kept: Vec<(u32, u32)> =
            documents.into_iter().filter(|&(_, d)| d >= least).collect();
        if kept.len() > MAX_TERMS {
            kept.sort_unstable_by_key(|&(hash, d)| (std::cmp::Reverse(d), hash));
            kept.truncate(MAX_TERMS);
        }
        kept.sort_unstable();
        let rarity = |d: u32| ((1.0 + n as f32) / (1.0 + d as f32)).ln() + 1.0;
        Self {
            rarity: kept.iter().map(|&(_, d)| rarity(d)).collect(),
            hashes: kept.into_iter().map(|(hash, _)| hash).collect(),
        }
    }

    /// How many terms there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// A text as `(1 + ln count) · rarity`, words and pieces each scaled to length 1. Terms that
    /// the vocabulary lacks are left out.
    pub fn vector(&self, text: &Terms) -> SparseVector {
        let most = text.len();
        let mut vector =
            SparseVector { terms: Vec::with_capacity(most), weights: Vec::with_capacity(most) };
        let mut squares = [0.0_f32; 2];
        let mut kinds = Vec::with_capacity(most);
        let mut from = 0;
        for (hash, count) in text.counted() {
            from = first_from(&self.hashes, from, hash);
            if self.hashes.get(from) == Some(&hash) {
                let at = from;
                let weight = (1.0 + (count as f32).ln()) * self.rarity[at];
                let kind = (hash & PIECE) as usize;
                squares[kind] += weight * weight;
                kinds.push(kind);
                vector.terms.push(at as u32);
                vector.weights.push(weight);
            }
        }
        for (weight, kind) in vector.weights.iter_mut().zip(kinds) {
            *weight /= squares[kind].sqrt();
        }
        vector
    }

    /// Hashes and rarities, for storing.
    pub fn parts(&self) -> (&[u32], &[f32]) {
        (&self.hashes, &self.rarity)
    }

    /// From what [`Vocabulary::parts`] gave; `None` where the two do not belong together.
    pub fn from_parts(hashes: Vec<u32>, rarity: Vec<f32>) -> Option<Self> {
        let rising = hashes.windows(2).all(|w| w[0] < w[1]);
        (rising && hashes.len() == rarity.len()).then_some(Self { hashes, rarity })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn terms_are_each_counted_once(said in prop::collection::vec("[a-cé]{1,4}", 0..40)) {
            let text = said.join(" ");
            let mut every = Vec::new();
            words(&text, &mut every);
            pieces(&text, &mut every);
            let mut expected: BTreeMap<u32, u32> = BTreeMap::new();
            for term in every {
                *expected.entry(term).or_default() += 1;
            }
            let counted: Vec<(u32, u32)> = Terms::of(&text).counted().collect();
            prop_assert_eq!(counted, expected.into_iter().collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn a_place_in_a_rising_list_is_found_from_anywhere_before_it(
            set in prop::collection::btree_set(0_u32..300, 0..80),
            from in 0_usize..90,
            least in 0_u32..310,
        ) {
            let rising: Vec<u32> = set.into_iter().collect();
            let place = rising.partition_point(|number| *number < least);
            let from = from.min(place);
            prop_assert_eq!(first_from(&rising, from, least), place);
        }
    }

    #[test]
    fn what_comes_again_weighs_more_by_its_logarithm() {
        let terms = Terms::of("printer jam printer");
        let vector = Vocabulary::fit([&terms].into_iter()).vector(&terms);
        // Of words and pairs, "printer" alone is there twice; all are equally rare.
        let words: Vec<f32> = terms
            .counted()
            .zip(&vector.weights)
            .filter(|((hash, _), _)| hash & PIECE == 0)
            .map(|(_, weight)| *weight)
            .collect();
        let least = words.iter().copied().fold(f32::MAX, f32::min);
        let times: Vec<f32> = words.iter().map(|w| w / least).filter(|t| *t > 1.01).collect();
        assert_eq!(words.len(), 4);
        assert!(matches!(times[..], [t] if (t - (1.0 + 2.0_f32.ln())).abs() < 1e-4), "{times:?}");
    }
}
