//! How much of one text stands in another, in its order.

/// ROUGE-L (Lin, ACL workshop 2004) as an F1, 0 to 1: the longest common subsequence of lower-case
/// words against both lengths. Two texts without a word have nothing in common.
pub fn rouge_l(candidate: &str, reference: &str) -> f64 {
    let (candidate, reference) = (words(candidate), words(reference));
    let common = common_subsequence(&candidate, &reference);
    if common == 0 {
        return 0.0;
    }
    let precision = common as f64 / candidate.len() as f64;
    let recall = common as f64 / reference.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

/// One row of the table at a time.
fn common_subsequence(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_value() {
        // The subsequence "the gunman": 2 of 4 words on both sides (Lin 2004, section 3.2).
        let value = rouge_l("the gunman kill police", "police killed the gunman");
        assert!((value - 0.5).abs() < 1e-12, "{value}");
        assert!((rouge_l("Restart it.", "restart IT") - 1.0).abs() < 1e-12);
        assert!(rouge_l("", "").abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn it_is_a_share_and_the_same_both_ways(a in "[abc ]{0,30}", b in "[abc ]{0,30}") {
            let value = rouge_l(&a, &b);
            prop_assert!((0.0..=1.0).contains(&value));
            prop_assert!((value - rouge_l(&b, &a)).abs() < 1e-12);
        }
    }
}
