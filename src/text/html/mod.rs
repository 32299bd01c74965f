//! HTML to text with html5ever's tokenizer: the standard's own rules for tags and entities, no
//! tree, so that deep or broken nesting costs nothing.

mod shorten;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states,
};

/// Tags whose presence makes a text HTML rather than prose with angle brackets (`Vec<u8>`).
const TELLING_TAGS: [&str; 16] = [
    "html",
    "body",
    "p",
    "br",
    "div",
    "span",
    "table",
    "td",
    "a",
    "ul",
    "ol",
    "li",
    "b",
    "strong",
    "blockquote",
    "font",
];

/// A tag of more bytes than this is read without its attributes.
const LONGEST_TAG: usize = 2048;

/// Whether a text is HTML. Looks at tags only, so that stack traces and generics stay text.
pub fn is_html(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = text[at + 1..].trim_start_matches('/');
        let name_len = rest.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
        let ends = rest.as_bytes().get(name_len).is_some_and(|b| matches!(b, b'>' | b' ' | b'/'));
        ends && TELLING_TAGS.iter().any(|tag| rest[..name_len].eq_ignore_ascii_case(tag))
    })
}

/// What a person wrote, to be read by people: HTML as its text, anything else as it is.
pub fn readable(text: &str) -> Cow<'_, str> {
    if is_html(text) { Cow::Owned(to_text(text)) } else { Cow::Borrowed(text) }
}

/// The text of an HTML document: blocks on lines of their own, scripts, styles and comments gone,
/// entities decoded.
pub(super) fn to_text(html: &str) -> String {
    read(&shorten::shorten(html, LONGEST_TAG), false).out.into_inner()
}

/// A page of HTML, read as a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title, and what its `meta` elements say, by name.
    pub head: Vec<(String, String)>,
    /// What it says: headings, lists and code marked as Markdown has them.
    pub markdown: String,
}

/// Reads a page as a document.
pub fn page(html: &str) -> Page {
    let sink = read(&shorten::shorten(html, LONGEST_TAG), true);
    let lines = sink.out.into_inner();
    let mut markdown = String::with_capacity(lines.len());
    let mut blank = true;
    for line in lines.lines().map(str::trim_end) {
        // One blank line between blocks is enough.
        if !(line.trim().is_empty() && blank) {
            markdown.push_str(line);
            markdown.push('\n');
        }
        blank = line.trim().is_empty();
    }
    Page { head: sink.head.into_inner(), markdown: markdown.trim().to_owned() }
}

fn read(html: &str, marks: bool) -> TextSink {
    let sink = TextSink {
        out: RefCell::new(String::with_capacity(html.len() / 2)),
        hidden: Cell::new(false),
        marks,
        head: RefCell::default(),
        titled: Cell::new(false),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink
}

struct TextSink {
    out: RefCell<String>,
    hidden: Cell<bool>,
    /// Whether structure is written as Markdown, and the head is kept.
    marks: bool,
    head: RefCell<Vec<(String, String)>>,
    /// Whether what comes is the page's title.
    titled: Cell<bool>,
}

impl TextSink {
    /// What a document's tag adds to its text.
    fn mark(&self, tag: &Tag, start: bool) {
        let name: &str = &tag.name;
        let mut out = self.out.borrow_mut();
        match name {
            "title" => self.titled.set(start),
            "meta" => {
                let value = |wanted: &str| {
                    let mut found = tag.attrs.iter().filter(|a| &*a.name.local == wanted);
                    found.next().map(|a| a.value.to_string())
                };
                if let (Some(name), Some(content)) = (value("name"), value("content")) {
                    self.head.borrow_mut().push((name, content));
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if start => {
                let level = usize::from(name.as_bytes()[1] - b'0');
                out.push_str(&"#".repeat(level));
                out.push(' ');
            }
            "li" if start => out.push_str("- "),
            "pre" => out.push_str("```\n"),
            "p" | "ul" | "ol" | "table" if start => out.push('\n'),
            _ => {}
        }
    }

    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let start = tag.kind == TagKind::StartTag;
        match &*tag.name {
            name @ ("script" | "style") => {
                self.hidden.set(start);
                if start && !tag.self_closing {
                    let kind = if name == "script" {
                        states::RawKind::ScriptData
                    } else {
                        states::RawKind::Rawtext
                    };
                    return TokenSinkResult::RawData(kind);
                }
            }
            "br" | "p" | "div" | "li" | "tr" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre"
            | "ul" | "ol" | "table" | "blockquote" | "hr" => self.out.borrow_mut().push('\n'),
            "td" | "th" => self.out.borrow_mut().push(' '),
            _ => {}
        }
        if self.marks {
            self.mark(tag, start);
        }
        TokenSinkResult::Continue
    }
}

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) if self.marks && self.titled.get() => {
                self.head.borrow_mut().push(("title".to_owned(), text.trim().to_owned()));
            }
            Token::CharacterTokens(text) if !self.hidden.get() => {
                self.out.borrow_mut().push_str(&text);
            }
            Token::TagToken(tag) => return self.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generics_and_log_levels_are_not_html() {
        for text in ["Vec<String> is not Send", "at <init>(Foo.java:12)", "a < b > c", "<ERROR> x"]
        {
            assert!(!is_html(text), "{text}");
        }
        for html in ["<p>hi</p>", "one<br>two", "<DIV class='x'>y", "</td>"] {
            assert!(is_html(html), "{html}");
        }
    }

    #[test]
    fn blocks_become_lines_and_scripts_vanish() {
        let html = "<style>p{}</style><p>VPN &amp; mail</p><script>alert('<p>')</script><ul><li>a<li>b</ul>";
        let text = to_text(html);
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        assert_eq!(lines, ["VPN & mail", "a", "b"]);
    }
}
