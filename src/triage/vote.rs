//! What similar tickets and the taxonomy's own words say about a label. Pure.

use std::collections::HashMap;

use crate::domain::{Neighbour, Outcome, Regime, Taxonomy};

/// A neighbour this similar counts as one full vote for its label; less similar ones count less.
const FULL_VOTE: f32 = 0.8;
/// A neighbour no more similar than this adds no certainty: any two texts are about this much alike.
const NO_VOTE: f32 = 0.2;
/// What all votes together are worth at the least: even unlike tickets make a better guess than none.
const LEAST_WORTH: f32 = 0.05;
/// Sharpens the vote towards the most similar neighbours.
const VOTE_TEMPERATURE: f32 = 0.08;
/// From this cosine on a neighbour is more and more the same ticket come again; the very same one
/// has the votes of so many others, so that what was decided of it is what is answered to it.
const ALIKE: f32 = 0.95;
const SAME_VOTES: f32 = 20.0;
/// Sharpens the similarities to descriptions into a distribution.
const PROTOTYPE_TEMPERATURE: f32 = 0.05;
/// The votes that the taxonomy's own words are worth.
const PROTOTYPE_VOTES: f32 = 0.5;

/// A label with its probability.
pub(super) type Scored = (String, f32);

/// What speaks for the labels of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// Every label of the taxonomy that has any support, best first; probabilities add up to at
    /// most 1, and what is missing to 1 is doubt.
    pub(super) labels: Vec<Scored>,
    pub(super) regime: Regime,
    /// Cosine of the most similar neighbour that carries a label of this field.
    pub(super) nearest: Option<f32>,
}

/// How strongly each category's own words match a ticket: a distribution over category labels.
/// `similarities` holds, for each category, the cosines of the ticket to its phrases.
pub(super) fn described(similarities: &[(&str, Vec<f32>)]) -> Vec<Scored> {
    let score = |cosines: &[f32]| {
        let best = cosines.iter().copied().fold(f32::MIN, f32::max);
        let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
        f32::midpoint(best, mean)
    };
    let scores: Vec<Scored> = similarities
        .iter()
        .filter(|(_, cosines)| !cosines.is_empty())
        .map(|(label, cosines)| ((*label).to_owned(), score(cosines)))
        .collect();
    let top = scores.iter().map(|s| s.1).fold(f32::MIN, f32::max);
    let powers = scores
        .into_iter()
        .map(|(label, s)| (label, ((s - top) / PROTOTYPE_TEMPERATURE).exp()))
        .collect::<Vec<_>>();
    let total: f32 = powers.iter().map(|p| p.1).sum();
    powers.into_iter().map(|(label, p)| (label, p / total)).collect()
}

/// The teams that own the described categories.
pub(super) fn described_teams(categories: &[Scored], taxonomy: &Taxonomy) -> Vec<Scored> {
    let mut teams: HashMap<&str, f32> = HashMap::new();
    for (label, p) in categories {
        if let Some(team) = taxonomy.category(label).and_then(|c| c.team.as_deref()) {
            *teams.entry(team).or_default() += p;
        }
    }
    teams.into_iter().map(|(team, p)| (team.to_owned(), p)).collect()
}

/// Where not even descriptions speak for a label, each is as likely as the next.
pub(super) fn uniform<'a>(labels: impl ExactSizeIterator<Item = &'a String>) -> Vec<Scored> {
    let share = 1.0 / labels.len().max(1) as f32;
    labels.map(|label| (label.clone(), share)).collect()
}

/// Without history a priority cannot be told from words: `normal`, or else the middle one, leads.
pub(super) fn described_priorities(taxonomy: &Taxonomy) -> Vec<Scored> {
    let all = &taxonomy.priorities;
    let usual = all
        .iter()
        .position(|p| p.eq_ignore_ascii_case("normal") || p.eq_ignore_ascii_case("medium"))
        .unwrap_or(all.len() / 2);
    let share = 1.0 / (all.len() + 1) as f32;
    let p = |at| if at == usual { 2.0 * share } else { share };
    all.iter().enumerate().map(|(at, label)| (label.clone(), p(at))).collect()
}

/// Blends the neighbours' similarity-weighted vote for one field with what the taxonomy's words
/// say. `known` tells which labels the taxonomy has; others have no vote.
pub(super) fn vote(
    neighbours: &[Neighbour],
    field: impl Fn(&Outcome) -> Option<&str>,
    known: impl Fn(&str) -> bool,
    prior: &[Scored],
) -> Evidence {
    let voters: Vec<(&str, f32)> = neighbours
        .iter()
        .filter_map(|n| field(&n.outcome).map(|label| (label, n.score)))
        .filter(|(label, _)| known(label))
        .collect();
    let nearest = voters.iter().map(|v| v.1).reduce(f32::max);
    let mut labels: HashMap<&str, f32> = HashMap::new();
    // Strength says how much the votes are worth together, the softmax how they are shared out.
    let strength = voters.iter().map(|v| worth(v.1)).sum::<f32>().max(LEAST_WORTH);
    let powers: f32 = voters.iter().map(|v| power(v.1, nearest)).sum();
    let total = strength + PROTOTYPE_VOTES;
    for &(label, score) in &voters {
        *labels.entry(label).or_default() += power(score, nearest) / powers * strength / total;
    }
    for (label, p) in prior {
        *labels.entry(label.as_str()).or_default() += p * PROTOTYPE_VOTES / total;
    }
    let mut labels: Vec<Scored> = labels.into_iter().map(|(l, p)| (l.to_owned(), p)).collect();
    labels.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let regime = if voters.is_empty() { Regime::Described } else { Regime::FewShot };
    Evidence { labels, regime, nearest }
}

fn worth(score: f32) -> f32 {
    ((score - NO_VOTE) / (FULL_VOTE - NO_VOTE)).clamp(0.0, 1.0)
}

fn power(score: f32, nearest: Option<f32>) -> f32 {
    let same = ((score - ALIKE) / (1.0 - ALIKE)).clamp(0.0, 1.0);
    ((score - nearest.unwrap_or(score)) / VOTE_TEMPERATURE).exp() * (1.0 + SAME_VOTES * same)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::TicketId;

    fn neighbour(category: &str, score: f32) -> Neighbour {
        Neighbour {
            ticket_id: TicketId::new(Uuid::nil()),
            score,
            words: 0.0,
            subject: String::new(),
            outcome: Outcome { category: Some(category.to_owned()), ..Outcome::default() },
            language: None,
        }
    }

    fn category(neighbours: &[Neighbour], prior: &[Scored]) -> Evidence {
        vote(neighbours, |o| o.category.as_deref(), |label| label != "unknown", prior)
    }

    #[test]
    fn the_most_similar_outweigh_the_many() {
        let mut all = vec![neighbour("VPN", 0.9)];
        all.extend((0..5).map(|_| neighbour("Wi-Fi", 0.6)));
        let evidence = category(&all, &[]);
        assert_eq!(evidence.labels[0].0, "VPN");
        assert_eq!(evidence.regime, Regime::FewShot);
        assert_eq!(evidence.nearest, Some(0.9));
    }

    /// As one correction is remembered before there is a model, among many that were not corrected.
    #[test]
    fn the_same_ticket_come_again_outweighs_all_that_are_merely_alike() {
        let mut all = vec![neighbour("corrected", 1.0)];
        all.extend((0..10).map(|_| neighbour("as before", 0.95)));
        assert_eq!(category(&all, &[]).labels[0].0, "corrected");
    }

    #[test]
    fn without_neighbours_the_description_decides() {
        let prior = described(&[("VPN", vec![0.7, 0.5]), ("Wi-Fi", vec![0.3])]);
        let evidence = category(&[], &prior);
        assert_eq!(evidence.labels[0].0, "VPN");
        assert_eq!(evidence.regime, Regime::Described);
    }

    #[test]
    fn a_label_outside_the_taxonomy_has_no_vote() {
        assert!(category(&[neighbour("unknown", 0.9)], &[]).labels.is_empty());
    }

    proptest! {
        #[test]
        fn probabilities_stay_probabilities(
            votes in prop::collection::vec(("[abc]", -1f32..1.0), 0..30),
            cosines in prop::collection::vec(prop::collection::vec(-1f32..1.0, 0..4), 0..4),
        ) {
            let neighbours: Vec<_> = votes.iter().map(|(l, s)| neighbour(l, *s)).collect();
            let names = ["a", "b", "c", "d"];
            let similarities: Vec<_> = names.into_iter().zip(cosines).collect();
            let evidence = category(&neighbours, &described(&similarities));
            let total: f32 = evidence.labels.iter().map(|l| l.1).sum();
            prop_assert!(total <= 1.0 + 1e-4, "{total}");
            prop_assert!(evidence.labels.iter().all(|l| (0.0..=1.0001).contains(&l.1)));
            prop_assert!(evidence.labels.is_sorted_by(|a, b| a.1 >= b.1));
        }
    }
}
