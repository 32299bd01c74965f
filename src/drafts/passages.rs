//! Cutting an article into parts that can be found and quoted.

/// Characters after which a part ends at the next paragraph.
const LONG: usize = 900;
/// Parts of one article.
const MOST: usize = 64;

/// A part of an article, without the marks of Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The heading that it stands under, if any.
    pub heading: String,
    /// What it says; lists line by line, code between fences.
    pub text: String,
}

/// The parts of an article in Markdown: one for each heading, and long ones in several.
pub fn passages(markdown: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut heading, mut text, mut fenced) = (String::new(), String::new(), false);
    let mut close = |heading: &str, text: &mut String| {
        let body = std::mem::take(text);
        if body.chars().any(char::is_alphanumeric) && parts.len() < MOST {
            parts.push(Part { heading: heading.to_owned(), text: body.trim().to_owned() });
        }
    };
    for line in markdown.lines() {
        let bare = line.trim_start();
        if bare.starts_with("```") {
            fenced = !fenced;
            // A language behind the fence is no word of the article.
            text.push_str("```\n");
        } else if fenced {
            text.push_str(line);
            text.push('\n');
        } else if let Some(title) = title(bare) {
            close(&heading, &mut text);
            heading = plain(title);
        } else if bare.is_empty() && text.chars().count() > LONG {
            close(&heading, &mut text);
        } else if !rule(bare) {
            text.push_str(&plain(bare.trim_end()));
            text.push('\n');
        }
    }
    if fenced {
        text.push_str("```\n");
    }
    close(&heading, &mut text);
    parts
}

fn title(line: &str) -> Option<&str> {
    let marks = line.bytes().take_while(|b| *b == b'#').count();
    let rest = line.get(marks..)?.strip_prefix(' ')?;
    (1..=6).contains(&marks).then(|| rest.trim().trim_end_matches('#').trim())
}

/// A ruler, or the line under a table's head.
fn rule(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(|c| "-=*_|: ".contains(c))
}

/// A line without emphasis, links shown as their words, a table's row as its cells.
fn plain(line: &str) -> String {
    if let Some(row) = line.strip_prefix('|') {
        let cells = row.trim_end_matches('|').split('|').map(plain);
        return cells.collect::<Vec<_>>().join("; ");
    }
    let mut out = String::with_capacity(line.len());
    let mut code = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let width = c.len_utf8();
        if c == '`' {
            code = !code;
        }
        if !code && let Some((words, address, length)) = link(rest) {
            out.push_str(words);
            if address.contains("://") && !words.contains(address) {
                out.push_str(" (");
                out.push_str(address);
                out.push(')');
            }
            rest = &rest[length..];
            continue;
        }
        if !code && (rest.starts_with("**") || rest.starts_with("__")) {
            rest = &rest[2..];
            continue;
        }
        let before = out.chars().next_back();
        let after = rest[width..].chars().next();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // A single star or line is emphasis at a word's edge, and part of it in the middle.
        let item = c == '*' && before.is_none_or(char::is_whitespace) && after == Some(' ');
        let edge = (c == '*' || c == '_') && !item && word(before) != word(after);
        if code || !edge {
            out.push(c);
        }
        rest = &rest[width..];
    }
    out.trim().to_owned()
}

/// `[words](address)` or `![words](address)` at the beginning of a text, and how long it is.
fn link(text: &str) -> Option<(&str, &str, usize)> {
    let open = text.strip_prefix("![").or_else(|| text.strip_prefix('['))?;
    let (words, rest) = open.split_once("](")?;
    let (address, _) = rest.split_once(')')?;
    if words.contains('[') || address.contains(char::is_whitespace) {
        return None;
    }
    let length = text.len() - open.len() + words.len() + 2 + address.len() + 1;
    Some((words, address, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_heading_begins_a_part_and_marks_go() {
        let text = "Intro with **bold** and *slanted* words, see [the page](https://a.example/x).\n\n\
            ## Install\n\n1. Open **Company Portal**.\n2. Run `do **not** touch`.\n\n```bash\n# no heading\nls_a -l\n```\n\n## Empty\n\n| a | b |\n|---|---|\n";
        let parts = passages(text);
        assert_eq!(parts[0].heading, "");
        assert_eq!(
            parts[0].text,
            "Intro with bold and slanted words, see the page (https://a.example/x)."
        );
        assert_eq!(parts[1].heading, "Install");
        assert_eq!(
            parts[1].text,
            "1. Open Company Portal.\n2. Run `do **not** touch`.\n\n```\n# no heading\nls_a -l\n```"
        );
        assert_eq!(parts[2].text, "a; b");
        assert_eq!(plain("keep snake_case and 2*3*4"), "keep snake_case and 2*3*4");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_words_stay(text in "([a-z]{1,5}|[\\[\\]()*_`#| \n]|!|://){0,120}") {
            let letters = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).count();
            let kept: usize = passages(&text).iter().map(|p| letters(&p.text) + letters(&p.heading)).sum();
            prop_assert!(kept <= 2 * letters(&text) + 1);
        }
    }
}
