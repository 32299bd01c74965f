//! Words that tell some texts from others.

use std::collections::{HashMap, HashSet};

/// A word must stand in so many texts.
const LEAST: f64 = 3.0;
/// Longer ones are no words.
const LONGEST: usize = 30;

/// The words that tell these texts most surely from the others, the surest first: the z-score of
/// the log-odds ratio of the share of texts that hold a word, with the words of all texts as its
/// prior (Monroe, Colaresi & Quinn, *Political Analysis* 2008).
pub fn telling_words(these: &[&str], others: &[&str], most: usize) -> Vec<String> {
    let (ours, theirs) = (counts(these), counts(others));
    let total = |counts: &HashMap<String, f64>| counts.values().sum::<f64>();
    let (n, m) = (total(&ours), total(&theirs));
    if n == 0.0 || m == 0.0 {
        return Vec::new();
    }
    let mut scored: Vec<(f64, &String)> = Vec::new();
    for (word, &a) in ours.iter().filter(|(_, n)| **n >= LEAST) {
        let b = theirs.get(word).copied().unwrap_or_default();
        // A tenth of what all texts say, as if it had been said before.
        let prior = 0.1 * (a + b);
        let rest = 0.1 * (n + m) - prior;
        let odds = |a: f64, n: f64| ((a + prior) / (n + prior + rest - a - prior)).ln();
        let spread = (1.0 / (a + prior) + 1.0 / (b + prior)).sqrt();
        scored.push(((odds(a, n) - odds(b, m)) / spread, word));
    }
    scored.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(y.1)));
    let beyond_chance = scored.into_iter().take_while(|(z, _)| *z > 1.96);
    beyond_chance.take(most).map(|(_, word)| word.clone()).collect()
}

/// In how many texts each word stands.
fn counts(texts: &[&str]) -> HashMap<String, f64> {
    let mut counts = HashMap::new();
    for text in texts {
        let words: HashSet<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| (3..=LONGEST).contains(&w.chars().count()))
            .filter(|w| w.chars().any(char::is_alphabetic))
            .map(str::to_lowercase)
            .collect();
        for word in words {
            *counts.entry(word).or_default() += 1.0;
        }
    }
    counts
}
