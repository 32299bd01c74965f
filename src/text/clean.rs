//! From what a person pasted to what a model should read.

use super::html;
use crate::domain::TicketText;

/// Characters of a ticket, all parts together, that are looked at. What lies behind is left out,
/// and the answer says so.
pub const MAX_CHARS: usize = 64 * 1024;
/// Characters that are left for a model: more than its windows hold.
pub const MAX_CLEAN_CHARS: usize = 16 * 1024;

/// A ticket's text, cleaned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanText {
    /// Subject, body and thread, a paragraph each. Empty if nothing was left.
    pub text: String,
    /// Whether there was more than [`MAX_CHARS`], or more than [`MAX_CLEAN_CHARS`] were left.
    pub truncated: bool,
}

/// Cleans a ticket: HTML to text, control and invisible characters out, quoted replies and
/// signatures off. If a part would be left with nothing (a bare forward, say), it is kept whole.
pub fn clean(ticket: &TicketText) -> CleanText {
    let mut out = CleanText::default();
    let mut left = MAX_CHARS;
    let parts = [ticket.subject.as_str(), ticket.body.as_str()];
    for part in parts.into_iter().chain(ticket.messages.iter().map(|m| m.text.as_str())) {
        let (part, taken, cut) = truncate(part, left);
        left -= taken;
        out.truncated |= cut;
        let cleaned = clean_part(part);
        if !cleaned.is_empty() {
            if !out.text.is_empty() {
                out.text.push('\n');
            }
            out.text.push_str(&cleaned);
        }
    }
    let (kept, _, cut) = truncate(&out.text, MAX_CLEAN_CHARS);
    out.truncated |= cut;
    let kept = kept.len();
    out.text.truncate(kept);
    out
}

/// The first `limit` characters, how many that are, and whether there were more.
fn truncate(text: &str, limit: usize) -> (&str, usize, bool) {
    match text.char_indices().nth(limit) {
        Some((at, _)) => (&text[..at], limit, true),
        None => (text, text.chars().count(), false),
    }
}

fn clean_part(text: &str) -> String {
    let text = if html::is_html(text) { html::to_text(text) } else { text.to_owned() };
    let visible: String = text.replace("\r\n", "\n").chars().filter_map(visible).collect();
    let kept = join_lines(own_words(&visible));
    if kept.is_empty() { join_lines(visible.lines()) } else { kept }
}

/// Line breaks stay, other blanks become spaces; control, zero-width and text-direction
/// characters go: they carry no words and are a way to hide some.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\t' | '\u{a0}' => Some(' '),
        '\u{ad}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2060}'
        | '\u{feff}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => None,
        c if c.is_control() => None,
        c => Some(c),
    }
}

/// The lines that the writer wrote: up to the signature, without quoted ones.
fn own_words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !is_signature_mark(line) && !introduces_reply(line))
        .filter(|line| !line.trim_start().starts_with('>') && !is_device_footer(line))
}

fn is_signature_mark(line: &str) -> bool {
    matches!(line, "--" | "-- " | "—" | "___")
}

/// `On Tue, 4 Mar 2025 at 09:12, Ann wrote:` and its like in the languages a desk meets.
fn introduces_reply(line: &str) -> bool {
    let line = line.trim();
    if line.len() > 200 {
        return false;
    }
    let ends = |start: &str, end: &str| line.starts_with(start) && line.ends_with(end);
    ends("On ", "wrote:")
        || ends("Am ", "schrieb:")
        || (line.starts_with("Am ") && line.contains(" schrieb ") && line.ends_with(':'))
        || ends("Le ", "a écrit :")
        || ends("Le ", "a écrit:")
        || ends("El ", "escribió:")
        || line.eq_ignore_ascii_case("-----Original Message-----")
        || line.eq_ignore_ascii_case("-----Ursprüngliche Nachricht-----")
}

fn is_device_footer(line: &str) -> bool {
    let line = line.trim();
    ["Sent from my ", "Get Outlook for ", "Von meinem ", "Envoyé de mon ", "Enviado desde mi "]
        .iter()
        .any(|start| line.starts_with(start) && line.len() < 60)
}

/// Trims lines, folds runs of blanks and drops blank lines.
fn join_lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for line in lines {
        let mut words = line.split_whitespace().peekable();
        if words.peek().is_none() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        for (i, word) in words.enumerate() {
            if i > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Message;

    fn body(text: &str) -> String {
        clean(&TicketText { body: text.to_owned(), ..TicketText::default() }).text
    }

    #[test]
    fn a_reply_is_read_without_what_it_quotes() {
        let mail = "still broken\n\nOn Tue, 4 Mar 2025 at 09:12, Desk wrote:\n> try again";
        assert_eq!(body(mail), "still broken");
        assert_eq!(body("> my question\nmy answer\n-- \nAnn | Sales"), "my answer");
    }

    #[test]
    fn a_bare_forward_is_kept_whole() {
        assert_eq!(body("> printer is on fire"), "> printer is on fire");
    }

    #[test]
    fn invisible_characters_go_and_emoji_stay() {
        assert_eq!(body("a\u{202e}b\u{0}c\u{200b} 😀"), "abc 😀");
    }

    #[test]
    fn nothing_visible_is_nothing() {
        assert_eq!(body("<p>&nbsp;</p>\n\u{200b}"), "");
    }

    #[test]
    fn a_long_ticket_is_cut_and_says_so() {
        let ticket = |body| TicketText { body, ..TicketText::default() };
        let cleaned = clean(&ticket("x".repeat(MAX_CLEAN_CHARS + 1)));
        assert!(cleaned.truncated);
        assert_eq!(cleaned.text.len(), MAX_CLEAN_CHARS);
        assert!(!clean(&ticket("x".repeat(MAX_CLEAN_CHARS))).truncated);
        // All parts share one allowance, so a thousand messages cost no more than one.
        let message = Message { author: None, at: None, text: " ".repeat(MAX_CHARS / 2) };
        let thread = TicketText { messages: vec![message; 3], ..TicketText::default() };
        assert!(clean(&thread).truncated);
    }

    #[test]
    fn subject_body_and_thread_are_paragraphs() {
        let ticket = TicketText {
            subject: "VPN".to_owned(),
            body: "down".to_owned(),
            messages: vec![Message { author: None, at: None, text: "again".to_owned() }],
        };
        assert_eq!(clean(&ticket).text, "VPN\ndown\nagain");
    }

    proptest! {
        #[test]
        fn cleaning_is_total_and_settles(text in "(\\PC|[<>&;/a-z \n]){0,300}") {
            let once = body(&text);
            prop_assert!(!once.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert!(once.lines().all(|l| !l.trim().is_empty() && l.trim() == l));
        }
    }
}
