use std::sync::Arc;

use super::*;
use crate::domain::SourceKind;

fn reference(n: u8) -> SourceRef {
    SourceRef { kind: SourceKind::Ticket, id: format!("t{n}") }
}

struct Case {
    settings: DraftSettings,
    votes: HashMap<u64, Votes>,
    language: &'static str,
}

impl Case {
    fn new() -> Self {
        Self { settings: DraftSettings::default(), votes: HashMap::new(), language: "en" }
    }

    fn draft(&self, ticket: &str, sources: &[(f32, &str, &str)]) -> Result<Draft, Refusal> {
        let references: Vec<SourceRef> = (0..sources.len()).map(|n| reference(n as u8)).collect();
        let sources: Vec<Source<'_>> = sources
            .iter()
            .zip(&references)
            .map(|((score, language, text), reference)| Source {
                reference,
                score: *score,
                words: 0.0,
                text,
                language: Some(language),
                category: Some("VPN"),
                at: None,
                stale: false,
            })
            .collect();
        let request = Request {
            text: ticket,
            language: self.language,
            category: Some("VPN"),
            requester: Some("Robin Vale <robin.vale@tarnbrook.example>"),
            settings: &self.settings,
            votes: &self.votes,
        };
        let read = |text: &str| Arc::new(Reading::of(text));
        draft(&request, &Material::of(self.language, &sources, read))
    }

    fn reason(&self, ticket: &str, sources: &[(f32, &str, &str)]) -> DraftReason {
        self.draft(ticket, sources).unwrap_err().reason
    }
}

fn steps(draft: &Draft) -> Vec<&DraftSentence> {
    draft.sentences.iter().filter(|s| s.kind == SentenceKind::Source).collect()
}

#[test]
fn votes_are_asked_for_by_what_stands_in_a_draft() {
    let list = "1. Restart the vpn client twice\n2. Sign in to the vpn with your badge";
    let draft = Case::new().draft("vpn client fails", &[(0.9, "en", list)]).unwrap();
    let drafted: Vec<u64> = steps(&draft).iter().map(|s| sentence_key(&s.text)).collect();
    assert_eq!(drafted.len(), 2);
    let reference = reference(0);
    let source = |score, language, text| Source {
        reference: &reference,
        score,
        words: 0.0,
        text,
        language: Some(language),
        category: None,
        at: None,
        stale: false,
    };
    let other = source(0.9, "de", "Den Client neu starten.");
    let unlike = source(0.1, "en", "Paint the router.");
    let sources = [other, unlike, source(0.9, "en", list)];
    let material = Material::of("en", &sources, |text| Arc::new(Reading::of(text)));
    assert_eq!(material.keys(), drafted);
}

#[test]
fn every_step_names_each_ticket_that_says_it() {
    let draft = Case::new()
        .draft(
            "vpn client fails",
            &[
                (0.9, "en", "Remove the client completely. Install version 6.2.6."),
                (0.88, "en", "install version 6.2.6!"),
            ],
        )
        .unwrap();
    let steps = steps(&draft);
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0].sources, [reference(0)]);
    assert_eq!(steps[1].sources, [reference(0), reference(1)]);
    assert!(
        draft.text.contains("Remove the client completely.\nInstall version 6.2.6."),
        "{}",
        draft.text
    );
    assert!(draft.text.starts_with("Hello Robin Vale,"));
    let template = |s: &&DraftSentence| s.kind == SentenceKind::Template;
    assert!(draft.sentences.iter().filter(template).all(|s| s.sources.is_empty()));
}

#[test]
fn remarks_and_names_are_left_out_and_one_off_values_are_fields() {
    let text = "Called user, closed. Reinstalled the VPN client on TB-L-0671 at 09:40. Dagny";
    let draft = Case::new().draft("vpn client", &[(0.9, "en", text)]).unwrap();
    let steps = steps(&draft);
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].text, "Reinstalled the VPN client on [asset] at [time].");
    assert_eq!(steps[0].fields.len(), 2);
}

#[test]
fn each_refusal_has_its_reason() {
    let case = Case::new();
    let good = "Reinstall the client from Company Portal.";
    assert_eq!(case.reason("x", &[(0.3, "en", good)]), DraftReason::NoSimilarResolution);
    assert_eq!(case.reason("x", &[]), DraftReason::NoSimilarResolution);
    assert_eq!(case.reason("x", &[(0.9, "de", good)]), DraftReason::OtherLanguage);
    assert_eq!(
        case.reason("x", &[(0.9, "en", "Called user. Closed.")]),
        DraftReason::NoResolutionText
    );
    let contrary = [
        (0.9, "en", "Restart the dock after the firmware update."),
        (0.88, "en", "Do not restart the dock after the firmware update."),
    ];
    assert_eq!(case.reason("dock firmware", &contrary), DraftReason::Contradiction);
    let settings = DraftSettings { sensitive: vec!["vpn".to_owned()], ..DraftSettings::default() };
    let case = Case { settings, ..Case::new() };
    assert_eq!(case.reason("x", &[(0.9, "en", good)]), DraftReason::Sensitive);
}

#[test]
fn a_refusal_asks_for_what_is_missing() {
    let refusal = Case::new().draft("vpn broken", &[]).unwrap_err();
    assert!(refusal.question.unwrap().ends_with('?'));
}

#[test]
fn sensitive_words_are_words() {
    let sensitive = |label| is_sensitive(Some(label), &DraftSettings::default());
    assert!(sensitive("Security incident") && sensitive("HR / Payroll") && sensitive("Legal-hold"));
    assert!(!sensitive("Chromebook threads") && !sensitive("Office network"));
}

#[test]
fn the_answer_comes_in_the_tickets_language() {
    let case = Case { language: "de", ..Case::new() };
    let sources = [
        (0.95, "en", "Restart the client from Company Portal."),
        (0.7, "de", "Den Client im Unternehmensportal neu installieren."),
    ];
    let draft = case.draft("VPN geht nicht", &sources).unwrap();
    assert_eq!(steps(&draft)[0].sources, [reference(1)]);
    assert!(draft.text.starts_with("Guten Tag Robin Vale,"));
}

#[test]
fn the_same_sentence_has_the_same_key_whatever_its_marks() {
    assert_eq!(sentence_key("Install 6.2.6."), sentence_key("- install  6.2.6"));
    assert_ne!(sentence_key("Install 6.2.6."), sentence_key("Install 6.2.7."));
}

#[test]
fn what_was_taken_out_of_a_reply_is_noticed() {
    let text =
        "Reinstall the client from the portal at 09:40. Delete the profile folder afterwards.";
    let draft = Case::new().draft("client portal profile", &[(0.9, "en", text)]).unwrap();
    let stayed: Vec<bool> = kept_sentences(&draft, &draft.text).iter().map(|k| k.1).collect();
    assert_eq!(stayed, [true, true]);
    let reply = "Hello, please reinstall the client from the portal at noon. Bye.";
    let stayed: Vec<bool> = kept_sentences(&draft, reply).iter().map(|k| k.1).collect();
    assert_eq!(stayed, [true, false]);
}

#[test]
fn a_source_that_looks_like_a_template_is_not_quoted() {
    let text = "Set the value {{ secret }} in the template. Restart the whole service afterwards.";
    let draft = Case::new().draft("service template value", &[(0.9, "en", text)]).unwrap();
    assert!(!draft.text.contains("{{"));
}

#[test]
fn edits_are_counted_in_words() {
    assert_eq!(edit_distance("restart the client now", "restart the client now"), 0);
    assert_eq!(edit_distance("restart the client now", "please restart the phone now"), 2);
    assert_eq!(edit_distance("", "two words"), 2);
    assert_eq!(edit_distance("two words", ""), 2);
}

/// Texts that try to instruct a model, one a line; one holds a fenced block.
fn attacks() -> Vec<String> {
    let text = include_str!("../../eval/guard/attacks.txt").replace("\n```\n", "\u{0}");
    let text = text.replace("```system\n", "```system\u{1}");
    let lines = text.lines().map(|l| l.replace('\u{1}', "\n").replace('\u{0}', "\n```\n"));
    lines.filter(|l| !l.trim().is_empty()).collect()
}

#[test]
fn what_a_ticket_or_a_resolution_orders_a_model_to_do_has_no_effect() {
    let good = "Reinstall the VPN client from Company Portal. Restart the laptop afterwards.";
    let case = Case::new();
    let said = sentences(good);
    let attacks = attacks();
    assert!(attacks.len() >= 60, "{}", attacks.len());
    for attack in &attacks {
        // In the ticket: the draft quotes its sources and nothing else.
        let ticket = format!("vpn client fails. {attack}");
        let draft = case.draft(&ticket, &[(0.9, "en", good)]).unwrap();
        assert!(steps(&draft).iter().all(|s| said.contains(&s.text.as_str())), "{attack}");
        // In a resolution: it is not quoted, nor is what stands beside it.
        let poisoned = format!("{good} {attack}");
        let sources = [(0.95, "en", poisoned.as_str()), (0.9, "en", good)];
        let draft = case.draft("vpn client fails", &sources).unwrap();
        assert!(steps(&draft).iter().all(|s| s.sources == [reference(1)]), "{attack}");
        // As the requester's name, and in what a model wrote.
        assert_eq!(template::greeting_name(Some(attack), crate::domain::Tone::Formal), None);
        assert!(guard::check(attack, &[good], Some(0.9)).is_err(), "{attack}");
    }
}
