//! Which sentences of the sources make a draft, and in which order. Pure.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::Votes;
use super::reading::{General, Quotable, Sentence};
use super::words::Words;
use crate::text::{Numbering, Reference};

/// Sentences that a draft has at most.
const MOST: usize = 12;
/// Sharpens the sources' similarities into weights: a source this much less similar than the best
/// weighs 1/e of it.
const TEMPERATURE: f32 = 0.05;
/// At this similarity it is as likely as not that a source's answer is the very one that is wanted;
/// and how fast the odds of that grow: by e with each such step.
const SAME_CASE: f32 = 0.85;
const STEP: f32 = 0.05;
/// Otherwise it could have been answered like any of them, the more similar a little rather.
const VAGUE: f32 = 1.0;
/// What each ground is worth beside the others: agreement among sources, and what a sentence shares
/// with the ticket. The weight of its source counts once.
const AGREEMENT: f32 = 1.0;
const RELEVANCE: f32 = 2.0;
/// Lengths that a draft may have against that of its sources, weighted.
const LENGTHS: [f32; 2] = [1.0, 1.3];
/// Two sentences more alike than this say the same.
const SAME: f32 = 0.6;
/// A source of another category, or one that is out of date, counts by this much.
const OTHER_CATEGORY: f32 = 0.6;
const OUT_OF_DATE: f32 = 0.3;
/// A source this many days older than the newest counts half.
const HALF_LIFE_DAYS: f32 = 720.0;
/// How far people's approval moves a sentence, at most.
const APPROVAL: f32 = 0.6;

/// A sentence of a source that may be quoted.
#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    /// Its source, by position.
    pub(super) source: usize,
    pub(super) sentence: &'a Sentence,
    /// What a draft says of it.
    pub(super) general: Cow<'a, General>,
    value: f32,
}

impl Candidate<'_> {
    pub(super) fn words(&self) -> &Words {
        &self.sentence.words
    }

    fn place(&self) -> f32 {
        self.sentence.place
    }
}

/// The sentences for a draft, in order; and all that were considered.
pub(super) struct Selection<'a> {
    pub(super) chosen: Vec<Candidate<'a>>,
    pub(super) considered: Vec<Candidate<'a>>,
}

/// Chooses from sources in order of their similarity. `kept` are the ticket's own words in lower
/// case: what it says itself need not be filled in.
pub(super) fn select<'a>(
    ticket: &Words,
    category: Option<&str>,
    sources: &'a [Quotable<'_>],
    votes: &HashMap<u64, Votes>,
    kept: &BTreeSet<String>,
) -> Selection<'a> {
    let weights = weights(category, sources);
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    let mut length = 0.0;
    for (source, quotable) in sources.iter().enumerate() {
        for sentence in &quotable.says.sentences {
            // As long as an answer usually is, remarks and all: what they leave free is for steps.
            length += weights[source] * sentence.words.weight();
            if let Some(general) = sentence.general(kept) {
                candidates.push(Candidate { source, sentence, general, value: 0.0 });
            }
        }
    }
    let agreements = agreements(&candidates, &weights);
    for (candidate, agreement) in candidates.iter_mut().zip(agreements) {
        candidate.value = value(candidate, ticket, weights[candidate.source], agreement, votes);
    }
    let mut best: Vec<usize> =
        (0..candidates.len()).filter(|at| candidates[*at].value > 0.0).collect();
    // Equals stay in their order, so that the same ticket has the same draft.
    best.sort_by(|a, b| candidates[*b].value.total_cmp(&candidates[*a].value));
    let mut drafts = Vec::new();
    for length in LENGTHS.map(|l| l * length) {
        let mut mixed = filled(Vec::new(), &candidates, &best, length);
        mixed.sort_by(|a, b| {
            let (a, b) = (&candidates[*a], &candidates[*b]);
            a.place().total_cmp(&b.place()).then(a.source.cmp(&b.source))
        });
        drafts.push(mixed);
        drafts.extend((0..sources.len()).map(|at| extended(&candidates, &best, at, length)));
    }
    let chosen = closest(&drafts, &candidates, sources, &likelihoods(category, sources));
    let chosen = chosen.iter().map(|at| candidates[*at].clone()).collect();
    Selection { chosen, considered: candidates }
}

/// What is there, and the best sentences beside it up to a length. All are positions.
fn filled(
    mut chosen: Vec<usize>,
    candidates: &[Candidate<'_>],
    best: &[usize],
    length: f32,
) -> Vec<usize> {
    let mut taken: f32 = chosen.iter().map(|at| candidates[*at].words().weight()).sum();
    for at in best {
        if taken >= length || chosen.len() >= MOST {
            break;
        }
        let words = candidates[*at].words();
        let fits = chosen.is_empty() || taken + words.weight() / 2.0 <= length;
        let repeats = || chosen.iter().any(|c| candidates[*c].words().likeness(words) > SAME);
        if fits && !repeats() {
            taken += words.weight();
            chosen.push(*at);
        }
    }
    chosen
}

/// All that one source says, but for what people take out; then what others add to it, up to a
/// length.
fn extended(
    candidates: &[Candidate<'_>],
    best: &[usize],
    source: usize,
    length: f32,
) -> Vec<usize> {
    let own = (0..candidates.len())
        .filter(|at| candidates[*at].source == source && candidates[*at].value > 0.0);
    let mut chosen = filled(own.take(MOST).collect(), candidates, best, length);
    let other = |c: &Candidate<'_>| (c.source != source, c.source);
    chosen.sort_by(|a, b| {
        let (a, b) = (&candidates[*a], &candidates[*b]);
        other(a).cmp(&other(b)).then(a.place().total_cmp(&b.place()))
    });
    chosen
}

/// The draft that is expected to be most like the answer, were that any of the sources' with the
/// given likelihoods: the least risk in Bayes' sense (Kumar & Byrne, NAACL 2004).
fn closest(
    drafts: &[Vec<usize>],
    candidates: &[Candidate<'_>],
    sources: &[Quotable<'_>],
    likelihoods: &[f32],
) -> Vec<usize> {
    let mut numbering = Numbering::default();
    let mut number = |hashes: &[u64]| numbering.of_hashes(hashes.iter().copied());
    let answers: Vec<(&Words, Reference)> =
        sources.iter().map(|q| (&q.says.words, Reference::new(&number(&q.says.order)))).collect();
    let numbers: Vec<Vec<u32>> = candidates.iter().map(|c| number(&c.general.order)).collect();
    let expected = |draft: &[usize]| -> f32 {
        let words = Words::union(draft.iter().map(|at| &candidates[*at].general.words));
        let text: Vec<u32> = draft.iter().flat_map(|at| &numbers[*at]).copied().collect();
        let like = |(answer, reference): &(&Words, Reference)| {
            f32::midpoint(answer.likeness(&words), reference.rouge_l(&text) as f32)
        };
        answers.iter().map(like).zip(likelihoods).map(|(like, p)| p * like).sum()
    };
    let mut best = (f32::NEG_INFINITY, &drafts[0]);
    for draft in drafts {
        let value = expected(draft);
        if value > best.0 {
            best = (value, draft);
        }
    }
    best.1.clone()
}

/// How likely each source's answer is the one that is wanted; all together 1.
fn likelihoods(category: Option<&str>, sources: &[Quotable<'_>]) -> Vec<f32> {
    shares(category, sources, |score| (score / VAGUE).exp() + ((score - SAME_CASE) / STEP).exp())
}

/// What each source counts; all together 1.
fn weights(category: Option<&str>, sources: &[Quotable<'_>]) -> Vec<f32> {
    let best = sources.iter().map(|q| q.source.score + q.source.words).fold(f32::MIN, f32::max);
    shares(category, sources, |score| ((score - best) / TEMPERATURE).exp())
}

/// Shares by what a source's similarity is worth, its category and its age.
fn shares(
    category: Option<&str>,
    sources: &[Quotable<'_>],
    worth: impl Fn(f32) -> f32,
) -> Vec<f32> {
    let sources = sources.iter().map(|quotable| &quotable.source);
    let newest = sources.clone().filter_map(|s| s.at).max();
    let mut shares: Vec<f32> = sources
        .map(|source| {
            let mut share = worth(source.score + source.words) * freshness(source.at, newest);
            if category.is_some() && source.category.is_some() && source.category != category {
                share *= OTHER_CATEGORY;
            }
            if source.stale {
                share *= OUT_OF_DATE;
            }
            share
        })
        .collect();
    let total: f32 = shares.iter().sum();
    for share in &mut shares {
        *share /= total.max(f32::MIN_POSITIVE);
    }
    shares
}

fn freshness(at: Option<Timestamp>, newest: Option<Timestamp>) -> f32 {
    let (Some(at), Some(newest)) = (at, newest) else { return 1.0 };
    let days = (newest.as_second() - at.as_second()) as f32 / 86_400.0;
    0.5f32.powf(days.max(0.0) / HALF_LIFE_DAYS)
}

/// How far the other sources say the same as each sentence, 0 to 1.
fn agreements(candidates: &[Candidate<'_>], weights: &[f32]) -> Vec<f32> {
    let mut closest = vec![vec![0.0f32; weights.len()]; candidates.len()];
    for (at, a) in candidates.iter().enumerate() {
        for (other, b) in candidates.iter().enumerate().skip(at + 1) {
            if a.source != b.source {
                let likeness = a.words().likeness(b.words());
                for (this, source) in [(at, b.source), (other, a.source)] {
                    closest[this][source] = closest[this][source].max(likeness);
                }
            }
        }
    }
    let weighted = |closest: &Vec<f32>| closest.iter().zip(weights).map(|(c, w)| c * w).sum();
    closest.iter().map(weighted).collect()
}

fn value(
    candidate: &Candidate<'_>,
    ticket: &Words,
    weight: f32,
    agreement: f32,
    votes: &HashMap<u64, Votes>,
) -> f32 {
    let relevance = candidate.words().covered_by(ticket);
    let ground = AGREEMENT * agreement + RELEVANCE * relevance + weight;
    let approval = votes.get(&candidate.sentence.key).map_or(0.0, |v| v.leaning());
    ground * (1.0 + APPROVAL * approval) - if approval <= Votes::REFUSED { ground } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{Material, Reading, Source, sentence_key};
    use super::*;
    use crate::domain::{SourceKind, SourceRef};

    fn source(id: u8, score: f32, text: &str) -> Source<'_> {
        let reference = SourceRef { kind: SourceKind::Ticket, id: id.to_string() };
        // As long as the test.
        let reference = Box::leak(Box::new(reference));
        Source {
            reference,
            score,
            words: 0.0,
            text,
            language: None,
            category: None,
            at: None,
            stale: false,
        }
    }

    fn selected<T>(
        ticket: &str,
        sources: &[Source<'_>],
        votes: &HashMap<u64, Votes>,
        look: impl FnOnce(Selection<'_>) -> T,
    ) -> T {
        let material = Material::of("en", sources, |text| Arc::new(Reading::of(text)));
        look(select(&Words::of(ticket), None, &material.sources, votes, &BTreeSet::new()))
    }

    fn chosen(ticket: &str, sources: &[Source<'_>], votes: &HashMap<u64, Votes>) -> Vec<String> {
        let texts = |selection: Selection<'_>| {
            selection.chosen.iter().map(|c| c.sentence.text.clone()).collect()
        };
        selected(ticket, sources, votes, texts)
    }

    /// What the sentence that begins so is worth.
    fn value_of(
        start: &str,
        ticket: &str,
        sources: &[Source<'_>],
        votes: &HashMap<u64, Votes>,
    ) -> f32 {
        selected(ticket, sources, votes, |selection| {
            let begins = |c: &&Candidate<'_>| c.sentence.text.starts_with(start);
            selection.considered.iter().find(begins).unwrap().value
        })
    }

    #[test]
    fn what_several_sources_say_comes_before_what_one_says() {
        let sources = [
            source(
                1,
                0.8,
                "Blue folders were renamed yesterday. Reinstall the GlobalProtect client.",
            ),
            source(2, 0.8, "Reinstall the GlobalProtect client."),
            source(3, 0.8, "Please reinstall the GlobalProtect client."),
        ];
        let none = HashMap::new();
        let value = |start| value_of(start, "connection trouble", &sources, &none);
        assert!(value("Reinstall") > value("Blue"));
        let chosen = chosen("connection trouble", &sources, &none);
        let same = chosen.iter().filter(|text| text.contains("GlobalProtect")).count();
        assert_eq!(same, 1, "said once");
    }

    #[test]
    fn approval_lifts_and_deletion_sinks() {
        let sources = [
            source(1, 0.8, "Restart the printer spooler service."),
            source(2, 0.8, "Replace the toner cartridge soon."),
        ];
        let none = chosen("x", &sources, &HashMap::new());
        assert_eq!(none, ["Restart the printer spooler service."]);
        let refused = Votes { kept: 0, deleted: 6 };
        let votes =
            HashMap::from([(sentence_key("Restart the printer spooler service."), refused)]);
        assert_eq!(chosen("x", &sources, &votes), ["Replace the toner cartridge soon."]);
        let long = "Restart the printer spooler service. Replace the toner cartridge soon. Clean the glass plate thoroughly. Update the firmware package today.";
        let sources = [source(1, 0.8, "Print a test page."), source(2, 0.8, long)];
        let liked = HashMap::from([(
            sentence_key("Clean the glass plate thoroughly."),
            Votes { kept: 9, deleted: 0 },
        )]);
        let value = |votes| value_of("Clean", "x", &sources, votes);
        assert!(value(&liked) > value(&HashMap::new()));
    }

    #[test]
    fn steps_keep_their_order_and_lose_their_marks() {
        let sources = [source(
            1,
            0.9,
            "1. Open the portal page\n2. Choose the second entry\n- Confirm with your code",
        )];
        assert_eq!(
            chosen("portal entry code", &sources, &HashMap::new()),
            ["Open the portal page", "Choose the second entry", "Confirm with your code"]
        );
    }

    proptest! {
        #[test]
        fn every_sentence_stands_in_its_source_once(
            texts in prop::collection::vec("([a-d]{1,9}[ .\n]{1,2}){0,30}", 0..6),
            ticket in "[a-d ]{0,40}",
        ) {
            let sources: Vec<_> =
                texts.iter().enumerate().map(|(n, t)| source(n as u8, 0.9 - 0.02 * n as f32, t)).collect();
            selected(&ticket, &sources, &HashMap::new(), |selection| {
                prop_assert!(selection.chosen.len() <= MOST);
                for candidate in &selection.chosen {
                    prop_assert!(texts[candidate.source].contains(&candidate.sentence.text));
                }
                // What one source says stays in its order.
                for source in 0..sources.len() {
                    let own = selection.chosen.iter().filter(|c| c.source == source);
                    prop_assert!(own.is_sorted_by(|a, b| a.place() <= b.place()));
                }
                Ok(())
            })?;
        }
    }
}
