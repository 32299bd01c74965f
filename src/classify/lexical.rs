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
    hashes: Vec<u64>,
    /// Inverse document frequencies, one a hash.
    rarity: Vec<f32>,
}

/// A text's terms with their counts, before a vocabulary is known. Sorted by hash; words and
/// pieces are told apart by the lowest bit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms(Vec<(u64, u32)>);

impl Terms {
    /// The terms of a text.
    pub fn of(text: &str) -> Self {
        let mut hashes = Vec::with_capacity(text.len() * 3);
        let text = text.to_lowercase();
        words(&text, &mut hashes);
        pieces(&text, &mut hashes);
        hashes.sort_unstable();
        let mut counted: Vec<(u64, u32)> = Vec::with_capacity(hashes.len());
        for hash in hashes {
            match counted.last_mut() {
                Some((last, n)) if *last == hash => *n += 1,
                _ => counted.push((hash, 1)),
            }
        }
        counted.shrink_to_fit();
        Self(counted)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The lowest bit of a word's hash is 0, of a piece's 1.
const PIECE: u64 = 1;

fn words(text: &str, hashes: &mut Vec<u64>) {
    let mut previous = None;
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()) {
        let word = hash(word.chars().take(MAX_WORD).map(u32::from));
        hashes.push(word & !PIECE);
        if let Some(previous) = previous {
            hashes.push(mix(word ^ u64::rotate_left(previous, 23)) & !PIECE);
        }
        previous = Some(word);
    }
}

fn pieces(text: &str, hashes: &mut Vec<u64>) {
    let mut padded = Vec::new();
    for word in text.split_whitespace() {
        padded.clear();
        padded.push(u32::from(' '));
        padded.extend(word.chars().take(MAX_WORD).map(u32::from));
        padded.push(u32::from(' '));
        for size in PIECES {
            if padded.len() < size {
                // A word shorter than the piece is taken once, whole.
                hashes.push(hash(padded.iter().copied()) | PIECE);
                break;
            }
            for piece in padded.windows(size) {
                hashes.push(hash(piece.iter().copied()) | PIECE);
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
        let mut documents: HashMap<u64, u32> = HashMap::new();
        for text in texts {
            for &(hash, _) in &text.0 {
                *documents.entry(hash).or_default() += 1;
            }
        }
        let least = if n > KEEP_RARE_UP_TO { 2 } else { 1 };
        let mut kept: Vec<(u64, u32)> =
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
        let mut vector = SparseVector::default();
        let mut squares = [0.0_f32; 2];
        let mut kinds = Vec::new();
        for &(hash, count) in &text.0 {
            if let Ok(at) = self.hashes.binary_search(&hash) {
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
    pub fn parts(&self) -> (&[u64], &[f32]) {
        (&self.hashes, &self.rarity)
    }

    /// From what [`Vocabulary::parts`] gave; `None` where the two do not belong together.
    pub fn from_parts(hashes: Vec<u64>, rarity: Vec<f32>) -> Option<Self> {
        let rising = hashes.windows(2).all(|w| w[0] < w[1]);
        (rising && hashes.len() == rarity.len()).then_some(Self { hashes, rarity })
    }
}
