//! Twice the text is at most two and a half times the work.
//!
//! Two measures. What a run asks the allocator for, in bytes and in calls, is counted and the same
//! each time. What it computes cannot be counted from outside; there the processor time of this
//! thread decides (`CLOCK_THREAD_CPUTIME_ID`), as the least of several runs, taken again where a
//! busy machine may have spoilt it. Work that is quadratic takes four times as long each time.

use std::hint::black_box;
use std::time::Duration;

use deskhand::domain::{Taxonomy, TicketText};
use deskhand::exports::{Options, read};
use deskhand::text::{CustomRule, MAX_CHARS, RuleSettings, Rules, clean, detect, sentences};

use crate::counting;
use crate::runner::is_long;

/// What it is called, and how it is made in about a number of bytes.
type Text = (&'static str, fn(usize) -> String);

const MOST: f64 = 2.5;
/// Less work than this says nothing about how it grows.
const LEAST_TIME: Duration = Duration::from_millis(2);
const LEAST_CALLS: u64 = 256;
const LEAST_BYTES: u64 = 1 << 16;

/// Texts that hurt somebody once, each about `n` bytes long.
const TEXTS: [Text; 43] = [
    ("nested tags", |n| format!("<p>{}", around("<b>", "x", "</b>", n))),
    ("nested different tags", |n| around("<div><i>", "x", "</i></div>", n)),
    ("unclosed tags", |n| fill("<p", n)),
    ("unclosed comment", |n| format!("<p><!-- {}", fill("- ", n))),
    ("comments that nearly end", |n| format!("<p>{}", fill("<!--->-- >", n))),
    ("unclosed script", |n| format!("<p><script>{}", fill("</scrip ", n))),
    ("nearly closed style", |n| format!("<p><style>{}", fill("</styl></", n))),
    ("unclosed CDATA", |n| format!("<p><![CDATA[{}", fill("]] ", n))),
    ("open angle brackets", |n| fill("<", n)),
    ("closing slashes", |n| fill("<////", n)),
    ("one slash-ridden tag", |n| format!("<{}", fill("/", n))),
    ("brackets and letters", |n| fill("<a<b", n)),
    ("ampersands", |n| format!("<p>{}", fill("&", n))),
    ("unfinished entities", |n| format!("<p>{}", fill("&notit", n))),
    ("numeric entities", |n| format!("<p>{}", fill("&#9", n))),
    ("one long attribute", |n| format!("<p a='{}", fill("x ", n))),
    ("quotes of mails", |n| fill("> ", n)),
    ("quoted lines", |n| fill("> again\n", n)),
    ("at signs", |n| fill("@", n)),
    ("local parts", |n| fill("a.b-c_d", n)),
    ("nearly addresses", |n| fill("a@a.", n)),
    ("one long address", |n| format!("{}@{}", fill("a.", n / 2), fill("b.", n / 2))),
    ("digits", |n| fill("1", n)),
    ("spaced digits", |n| fill("1 ", n)),
    ("dashed digits", |n| fill("12-", n)),
    ("dotted digits", |n| fill("1.", n)),
    ("plus signs", |n| fill("+", n)),
    ("brackets before numbers", |n| fill("(0", n)),
    ("colons", |n| fill(":", n)),
    ("hex groups", |n| fill("fe80:", n)),
    ("token heads", |n| fill("eyJ", n)),
    ("token parts", |n| fill("eyJhbGciOi.", n)),
    ("base64", |n| fill("QUJDRA", n)),
    ("password words", |n| fill("password: ", n)),
    ("password words, unspaced", |n| fill("password=", n)),
    ("addresses of servers", |n| fill("https://u:", n)),
    ("private key heads", |n| fill("-----BEGIN PRIVATE KEY-----", n)),
    ("placeholders", |n| fill("[email]", n)),
    ("nearly placeholders", |n| fill("[ema", n)),
    ("full stops", |n| fill(". ", n)),
    ("sentences", |n| fill("It broke. ", n)),
    ("blanks", |n| fill(" ", n)),
    ("combining marks", |n| fill("a\u{301}\u{200b}", n)),
];

/// Files that hurt somebody once.
const FILES: [Text; 16] = [
    ("quotes", |n| format!("subject,body\n{}", fill("\"", n))),
    ("pairs of quotes", |n| format!("subject,body\n\"{}", fill("\"\"", n))),
    ("one open quote", |n| format!("subject,body\n\"{}", fill("a,\n", n))),
    ("one long line", |n| format!("subject,body\n{},x\n", fill("a b", n))),
    ("many columns", |n| format!("subject{}\nx\n", fill(",c", n))),
    ("many different columns", |n| format!("subject{}\nx\n", counted(n, |i| format!(",c{i}")))),
    ("many columns in a row", |n| format!("subject,body\nx{}\n", fill(",", n))),
    ("many rows", |n| format!("id,subject\n{}", counted(n, |i| format!("{i},printer\n")))),
    ("many ragged rows", |n| format!("id,subject\n{}", fill("1\n", n))),
    ("blank lines", |n| format!("id,subject\n{}", fill("\n", n))),
    ("many objects", |n| counted(n, |i| format!("{{\"id\":{i},\"subject\":\"printer\"}}\n"))),
    ("objects with keys of their own", |n| {
        format!("{{\"subject\":\"x\"}}\n{}", counted(n, |i| format!("{{\"k{i}\":1}}\n")))
    }),
    ("deep arrays", |n| format!("{{\"subject\":\"x\",\"other\":{}", fill("[", n))),
    ("deep objects", |n| format!("{{\"subject\":\"x\"}}\n{}", fill("{\"a\":", n))),
    ("one long text", |n| format!("{{\"subject\":\"{}\"}}\n", fill("\\u0041", n))),
    ("many messages", |n| {
        format!(
            "{{\"subject\":\"x\",\"messages\":[{}{{\"text\":\"m\"}}]}}\n",
            fill("{\"text\":\"m\"},", n)
        )
    }),
];

fn fill(piece: &str, n: usize) -> String {
    piece.repeat((n / piece.len()).max(1))
}

fn around(open: &str, middle: &str, close: &str, n: usize) -> String {
    let depth = n / (open.len() + close.len());
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
}

fn counted(n: usize, piece: impl Fn(usize) -> String) -> String {
    let mut out = String::with_capacity(n + 64);
    // Numbers of one length, so that twice the bytes are twice the pieces.
    let mut i = 1_000_000;
    while out.len() < n {
        out.push_str(&piece(i));
        i += 1;
    }
    out
}

/// The work of one size: allocated bytes, calls, and the least processor time of some runs.
fn work(text: &str, runs: usize, target: &dyn Fn(&str)) -> (u64, u64, Duration) {
    let before = counting::so_far();
    let (mut least, mut at) = (Duration::MAX, counting::processor_time());
    let mut asked = (0, 0);
    for run in 0..runs {
        target(black_box(text));
        let now = counting::processor_time();
        least = least.min(now.saturating_sub(at));
        at = now;
        if run == 0 {
            let after = counting::so_far();
            asked = (after.0 - before.0, after.1 - before.1);
        }
    }
    (asked.0, asked.1, least)
}

/// How much longer twice the text takes, or what is wrong with that.
fn doubled(make: fn(usize) -> String, n: usize, run: &dyn Fn(&str)) -> Result<f64, String> {
    let (small, large) = (make(n), make(2 * n));
    let mut ratio = f64::INFINITY;
    for attempt in 1..=4 {
        let (bytes, calls, time) = work(&small, 2 + attempt, run);
        let (bytes2, calls2, time2) = work(&large, 2 + attempt, run);
        let counted = |a: u64, b: u64, least: u64| b <= least || b as f64 <= MOST * a as f64;
        if !counted(bytes, bytes2, LEAST_BYTES) || !counted(calls, calls2, LEAST_CALLS) {
            return Err(format!(
                "{n} bytes take {bytes} in {calls} pieces, and twice that {bytes2} in {calls2}"
            ));
        }
        let times = time2.as_secs_f64() / time.as_secs_f64();
        ratio = ratio.min(if time2 < LEAST_TIME { 0.0 } else { times });
        if ratio <= MOST {
            return Ok(ratio);
        }
    }
    Err(format!("twice {n} bytes take {ratio:.2} times as long"))
}

fn grows(target: &str, texts: &[Text], sizes: &[usize], run: &dyn Fn(&str)) {
    let mut worst = (0.0, "none", 0);
    for &(name, make) in texts {
        for &n in sizes {
            let ratio = doubled(make, n, run).or_else(|first| {
                // A step, where memory has to come from elsewhere or a text needs one more pass,
                // is not growth: that shows at the next doubling too.
                println!("{target}, {name}: {first}");
                doubled(make, 2 * n, run).map_err(|second| format!("{first}; {second}"))
            });
            let ratio = ratio.unwrap_or_else(|e| panic!("{target}, {name}: {e}"));
            if ratio > worst.0 {
                worst = (ratio, name, n);
            }
        }
    }
    println!(
        "growth {target}: at most {:.2} times the time ({}, {} bytes)",
        worst.0, worst.1, worst.2
    );
}

/// Twice this is a megabyte. No size is just under a power of two, where buffers that double would
/// make a little more text look like twice as much.
const HALF_A_MEGABYTE: usize = 500_000;

/// Up to a megabyte in the long run, and a quarter of that in the short one.
fn sizes() -> Vec<usize> {
    let n = HALF_A_MEGABYTE;
    if is_long() { vec![n / 32, n / 4, n] } else { vec![n / 16, n / 4] }
}

#[test]
fn cleaning_grows_with_the_text() {
    // What lies behind the limit is not looked at, so the growth is below it.
    let sizes = [MAX_CHARS / 9, MAX_CHARS * 4 / 9];
    grows("cleaning", &TEXTS, &sizes, &|text| {
        let ticket = TicketText { body: text.to_owned(), ..TicketText::default() };
        black_box(clean(&ticket));
    });
    grows("cleaning a megabyte", &TEXTS, &[HALF_A_MEGABYTE], &|text| {
        let ticket = TicketText { body: text.to_owned(), ..TicketText::default() };
        black_box(clean(&ticket));
    });
}

// html5ever compares each attribute of a tag with all those before it, so it gets no such tag.
#[test]
fn a_tag_of_many_attributes_takes_no_longer_than_its_length_says() {
    let tags: [Text; 3] = [
        ("many attributes", |n| format!("<p {}>", counted(n, |i| format!("a{i} ")))),
        ("many attributes, unclosed", |n| format!("<p {}", counted(n, |i| format!("a{i} ")))),
        ("many values", |n| format!("<p {}>", counted(n, |i| format!("a{i}='>' ")))),
    ];
    grows("cleaning", &tags, &[MAX_CHARS * 4 / 9], &|text| {
        let ticket = TicketText { body: text.to_owned(), ..TicketText::default() };
        black_box(clean(&ticket));
    });
}

#[test]
fn redaction_grows_with_the_text() {
    let rules = Rules::default();
    grows("redaction", &TEXTS, &sizes(), &|text| {
        black_box(rules.redact(text));
    });
}

#[test]
fn custom_rules_grow_with_the_text() {
    let rule = |name: &str, pattern: &str| CustomRule {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
    };
    let custom = vec![
        rule("asset", "[A-Z]{2}-\\d{4,6}"),
        rule("greedy", "(x+x+)+y"),
        rule("lazy", "a.*?b.*?c$"),
        rule("stars", "(a*)*<"),
    ];
    let rules = Rules::new(&RuleSettings { custom, ..RuleSettings::default() }).unwrap();
    let sizes = if is_long() { vec![15_000, HALF_A_MEGABYTE / 2] } else { vec![15_000] };
    grows("custom rules", &TEXTS, &sizes, &|text| {
        black_box(rules.redact(text));
    });
}

#[test]
fn language_grows_with_the_text() {
    grows("language", &TEXTS, &sizes(), &|text| {
        black_box(detect(text));
    });
}

#[test]
fn sentences_grow_with_the_text() {
    grows("sentences", &TEXTS, &sizes(), &|text| {
        black_box(sentences(text));
    });
}

#[test]
fn imports_grow_with_the_file() {
    grows("imports", &FILES, &sizes(), &|text| {
        let _ = black_box(read(text.as_bytes(), &Options::default()));
    });
    grows("imports of other texts", &TEXTS, &sizes()[..1], &|text| {
        let _ = black_box(read(format!("subject,body\n{text}").as_bytes(), &Options::default()));
    });
}

#[test]
fn taxonomies_grow_with_the_file() {
    let files: [Text; 3] = [
        ("many categories", |n| {
            format!(
                "name = \"x\"\nversion = 1\n{}",
                counted(n, |i| format!("[[categories]]\nlabel = \"{i}\"\n"))
            )
        }),
        ("deep arrays", |n| format!("name = {}", fill("[", n))),
        ("one long text", |n| format!("name = \"{}\"\nversion = 1\n", fill("\\u0041", n))),
    ];
    grows("taxonomies", &files, &[30_000], &|text| {
        let _ = black_box(Taxonomy::from_toml(text));
    });
}
