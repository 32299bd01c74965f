//! What an embedding is taught by, and judged by: class vectors and neighbours, both on the unit
//! sphere, so that what helps one helps the other.

use anyhow::Result;
use candle_core::{D, Device, Tensor, Var};

use super::model::{Parameter, unit_rows};
use super::optimiser::AdamW;

/// Logits are this many times a cosine. All-MiniLM was itself trained with 20.
const SCALE: f64 = 20.0;
/// Neighbours that vote.
const NEIGHBOURS: usize = 20;
/// How fast a neighbour's vote falls with its distance.
const VOTE_TEMPERATURE: f32 = 0.05;
/// Full-batch steps of [`Head::fit`], and their learning rate.
const FIT: (usize, f32) = (150, 0.01);

/// One vector a class; a class's logit is its cosine with the embedding, scaled (normalised
/// softmax, Zhai & Wu, arXiv:1811.12649).
#[derive(Debug, Clone)]
pub(super) struct Head {
    var: Var,
}

impl Head {
    /// Starts at the classes' mean vectors. `embeddings` are `[rows, dimensions]`, row by row.
    pub(super) fn new(
        embeddings: &[Vec<f32>],
        labels: &[u32],
        classes: usize,
        device: &Device,
    ) -> Result<Self> {
        let width = embeddings.first().map_or(0, Vec::len);
        let mut sums = vec![0.0; classes * width];
        for (row, &label) in embeddings.iter().zip(labels) {
            for (sum, x) in sums[label as usize * width..].iter_mut().zip(row) {
                *sum += x;
            }
        }
        for row in sums.chunks_exact_mut(width) {
            deskhand::model::encoder::normalise(row);
        }
        let means = Tensor::from_vec(sums, (classes, width), device)?;
        Ok(Self { var: Var::from_tensor(&means)? })
    }

    /// As something to be learned.
    pub(super) fn parameter(&self) -> Parameter {
        Parameter { name: "head".to_owned(), var: self.var.clone(), depth: 0, decays: false }
    }

    /// `[rows, classes]` from unit vectors `[rows, dimensions]`.
    pub(super) fn logits(&self, embeddings: &Tensor) -> Result<Tensor> {
        Ok((embeddings.matmul(&unit_rows(&self.var)?.t()?)? * SCALE)?)
    }

    /// A head of its own for embeddings that stay as they are: how well classes can be told apart
    /// by planes.
    pub(super) fn fit(embeddings: &[Vec<f32>], labels: &[u32], classes: usize) -> Result<Self> {
        let head = Self::new(embeddings, labels, classes, &Device::Cpu)?;
        let mut optimiser = AdamW::new(vec![(head.parameter(), 1.0, 0.0)])?;
        let (embeddings, targets) = (matrix(embeddings)?, targets(labels, classes, 0.0)?);
        for _ in 0..FIT.0 {
            let loss = cross_entropy(&head.logits(&embeddings)?, &targets)?;
            let loss = (loss / labels.len() as f64)?;
            let gradients = optimiser.gradients(&loss.backward()?)?;
            optimiser.step(&gradients, FIT.1, 1.0)?;
        }
        Ok(head)
    }

    /// The likeliest class of each embedding.
    pub(super) fn predict(&self, embeddings: &[Vec<f32>]) -> Result<Vec<u32>> {
        let embeddings = matrix(embeddings)?.to_device(self.var.device())?;
        Ok(self.logits(&embeddings)?.argmax(D::Minus1)?.to_vec1()?)
    }
}

/// The class that the nearest known vectors vote for, weighted by similarity.
pub(super) fn nearest(
    known: &[Vec<f32>],
    labels: &[u32],
    classes: usize,
    queries: &[Vec<f32>],
) -> Result<Vec<u32>> {
    /// Queries at a time, so that similarities to many known vectors fit into memory.
    const BLOCK: usize = 64;
    let known = matrix(known)?.t()?;
    let mut answers = Vec::with_capacity(queries.len());
    for block in queries.chunks(BLOCK) {
        for similarities in matrix(block)?.matmul(&known)?.to_vec2::<f32>()? {
            let mut order: Vec<(f32, u32)> =
                similarities.into_iter().zip(labels.iter().copied()).collect();
            let k = NEIGHBOURS.min(order.len());
            if k < order.len() {
                order.select_nth_unstable_by(k, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            }
            let mut votes = vec![0.0f32; classes];
            order.truncate(k);
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for (similarity, label) in order {
                votes[label as usize] += ((similarity - 1.0) / VOTE_TEMPERATURE).exp();
            }
            let best = votes.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            answers.push(best.map_or(0, |(label, _)| label as u32));
        }
    }
    Ok(answers)
}

/// Vectors as the rows of a matrix.
pub(super) fn matrix(rows: &[Vec<f32>]) -> Result<Tensor> {
    let width = rows.first().map_or(0, Vec::len);
    Ok(Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)?)
}

/// One row of probabilities for each label: the label's own, with a share spread evenly over all
/// classes (label smoothing, Szegedy et al., arXiv:1512.00567).
pub(super) fn targets(labels: &[u32], classes: usize, smoothing: f32) -> Result<Tensor> {
    let mut rows = vec![smoothing / classes as f32; labels.len() * classes];
    for (row, &label) in rows.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] += 1.0 - smoothing;
    }
    Ok(Tensor::from_vec(rows, (labels.len(), classes), &Device::Cpu)?)
}

/// The cross-entropy between each row of targets and the softmax of the logits, summed over rows.
pub(super) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    Ok((log_softmax(logits)? * targets.to_device(logits.device())?)?.sum_all()?.neg()?)
}

fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    Ok(shifted.broadcast_sub(&log_sum)?)
}

/// How far two passes over the same rows, one after the other in `logits`, are from one answer:
/// the mean of both Kullback-Leibler divergences, summed over rows (R-Drop, Wu et al.,
/// arXiv:2106.14448).
pub(super) fn disagreement(logits: &Tensor) -> Result<Tensor> {
    let rows = logits.dim(0)? / 2;
    let logs = log_softmax(logits)?;
    let apart = (logs.narrow(0, 0, rows)? - logs.narrow(0, rows, rows)?)?;
    let shares = logs.exp()?;
    let weights = (shares.narrow(0, 0, rows)? - shares.narrow(0, rows, rows)?)?;
    Ok(((apart * weights)?.sum_all()? * 0.5)?)
}

/// What a contrastive pass compares a row with: vectors as they were when last seen.
pub(super) struct Others<'a> {
    /// `[others, dimensions]`.
    pub(super) vectors: &'a Tensor,
    /// Their labels.
    pub(super) labels: &'a [u32],
}

/// Supervised contrastive loss (Khosla et al., arXiv:2004.11362) of each row against a memory
/// (cross-batch memory, Wang et al., arXiv:1912.06798), summed over rows. `own` are the rows'
/// places in that memory, which they are not compared with.
pub(super) fn contrastive(
    embeddings: &Tensor,
    labels: &[u32],
    own: &[Option<usize>],
    others: &Others<'_>,
    temperature: f64,
) -> Result<Tensor> {
    let n = others.labels.len();
    let mut same = vec![0.0f32; labels.len() * n];
    let mut mask = vec![0.0f32; labels.len() * n];
    for (row, (label, own)) in labels.iter().zip(own).enumerate() {
        let same = &mut same[row * n..][..n];
        for (s, other) in same.iter_mut().zip(others.labels) {
            *s = f32::from(u8::from(other == label));
        }
        if let Some(own) = own {
            same[*own] = 0.0;
            mask[row * n + own] = -1e9;
        }
        let count = same.iter().sum::<f32>().max(1.0);
        for s in same {
            *s /= count;
        }
    }
    let tensor = |values| Tensor::from_vec(values, (labels.len(), n), embeddings.device());
    let logits = (embeddings.matmul(&others.vectors.t()?)? / temperature)?;
    cross_entropy(&(logits + tensor(mask)?)?, &tensor(same)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<Vec<f32>>, Vec<u32>) {
        let row = |n: u32| {
            let angle = (n % 3) as f32 * 2.0 + (n / 3) as f32 * 0.05;
            vec![angle.cos(), angle.sin()]
        };
        ((0..30).map(row).collect(), (0..30).map(|n| n % 3).collect())
    }

    #[test]
    fn separable_classes_are_learned_by_head_and_neighbours() {
        let (rows, labels) = rows();
        assert_eq!(Head::fit(&rows, &labels, 3).unwrap().predict(&rows).unwrap(), labels);
        assert_eq!(nearest(&rows[3..], &labels[3..], 3, &rows[..3]).unwrap(), labels[..3]);
    }

    #[test]
    fn cross_entropy_is_that_of_the_definition() {
        let logits = Tensor::new(&[[2.0f32, 0.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let loss = |smoothing| {
            let targets = targets(&[0, 0], 2, smoothing).unwrap();
            cross_entropy(&logits, &targets).unwrap().to_scalar::<f32>().unwrap()
        };
        let log = |a: f32, b: f32| (a.exp() + b.exp()).ln();
        let (right, wrong) =
            (log(2.0, 0.0) - 2.0 + log(0.0, 1.0), log(2.0, 0.0) + log(0.0, 1.0) - 1.0);
        assert!((loss(0.0) - right).abs() < 1e-5);
        assert!((loss(0.2) - (0.9 * right + 0.1 * wrong)).abs() < 1e-5);
    }

    #[test]
    fn passes_that_say_the_same_agree_and_others_diverge() {
        let both = |first: [f32; 2], second: [f32; 2]| {
            let logits = Tensor::new(&[first, second], &Device::Cpu).unwrap();
            disagreement(&logits).unwrap().to_scalar::<f32>().unwrap()
        };
        // A logit more or less for all classes says nothing.
        assert!(both([2.0, 0.0], [3.0, 1.0]).abs() < 1e-6);
        let (p, q) = (1.0 / (1.0 + (-2.0_f32).exp()), 0.5_f32);
        let divergence =
            |p: f32, q: f32| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        let expected = f32::midpoint(divergence(p, q), divergence(q, p));
        assert!((both([2.0, 0.0], [0.0, 0.0]) - expected).abs() < 1e-5);
        assert!((both([0.0, 0.0], [2.0, 0.0]) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_row_is_drawn_to_its_own_class_and_never_to_itself() {
        let (rows, labels) = rows();
        let memory = matrix(&rows).unwrap();
        let others = Others { vectors: &memory, labels: &labels };
        let loss = |at: usize, label: u32, own: Option<usize>| {
            let row = matrix(&rows[at..=at]).unwrap();
            let loss = contrastive(&row, &[label], &[own], &others, 0.1).unwrap();
            loss.to_scalar::<f32>().unwrap()
        };
        assert!(loss(0, labels[0], Some(0)) < loss(0, labels[1], Some(0)));
        // Its own copy, were it not left out, would be the likeliest of its class.
        let nearest_own = loss(0, labels[0], None);
        let known = matrix(&rows[1..]).unwrap();
        let without = Others { vectors: &known, labels: &labels[1..] };
        let row = matrix(&rows[..1]).unwrap();
        let expected = contrastive(&row, &labels[..1], &[None], &without, 0.1).unwrap();
        let expected = expected.to_scalar::<f32>().unwrap();
        assert!((loss(0, labels[0], Some(0)) - expected).abs() < 1e-5);
        assert!((nearest_own - expected).abs() > 1e-3);
        // A class that nobody else has pulls nowhere.
        let alone = Others { vectors: &memory, labels: &[7; 30] };
        let row = matrix(&rows[..1]).unwrap();
        let loss = contrastive(&row, &[0], &[Some(0)], &alone, 0.1).unwrap();
        assert!(loss.to_scalar::<f32>().unwrap().abs() < 1e-6);
    }
}
