//! Keeps long tags from html5ever's tokenizer, which compares each attribute of a tag with all
//! those before it.
//!
//! What is a tag depends on what stands before it (a comment, a script), so this reads a document
//! as the tokenizer does: the states of the HTML standard, section 13.2.5, with what is no tag
//! skipped as a whole. A property test holds it to the tokenizer itself.

use std::borrow::Cow;

/// The document with every tag of more than `limit` bytes reduced to its name. One that never ends
/// is no tag to the standard, and goes. Takes time in proportion to the text.
pub(super) fn shorten(html: &str, limit: usize) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    let mut shortened = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(open) = find(bytes, at, b"<") {
        let closing = bytes.get(open + 1) == Some(&b'/');
        let name_at = open + 1 + usize::from(closing);
        if !bytes.get(name_at).is_some_and(u8::is_ascii_alphabetic) {
            at = after_other_markup(bytes, open);
            continue;
        }
        let name_length = bytes[name_at..].iter().take_while(|&&b| !ends_name(b)).count();
        let name_end = name_at + name_length;
        let end = tag_end(bytes, name_end);
        at = end.map_or(bytes.len(), |(at, _)| at);
        if at - open > limit {
            shortened.push_str(&html[copied..if end.is_some() { name_end } else { open }]);
            shortened.push_str(
                end.map_or("", |(_, self_closing)| [">", "/>"][usize::from(self_closing)]),
            );
            copied = at;
        }
        if !closing && end.is_some_and(|(_, self_closing)| !self_closing) {
            let name = &bytes[name_at..name_end];
            if name.eq_ignore_ascii_case(b"script") {
                at = script_end(bytes, at);
            } else if name.eq_ignore_ascii_case(b"style") {
                at = style_end(bytes, at);
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(html);
    }
    shortened.push_str(&html[copied..]);
    Cow::Owned(shortened)
}

/// Where the piece next stands, from a position on.
fn find(bytes: &[u8], from: usize, piece: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(piece.len()).position(|window| window == piece).map(|at| from + at)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c' | b' ')
}

fn ends_name(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'/' | b'>')
}

/// Where a tag ends, read from the end of its name, and whether it closes itself. Nothing if it
/// goes on to the end of the document.
fn tag_end(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    #[derive(Clone, Copy)]
    enum In {
        /// Before or in or after a name: only there a `=` begins a value.
        Blank,
        Name,
        BeforeValue,
        Quoted(u8),
        Unquoted,
        Slash,
    }
    let mut state = In::Blank;
    for (at, &byte) in bytes.iter().enumerate().skip(from) {
        state = match (state, byte) {
            (In::Quoted(quote), _) if byte == quote => In::Blank,
            (In::Quoted(_), _) => state,
            (In::Slash, b'>') => return Some((at + 1, true)),
            (_, b'>') => return Some((at + 1, false)),
            (In::BeforeValue, b'"' | b'\'') => In::Quoted(byte),
            (In::BeforeValue, _) if is_blank(byte) => In::BeforeValue,
            (In::Unquoted, _) if is_blank(byte) => In::Blank,
            (In::BeforeValue | In::Unquoted, _) => In::Unquoted,
            (_, b'/') => In::Slash,
            (In::Name, b'=') => In::BeforeValue,
            (In::Name, _) if is_blank(byte) => In::Name,
            (In::Blank | In::Slash, _) if is_blank(byte) => In::Blank,
            _ => In::Name,
        };
    }
    None
}

/// Where a comment, a declaration or a processing instruction ends; behind a `<` that begins none
/// of them, the next character.
fn after_other_markup(bytes: &[u8], open: usize) -> usize {
    let rest = &bytes[open + 1..];
    if let Some(comment) = rest.strip_prefix(b"!--") {
        let start = open + 4;
        if comment.starts_with(b">") || comment.starts_with(b"->") {
            return find(bytes, start, b">").map_or(bytes.len(), |at| at + 1);
        }
        let mut at = start;
        while let Some(dashes) = find(bytes, at, b"--") {
            let end = &bytes[dashes + 2..];
            if end.starts_with(b">") || end.starts_with(b"!>") {
                return dashes + 3 + usize::from(end[0] == b'!');
            }
            at = dashes + 1;
        }
        return bytes.len();
    }
    match rest.first() {
        Some(b'!' | b'?' | b'/') => find(bytes, open + 2, b">").map_or(bytes.len(), |at| at + 1),
        _ => open + 1,
    }
}

/// Whether a tag's beginning stands at a position, and its name ends there.
fn begins(bytes: &[u8], at: usize, tag: &[u8]) -> bool {
    let end = at + tag.len();
    bytes.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(tag))
        && bytes.get(end).is_some_and(|&b| ends_name(b))
}

/// Where the end tag of a style sheet begins.
fn style_end(bytes: &[u8], from: usize) -> usize {
    (from..bytes.len()).find(|&at| begins(bytes, at, b"</style")).unwrap_or(bytes.len())
}

/// Where the end tag of a script begins: not within `<!-- <script … </script`, for the sake of
/// pages that hid their scripts from the first browsers.
fn script_end(bytes: &[u8], from: usize) -> usize {
    let (mut hidden, mut nested) = (false, false);
    for at in from..bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"-->") {
            (hidden, nested) = (false, false);
        } else if begins(bytes, at, b"</script") {
            if !nested {
                return at;
            }
            nested = false;
        } else if rest.starts_with(b"<!--") {
            hidden = true;
        } else if hidden && begins(bytes, at, b"<script") {
            nested = true;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::html::read;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Attributes carry no text, so a document without any says the same.
        #[test]
        fn the_text_stays_whatever_is_shortened(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "<", ">", "/", "=", "\"", "'", " ", "\n", "-", "--", "!", "?", "a", "b", "x y",
                "<a", "<b ", "</a", "</", "<!--", "-->", "--!>", "<!", "<!doctype ", "<?",
                "<script", "<script>", "</script", "</script>", "<SCRIPT ", "<style", "<style>",
                "</style", "</Style>", "<p a='", "<p a=\"", "/>", "<![CDATA[", "]]>", "&lt;", "\r",
                "=\"", "='", "é", "<é", "\0", "&", "\t",
            ]), 0..24),
            limit in 0usize..12,
        ) {
            let html = pieces.concat();
            let short = shorten(&html, limit);
            prop_assert_eq!(read(&short, false).out.into_inner(), read(&html, false).out.into_inner(), "{:?}", short);
            // What is left has no long tag, so nothing more is taken away.
            prop_assert_eq!(&shorten(&short, limit.max(16)), &short);
        }
    }

    #[test]
    fn a_bracket_in_a_value_ends_no_tag() {
        let html = format!("a<p {} x='>' y=\"<b>\">b<i>c", "z ".repeat(50));
        assert_eq!(shorten(&html, 64), "a<p>b<i>c");
        assert_eq!(shorten("a<br class='x'/>b", 4), "a<br/>b");
        assert_eq!(shorten("a<p class='x>b", 4), "a", "a tag that never ends is none");
        assert!(matches!(shorten("a<p class='x'>b", 64), Cow::Borrowed(_)));
    }
}
