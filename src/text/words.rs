//! Words, whatever their case, as numbers that are quickly compared.

/// A run of letters and digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// A hash of its characters: the same in every process.
    pub hash: u64,
    /// How many characters it has.
    pub length: usize,
    /// Whether one of them is a digit.
    pub has_digit: bool,
}

/// The words of a text, in its order.
pub fn words(text: &str) -> impl Iterator<Item = Word> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(|word| {
        let mut length = word.len();
        let hash = if word.is_ascii() {
            hash(word.bytes().map(|b| char::from(b.to_ascii_lowercase())))
        } else {
            length = 0;
            hash(word.chars().flat_map(char::to_lowercase).inspect(|_| length += 1))
        };
        Word { hash, length, has_digit: word.bytes().any(|b| b.is_ascii_digit()) }
    })
}

/// FNV-1a over characters, its bits then mixed as `SplitMix64` does (Steele et al. 2014).
pub(super) fn hash(characters: impl Iterator<Item = char>) -> u64 {
    let fnv = characters.fold(0xcbf2_9ce4_8422_2325_u64, |hash, c| {
        (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_marks_do_not_count() {
        let hashes = |text| words(text).map(|w| w.hash).collect::<Vec<_>>();
        assert_eq!(hashes("Restart the PRINTER, twice."), hashes("restart THE printer twice"));
        assert_ne!(hashes("on off"), hashes("off on"));
        let word = words("KB5034441!").next().unwrap();
        assert_eq!((word.length, word.has_digit), (9, true));
        assert_eq!(words(" -- ").count(), 0);
    }
}
