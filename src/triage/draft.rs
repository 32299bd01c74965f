//! A reply from how the most similar ticket was resolved. Pure; every sentence names its source.

use crate::domain::{
    Draft, DraftReason, DraftSentence, Neighbour, SentenceKind, SourceKind, SourceRef,
};
use crate::text::{UNDETERMINED, sentences};

/// A resolution of a ticket less similar than this says nothing about the new one.
const MIN_SIMILARITY: f32 = 0.5;
/// Longer replies are not read.
const MAX_SENTENCES: usize = 10;

/// The template's words around the steps: greeting, lead, closing.
struct Template {
    greeting: &'static str,
    lead: &'static str,
    closing: &'static str,
}

const ENGLISH: Template = Template {
    greeting: "Hello,",
    lead: "this is what solved a request like yours:",
    closing: "If this does not help, reply to this message and we will look further.",
};
const GERMAN: Template = Template {
    greeting: "Guten Tag,",
    lead: "so wurde eine ähnliche Anfrage gelöst:",
    closing: "Falls das nicht hilft, antworten Sie bitte auf diese Nachricht.",
};
const FRENCH: Template = Template {
    greeting: "Bonjour,",
    lead: "voici ce qui a résolu une demande semblable à la vôtre :",
    closing: "Si cela ne suffit pas, répondez à ce message et nous poursuivrons.",
};
const SPANISH: Template = Template {
    greeting: "Hola:",
    lead: "esto es lo que resolvió una solicitud parecida a la suya:",
    closing: "Si no le ayuda, responda a este mensaje y seguiremos buscando.",
};

/// Drafts a reply to a ticket in `language` whose best category is `category`, from its
/// neighbours (best first), or says why not.
pub(super) fn draft(
    neighbours: &[Neighbour],
    category: Option<&str>,
    language: &str,
) -> Result<Draft, DraftReason> {
    let alike: Vec<&Neighbour> = neighbours
        .iter()
        .filter(|n| n.score >= MIN_SIMILARITY && n.outcome.category.as_deref() == category)
        .collect();
    if alike.is_empty() {
        return Err(DraftReason::NoSimilarResolution);
    }
    let resolved: Vec<(&Neighbour, &str)> = alike
        .into_iter()
        .filter_map(|n| n.outcome.resolution.as_deref().map(|text| (n, text)))
        .filter(|(_, text)| !sentences(text).is_empty())
        .collect();
    if resolved.is_empty() {
        return Err(DraftReason::NoResolutionText);
    }
    let readable = |n: &Neighbour| same_language(n.language.as_deref(), language);
    let (best, resolution) =
        resolved.iter().find(|(n, _)| readable(n)).ok_or(DraftReason::OtherLanguage)?;
    let steps = without_name(sentences(resolution)).into_iter().take(MAX_SENTENCES).map(|text| {
        let agree = |(n, other): &&(&Neighbour, &str)| {
            n.ticket_id == best.ticket_id || sentences(other).contains(&text)
        };
        let sources = resolved
            .iter()
            .filter(agree)
            .map(|(n, _)| SourceRef { kind: SourceKind::Ticket, id: n.ticket_id.to_string() });
        DraftSentence {
            text: text.to_owned(),
            kind: SentenceKind::Source,
            sources: sources.collect(),
        }
    });
    let template = template(language);
    let mut sentences = vec![own_words(template.greeting), own_words(template.lead)];
    sentences.extend(steps);
    sentences.push(own_words(template.closing));
    Ok(Draft { text: assemble(&sentences), sentences })
}

/// The sentences without the technician's name under them.
fn without_name(mut sentences: Vec<&str>) -> Vec<&str> {
    let is_name = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.len() <= 3
            && words.iter().all(|w| w.starts_with(char::is_uppercase))
            && !text.ends_with('.')
    };
    if sentences.len() > 1 && sentences.last().is_some_and(|last| is_name(last)) {
        sentences.pop();
    }
    sentences
}

fn template(language: &str) -> &'static Template {
    match language {
        "de" => &GERMAN,
        "fr" => &FRENCH,
        "es" => &SPANISH,
        _ => &ENGLISH,
    }
}

fn own_words(text: &str) -> DraftSentence {
    DraftSentence { text: text.to_owned(), kind: SentenceKind::Template, sources: Vec::new() }
}

fn same_language(source: Option<&str>, ticket: &str) -> bool {
    source.is_none_or(|s| s == ticket || s == UNDETERMINED) || ticket == UNDETERMINED
}

/// The template's sentences are paragraphs; the steps are lines.
fn assemble(sentences: &[DraftSentence]) -> String {
    let mut text = String::new();
    let mut last = None;
    for sentence in sentences {
        if let Some(last) = last {
            let both_steps = last == SentenceKind::Source && sentence.kind == SentenceKind::Source;
            text.push_str(if both_steps { "\n" } else { "\n\n" });
        }
        text.push_str(&sentence.text);
        last = Some(sentence.kind);
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Outcome, TicketId};

    fn neighbour(n: u128, score: f32, resolution: Option<&str>, language: &str) -> Neighbour {
        Neighbour {
            ticket_id: TicketId::new(Uuid::from_u128(n)),
            score,
            subject: String::new(),
            outcome: Outcome {
                category: Some("VPN".to_owned()),
                resolution: resolution.map(str::to_owned),
                ..Outcome::default()
            },
            language: Some(language.to_owned()),
        }
    }

    #[test]
    fn every_step_names_each_ticket_that_says_it() {
        let neighbours = [
            neighbour(1, 0.9, Some("Remove the client. Install 6.2.6."), "en"),
            neighbour(2, 0.8, Some("Install 6.2.6."), "en"),
        ];
        let draft = draft(&neighbours, Some("VPN"), "en").unwrap();
        let steps: Vec<_> =
            draft.sentences.iter().filter(|s| s.kind == SentenceKind::Source).collect();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].sources.len(), 1);
        assert_eq!(steps[1].sources.len(), 2);
        assert!(draft.text.contains("Remove the client.\nInstall 6.2.6."));
        let template = |s: &&DraftSentence| s.kind == SentenceKind::Template;
        assert!(draft.sentences.iter().filter(template).all(|s| s.sources.is_empty()));
    }

    #[test]
    fn the_technicians_name_is_no_step() {
        let signed = [neighbour(1, 0.9, Some("Install 6.2.6 and reboot. Dagny"), "en")];
        let draft = draft(&signed, Some("VPN"), "en").unwrap();
        assert!(!draft.text.contains("Dagny"));
        assert_eq!(without_name(vec!["Rebooted."]), ["Rebooted."]);
        assert_eq!(without_name(vec!["Done.", "R. Menon"]), ["Done."]);
    }

    #[test]
    fn too_little_support_is_no_draft_and_says_why() {
        let weak = [neighbour(1, 0.4, Some("Restart."), "en")];
        assert_eq!(draft(&weak, Some("VPN"), "en"), Err(DraftReason::NoSimilarResolution));
        let other = [neighbour(1, 0.9, Some("Restart."), "en")];
        assert_eq!(draft(&other, Some("Mail"), "en"), Err(DraftReason::NoSimilarResolution));
        let silent = [neighbour(1, 0.9, None, "en")];
        assert_eq!(draft(&silent, Some("VPN"), "en"), Err(DraftReason::NoResolutionText));
        let foreign = [neighbour(1, 0.9, Some("Neu starten."), "de")];
        assert_eq!(draft(&foreign, Some("VPN"), "en"), Err(DraftReason::OtherLanguage));
    }
}
