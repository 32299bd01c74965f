//! Randomness as a function of where it is needed, not of what was drawn before: a run that is
//! resumed, or shared out over other threads, meets the same values (Salmon et al., "Parallel
//! random numbers: as easy as 1, 2, 3", 2011).

/// A stream's key from what identifies it: seed, step, place.
pub(crate) fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |key, part| scramble(key ^ scramble(*part)))
}

/// One step of `SplitMix64` (Steele, Lea & Flood 2014): a bijection whose output bits depend on
/// every input bit.
fn scramble(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Puts items into an order of their own for each key.
pub(crate) fn shuffle<T>(items: Vec<T>, key_: u64) -> Vec<T> {
    let mut keyed: Vec<(u64, T)> =
        items.into_iter().enumerate().map(|(n, item)| (key(&[key_, n as u64]), item)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// Inverted dropout (Srivastava et al. 2014): each value is 0 with probability `rate`, else scaled
/// up so that its expectation stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    key: u64,
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// `rate` is from 0, which leaves everything as it is, up to but not including 1.
    pub(crate) fn new(key: u64, rate: f32) -> Self {
        let threshold = (f64::from(rate) * f64::from(u32::MAX)) as u32;
        Self { key, threshold, scale: 1.0 / (1.0 - rate) }
    }

    /// What the value at this place is multiplied by.
    #[inline(always)]
    pub(crate) fn factor(self, place: usize) -> f32 {
        // Two rounds of a 32-bit mix, keyed before each, so that a loop over places vectorises.
        let mut x = (place as u32) ^ (self.key as u32);
        for part in [(self.key >> 32) as u32, (place >> 32) as u32] {
            x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
            x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
            x = (x ^ (x >> 16)) ^ part;
        }
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        if x < self.threshold { 0.0 } else { self.scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_drops_its_share_and_keeps_the_mean() {
        for (key_, rate) in [(1, 0.1), (2, 0.5), (key(&[7, 3, 1]), 0.1)] {
            let dropout = Dropout::new(key_, rate);
            let factors: Vec<f32> = (0..100_000).map(|i| dropout.factor(i)).collect();
            let dropped = factors.iter().filter(|f| **f == 0.0).count() as f32 / 1e5;
            assert!((dropped - rate).abs() < 0.005, "{dropped}");
            let mean = factors.iter().sum::<f32>() / 1e5;
            assert!((mean - 1.0).abs() < 0.01, "{mean}");
            // Neighbouring places know nothing of each other.
            let both = factors.windows(2).filter(|w| w[0] == 0.0 && w[1] == 0.0).count();
            assert!((both as f32 / 1e5 - rate * rate).abs() < 0.005, "{both}");
        }
        let none = Dropout::new(1, 0.0);
        assert!((0..10_000).all(|i| none.factor(i).to_bits() == 1f32.to_bits()));
    }

    #[test]
    fn other_keys_drop_other_places() {
        let places = |key_| (0..1000).filter(move |i| Dropout::new(key_, 0.5).factor(*i) == 0.0);
        let shared = places(key(&[1, 2])).filter(|i| places(key(&[1, 3])).any(|j| j == *i)).count();
        assert!((200..300).contains(&shared), "{shared}");
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_its_key_decides() {
        let shuffled = shuffle((0..100).collect(), 5);
        assert_eq!(shuffled, shuffle((0..100).collect(), 5));
        assert_ne!(shuffled, shuffle((0..100).collect(), 6));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
