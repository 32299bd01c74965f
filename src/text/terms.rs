//! The terms of a text, as a search by words counts them.

use super::words;

/// How many bits of a packed term say how often it stands in a text; those above are its hash.
const COUNT_BITS: u32 = 4;
const MOST: u32 = (1 << COUNT_BITS) - 1;

/// The distinct terms of a text, each as 28 bits of a hash with how often it stands there (up to
/// 15: more says no more), in the order of the hashes.
///
/// A term is a run of letters, digits and underscores in lower case, so that identifiers, error
/// codes and the parts of a stack trace's names are terms. Scripts that put no blanks between words
/// give each pair of neighbouring characters. Hashes are the same in every process: they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms(Vec<u32>);

impl Terms {
    /// The terms of a text.
    pub fn of(text: &str) -> Self {
        let mut hashes = Vec::new();
        for word in text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty()) {
            let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
            for run in word.chunk_by(|a, b| is_unspaced(*a) == is_unspaced(*b)) {
                if run.len() > 1 && is_unspaced(run[0]) {
                    hashes.extend(run.windows(2).map(hash));
                } else {
                    hashes.push(hash(run));
                }
            }
        }
        hashes.sort_unstable();
        let counted = hashes.chunk_by(|a, b| a == b);
        Self(counted.map(|same| same[0] << COUNT_BITS | (same.len() as u32).min(MOST)).collect())
    }

    /// Each term's hash, and how often it stands in the text.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|packed| (packed >> COUNT_BITS, packed & MOST))
    }

    /// How many terms the text has, repeated ones included.
    pub fn length(&self) -> u32 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Whether the text has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Four bytes a term, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|packed| packed.to_le_bytes()).collect()
    }

    /// The terms that [`Terms::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks::<4>().0.iter().map(|&chunk| u32::from_le_bytes(chunk)).collect())
    }
}

/// Letters, digits, underscores, and the signs that some scripts write as parts of a letter.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{65f}')
        || matches!(c, '\u{900}'..='\u{963}' | '\u{971}'..='\u{ecf}' | '\u{f71}'..='\u{fbc}')
        || matches!(c, '\u{102b}'..='\u{103e}' | '\u{17b4}'..='\u{17d3}')
}

/// Whether a character's script puts no blanks between words, or glues particles to them: Han,
/// kana, Hangul, Thai, Lao, Tibetan, Burmese, Khmer.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{f00}'..='\u{fff}' | '\u{1000}'..='\u{109f}'
        | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}')
}

/// The upper bits of a word's hash.
fn hash(term: &[char]) -> u32 {
    (words::hash(term.iter().copied()) >> (32 + COUNT_BITS)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes(terms: &[&str]) -> Vec<u32> {
        let mut hashes: Vec<u32> =
            terms.iter().map(|t| hash(&t.chars().collect::<Vec<_>>())).collect();
        hashes.sort_unstable();
        hashes
    }

    fn of(text: &str) -> Vec<u32> {
        Terms::of(text).iter().map(|(term, _)| term).collect()
    }

    #[test]
    fn identifiers_and_codes_are_terms() {
        let trace = "at org.apache.DFSClient: 0x80070005 (ERR_NAME-3)";
        let terms = ["at", "org", "apache", "dfsclient", "0x80070005", "err_name", "3"];
        assert_eq!(of(trace), hashes(&terms));
    }

    #[test]
    fn scripts_without_blanks_give_pairs() {
        assert_eq!(of("印刷機"), hashes(&["印刷", "刷機"]));
        assert_eq!(of("VPNが切れる"), hashes(&["vpn", "が切", "切れ", "れる"]));
        assert_eq!(of("字"), hashes(&["字"]));
        assert_eq!(of("ปริ้น"), hashes(&["ปร", "ริ", "ิ้", "้น"]));
        assert_eq!(of("प्रिंटर काम"), hashes(&["प्रिंटर", "काम"]), "a joining sign parts no word");
        assert_eq!(of("Друк не працює"), hashes(&["друк", "не", "працює"]));
    }

    #[test]
    fn a_hash_never_changes() {
        // Stored rows hold them.
        assert_eq!(hashes(&["printer"]), [0x08e2_65a9]);
    }

    #[test]
    fn repeats_are_counted_up_to_fifteen() {
        let terms = Terms::of(&format!("vpn {}", "Printer! ".repeat(40)));
        assert_eq!(terms.length(), 16);
        assert!(Terms::of(" .,;\n").is_empty());
    }

    proptest! {
        #[test]
        fn terms_come_back_from_their_bytes(text in "(\\PC|[a-c 1]){0,60}") {
            let terms = Terms::of(&text);
            prop_assert_eq!(&Terms::from_bytes(&terms.to_bytes()), &terms);
            prop_assert!(terms.iter().all(|(term, count)| term < 1 << 28 && count > 0));
            prop_assert!(terms.iter().map(|(term, _)| term).is_sorted_by(|a, b| a < b));
        }
    }
}
