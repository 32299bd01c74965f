//! From evidence to a decision. Pure.

use serde::Deserialize;

use super::vote::Evidence;
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
    let mut labels = evidence.labels.iter();
    let best = labels.next();
    let probability = best.map_or(0.0, |l| l.1);
    let (decision, reason) = verdict(policy, evidence, probability, circumstances);
    let alternative =
        |(label, p): &(String, f32)| Alternative { label: label.clone(), probability: round(*p) };
    LabelDecision {
        label: best.map(|l| l.0.clone()),
        probability: round(probability),
        decision,
        reason,
        regime: evidence.regime,
        alternatives: labels.take(ALTERNATIVES).map(alternative).collect(),
    }
}

fn verdict(
    policy: &Policy,
    evidence: &Evidence,
    probability: f32,
    circumstances: Circumstances,
) -> (Decision, Option<Reason>) {
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

    proptest! {
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
