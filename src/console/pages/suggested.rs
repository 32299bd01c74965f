//! What was suggested for a ticket: labels, similar tickets, a draft with its sources.

use std::collections::{HashMap, HashSet};

use maud::{Markup, html};

use super::marks::{line, marked};
use super::parts::{certainty, decision, percent, why};
use crate::console::words::Words;
use crate::domain::{
    Degraded, Draft, DraftSentence, LabelDecision, LabelField, SentenceKind, SourceKind, SourceRef,
    Suggestion,
};

/// The answer for a field.
pub(in crate::console) fn decided(suggestion: &Suggestion, field: LabelField) -> &LabelDecision {
    match field {
        LabelField::Category => &suggestion.category,
        LabelField::Team => &suggestion.team.decision,
        LabelField::Priority => &suggestion.priority,
    }
}

/// The three labels, each with how sure it is and why.
pub(in crate::console) fn labels(w: &Words, suggestion: &Suggestion) -> Markup {
    html! {
        dl.labels {
            @for field in LabelField::ALL { (label(w, suggestion, field)) }
        }
    }
}

/// One label with how sure it is and why.
pub(in crate::console) fn label(w: &Words, suggestion: &Suggestion, field: LabelField) -> Markup {
    let answer = decided(suggestion, field);
    let department = suggestion.team.department.as_deref().filter(|_| field == LabelField::Team);
    html! {
        div {
            dt { (w.field(field)) }
            dd {
                strong.label {
                    bdi { (answer.label.as_deref().unwrap_or(w.none)) }
                    @if let Some(department) = department { span.quiet { " · " (department) } }
                }
                (sure(w, suggestion, field))
            }
        }
    }
}

/// How sure a field's label is and why.
pub(in crate::console) fn sure(w: &Words, suggestion: &Suggestion, field: LabelField) -> Markup {
    let answer = decided(suggestion, field);
    html! {
        div.sure { (certainty(answer.probability)) " " (decision(w, answer.decision)) }
        p.why { (why(w, answer)) }
    }
}

/// What the answer had to do without.
pub(in crate::console) fn degraded(w: &Words, suggestion: &Suggestion) -> Markup {
    html! {
        @for lack in &suggestion.degraded {
            p.notice {
                @match lack {
                    Degraded::TextTruncated => { (w.text_truncated) }
                    Degraded::Index => { (w.index_missing) }
                }
            }
        }
    }
}

/// The resolved tickets like it, side by side, and how each was solved. `shared` words are marked.
pub(in crate::console) fn similar(
    w: &Words,
    suggestion: &Suggestion,
    shared: &HashSet<String>,
) -> Markup {
    html! {
        @if suggestion.similar.is_empty() {
            p.quiet { (w.nothing_similar) }
        } @else {
            ol.similar {
                @for (at, found) in suggestion.similar.iter().enumerate() {
                    li id={ "similar-" (at + 1) } tabindex="-1" {
                        h3 {
                            (marked(or_none(w, &found.subject), shared))
                        }
                        p.quiet {
                            span title=(w.similarity) {
                                (w.alike) " " (percent(f64::from(found.score.max(0.0))))
                            }
                            @for label in [&found.category, &found.team].into_iter().flatten() {
                                " · " bdi { (label) }
                            }
                        }
                        h4 { (w.how_solved) }
                        p.written {
                            @if let Some(text) = &found.resolution { (marked(text, shared)) }
                            @else { span.quiet { (w.resolution_unknown) } }
                        }
                    }
                }
            }
        }
    }
}

pub(in crate::console) fn or_none<'a>(w: &Words, subject: &'a str) -> &'a str {
    if subject.trim().is_empty() { w.no_subject } else { subject }
}

/// What a source is called, and where on the page it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::console) struct Source {
    pub(in crate::console) name: String,
    /// An address: a place on the page, or another page.
    pub(in crate::console) place: Option<String>,
}

/// The draft's sources by what names them; similar tickets that are shown are called by subject.
pub(in crate::console) fn sources(suggestion: &Suggestion) -> HashMap<SourceRef, Source> {
    let shown: HashMap<String, (usize, &str)> = suggestion
        .similar
        .iter()
        .enumerate()
        .map(|(at, s)| (s.ticket_id.to_string(), (at + 1, s.subject.as_str())))
        .collect();
    let sentences = suggestion.draft.iter().flat_map(|draft| &draft.sentences);
    let named = sentences.flat_map(|sentence| &sentence.sources).map(|source| {
        let known = shown.get(&source.id).filter(|_| source.kind == SourceKind::Ticket);
        let made = match known {
            Some((at, subject)) => {
                Source { name: (*subject).to_owned(), place: Some(format!("#similar-{at}")) }
            }
            None => Source { name: source.id.clone(), place: None },
        };
        (source.clone(), made)
    });
    named.collect()
}

/// The draft sentence by sentence; each says on hover and focus where it comes from.
pub(in crate::console) fn draft(
    w: &Words,
    draft: &Draft,
    sources: &HashMap<SourceRef, Source>,
) -> Markup {
    html! {
        div.draft {
            @for (at, sentence) in draft.sentences.iter().enumerate() {
                (drafted(w, at, sentence, sources))
            }
        }
    }
}

fn drafted(
    w: &Words,
    at: usize,
    sentence: &DraftSentence,
    sources: &HashMap<SourceRef, Source>,
) -> Markup {
    if sentence.sources.is_empty() {
        return html! { p.template { (line(&sentence.text)) } };
    }
    let known =
        || sentence.sources.iter().filter_map(|source| Some((source, sources.get(source)?)));
    html! {
        div.sentence {
            button.quote type="button" aria-describedby={ "source-" (at) } {
                (line(&sentence.text))
            }
            div.source id={ "source-" (at) } role="tooltip" {
                (if sentence.kind == SentenceKind::Model { w.model_from } else { w.taken_from })
                ul {
                    @for (source, named) in known() {
                        li {
                            (if source.kind == SourceKind::Ticket { w.source_ticket } else { w.source_article })
                            " "
                            @match &named.place {
                                Some(place) => { a href=(place) { (line(or_none(w, &named.name))) } }
                                None => { (line(&named.name)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Why there is no draft, and what to ask.
pub(in crate::console) fn no_draft(w: &Words, suggestion: &Suggestion) -> Markup {
    html! {
        p.quiet { (suggestion.draft_reason.map_or("", |reason| w.draft_reason(reason))) }
        @if let Some(question) = &suggestion.draft_question {
            p { (w.to_ask) " " (line(question)) }
        }
    }
}

/// What gave the answer, in small print.
pub(in crate::console) fn made_by(w: &Words, suggestion: &Suggestion) -> Markup {
    let model = &suggestion.model;
    html! {
        p.quiet.small-print {
            (w.answered_in) " " (format!("{:.0}", suggestion.timings_ms.total)) " ms · "
            (w.language) " " (suggestion.language) " · " (model.encoder) " · " (model.bundle)
            " · " (model.policy)
        }
    }
}
