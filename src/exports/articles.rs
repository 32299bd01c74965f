//! Knowledge articles: Markdown with a head of `key: value` lines, HTML, or CSV with one a row.

use super::row::timestamp;
use super::{ExportError, RowFault, decode};
use crate::domain::Article;
use crate::text;

/// Articles that a file holds, and rows that make none.
#[derive(Debug, Default, PartialEq)]
pub struct Articles {
    /// Those that can be taken in.
    pub articles: Vec<Article>,
    /// What could not be read, and why.
    pub faults: Vec<RowFault>,
}

/// Longest id.
const MAX_ID: usize = 200;

/// Reads a file of articles. `name` is the file's, without folders: its ending tells what it is,
/// and the rest names an article that does not name itself.
///
/// # Errors
/// It is of no kind that is read here, or empty.
pub fn read_articles(name: &str, bytes: &[u8]) -> Result<Articles, ExportError> {
    let content = decode(bytes);
    if content.trim().is_empty() {
        return Err(ExportError::Empty);
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    match ending.to_ascii_lowercase().as_str() {
        "md" | "markdown" | "txt" => Ok(one(markdown(stem, &content))),
        "html" | "htm" => Ok(one(html(stem, &content))),
        "csv" => csv(&content),
        _ => Err(ExportError::Unreadable(format!(
            "{name}: expected a file that ends in .md, .html or .csv"
        ))),
    }
}

fn one(article: Result<Article, String>) -> Articles {
    match article {
        Ok(article) => Articles { articles: vec![article], faults: Vec::new() },
        Err(reason) => Articles {
            articles: Vec::new(),
            faults: vec![RowFault { line: 1, column: None, reason }],
        },
    }
}

/// What an article says of itself.
#[derive(Default)]
struct Head {
    id: Option<String>,
    title: Option<String>,
    category: Option<String>,
    language: Option<String>,
    updated: Option<String>,
}

impl Head {
    fn set(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']).trim();
        if value.is_empty() {
            return;
        }
        let slot = match key.trim().to_ascii_lowercase().replace(['_', '-', ' '], "").as_str() {
            "id" | "number" | "articleid" | "key" | "articlenumber" => &mut self.id,
            "title" | "subject" | "shortdescription" | "name" | "heading" => &mut self.title,
            "category" | "topic" | "section" => &mut self.category,
            "language" | "lang" | "locale" => &mut self.language,
            "updated" | "updatedat" | "modified" | "date" | "lastmodified" | "sysupdatedon" => {
                &mut self.updated
            }
            _ => return,
        };
        slot.get_or_insert_with(|| value.to_owned());
    }

    fn article(self, stem: &str, text: String) -> Result<Article, String> {
        let id = self.id.unwrap_or_else(|| stem.to_owned());
        if id.chars().count() > MAX_ID || id.trim().is_empty() {
            return Err(format!("id: expected 1 to {MAX_ID} characters"));
        }
        let updated_at = match self.updated.as_deref() {
            None => None,
            Some(value) => Some(timestamp(value).ok_or_else(|| {
                format!("updated: expected a day such as 2025-03-04, found {value:?}")
            })?),
        };
        let first = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        let title = self.title.unwrap_or_else(|| first.trim_start_matches('#').trim().to_owned());
        let language = self.language.map(|l| l.chars().take(2).collect::<String>().to_lowercase());
        Ok(Article { id, title, text, category: self.category, language, updated_at })
    }
}

fn markdown(stem: &str, content: &str) -> Result<Article, String> {
    let mut head = Head::default();
    let content = content.replace("\r\n", "\n");
    let body = match content.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) {
        Some((lines, body)) => {
            for (key, value) in lines.lines().filter_map(|line| line.split_once(':')) {
                head.set(key, value);
            }
            body
        }
        None => &content,
    };
    head.article(stem, body.trim().to_owned())
}

fn html(stem: &str, content: &str) -> Result<Article, String> {
    let mut head = Head::default();
    let page = text::page(content);
    for (key, value) in &page.head {
        head.set(key, value);
    }
    head.article(stem, page.markdown)
}

fn csv(content: &str) -> Result<Articles, ExportError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(super::csv::delimiter(content))
        .flexible(true)
        .from_reader(content.as_bytes());
    let headers = reader.headers().map_err(|e| ExportError::Unreadable(e.to_string()))?.clone();
    let body = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        ["body", "text", "content", "article", "description", "html"].contains(&name.as_str())
    };
    let Some(at) = headers.iter().position(body) else {
        let found: Vec<&str> = headers.iter().collect();
        return Err(ExportError::Unreadable(format!(
            "no column for the text was found among: {}; name one of them body",
            found.join(", ")
        )));
    };
    let mut read = Articles::default();
    for (line, record) in (2u64..).zip(reader.records()) {
        let line =
            record.as_ref().ok().and_then(|r| r.position()).map_or(line, csv::Position::line);
        let mut fault = |reason: String| {
            read.faults.push(RowFault { line, column: None, reason });
        };
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                fault(error.to_string());
                continue;
            }
        };
        let mut head = Head::default();
        for (key, value) in headers.iter().zip(&record) {
            head.set(key, value);
        }
        let text = record.get(at).unwrap_or_default();
        if head.id.is_none() {
            fault("an article in a table needs an id".to_owned());
            continue;
        }
        if text.trim().is_empty() {
            fault("the article has no text".to_owned());
            continue;
        }
        let text = if text::is_html(text) { text::page(text).markdown } else { text.to_owned() };
        match head.article("", text) {
            Ok(article) => read.articles.push(article),
            Err(reason) => fault(reason),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_says_what_it_is_in_its_head() {
        let file = "---\nid: KB-1\ntitle: \"Reset\"\ncategory: VPN\nupdated: 2025-03-04\nlanguage: en\nteam: x\n---\n\n# Reset\n\nOpen it.\n";
        let read = read_articles("a.md", file.as_bytes()).unwrap();
        let article = &read.articles[0];
        assert_eq!((article.id.as_str(), article.title.as_str()), ("KB-1", "Reset"));
        assert_eq!(article.updated_at.unwrap().to_string(), "2025-03-04T00:00:00Z");
        assert_eq!(article.text, "# Reset\n\nOpen it.");
        let bare = read_articles("reset-vpn.md", b"# Reset\nOpen it.").unwrap();
        assert_eq!(
            (bare.articles[0].id.as_str(), bare.articles[0].title.as_str()),
            ("reset-vpn", "Reset")
        );
    }

    #[test]
    fn html_keeps_headings_lists_and_code() {
        let page = "<html><head><title>Dock</title><meta name=\"updated\" content=\"2025-01-02\"></head>\
            <body><h2>Drain</h2><ol><li>Unplug &amp; wait</li><li>Hold it</li></ol><pre>ls -la</pre></body></html>";
        let read = read_articles("dock.html", page.as_bytes()).unwrap();
        let article = &read.articles[0];
        assert_eq!(article.title, "Dock");
        assert!(article.updated_at.is_some());
        for part in ["## Drain", "- Unplug & wait", "- Hold it", "```\nls -la\n```"] {
            assert!(article.text.contains(part), "{part:?} in {:?}", article.text);
        }
    }

    #[test]
    fn a_table_has_an_article_a_row_and_names_bad_ones() {
        let table = "number,title,text,updated\nK1,One,Do this.,2025-01-02\n,Two,Do that.,\nK3,Three,,\nK4,Four,Go on.,soon\n";
        let read = read_articles("kb.csv", table.as_bytes()).unwrap();
        assert_eq!(read.articles.len(), 1);
        assert_eq!(read.articles[0].id, "K1");
        let lines: Vec<u64> = read.faults.iter().map(|f| f.line).collect();
        assert_eq!(lines, [3, 4, 5]);
        let refused = read_articles("kb.csv", b"number,title\nK1,One\n");
        assert!(matches!(refused, Err(ExportError::Unreadable(_))));
    }

    #[test]
    fn other_files_are_refused_with_advice() {
        assert!(read_articles("a.pdf", b"x").unwrap_err().to_string().contains(".md"));
        assert_eq!(read_articles("a.md", b" \n"), Err(ExportError::Empty));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0usize..3) {
            let _ = read_articles(["a.md", "a.html", "a.csv"][kind], &bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(---\n|id:|[a-z<>/,\"`#\n ]){0,80}", kind in 0usize..3) {
            let _ = read_articles(["a.md", "a.html", "a.csv"][kind], text.as_bytes());
        }
    }
}
