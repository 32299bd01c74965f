//! What a language model is told, and what is kept of its answer. Pure.

use super::guard::{self, Fault};
use crate::domain::{Draft, DraftField, DraftSentence, SentenceKind, SourceRef};
use crate::text::sentences;

/// A note this much less similar than the closest one is cited as well.
const ALSO_CITED: f32 = 0.05;
/// Less than this share of an answer's sentences makes no reply: the draft stands as it was.
const LEAST_KEPT: f32 = 0.5;

/// What the model is asked: its rules, and the draft's own sentences as notes. The ticket's words
/// are in neither.
pub fn prompt(draft: &Draft, language: &str) -> (String, String) {
    let name = match language {
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "pt" => "Portuguese",
        "it" => "Italian",
        "nl" => "Dutch",
        _ => "English",
    };
    let rules = format!(
        "You turn a help desk's notes into the steps of a reply. Write in {name}. Write one short \
         sentence for each note, in the order of the notes, as a polite instruction to the reader. \
         Use only what the notes say: add no step, name, number, address or promise, and keep \
         commands and words in square brackets as they are. Write no greeting and no closing."
    );
    let numbered = |(n, s): (usize, &DraftSentence)| format!("{}. {}", n + 1, s.text);
    let notes: Vec<String> = notes(draft).into_iter().enumerate().map(numbered).collect();
    (rules, format!("Notes:\n{}", notes.join("\n")))
}

/// The sentences that a model may rewrite.
pub fn notes(draft: &Draft) -> Vec<&DraftSentence> {
    draft.sentences.iter().filter(|s| s.kind == SentenceKind::Source).collect()
}

/// The sentences of an answer so far, without what the model numbers them by. The last one may not
/// be finished: it counts only once the answer is.
pub fn answer_sentences(answer: &str, finished: bool) -> Vec<String> {
    let mut found: Vec<String> = sentences(answer)
        .into_iter()
        .map(|s| s.trim_start_matches(|c: char| c.is_ascii_digit() || ".)-*• ".contains(c)))
        .filter(|s| s.chars().any(char::is_alphabetic))
        .map(str::to_owned)
        .collect();
    if !finished {
        found.pop();
    }
    found
}

/// Checks a sentence against the notes that it is closest to. `similarities` are the cosines of
/// its embedding to each note's, in their order.
///
/// # Errors
/// What speaks against it.
pub fn judge(
    sentence: &str,
    notes: &[&DraftSentence],
    similarities: &[f32],
) -> Result<DraftSentence, Fault> {
    let best = similarities.iter().copied().fold(f32::MIN, f32::max);
    let cited: Vec<&DraftSentence> = notes
        .iter()
        .zip(similarities)
        .filter(|(_, s)| **s >= best - ALSO_CITED)
        .map(|(note, _)| *note)
        .collect();
    let texts: Vec<&str> = cited.iter().map(|n| n.text.as_str()).collect();
    guard::check(sentence, &texts, Some(best))?;
    let mut sources: Vec<SourceRef> = Vec::new();
    for source in cited.iter().flat_map(|n| &n.sources) {
        if !sources.contains(source) {
            sources.push(source.clone());
        }
    }
    let fields = cited.iter().flat_map(|n| &n.fields);
    let fields: Vec<DraftField> =
        fields.filter(|f| sentence.contains(&f.placeholder)).cloned().collect();
    Ok(DraftSentence { text: sentence.to_owned(), kind: SentenceKind::Model, sources, fields })
}

/// A reply from the sentences that were kept; `None` where the extractive draft should stand,
/// because too few were.
pub fn rewritten(draft: &Draft, kept: &[DraftSentence], dropped: usize) -> Option<Draft> {
    let all = (kept.len() + dropped) as f32;
    if kept.is_empty() || (kept.len() as f32) < LEAST_KEPT * all {
        return None;
    }
    // The words around the steps stay as they are.
    let first = draft.sentences.iter().position(|s| s.kind == SentenceKind::Source)?;
    let last = draft.sentences.iter().rposition(|s| s.kind == SentenceKind::Source)?;
    let (before, after) = (&draft.sentences[..first], &draft.sentences[last + 1..]);
    let words = |all: &[DraftSentence], join: &str| {
        all.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(join)
    };
    let steps = words(kept, "\n");
    let parts = [words(before, "\n\n"), steps, words(after, "\n\n")];
    let text = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n\n");
    let sentences = before.iter().chain(kept).chain(after).cloned().collect();
    Some(Draft { text, sentences })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceKind;

    fn sentence(text: &str, kind: SentenceKind) -> DraftSentence {
        let sources = vec![SourceRef { kind: SourceKind::Ticket, id: "t1".to_owned() }];
        let sources = if kind == SentenceKind::Template { Vec::new() } else { sources };
        DraftSentence { text: text.to_owned(), kind, sources, fields: Vec::new() }
    }

    fn draft() -> Draft {
        let sentences = vec![
            sentence("Hello,", SentenceKind::Template),
            sentence("Removed the old client.", SentenceKind::Source),
            sentence("Installed version 6.2.6.", SentenceKind::Source),
            sentence("Bye.", SentenceKind::Template),
        ];
        Draft { text: String::new(), sentences }
    }

    #[test]
    fn the_model_is_told_the_notes_and_nothing_of_the_ticket() {
        let (rules, notes) = prompt(&draft(), "de");
        assert!(rules.contains("German"));
        assert_eq!(notes, "Notes:\n1. Removed the old client.\n2. Installed version 6.2.6.");
    }

    #[test]
    fn an_answer_is_read_sentence_by_sentence() {
        let answer = "1. Please remove the old client.\n2. Install version";
        assert_eq!(answer_sentences(answer, false), ["Please remove the old client."]);
        assert_eq!(answer_sentences(answer, true).len(), 2);
    }

    #[test]
    fn what_passes_is_cited_and_what_does_not_is_dropped() {
        let draft = draft();
        let notes = notes(&draft);
        let kept = judge("Please remove the old client.", &notes, &[0.9, 0.3]).unwrap();
        assert_eq!(kept.sources.len(), 1);
        assert_eq!(kept.kind, SentenceKind::Model);
        assert!(judge("Install version 7.1.", &notes, &[0.2, 0.9]).is_err());
        let whole = rewritten(&draft, std::slice::from_ref(&kept), 1).unwrap();
        assert_eq!(whole.text, "Hello,\n\nPlease remove the old client.\n\nBye.");
        assert_eq!(rewritten(&draft, &[kept], 2), None, "most were dropped");
    }
}
