//! Text of others, made safe to look at, and the words that two texts share.

use std::collections::HashSet;
use std::fmt::Write;

use maud::{Markup, html};

/// Characters of a text that are shown at once; the rest opens on demand.
const SHOWN: usize = 4_000;
/// Words shorter than this say nothing about what two tickets share.
const SHORTEST: usize = 4;
/// Frequent words of four letters and more that say nothing either.
const COMMON: [&str; 46] = [
    "about", "after", "also", "been", "before", "could", "does", "doesn", "from", "have", "hello",
    "here", "into", "just", "like", "more", "need", "only", "please", "since", "some", "still",
    "thank", "thanks", "that", "them", "then", "there", "they", "this", "time", "today", "very",
    "want", "were", "what", "when", "which", "will", "with", "would", "your", "aber", "eine",
    "nicht", "bitte",
];

/// A text as its writer wrote it. Characters that turn the direction of text or hide are shown by
/// name, so that a name of a file reads as it is.
pub(in crate::console) fn written(text: &str, words_more: &str) -> Markup {
    let cut = text.char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| at);
    let (head, rest) = text.split_at(cut);
    html! {
        div.written dir="auto" { (visible(head)) }
        @if !rest.is_empty() {
            details.more {
                summary { (words_more) }
                div.written dir="auto" { (visible(rest)) }
            }
        }
    }
}

/// A line of others, on its own.
pub(in crate::console) fn line(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// The same where there is room for text alone: a title, a label that is read out.
pub(in crate::console) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            let _ = write!(plain, "[U+{:04X}]", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    plain
}

fn visible(text: &str) -> Markup {
    let mut pieces = Vec::new();
    let mut plain = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| is_hidden(*c)) {
        pieces.push((&text[plain..at], Some(c)));
        plain = at + c.len_utf8();
    }
    pieces.push((&text[plain..], None));
    html! {
        @for (text, hidden) in pieces {
            (text)
            @if let Some(c) = hidden { span.hidden-sign { (format!("U+{:04X}", u32::from(c))) } }
        }
    }
}

fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// The words of a text that can say what it is about, in lower case.
pub(in crate::console) fn telling_words(text: &str) -> HashSet<String> {
    let telling = words(text).map(|(_, word)| word).filter(|word| is_long(word));
    telling.map(str::to_lowercase).filter(|word| !COMMON.contains(&word.as_str())).collect()
}

/// Whether a word is long enough to say something; names in capitals and numbers are.
fn is_long(word: &str) -> bool {
    let letters = word.chars().count();
    letters >= SHORTEST
        || word.bytes().any(|b| b.is_ascii_digit())
        || (letters > 1 && word.chars().all(char::is_uppercase))
}

/// The words of a text with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// A text with the words marked that another one has too.
pub(in crate::console) fn marked(text: &str, shared: &HashSet<String>) -> Markup {
    let mut pieces = Vec::new();
    let mut plain = 0;
    for (at, word) in words(text) {
        if shared.contains(&word.to_lowercase()) {
            pieces.push((&text[plain..at], word));
            plain = at + word.len();
        }
    }
    html! {
        bdi {
            @for (before, word) in pieces { (visible(before)) mark { (word) } }
            (visible(&text[plain..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_words_are_marked_whatever_their_case() {
        let shared = telling_words("the VPN client drops since the update 6.2");
        assert!(shared.contains("vpn") && !shared.contains("the") && !shared.contains("since"));
        let marked = marked("Client had gone; <b>Update</b> it", &shared).into_string();
        let expected =
            "<bdi><mark>Client</mark> had gone; &lt;b&gt;<mark>Update</mark>&lt;/b&gt; it</bdi>";
        assert_eq!(marked, expected);
    }

    #[test]
    fn what_turns_text_around_is_shown_by_name() {
        let shown = line("invoice\u{202e}fdp.exe").into_string();
        assert_eq!(shown, "<bdi>invoice<span class=\"hidden-sign\">U+202E</span>fdp.exe</bdi>");
    }

    #[test]
    fn a_long_text_opens_on_demand_and_nothing_of_it_is_lost() {
        let text = "ä".repeat(5_000);
        let shown = written(&text, "more").into_string();
        assert_eq!(shown.matches('ä').count(), 5_000);
        assert!(shown.contains("<details"));
        assert!(!written("short", "more").into_string().contains("<details"));
    }
}
