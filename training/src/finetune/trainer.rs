//! The training loop: steps, epochs, and a state that can be put away and taken up again.

use anyhow::{Context, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::batches;
use super::head::{self, Head, Others};
use super::model::{Model, Noise, Parameter};
use super::noise::key;
use super::optimiser::{AdamW, Gradients, schedule};
use super::workers::Workers;

/// Sequences that one thread takes at a time. Part of the arithmetic: gradients are summed shard
/// by shard, in order, so the number of threads changes nothing.
const SHARD: usize = 16;
/// Vectors at most that a contrastive pass compares with.
const MEMORY: usize = 16_384;

/// How to train. What another value would make another result is here, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, clap::Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct Settings {
    /// Passes over the training rows, at most
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(super) epochs: u64,
    /// Decides the split, the order of the rows and the dropout
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(super) seed: u64,
    /// Rows a step
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(super) batch: usize,
    /// Learning rate of the last layer
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    pub(super) learning_rate: f32,
    /// Learning rate of the class vectors
    #[arg(long, value_name = "RATE", default_value_t = 2e-3)]
    pub(super) head_rate: f32,
    /// Each layer learns this much slower than the one after it
    #[arg(long, value_name = "FACTOR", default_value_t = 0.85)]
    pub(super) layer_decay: f32,
    /// Weight decay of matrices
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    pub(super) weight_decay: f32,
    /// Share of all steps in which the learning rate rises
    #[arg(long, value_name = "SHARE", default_value_t = 0.06)]
    pub(super) warmup: f64,
    /// Longest gradient that is taken as it is
    #[arg(long, value_name = "LENGTH", default_value_t = 1.0)]
    pub(super) clip: f32,
    /// Share of values dropped in each layer
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(super) dropout: f32,
    /// Label smoothing
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(super) smoothing: f32,
    /// Weight of the supervised contrastive loss beside cross-entropy
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.5)]
    pub(super) contrast: f64,
    /// Temperature of the contrastive loss
    #[arg(long, value_name = "T", default_value_t = 0.07)]
    pub(super) temperature: f64,
    /// Weight of the disagreement between two passes with different dropout; 0 is one pass, in half
    /// the time. Try 1
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    pub(super) consistency: f64,
    /// Longest text in tokens; the rest of a longer one is not learned from
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(super) max_tokens: usize,
    /// Share of the training rows held out where the file has no `valid` or `tune`
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(super) validation_share: f64,
    /// Stop after this many epochs without a better validation score
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) patience: usize,
}

impl Settings {
    /// # Errors
    /// A value makes no sense; the message names it.
    pub(super) fn check(&self) -> Result<()> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        let positive = |x: f64| x.is_finite() && x > 0.0;
        for (fine, name, expected) in [
            (self.epochs > 0, "epochs", "at least 1"),
            (self.batch > 1, "batch", "at least 2"),
            (positive(self.learning_rate.into()), "learning-rate", "a number above 0"),
            (positive(self.head_rate.into()), "head-rate", "a number above 0"),
            (positive(self.layer_decay.into()), "layer-decay", "a number above 0"),
            (self.weight_decay >= 0.0 && self.weight_decay < 1.0, "weight-decay", "0 to 1"),
            (share(self.warmup), "warmup", "0 to 1"),
            (positive(self.clip.into()), "clip", "a number above 0"),
            (share(self.dropout.into()), "dropout", "0 to 1"),
            (share(self.smoothing.into()), "smoothing", "0 to 1"),
            (self.contrast >= 0.0 && self.contrast.is_finite(), "contrast", "0 or more"),
            (positive(self.temperature), "temperature", "a number above 0"),
            (self.consistency >= 0.0 && self.consistency.is_finite(), "consistency", "0 or more"),
            (self.max_tokens > 2, "max-tokens", "at least 3"),
            (
                positive(self.validation_share) && share(self.validation_share),
                "validation-share",
                "a share above 0 and below 1",
            ),
            (self.patience > 0, "patience", "at least 1"),
        ] {
            anyhow::ensure!(fine, "--{name}: expected {expected}");
        }
        Ok(())
    }
}

/// Texts as token ids, with their labels as numbers and their vectors before training.
#[derive(Debug)]
pub(super) struct Examples {
    pub(super) tokens: Vec<Vec<u32>>,
    pub(super) labels: Vec<u32>,
    /// By the encoder as it was.
    pub(super) frozen: Vec<Vec<f32>>,
}

/// What an epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Epoch {
    /// Mean cross-entropy and contrastive loss over the training rows.
    pub(super) cross_entropy: f32,
    pub(super) contrastive: f32,
    /// Validation accuracy of the class vectors and of the neighbours.
    pub(super) head: f32,
    pub(super) neighbours: f32,
}

impl Epoch {
    /// What selects the epoch that is kept.
    pub(super) fn score(&self) -> f32 {
        f32::midpoint(self.head, self.neighbours)
    }
}

/// Where a run stands, but for its tensors.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Epochs completed.
    pub(super) history: Vec<Epoch>,
    /// Batches of the next epoch that were already learned from.
    pub(super) batches: usize,
    /// Losses summed over those, in single precision, which JSON gives back as it was.
    pub(super) cross_entropy: f32,
    pub(super) contrastive: f32,
    /// The epoch whose values are kept, from 0.
    pub(super) best: Option<usize>,
}

/// A run.
pub(super) struct Trainer<'a> {
    pub(super) settings: &'a Settings,
    pub(super) model: &'a Model,
    pub(super) workers: &'a Workers,
    pub(super) train: &'a Examples,
    pub(super) valid: &'a Examples,
    pub(super) classes: usize,
    pub(super) head: Head,
    pub(super) optimiser: AdamW,
    pub(super) standing: Standing,
    /// Vectors of training rows as they were last seen, row by row.
    pub(super) memory: Vec<f32>,
    /// Which training row each of them is.
    remembered: Vec<usize>,
    /// The best epoch's values, in the optimiser's order.
    pub(super) best: Vec<Vec<f32>>,
}

/// What a shard of a batch came to.
struct Shard {
    gradients: Gradients,
    embeddings: Vec<f32>,
    cross_entropy: f32,
    contrastive: f32,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        model: &'a Model,
        workers: &'a Workers,
        [train, valid]: [&'a Examples; 2],
        classes: usize,
    ) -> Result<Self> {
        let head = Head::new(&train.frozen, &train.labels, classes, model.device())?;
        let weighted = |parameter: Parameter| {
            let rate = settings.learning_rate * settings.layer_decay.powf(parameter.depth as f32);
            let decay = if parameter.decays { settings.weight_decay } else { 0.0 };
            (parameter, rate, decay)
        };
        let mut parameters: Vec<_> = model.parameters().into_iter().map(weighted).collect();
        parameters.push((head.parameter(), settings.head_rate, 0.0));
        let mut remembered = Vec::new();
        if settings.contrast > 0.0 {
            let all = (0..train.labels.len()).collect();
            remembered = super::noise::shuffle(all, key(&[settings.seed, 4]));
            remembered.truncate(MEMORY);
            remembered.sort_unstable();
        }
        let memory = remembered.iter().flat_map(|n| train.frozen[*n].iter().copied()).collect();
        let optimiser = AdamW::new(parameters)?;
        let best = optimiser.slots.iter().map(|slot| slot.value.clone()).collect();
        let standing = Standing::default();
        Ok(Self {
            settings,
            model,
            workers,
            train,
            valid,
            classes,
            head,
            optimiser,
            standing,
            memory,
            remembered,
            best,
        })
    }

    /// The batches of the epoch that is next or under way.
    pub(super) fn batches(&self) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = self.train.tokens.iter().map(Vec::len).collect();
        let epoch = self.standing.history.len() as u64;
        batches::epoch(&lengths, self.settings.batch, self.settings.seed, epoch)
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// The gradients are missing or no longer finite.
    pub(super) fn step(&mut self, batch: &[usize], total: u64) -> Result<()> {
        let shards: Vec<&[usize]> = batch.chunks(SHARD).collect();
        let labels: Vec<u32> = self.remembered.iter().map(|n| self.train.labels[*n]).collect();
        let shape = (self.remembered.len(), self.model.dimensions());
        let vectors = Tensor::from_slice(&self.memory, shape, self.model.device())?;
        let others = Others { vectors: &vectors, labels: &labels };
        let this = &*self;
        let done = this
            .workers
            .map(shards.len(), |n| this.shard(shards[n], n as u64, batch.len(), &others))?;
        let mut sum: Option<Gradients> = None;
        for (shard, rows) in done.into_iter().zip(&shards) {
            self.standing.cross_entropy += shard.cross_entropy;
            self.standing.contrastive += shard.contrastive;
            self.remember(rows, &shard.embeddings);
            match &mut sum {
                None => sum = Some(shard.gradients),
                Some(sum) => self.workers.add(sum, &shard.gradients),
            }
        }
        let rate = schedule(self.optimiser.steps, total, self.settings.warmup);
        let sum = sum.context("an empty batch")?;
        let clip = self.settings.clip;
        let optimiser = &mut self.optimiser;
        self.workers.together(|| optimiser.step(&sum, rate, clip))?;
        self.standing.batches += 1;
        Ok(())
    }

    fn shard(
        &self,
        rows: &[usize],
        number: u64,
        batch: usize,
        others: &Others<'_>,
    ) -> Result<Shard> {
        let settings = self.settings;
        let passes = if settings.consistency > 0.0 { 2 } else { 1 };
        let read = rows.repeat(passes);
        let tokens: Vec<&[u32]> = read.iter().map(|n| self.train.tokens[*n].as_slice()).collect();
        let labels: Vec<u32> = read.iter().map(|n| self.train.labels[*n]).collect();
        let noise = Noise {
            key: key(&[settings.seed, self.optimiser.steps, number]),
            rate: settings.dropout,
        };
        let embeddings = self.model.forward(&tokens, noise)?;
        let targets = head::targets(&labels, self.classes, settings.smoothing)?;
        let logits = self.head.logits(&embeddings)?;
        let share = 1.0 / passes as f64;
        let cross_entropy = (head::cross_entropy(&logits, &targets)? * share)?;
        let mut loss = cross_entropy.clone();
        if passes == 2 {
            loss = (loss + (head::disagreement(&logits)? * (settings.consistency * share))?)?;
        }
        let mut contrastive = 0.0;
        if settings.contrast > 0.0 {
            let own: Vec<_> =
                read.iter().map(|row| self.remembered.binary_search(row).ok()).collect();
            let term = head::contrastive(&embeddings, &labels, &own, others, settings.temperature)?;
            let term = (term * share)?;
            contrastive = term.to_scalar::<f32>()?;
            loss = (loss + (term * settings.contrast)?)?;
        }
        let gradients = (loss / batch as f64)?.backward()?;
        Ok(Shard {
            gradients: self.optimiser.gradients(&gradients)?,
            embeddings: embeddings.flatten_all()?.to_vec1()?,
            cross_entropy: cross_entropy.to_scalar::<f32>()?,
            contrastive,
        })
    }

    fn remember(&mut self, rows: &[usize], embeddings: &[f32]) {
        let width = self.model.dimensions();
        for (row, embedding) in rows.iter().zip(embeddings.chunks_exact(width)) {
            if let Ok(place) = self.remembered.binary_search(row) {
                self.memory[place * width..][..width].copy_from_slice(embedding);
            }
        }
    }

    /// Ends an epoch: judges it on the validation rows and keeps its values if it is the best.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub(super) fn finish_epoch(&mut self) -> Result<Epoch> {
        let queries = self.embed(&self.valid.tokens)?;
        let known: Vec<&[u32]> = self.train.tokens.iter().map(Vec::as_slice).collect();
        let right = |answers: Vec<u32>| {
            let right = answers.iter().zip(&self.valid.labels).filter(|(a, b)| a == b).count();
            right as f32 / self.valid.labels.len() as f32
        };
        let width = self.model.dimensions();
        let (vectors, labels): (Vec<Vec<f32>>, Vec<u32>) = if self.remembered.is_empty() {
            let rows: Vec<Vec<u32>> = known.iter().map(|s| s.to_vec()).collect();
            (self.embed(&rows)?, self.train.labels.clone())
        } else {
            let labels = self.remembered.iter().map(|n| self.train.labels[*n]).collect();
            (self.memory.chunks_exact(width).map(<[f32]>::to_vec).collect(), labels)
        };
        let rows = self.train.labels.len() as f32;
        let epoch = Epoch {
            cross_entropy: self.standing.cross_entropy / rows,
            contrastive: self.standing.contrastive / rows,
            head: right(self.head.predict(&queries)?),
            neighbours: right(head::nearest(&vectors, &labels, self.classes, &queries)?),
        };
        let best = self.standing.best.map(|n| self.standing.history[n].score());
        if best.is_none_or(|best| epoch.score() > best) {
            self.standing.best = Some(self.standing.history.len());
            self.best = self.optimiser.slots.iter().map(|slot| slot.value.clone()).collect();
        }
        let history = [&self.standing.history[..], &[epoch]].concat();
        self.standing = Standing { history, best: self.standing.best, ..Standing::default() };
        Ok(epoch)
    }

    /// Whether there is nothing more to do.
    pub(super) fn done(&self) -> bool {
        let epochs = self.standing.history.len();
        let since = self.standing.best.map_or(0, |best| epochs - 1 - best);
        epochs as u64 >= self.settings.epochs || since >= self.settings.patience
    }

    /// Puts the best epoch's values into the model.
    ///
    /// # Errors
    /// A variable cannot be set.
    pub(super) fn restore_best(&mut self) -> Result<()> {
        for (slot, value) in self.optimiser.slots.iter_mut().zip(&self.best) {
            slot.value.clone_from(value);
            slot.publish()?;
        }
        Ok(())
    }

    /// Unit vectors of texts, without dropout, in order.
    fn embed(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|n| texts[*n].len());
        let shards: Vec<&[usize]> = order.chunks(SHARD).collect();
        let embedded = self.workers.map(shards.len(), |n| {
            let tokens: Vec<&[u32]> = shards[n].iter().map(|n| texts[*n].as_slice()).collect();
            Ok(self.model.forward(&tokens, Noise::NONE)?.to_vec2::<f32>()?)
        })?;
        let mut out = vec![Vec::new(); texts.len()];
        for (place, row) in order.iter().zip(embedded.into_iter().flatten()) {
            out[*place] = row;
        }
        Ok(out)
    }
}
