//! What a taxonomy says of a class, as a ticket of its own.

use super::lexical::Terms;
use super::views::unit;

/// What the taxonomy says of a class: one vector and the terms of its name, description, examples.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassWords {
    /// Of unit length: the mean of its phrases' vectors.
    pub vector: Vec<f32>,
    /// The terms of all phrases.
    pub terms: Terms,
    /// What their words mean by themselves.
    pub wording: Vec<i8>,
}

impl ClassWords {
    /// The phrases to embed, from a label and what else is said of it. The label counts twice, as
    /// it is and as somebody would ask about it, which brings it nearer to real tickets.
    pub fn phrases(label: &str, more: impl IntoIterator<Item = String>) -> Vec<String> {
        let name = spoken(label);
        let own = [format!("I want to know about {name}"), name];
        let more = more.into_iter().filter(|phrase| !phrase.trim().is_empty());
        own.into_iter().chain(more).collect()
    }

    /// The words of [`ClassWords::phrases`]; the question's own are the same for every label.
    pub fn text(phrases: &[String]) -> String {
        phrases.get(1..).unwrap_or_default().join("\n")
    }

    /// From [`ClassWords::phrases`], their vectors, in the same order, and the wording of
    /// [`ClassWords::text`].
    pub fn new<'a>(
        phrases: &[String],
        vectors: impl IntoIterator<Item = &'a [f32]>,
        wording: Vec<i8>,
    ) -> Self {
        let mut vector = Vec::new();
        for own in vectors {
            vector.resize(own.len(), 0.0);
            for (sum, x) in vector.iter_mut().zip(own) {
                *sum += x;
            }
        }
        unit(&mut vector);
        Self { vector, terms: Terms::of(&Self::text(phrases)), wording }
    }
}

/// A label as words: `card_arrival` and `card-arrival` are read as `card arrival`.
fn spoken(label: &str) -> String {
    let words = label.replace(['_', '-', '/', '.'], " ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_words_and_as_a_question() {
        let phrases =
            ClassWords::phrases("card_arrival/late", ["When it comes".into(), " ".into()]);
        assert_eq!(
            phrases,
            ["I want to know about card arrival late", "card arrival late", "When it comes"]
        );
        let vectors = [[3.0, 0.0], [0.0, 2.0], [0.0, 2.0]];
        let words = ClassWords::new(&phrases, vectors.iter().map(|v| &v[..]), vec![1]);
        assert_eq!(words.vector, [0.6, 0.8]);
        assert_eq!(words.terms, Terms::of("card arrival late\nWhen it comes"));
    }
}
