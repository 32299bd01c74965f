//! From evidence to a decision. Pure.

use serde::Deserialize;

use super::vote::{Evidence, Scored};
use crate::domain::{Alternative, Decision, LabelDecision, Reason, Regime};

/// Alternatives that an answer lists.
const ALTERNATIVES: usize = 3;

/// The thresholds, as probabilities and cosines.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// From this probability on, a label may be applied without a person.
    pub auto: f32,
    /// From this probability on, a label is worth suggesting.
    pub suggest: f32,
    /// A ticket whose nearest neighbour is less similar than this is unlike anything seen.
    pub novel: f32,
}

impl Policy {
    /// Names the thresholds in every answer.
    pub fn version(&self) -> String {
        format!("fixed:{:.2}/{:.2}/{:.2}", self.auto, self.suggest, self.novel)
    }
}

/// What is known of the ticket besides the evidence for its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// Nothing was left after cleaning.
    pub(super) empty: bool,
    /// The encoder was trained on the ticket's language, or the language is unknown.
    pub(super) language_supported: bool,
}

/// Decides one field. The label is the best guess in every case.
pub(super) fn decide(
    policy: &Policy,
    evidence: &Evidence,
    circumstances: Circumstances,
) -> LabelDecision {
    let verdict = verdict(policy, evidence, circumstances);
    decision(&evidence.labels, evidence.regime, verdict)
}

/// What a trained model and what was decided since say of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    /// The likeliest first.
    pub(super) labels: Vec<Scored>,
    pub(super) regime: Regime,
    /// The promise of precision covers the first label, and nothing newer speaks against it.
    pub(super) promised: bool,
    /// The ticket is taken for one of no label.
    pub(super) novel: bool,
    /// The model and newer tickets say different things, and neither clearly counts.
    pub(super) conflict: bool,
}

/// Decides one field by what was learned. `suggest` is the probability from which on a label is
/// worth suggesting.
pub(super) fn decide_learned(
    suggest: f32,
    learned: &Learned,
    circumstances: Circumstances,
) -> LabelDecision {
    decision(&learned.labels, learned.regime, verdict_learned(suggest, learned, circumstances))
}

fn verdict_learned(
    suggest: f32,
    learned: &Learned,
    circumstances: Circumstances,
) -> (Decision, Option<Reason>) {
    let supported = circumstances.language_supported;
    let Some((_, probability)) = learned.labels.first() else {
        return (Decision::Abstain, Some(Reason::NoLabels));
    };
    let promised = learned.promised && !learned.novel && !learned.conflict;
    if promised && supported {
        return (Decision::Auto, None);
    }
    let reason = match learned {
        _ if !supported => Reason::UnsupportedLanguage,
        Learned { novel: true, .. } => Reason::Novel,
        Learned { conflict: true, .. } => Reason::Conflict,
        _ => Reason::LowConfidence,
    };
    let worth = !learned.novel && *probability >= suggest && (supported || promised);
    (if worth { Decision::Suggest } else { Decision::Abstain }, Some(reason))
}

/// Puts an answer together; the label is the best guess in every case.
fn decision(
    labels: &[Scored],
    regime: Regime,
    (decision, reason): (Decision, Option<Reason>),
) -> LabelDecision {
    let mut labels = labels.iter();
    let best = labels.next();
    let probability = best.map_or(0.0, |l| l.1);
    let alternative =
        |(label, p): &(String, f32)| Alternative { label: label.clone(), probability: round(*p) };
    LabelDecision {
        label: best.map(|l| l.0.clone()),
        probability: round(probability),
        decision,
        reason,
        regime,
        support: None,
        alternatives: labels.take(ALTERNATIVES).map(alternative).collect(),
    }
}

fn verdict(
    policy: &Policy,
    evidence: &Evidence,
    circumstances: Circumstances,
) -> (Decision, Option<Reason>) {
    let probability = evidence.labels.first().map_or(0.0, |l| l.1);
    if evidence.labels.is_empty() {
        return (Decision::Abstain, Some(Reason::NoLabels));
    }
    if circumstances.empty {
        return (Decision::Abstain, Some(Reason::Empty));
    }
    let described = evidence.regime == Regime::Described;
    let sure = probability >= policy.auto;
    if sure && circumstances.language_supported && !described {
        return (Decision::Auto, None);
    }
    let doubt = if circumstances.language_supported {
        Reason::LowConfidence
    } else {
        Reason::UnsupportedLanguage
    };
    if probability >= policy.suggest && (circumstances.language_supported || sure) {
        return (Decision::Suggest, Some(doubt));
    }
    let novel = !described && evidence.nearest.is_some_and(|score| score < policy.novel);
    let reason = match doubt {
        Reason::UnsupportedLanguage => doubt,
        _ if novel => Reason::Novel,
        _ if !described && contested(evidence) => Reason::Conflict,
        _ => doubt,
    };
    (Decision::Abstain, Some(reason))
}

/// Whether the runner-up has more than half of the winner's support.
fn contested(evidence: &Evidence) -> bool {
    matches!(evidence.labels.as_slice(), [first, second, ..] if second.1 > first.1 / 2.0)
}

/// Four decimals are more than a probability can mean.
fn round(p: f32) -> f32 {
    (p.clamp(0.0, 1.0) * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy { auto: 0.9, suggest: 0.5, novel: 0.4 };
    const PLAIN: Circumstances = Circumstances { empty: false, language_supported: true };

    fn evidence(labels: &[(&str, f32)], nearest: f32) -> Evidence {
        Evidence {
            labels: labels.iter().map(|&(l, p)| (l.to_owned(), p)).collect(),
            regime: Regime::FewShot,
            nearest: Some(nearest),
        }
    }

    fn reason(evidence: &Evidence, circumstances: Circumstances) -> (Decision, Option<Reason>) {
        let decided = decide(&POLICY, evidence, circumstances);
        (decided.decision, decided.reason)
    }

    #[test]
    fn each_doubt_has_its_own_reason() {
        let sure = evidence(&[("a", 0.95)], 0.9);
        assert_eq!(reason(&sure, PLAIN), (Decision::Auto, None));
        let foreign = Circumstances { language_supported: false, ..PLAIN };
        let unsupported = Some(Reason::UnsupportedLanguage);
        assert_eq!(reason(&sure, foreign), (Decision::Suggest, unsupported));
        let likely = evidence(&[("a", 0.6)], 0.9);
        assert_eq!(reason(&likely, PLAIN), (Decision::Suggest, Some(Reason::LowConfidence)));
        assert_eq!(reason(&likely, foreign), (Decision::Abstain, unsupported));
        let far = evidence(&[("a", 0.3)], 0.3);
        assert_eq!(reason(&far, PLAIN), (Decision::Abstain, Some(Reason::Novel)));
        let split = evidence(&[("a", 0.4), ("b", 0.35)], 0.8);
        assert_eq!(reason(&split, PLAIN), (Decision::Abstain, Some(Reason::Conflict)));
        let empty = Circumstances { empty: true, ..PLAIN };
        assert_eq!(reason(&sure, empty), (Decision::Abstain, Some(Reason::Empty)));
        assert_eq!(reason(&evidence(&[], 0.8), PLAIN), (Decision::Abstain, Some(Reason::NoLabels)));
    }

    #[test]
    fn descriptions_alone_never_decide() {
        let mut sure = evidence(&[("a", 0.99)], 0.9);
        sure.regime = Regime::Described;
        assert_eq!(decide(&POLICY, &sure, PLAIN).decision, Decision::Suggest);
    }

    fn learned(p: f32) -> Learned {
        Learned {
            labels: vec![("a".to_owned(), p)],
            regime: Regime::Trained,
            promised: true,
            novel: false,
            conflict: false,
        }
    }

    #[test]
    fn only_what_the_promise_covers_is_applied() {
        let decide = |learned: &Learned, circumstances| {
            let decided = decide_learned(0.5, learned, circumstances);
            (decided.decision, decided.reason)
        };
        let sure = learned(0.97);
        assert_eq!(decide(&sure, PLAIN), (Decision::Auto, None));
        let foreign = Circumstances { language_supported: false, ..PLAIN };
        let unsupported = Some(Reason::UnsupportedLanguage);
        assert_eq!(decide(&sure, foreign), (Decision::Suggest, unsupported));
        let unpromised = Learned { promised: false, ..sure.clone() };
        assert_eq!(decide(&unpromised, PLAIN), (Decision::Suggest, Some(Reason::LowConfidence)));
        assert_eq!(decide(&unpromised, foreign), (Decision::Abstain, unsupported));
        let novel = Learned { novel: true, ..sure.clone() };
        assert_eq!(decide(&novel, PLAIN), (Decision::Abstain, Some(Reason::Novel)));
        let conflict = Learned { conflict: true, ..sure.clone() };
        assert_eq!(decide(&conflict, PLAIN), (Decision::Suggest, Some(Reason::Conflict)));
        let unsure = Learned { promised: false, ..learned(0.3) };
        assert_eq!(decide(&unsure, PLAIN), (Decision::Abstain, Some(Reason::LowConfidence)));
        let nothing = Learned { labels: Vec::new(), ..sure };
        assert_eq!(decide(&nothing, PLAIN), (Decision::Abstain, Some(Reason::NoLabels)));
    }

    proptest! {
        #[test]
        fn nothing_is_applied_that_is_not_promised(
            p in 0f32..1.0, promised: bool, novel: bool, conflict: bool, language_supported: bool,
        ) {
            let learned = Learned { promised, novel, conflict, ..learned(p) };
            let circumstances = Circumstances { empty: false, language_supported };
            let decided = decide_learned(0.5, &learned, circumstances);
            let covered = promised && !novel && !conflict && language_supported;
            prop_assert_eq!(decided.decision == Decision::Auto, covered);
            prop_assert_eq!(decided.reason.is_none(), decided.decision == Decision::Auto);
        }

        #[test]
        fn more_support_never_decides_less(p in 0f32..1.0, more in 0f32..1.0, nearest in 0f32..1.0) {
            let rank = |p| match decide(&POLICY, &evidence(&[("a", p)], nearest), PLAIN).decision {
                Decision::Abstain => 0,
                Decision::Suggest => 1,
                Decision::Auto => 2,
            };
            let (low, high) = if p < more { (p, more) } else { (more, p) };
            prop_assert!(rank(low) <= rank(high));
        }

        #[test]
        fn the_best_guess_is_always_named(p in 0f32..1.0, empty: bool, language_supported: bool) {
            let circumstances = Circumstances { empty, language_supported };
            let decided = decide(&POLICY, &evidence(&[("a", p)], 0.5), circumstances);
            prop_assert_eq!(decided.label.as_deref(), Some("a"));
            prop_assert_eq!(decided.reason.is_none(), decided.decision == Decision::Auto);
        }
    }
}
