//! What a run leaves behind: an encoder like any other, and what it is worth.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use deskhand::classify::{Labelled, Options, Readings, Terms, unseen_answers};
use deskhand::judge::{Share, duplicates};
use deskhand::model::{Encoder, Manifest, ModelFile, Taught, sha256};
use serde_json::{Value, json};

use super::head::{Head, nearest};
use super::model::Model;
use super::trainer::Examples;

/// The files of an encoder's folder.
const FILES: [&str; 4] = ["config.json", "tokenizer.json", "model.safetensors", Taught::FILE];
/// Texts that are embedded at a time.
const BLOCK: usize = 64;

/// Unit vectors of token sequences by the service's own encoder, in order.
///
/// # Errors
/// A sequence is longer than the encoder's positions.
pub(super) fn embed(
    encoder: &Encoder,
    texts: &[Vec<u32>],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|n| texts[*n].len());
    let mut out = vec![Vec::new(); texts.len()];
    for block in order.chunks(BLOCK) {
        let sequences: Vec<&[u32]> = block.iter().map(|n| texts[*n].as_slice()).collect();
        for (n, vector) in block.iter().zip(encoder.embed(&sequences)?) {
            out[*n] = vector;
        }
        progress(block.len());
    }
    Ok(out)
}

/// Writes the tuned encoder's files and their manifest; `taught` is what it was tuned on.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn write(
    model: &Model,
    base: &Manifest,
    from: &Path,
    folder: &Path,
    name: &str,
    taught: &Taught,
) -> Result<Manifest> {
    // All of it in a folder beside, so that what takes long, and may fail, leaves an encoder that
    // was here as it was.
    let part = folder.join("part");
    fs::create_dir_all(&part).with_context(|| part.display().to_string())?;
    for file in ["config.json", "tokenizer.json"] {
        let (from, to) = (from.join(file), part.join(file));
        fs::copy(&from, &to).with_context(|| to.display().to_string())?;
    }
    taught.write(&part).with_context(|| part.display().to_string())?;
    model.save(&part.join("model.safetensors"))?;
    let files = FILES.iter().map(|name| {
        let path = part.join(name);
        let context = || path.display().to_string();
        let bytes = fs::metadata(&path).with_context(context)?.len();
        let sha256 = sha256(&path).with_context(context)?;
        Ok(ModelFile { name: (*name).to_owned(), bytes: Some(bytes), sha256: Some(sha256) })
    });
    let manifest = Manifest {
        name: name.to_owned(),
        hub: None,
        wheel: None,
        files: files.collect::<Result<_>>()?,
        home: Some(folder.to_owned()),
        ..base.clone()
    };
    manifest.write(&part)?;
    for name in FILES.into_iter().chain([Manifest::FILE]) {
        let to = folder.join(name);
        fs::rename(part.join(name), &to).with_context(|| to.display().to_string())?;
    }
    fs::remove_dir(&part).with_context(|| part.display().to_string())?;
    Ok(manifest)
}

/// How an encoder does on the validation rows: right or wrong, row by row.
#[derive(Debug)]
pub(super) struct Judged {
    /// With planes between the classes (softmax regression on its vectors).
    pub(super) planes: Vec<bool>,
    /// With the votes of the nearest training rows.
    pub(super) neighbours: Vec<bool>,
    /// With all that the service's classifier makes of them; empty where there are too few rows.
    pub(super) answers: Vec<bool>,
}

/// The rows that encoders are compared on, training and validation, as a classifier reads them.
#[derive(Debug)]
pub(super) struct Court {
    terms: Vec<Terms>,
    groups: Vec<usize>,
    labels: Vec<usize>,
    classes: Vec<String>,
    /// Which rows were learned from, now or by the encoder that this one began as.
    taught: Vec<bool>,
}

impl Court {
    /// Texts with their labels by number, the training rows first. A validation row of a label
    /// that was never learned has none. `before` is what the encoder began with.
    pub(super) fn new(
        [learned, asked]: [&[&str]; 2],
        [train, valid]: [&Examples; 2],
        classes: &[&str],
        before: &Taught,
    ) -> Self {
        let labels = train.labels.iter().chain(&valid.labels);
        let texts = [learned, asked].concat();
        let asked = asked.iter().map(|text| before.contains(text));
        Self {
            taught: learned.iter().map(|_| true).chain(asked).collect(),
            terms: texts.iter().map(|text| Terms::of(text)).collect(),
            groups: duplicates::groups(&texts),
            labels: labels.map(|label| *label as usize).collect(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        }
    }

    /// Whether the service's classifier is right about each validation row when it learns from all
    /// rows but the row's own part of the validation rows.
    fn answers(
        &self,
        vectors: &[&[Vec<f32>]; 2],
        wordings: &[Vec<i8>],
        seed: u64,
    ) -> Result<Vec<bool>> {
        let readings = Readings {
            vectors: &vectors.concat(),
            terms: &self.terms,
            wordings,
            groups: &self.groups,
            taught: &self.taught,
        };
        let known = |(_, label): &(usize, usize)| *label < self.classes.len();
        let rows = self.labels.iter().copied().enumerate().filter(known);
        let labelled = Labelled::of(readings, rows);
        let history = labelled.history(&self.classes, &[]);
        let answers = unseen_answers(history, Options { seed })?;
        Ok(answers.into_iter().map(|(row, class)| history.labels[row] == class).collect())
    }
}

/// Judges an encoder's vectors: those of the training rows explain, those of the validation rows are
/// asked.
///
/// # Errors
/// A tensor operation failed.
pub(super) fn judge(
    encoder: &Encoder,
    (known, train): (&[Vec<f32>], &Examples),
    (asked, valid): (&[Vec<f32>], &Examples),
    court: &Court,
    seed: u64,
) -> Result<Judged> {
    let classes = court.classes.len();
    let right = |answers: &[u32]| answers.iter().zip(&valid.labels).map(|(a, b)| a == b).collect();
    let planes = Head::fit(known, &train.labels, classes)?.predict(asked)?;
    let neighbours = nearest(known, &train.labels, classes, asked)?;
    let texts = train.tokens.iter().chain(&valid.tokens);
    let wordings = texts.map(|text| encoder.wording(std::slice::from_ref(text)));
    let wordings: Vec<Vec<i8>> = wordings.collect::<Result<_, _>>()?;
    let answers = court.answers(&[known, asked], &wordings, seed)?;
    Ok(Judged { planes: right(&planes), neighbours: right(&neighbours), answers })
}

impl Judged {
    /// Accuracies: planes, neighbours.
    pub(super) fn accuracies(&self) -> (f64, f64) {
        (share(&self.planes).value(), share(&self.neighbours).value())
    }

    /// What encoders are compared by: whole answers; planes where there are none.
    fn deciding(&self) -> &[bool] {
        if self.answers.is_empty() { &self.planes } else { &self.answers }
    }

    /// In words, for a person.
    pub(super) fn line(&self) -> String {
        let percent = |right: &[bool]| format!("{:.2} %", 100.0 * share(right).value());
        let parts = format!(
            "{} by planes, {} by neighbours",
            percent(&self.planes),
            percent(&self.neighbours)
        );
        if self.answers.is_empty() {
            parts
        } else {
            format!("{} by the whole classifier, {parts}", percent(&self.answers))
        }
    }
}

fn share(right: &[bool]) -> Share {
    right.iter().copied().collect()
}

/// A share with its 95 % interval, as JSON.
fn figure(right: &[bool]) -> Value {
    let share = share(right);
    let (low, high) = share.interval();
    json!({ "value": share.value(), "low": low, "high": high })
}

/// Both encoders on the same rows, and whether one is better.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) frozen: Judged,
    pub(super) tuned: Judged,
}

impl Comparison {
    /// In words, for a person.
    pub(super) fn verdict(&self) -> String {
        let (gained, lost) = self.changed();
        let p = sign_test(gained, lost);
        let both = format!("right where the frozen one was wrong: {gained}; the other way: {lost}");
        match gained.cmp(&lost) {
            std::cmp::Ordering::Greater if p < 0.05 => {
                format!("the fine-tuned encoder beats the frozen one ({both}; p = {p:.2e})")
            }
            std::cmp::Ordering::Greater => format!(
                "the fine-tuned encoder is ahead of the frozen one, by no more than chance may do \
                 ({both}; p = {p:.2})"
            ),
            _ => format!("the fine-tuned encoder does NOT beat the frozen one ({both})"),
        }
    }

    /// Rows that were right only after the tuning, and only before.
    fn changed(&self) -> (usize, usize) {
        let pairs = || self.frozen.deciding().iter().zip(self.tuned.deciding());
        (
            pairs().filter(|(frozen, tuned)| !**frozen && **tuned).count(),
            pairs().filter(|(frozen, tuned)| **frozen && !**tuned).count(),
        )
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let (gained, lost) = self.changed();
        let of = |judged: &Judged| {
            json!({
                "answers": (!judged.answers.is_empty()).then(|| figure(&judged.answers)),
                "planes": figure(&judged.planes),
                "neighbours": figure(&judged.neighbours),
            })
        };
        json!({
            "frozen": of(&self.frozen),
            "tuned": of(&self.tuned),
            "put_right": gained,
            "spoiled": lost,
            "p": sign_test(gained, lost),
            "verdict": self.verdict(),
        })
    }
}

/// How likely so many gains of all changes are, or more, when gains and losses are equally likely:
/// the one-sided exact sign test.
fn sign_test(gained: usize, lost: usize) -> f64 {
    let changes = gained + lost;
    // Terms of the binomial distribution, each from the one before, in logarithms.
    let mut log_term = -(changes as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=changes {
        if k >= gained {
            tail += log_term.exp();
        }
        log_term += ((changes - k) as f64 / (k + 1) as f64).ln();
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_test_has_its_known_values() {
        for (gained, lost, p) in
            [(0, 0, 1.0), (5, 0, 1.0 / 32.0), (8, 2, 56.0 / 1024.0), (0, 3, 1.0)]
        {
            assert!((sign_test(gained, lost) - p).abs() < 1e-9, "{gained} {lost}");
        }
        assert!((sign_test(1000, 1000) - 0.5).abs() < 0.02);
    }

    #[test]
    fn a_tuning_that_does_not_help_is_told_so() {
        let judged = |right: usize| {
            let planes: Vec<bool> = (0..100).map(|n| n < right).collect();
            Judged { neighbours: planes.clone(), answers: planes.clone(), planes }
        };
        let verdict =
            |frozen, tuned| Comparison { frozen: judged(frozen), tuned: judged(tuned) }.verdict();
        assert!(verdict(80, 95).contains("beats"));
        assert!(verdict(80, 82).contains("chance"));
        assert!(verdict(80, 80).contains("NOT") && verdict(80, 70).contains("NOT"));
    }
}
