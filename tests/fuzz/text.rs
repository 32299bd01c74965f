//! Cleaning, redaction, language, sentences.

use deskhand::domain::{Message, TicketText};
use deskhand::text::{
    CustomRule, MAX_CHARS, MAX_CLEAN_CHARS, RuleSettings, Rules, UNDETERMINED, clean, detect,
    sentences,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::hostile;
use crate::runner::fuzz;

fn check_clean(ticket: &TicketText) -> Result<(), TestCaseError> {
    let cleaned = clean(ticket);
    let text = &cleaned.text;
    prop_assert!(text.chars().count() <= MAX_CLEAN_CHARS);
    prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    for line in text.lines() {
        prop_assert!(!line.trim().is_empty() && line.trim() == line, "{line:?}");
        prop_assert!(!line.contains("  "), "{line:?}");
    }
    let parts =
        [&ticket.subject, &ticket.body].into_iter().chain(ticket.messages.iter().map(|m| &m.text));
    let chars: usize = parts.map(|part| part.chars().count()).sum();
    prop_assert!(chars <= MAX_CHARS || cleaned.truncated);
    prop_assert!(chars > MAX_CLEAN_CHARS || !cleaned.truncated);
    prop_assert_eq!(clean(ticket), cleaned);
    Ok(())
}

#[test]
fn cleaning() {
    let ticket = (hostile::text(), hostile::text(), prop::collection::vec(hostile::text(), 0..4));
    let ticket = ticket.prop_map(|(subject, body, thread)| {
        let message = |text| Message { author: None, at: None, text };
        TicketText { subject, body, messages: thread.into_iter().map(message).collect() }
    });
    fuzz("cleaning", &ticket, |ticket| check_clean(&ticket));
}

/// Tags, attributes, entities and their ends, in any order.
fn markup() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "p|div|b|i|td|script|style|textarea|title|svg|a|li|!--|!DOCTYPE|\\?xml",
        "[a-z!?/]{0,3}"
    ];
    let tag = (name, "( [a-z]{0,3}(=[\"']?[^\"'<]{0,6}[\"']?)?){0,3}", "/?>?")
        .prop_map(|(name, attributes, end)| format!("<{name}{attributes}{end}"));
    let entity = "&#?[a-zA-Z0-9]{0,8};?";
    let part = prop_oneof![5 => tag, 2 => entity, 2 => hostile::text(), 4 => "[a-z \n]{0,12}"];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

#[test]
fn html() {
    fuzz("html", &markup(), |soup| {
        check_clean(&TicketText { body: format!("<p>{soup}"), ..TicketText::default() })?;
        // What is said before the markup begins is never lost.
        let body = format!("needle <p>{soup}");
        let cleaned = clean(&TicketText { body, ..TicketText::default() });
        prop_assert!(cleaned.text.starts_with("needle"), "{:?}", cleaned.text);
        Ok(())
    });
}

fn check_redaction(rules: &Rules, text: &str) -> Result<String, TestCaseError> {
    let found = rules.find(text);
    let (mut from, mut expected) = (0, String::new());
    for one in &found {
        prop_assert!(
            from <= one.start && one.start < one.end && one.end <= text.len(),
            "{found:?}"
        );
        prop_assert!(text.is_char_boundary(one.start) && text.is_char_boundary(one.end));
        expected.push_str(&text[from..one.start]);
        expected.extend(["[", one.kind.name(), "]"]);
        from = one.end;
    }
    expected.push_str(&text[from..]);
    let redacted = rules.redact(text).into_owned();
    prop_assert_eq!(&redacted, &expected);
    Ok(redacted)
}

#[test]
fn redaction() {
    let rules = Rules::default();
    fuzz("redaction", &(hostile::text(), hostile::text()), |(before, after)| {
        let redacted = check_redaction(&rules, &before)?;
        prop_assert_eq!(rules.redact(&redacted).into_owned(), redacted.clone(), "done twice");
        // Whatever stands on other lines, a plain address on its own is taken out.
        let with = format!("{before}\n\nwrite to petra.meier@firma-nord.de please\n\n{after}");
        let redacted = check_redaction(&rules, &with)?;
        prop_assert!(!redacted.contains("petra.meier@firma-nord"), "{redacted}");
        Ok(())
    });
}

#[test]
fn custom_rules() {
    let pattern = prop_oneof![
        "[a-z0-9.*+?|()\\[\\]{}^$\\\\-]{0,24}",
        "(\\[a-z\\]|\\\\d|\\\\w|.|x|\\(a\\|b\\)|\\^|\\$|\\\\b)(\\*|\\+|\\?|\\{1,9\\})?",
        Just("[A-Z]{2}-\\d{4,6}".to_owned()),
        Just("(a*)*b".to_owned()),
        Just("(x+x+)+y".to_owned()),
    ];
    let rule = (prop_oneof!["[a-z0-9_]{0,6}", Just("email".to_owned())], pattern)
        .prop_map(|(name, pattern)| CustomRule { name, pattern });
    let off = prop::collection::vec(
        prop_oneof![Just("email".to_owned()), Just("card".to_owned()), "[a-z]{0,5}"],
        0..2,
    );
    let settings = (off, prop::collection::vec(rule, 0..4))
        .prop_map(|(off, custom)| RuleSettings { off, custom });
    fuzz("custom rules", &(settings, hostile::text()), |(settings, text)| {
        match Rules::new(&settings) {
            Ok(rules) => {
                check_redaction(&rules, &text)?;
                prop_assert_eq!(rules.redact(&text), rules.redact(&text));
            }
            Err(error) => prop_assert!(!error.problem.is_empty()),
        }
        Ok(())
    });
}

#[test]
fn language() {
    fuzz("language", &hostile::text(), |text| {
        let code = detect(&text);
        prop_assert!(code == UNDETERMINED || code.len() == 2, "{code}");
        prop_assert_eq!(detect(&text), code);
        Ok(())
    });
}

#[test]
fn sentence_ends() {
    fuzz("sentences", &hostile::text(), |text| {
        let found = sentences(&text);
        let mut rest = text.as_str();
        for sentence in &found {
            prop_assert_eq!(sentence.trim(), *sentence);
            // Only a block of code is longer than a line.
            prop_assert!(sentence.starts_with("```") || !sentence.contains('\n'), "{sentence:?}");
            let at = rest.find(sentence);
            prop_assert!(at.is_some(), "{sentence:?} is not in {rest:?}");
            rest = &rest[at.unwrap() + sentence.len()..];
        }
        // Not a letter is lost.
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        prop_assert_eq!(found.iter().map(|s| letters(s)).sum::<usize>(), letters(&text));
        Ok(())
    });
}
