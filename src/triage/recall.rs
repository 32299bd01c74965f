//! What was decided after a bundle was fitted: counts on the very next ticket. Pure.
//!
//! A model knows the tickets it was fitted on. Of a very similar ticket that it does not know, the
//! decision takes the model's place, gradually: at a cosine of [`FROM`] it has no say, at
//! [`CERTAIN`] the only one.

use super::vote::Scored;

/// Two tickets this similar may be of the same kind.
const FROM: f32 = 0.8;
/// Two tickets this similar are of the same kind.
const CERTAIN: f32 = 0.95;
/// Sharpens the say towards the most similar: at 0.05 less similar, a third of it.
const SHARPNESS: f32 = 20.0;

/// What tickets say that a model does not know.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recall {
    /// Their part in the answer, 0 to 1.
    pub(super) weight: f32,
    /// Their labels, shared out to 1; empty where the weight is 0.
    pub(super) shares: Vec<Scored>,
}

impl Recall {
    /// From the labels and cosines of the tickets that the model does not know.
    pub(super) fn of(unknown: &[(&str, f32)]) -> Self {
        let nearest = unknown.iter().map(|n| n.1).fold(f32::NEG_INFINITY, f32::max);
        let weight = ((nearest - FROM) / (CERTAIN - FROM)).clamp(0.0, 1.0);
        let mut shares: Vec<Scored> = Vec::new();
        if weight == 0.0 {
            return Self { weight, shares };
        }
        let say = |cosine: f32| (SHARPNESS * (cosine - nearest)).exp();
        let near = || unknown.iter().filter(|n| n.1 > FROM);
        let total: f32 = near().map(|n| say(n.1)).sum();
        for (label, cosine) in near() {
            let share = say(*cosine) / total;
            match shares.iter_mut().find(|s| s.0 == *label) {
                Some(known) => known.1 += share,
                None => shares.push(((*label).to_owned(), share)),
            }
        }
        Self { weight, shares }
    }

    /// How strongly they speak for any other label, 0 to 1.
    pub(super) fn against(&self, label: &str) -> f32 {
        let others = self.shares.iter().filter(|s| s.0 != label);
        self.weight * others.map(|s| s.1).sum::<f32>()
    }

    /// The model's probabilities and theirs together, the likeliest first. Without any say of
    /// theirs, the model's are left exactly as they are.
    pub(super) fn blend(&self, mut model: Vec<Scored>) -> Vec<Scored> {
        if self.weight > 0.0 {
            for (_, p) in &mut model {
                *p *= 1.0 - self.weight;
            }
            for (label, share) in &self.shares {
                let p = self.weight * share;
                match model.iter_mut().find(|s| s.0 == *label) {
                    Some(known) => known.1 += p,
                    None => model.push((label.clone(), p)),
                }
            }
        }
        model.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        model
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scored(labels: &[(&str, f32)]) -> Vec<Scored> {
        labels.iter().map(|(l, p)| ((*l).to_owned(), *p)).collect()
    }

    #[test]
    fn one_correction_outweighs_a_sure_model_on_the_same_kind_of_ticket() {
        let model = scored(&[("VPN", 0.98), ("Wi-Fi", 0.02)]);
        let same = Recall::of(&[("Wi-Fi", 0.96)]).blend(model.clone());
        assert_eq!(same[0], ("Wi-Fi".to_owned(), 1.0));
        let alike = Recall::of(&[("Wi-Fi", 0.9)]).blend(model.clone());
        assert_eq!(alike[0].0, "Wi-Fi");
        let other = Recall::of(&[("Wi-Fi", 0.7)]).blend(model.clone());
        assert_eq!(other, model, "an unlike ticket changes nothing at all");
    }

    #[test]
    fn a_label_that_the_model_does_not_know_can_win() {
        let blended = Recall::of(&[("New", 0.95)]).blend(scored(&[("VPN", 1.0)]));
        assert_eq!(blended[0].0, "New");
    }

    #[test]
    fn contradicting_memories_leave_it_open() {
        let recall = Recall::of(&[("a", 0.97), ("b", 0.97)]);
        let blended = recall.blend(scored(&[("c", 1.0)]));
        assert!((blended[0].1 - 0.5).abs() < 1e-6 && blended[0].0 == "a", "{blended:?}");
    }

    fn memories() -> impl Strategy<Value = Vec<(String, f32)>> {
        prop::collection::vec(("[abcd]", -1f32..1.0), 0..20)
    }

    fn borrowed(memories: &[(String, f32)]) -> Vec<(&str, f32)> {
        memories.iter().map(|(l, c)| (l.as_str(), *c)).collect()
    }

    proptest! {
        #[test]
        fn probabilities_stay_probabilities(memories in memories(), p in 0f32..1.0) {
            let model = scored(&[("a", p), ("b", 1.0 - p)]);
            let recall = Recall::of(&borrowed(&memories));
            let blended = recall.blend(model);
            let total: f32 = blended.iter().map(|s| s.1).sum();
            prop_assert!((total - 1.0).abs() < 1e-4, "{total}");
            prop_assert!(blended.is_sorted_by(|a, b| a.1 >= b.1));
            let (a, b) = (recall.against("a"), recall.against("b"));
            prop_assert!((0.0..=recall.weight + 1e-6).contains(&a) && a + b + 1e-6 >= recall.weight);
        }

        #[test]
        fn what_is_more_similar_has_more_say(cosine in -1f32..1.0, more in 0f32..0.5, p in 0f32..1.0) {
            let share = |cosine: f32| {
                let blended = Recall::of(&[("b", cosine)]).blend(scored(&[("a", p), ("b", 1.0 - p)]));
                blended.iter().find(|s| s.0 == "b").map_or(0.0, |s| s.1)
            };
            prop_assert!(share(cosine) <= share((cosine + more).min(1.0)) + 1e-6);
        }

        #[test]
        fn the_order_of_memories_does_not_matter(memories in memories()) {
            let model = || scored(&[("a", 0.6), ("b", 0.4)]);
            let forward = Recall::of(&borrowed(&memories)).blend(model());
            let mut turned = borrowed(&memories);
            turned.reverse();
            let backward = Recall::of(&turned).blend(model());
            for (label, p) in &forward {
                let other = backward.iter().find(|s| s.0 == *label).map(|s| s.1);
                prop_assert!(other.is_some_and(|q| (p - q).abs() < 1e-4));
            }
        }
    }
}
