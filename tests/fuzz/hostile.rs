//! Texts made to be awkward: markup, numbers, secrets and quotes, whole and in pieces.

use proptest::prelude::*;

/// Pieces that mean something to somebody: parsers, scanners, spreadsheets, browsers.
const PIECES: [&str; 97] = [
    "<",
    ">",
    "</",
    "/>",
    "<p>",
    "</p>",
    "<br/>",
    "<div class='",
    "<script>",
    "</script>",
    "<style>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE html>",
    "<textarea>",
    "<plaintext>",
    "<a href=\"",
    "&",
    "&amp;",
    "&#0;",
    "&#x202e;",
    "&nbsp;",
    "&lt;b&gt;",
    "&#999999999999;",
    ";",
    "\"",
    "'",
    "`",
    "\\",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\u{a0}",
    "\u{0}",
    "\u{1b}[31m",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\u{301}",
    "\u{fffd}",
    "😀",
    "👨‍👩‍👧",
    "ﬀ",
    "İ",
    "ß",
    "é",
    "日本語",
    "مرحبا",
    "> ",
    ">> ",
    "-- \n",
    "--",
    "___",
    "On Tue, Ann wrote:",
    "Am Montag schrieb Ann:",
    "-----Original Message-----",
    "Sent from my ",
    "@",
    "ann@example.com",
    "a@b",
    ".",
    "..",
    "+49 30 ",
    "(030) ",
    "0",
    "1234567890",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "192.168.0.1",
    "fe80::1",
    ":",
    "::",
    "eyJ",
    "eyJhbGciOi",
    "sk-",
    "AKIA",
    "ghp_",
    "Bearer ",
    "https://u:p@h/",
    "password: ",
    "Passwort = ",
    "PIN ",
    "[email]",
    "[phone]",
    "[",
    "]",
    "{",
    "}",
    ",",
    "-",
    "printer",
    "VPN",
    "Ticket 1. Next",
];

/// Some text: pieces, runs of one piece, and characters of every kind.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&PIECES[..]).prop_map(str::to_owned);
    let run = (prop::sample::select(&PIECES[..]), 2..200usize).prop_map(|(p, n)| p.repeat(n));
    let any_char = any::<char>().prop_map(String::from);
    let ascii = "[ -~]{1,12}";
    let part = prop_oneof![12 => piece, 1 => run, 3 => any_char, 3 => ascii];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// The same, as bytes that need not be UTF-8.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let text = text().prop_map(String::into_bytes);
    let any_bytes = prop::collection::vec(any::<u8>(), 0..200);
    let utf16 = text_utf16();
    let mangled =
        (text_bytes(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut b, at, x)| {
            if !b.is_empty() {
                let at = at.index(b.len());
                b[at] = x;
            }
            b
        });
    prop_oneof![4 => text, 2 => any_bytes, 1 => utf16, 3 => mangled]
}

fn text_bytes() -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(String::into_bytes)
}

fn text_utf16() -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(|text| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    })
}
