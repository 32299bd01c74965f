//! Looking for many phrases at once.

use regex::Regex;

/// Phrases that are looked for all at once, as they are written.
#[derive(Debug)]
pub struct Phrases(Regex);

impl Phrases {
    /// From a list that is built in.
    ///
    /// # Panics
    /// On phrases of megabytes.
    #[expect(clippy::expect_used, reason = "phrases that are built in, and read by tests")]
    pub fn new(phrases: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let escaped: Vec<String> = phrases.into_iter().map(|p| regex::escape(p.as_ref())).collect();
        Self(Regex::new(&escaped.join("|")).expect("few phrases"))
    }

    /// Whether one of them stands in a text.
    pub fn are_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_they_are_written() {
        let phrases = Phrases::new(["[inst]", " act as "]);
        assert!(phrases.are_in("please act as root"));
        assert!(phrases.are_in("x[inst]y"));
        assert!(!phrases.are_in("i, n, s or t; an act as"));
    }
}
