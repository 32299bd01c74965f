//! Scalable vector graphics, written by hand and escaped.

use std::fmt::Write;

/// A drawing under way. Sizes are in its own units, 420 across.
pub(super) struct Svg {
    body: String,
    id: String,
    title: String,
    description: String,
    width: f64,
    height: f64,
}

/// Where a text is anchored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// `id` is unique on the page; `title` and `description` are what is read aloud.
    pub(super) fn new(id: &str, title: &str, description: &str, width: f64, height: f64) -> Self {
        let (id, title, description) = (escape(id), escape(title), escape(description));
        Self { body: String::new(), id, title, description, width, height }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(&format!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        let ((x, y), (w, h)) = (at, (size.0.max(0.0), size.1.max(0.0)));
        self.put(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}"/>"#
        ));
    }

    /// A rectangle that is more or less opaque, 0 to 1.
    pub(super) fn shade(&mut self, class: &str, at: (f64, f64), size: (f64, f64), opacity: f64) {
        let ((x, y), (w, h)) = (at, size);
        self.put(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" fill-opacity="{opacity:.2}"/>"#
        ));
    }

    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        let mut d = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
        }
        let close = if closed { "Z" } else { "" };
        self.put(&format!(r#"<path class="{class}" d="{d}{close}"/>"#));
    }

    /// A point; series have shapes of their own, so that they are told apart without colour.
    pub(super) fn point(&mut self, class: &str, series: usize, at: (f64, f64)) {
        let (x, y) = at;
        match series {
            0 => self.put(&format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3.2"/>"#)),
            1 => self.rect(class, (x - 3.0, y - 3.0), (6.0, 6.0)),
            _ => self.path(class, &[(x, y - 4.0), (x + 4.0, y + 3.0), (x - 4.0, y + 3.0)], true),
        }
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let (x, y) = at;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.put(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// A text that reads upwards.
    pub(super) fn upright(&mut self, class: &str, at: (f64, f64), text: &str) {
        let ((x, y), text) = (at, escape(text));
        self.put(&format!(
            r#"<text class="{class}" transform="translate({x:.1} {y:.1}) rotate(-90)" text-anchor="middle">{text}</text>"#
        ));
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
    }

    pub(super) fn finish(self) -> String {
        let Self { body, id, title, description, width, height } = self;
        format!(
            r#"<svg role="img" aria-labelledby="{id}-t {id}-d" viewBox="0 0 {width:.0} {height:.0}"><title id="{id}-t">{title}</title><desc id="{id}-d">{description}</desc>{body}</svg>"#
        )
    }
}

/// Text fit for HTML and SVG, between tags and in quoted attributes. Characters that a document
/// must not hold are dropped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '\t' | '\n' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_out_of_an_export_stays_text() {
        let mut svg = Svg::new("a\"b", "<script>", "'&", 420.0, 10.0);
        svg.text("t", (1.0, 2.0), Anchor::End, "</text><script>alert(1)</script>\u{0}");
        let svg = svg.finish();
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;</text>"));
        assert!(svg.contains("a&quot;b-t"));
    }
}
