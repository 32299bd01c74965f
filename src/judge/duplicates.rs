//! Texts that say the same in nearly the same words. On both sides of a split they make a model look
//! better than it is.

use std::collections::HashMap;

/// Texts are near-duplicates from this Jaccard similarity of their word pairs on, as a fraction: one
/// changed word in twenty is let pass, in short texts hardly any.
const SIMILARITY: (usize, usize) = (4, 5);

/// Words of a text that are compared; what follows is ignored.
const MAX_WORDS: usize = 1_000;

/// Texts compared for each of a text's rare word pairs. Above that (a template sent out hundreds of
/// times) the latest stand for all, so that the work stays linear.
const MAX_CANDIDATES: usize = 200;

/// Groups of near-duplicates, texts whose sets of word pairs have a Jaccard similarity of 0.8 or
/// more: for each text the number of the first text of its group, its own if
/// it has no earlier one. Groups are closed: a duplicate's duplicate is in the same group.
///
/// Texts are compared by their words, whatever their case and punctuation. Texts without words, such
/// as `???`, are equal where their characters are.
///
/// Exact but for the limits above: two texts that similar must share one of the rarest
/// fifth of their pairs (prefix filtering: Chaudhuri, Ganti & Kaushik, ICDE 2006; Bayardo, Ma &
/// Srikant, WWW 2007), so only those are looked up.
pub fn groups<T: AsRef<str>>(texts: &[T]) -> Vec<usize> {
    let mut groups = Groups((0..texts.len()).collect());
    let mut vocabulary: HashMap<String, u32> = HashMap::new();
    let mut first_with: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut wordless: HashMap<&str, usize> = HashMap::new();
    let mut distinct: Vec<(usize, Vec<u32>)> = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let words = words(text.as_ref(), &mut vocabulary);
        if words.is_empty() {
            groups.join(*wordless.entry(text.as_ref().trim()).or_insert(row), row);
        } else if let Some(first) = first_with.get(&words) {
            groups.join(*first, row);
        } else {
            first_with.insert(words.clone(), row);
            distinct.push((row, words));
        }
    }
    drop((vocabulary, first_with, wordless));
    join_similar(&rarest_first(distinct), &mut groups);
    groups.numbers()
}

/// Sets of row numbers, each known by its smallest member (Galler & Fischer, CACM 1964).
#[derive(Debug, Clone)]
pub struct Groups(Vec<usize>);

impl From<Vec<usize>> for Groups {
    /// From what [`groups`] gives.
    fn from(numbers: Vec<usize>) -> Self {
        Self(numbers)
    }
}

impl Groups {
    /// Each row's group.
    pub fn numbers(mut self) -> Vec<usize> {
        (0..self.0.len()).map(|row| self.of(row)).collect()
    }

    fn of(&mut self, mut row: usize) -> usize {
        while self.0[row] != row {
            self.0[row] = self.0[self.0[row]];
            row = self.0[row];
        }
        row
    }

    /// Makes one group of the groups of two rows.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// A text's words as numbers: runs of letters and digits in lower case. Scripts that write no
/// spaces count by the character.
fn words(text: &str, vocabulary: &mut HashMap<String, u32>) -> Vec<u32> {
    let mut number = |word: &mut String, found: &mut Vec<u32>| {
        if !word.is_empty() {
            let next = vocabulary.len() as u32;
            let known = vocabulary.get(word.as_str()).copied();
            found.push(known.unwrap_or_else(|| *vocabulary.entry(word.clone()).or_insert(next)));
            word.clear();
        }
    };
    let (mut found, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        if found.len() >= MAX_WORDS {
            break;
        }
        if !c.is_alphanumeric() || unspaced(c) {
            number(&mut word, &mut found);
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        if unspaced(c) {
            number(&mut word, &mut found);
        }
    }
    number(&mut word, &mut found);
    found.truncate(MAX_WORDS);
    found
}

/// Thai to Myanmar, Khmer, Japanese and Chinese.
fn unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF
        | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

/// The set of each text's word pairs, numbered so that rarer pairs have smaller numbers; sorted, the
/// smallest set first. A single word has no pairs and is no near-duplicate of anything.
fn rarest_first(texts: Vec<(usize, Vec<u32>)>) -> Vec<(usize, Vec<u32>)> {
    let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
    let mut counts: Vec<u32> = Vec::new();
    let mut sets: Vec<(usize, Vec<u32>)> = Vec::with_capacity(texts.len());
    for (row, words) in texts {
        let mut set: Vec<u32> = Vec::with_capacity(words.len());
        for pair in words.windows(2) {
            let next = numbers.len() as u32;
            set.push(*numbers.entry((pair[0], pair[1])).or_insert(next));
        }
        set.sort_unstable();
        set.dedup();
        counts.resize(numbers.len(), 0);
        for pair in &set {
            counts[*pair as usize] += 1;
        }
        if !set.is_empty() {
            sets.push((row, set));
        }
    }
    let mut order: Vec<u32> = (0..counts.len() as u32).collect();
    order.sort_by_key(|pair| counts[*pair as usize]);
    let mut rank = vec![0; order.len()];
    for (place, pair) in (0..).zip(&order) {
        rank[*pair as usize] = place;
    }
    for (_, set) in &mut sets {
        for pair in &mut *set {
            *pair = rank[*pair as usize];
        }
        set.sort_unstable();
    }
    sets.sort_by_key(|(_, set)| set.len());
    sets
}

/// Finds near-duplicates among sets in ascending order of size, and joins them.
fn join_similar(sets: &[(usize, Vec<u32>)], groups: &mut Groups) {
    // For each pair of words, the sets that have it among their rarest, the smallest first.
    let mut holders: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, (row, set)) in sets.iter().enumerate() {
        let needed = (SIMILARITY.0 * set.len()).div_ceil(SIMILARITY.1);
        for pair in &set[..=set.len() - needed] {
            let earlier = holders.entry(*pair).or_default();
            for &other in earlier.iter().rev().take(MAX_CANDIDATES) {
                let (other_row, other_set) = &sets[other];
                if other_set.len() < needed {
                    break;
                }
                if groups.of(*row) != groups.of(*other_row) && similar(set, other_set) {
                    groups.join(*row, *other_row);
                }
            }
            earlier.push(at);
        }
    }
}

fn similar(a: &[u32], b: &[u32]) -> bool {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        common += usize::from(a[i] == b[j]);
        let (step_i, step_j) = (a[i] <= b[j], b[j] <= a[i]);
        i += usize::from(step_i);
        j += usize::from(step_j);
    }
    SIMILARITY.1 * common >= SIMILARITY.0 * (a.len() + b.len() - common)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_punctuation_and_one_word_in_many_make_no_difference() {
        let long = "hello the printer on the third floor prints only blank pages since this morning \
                    we have tried new toner and a restart but it did not help please send somebody";
        let texts = [
            long.to_owned(),
            long.to_uppercase().replace(' ', ",  "),
            long.replace("third", "second"),
            "Printer broken!".to_owned(),
            "printer  BROKEN".to_owned(),
            "printer is broken".to_owned(),
            "???".to_owned(),
            " ??? ".to_owned(),
            "!".to_owned(),
            String::new(),
            String::new(),
        ];
        assert_eq!(groups(&texts), [0, 0, 0, 3, 3, 5, 6, 6, 8, 9, 9]);
    }

    #[test]
    fn unspaced_scripts_are_compared_by_the_character() {
        let texts = [
            "\u{6253}\u{5370}\u{673a}\u{574f}\u{4e86}\u{8bf7}\u{6d3e}\u{4eba}\u{6765}\u{4fee}\u{7406}",
            "\u{6253}\u{5370}\u{673a}\u{574f}\u{4e86}\u{8bf7}\u{6d3e}\u{4eba}\u{6765}\u{4fee}\u{7406}\u{5427}",
            "\u{6211}\u{7684}\u{7535}\u{8111}",
        ];
        assert_eq!(groups(&texts), [0, 0, 2]);
    }

    #[test]
    fn a_template_sent_out_ten_thousand_times_is_one_group() {
        let texts: Vec<String> = (0..10_000)
            .map(|i| format!("the nightly backup job of server srv{i} has ended with warnings see the log in the usual folder and tell the owner of the machine if it happens again"))
            .collect();
        assert_eq!(groups(&texts), vec![0; texts.len()]);
    }

    /// Every pair compared: what the index must find.
    fn by_brute_force(texts: &[String]) -> Vec<usize> {
        let pairs = texts
            .iter()
            .map(|text| {
                let words: Vec<&str> = text.split_whitespace().collect();
                (words.clone(), words.windows(2).map(|w| (w[0], w[1])).collect::<HashSet<_>>())
            })
            .collect::<Vec<_>>();
        let mut groups = Groups((0..texts.len()).collect());
        for (a, (words_a, set_a)) in pairs.iter().enumerate() {
            for (b, (words_b, set_b)) in pairs[..a].iter().enumerate() {
                let common = set_a.intersection(set_b).count();
                let all = set_a.union(set_b).count();
                if words_a == words_b || (all > 0 && 5 * common >= 4 * all) {
                    groups.join(a, b);
                }
            }
        }
        (0..texts.len()).map(|row| groups.of(row)).collect()
    }

    proptest! {
        #[test]
        fn it_finds_what_comparing_all_pairs_finds(
            seeds in prop::collection::vec(prop::collection::vec("[a-e]", 0..25), 1..5),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[a-e]"), 0..25),
        ) {
            let mut texts = seeds;
            for (which, place, word) in edits {
                let mut text = which.get(&texts).clone();
                let at = place.index(text.len() + 1);
                text.insert(at, word);
                texts.push(text);
            }
            let texts: Vec<String> = texts.iter().map(|words| words.join(" ")).collect();
            prop_assert_eq!(groups(&texts), by_brute_force(&texts));
        }

        #[test]
        fn no_text_makes_it_panic(texts in prop::collection::vec(".{0,40}", 0..8)) {
            let found = groups(&texts);
            prop_assert!(found.iter().enumerate().all(|(row, g)| *g <= row && found[*g] == *g));
        }
    }
}
