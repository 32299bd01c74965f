//! BERT (Devlin et al., arXiv:1810.04805) as a sentence encoder, on packed batches.
//!
//! The tokens of all sequences stand one after the other in `[tokens, hidden]`, without padding.
//! Query, key and value are one product; bias, GELU, residual and `LayerNorm` are fused into the
//! passes that touch the data anyway.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use serde::Deserialize;

use super::kernels;
use super::manifest::{Manifest, Pooling};
use super::ops::{AddNorm, Attention, BiasGelu};

/// Why an encoder could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// `config.json` is missing, unreadable or of another architecture.
    #[error("{file}: {reason}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights are not those of the configuration, or a tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The thread pool could not be made.
    #[error("thread pool: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// The parts of a BERT checkpoint's `config.json` that matter here.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    hidden_act: String,
    hidden_size: usize,
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    vocab_size: usize,
}

struct Layer {
    qkv: Tensor,
    qkv_bias: Vec<f32>,
    attention_out: Tensor,
    attention_norm: AddNorm,
    up: Tensor,
    gelu: BiasGelu,
    down: Tensor,
    output_norm: AddNorm,
}

/// A loaded encoder. Runs on threads of its own, so it never takes more cores than it was given.
pub struct Encoder {
    config: Config,
    pooling: Pooling,
    /// Word embeddings `[vocab, hidden]`, row by row.
    words: Vec<f32>,
    /// Position and token-type-0 embeddings, already added up: `[positions, hidden]`.
    positions: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    layers: Vec<Layer>,
    pool: rayon::ThreadPool,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Encoder {
    /// Loads `config.json` and `model.safetensors` from a folder of verified files.
    ///
    /// # Errors
    /// The files are unreadable, or no BERT checkpoint with erf-GELU of the manifest's dimensions.
    pub fn load(manifest: &Manifest, folder: &Path, threads: usize) -> Result<Self, EncoderError> {
        let config = read_config(&folder.join("config.json"), manifest)?;
        let weights =
            candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
        let weights = Weights::new(weights);
        let types = weights.vector("embeddings.token_type_embeddings.weight")?;
        let mut positions = weights.vector("embeddings.position_embeddings.weight")?;
        for row in positions.chunks_exact_mut(config.hidden_size) {
            for (position, kind) in row.iter_mut().zip(&types) {
                *position += kind;
            }
        }
        let layers = (0..config.num_hidden_layers)
            .map(|n| Layer::load(&weights, &config, n))
            .collect::<Result<_, _>>()?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|n| format!("encoder-{n}"))
            .build()?;
        Ok(Self {
            words: weights.vector("embeddings.word_embeddings.weight")?,
            positions,
            gamma: weights.vector("embeddings.LayerNorm.weight")?,
            beta: weights.vector("embeddings.LayerNorm.bias")?,
            pooling: manifest.pooling,
            config,
            layers,
            pool,
        })
    }

    /// Embeds sequences of token ids, special tokens included: one unit vector each, in order.
    ///
    /// # Errors
    /// A tensor operation failed: an id outside the vocabulary, or a sequence that is empty or
    /// longer than the checkpoint's positions.
    pub fn embed(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncoderError> {
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        self.pool.install(|| self.forward(sequences))
    }

    /// Shares work on a list out over the encoder's threads; the results are in its order.
    pub fn share_out<T: Sync, R: Send>(
        &self,
        list: &[T],
        work: impl Fn(&T) -> R + Sync + Send,
    ) -> Vec<R> {
        self.pool.install(|| list.par_iter().map(work).collect())
    }

    fn forward(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let hidden = self.config.hidden_size;
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        let tokens = lengths.iter().sum::<usize>();
        let mut x = Tensor::from_vec(self.lookup(sequences)?, (tokens, hidden), &Device::Cpu)?;
        for layer in &self.layers {
            x = layer.forward(&x, &lengths, self.config.num_attention_heads)?;
        }
        let x = x.flatten_all()?.to_vec1::<f32>()?;
        let mut rest = x.as_slice();
        let pooled = lengths.iter().map(|n| {
            let (rows, after) = rest.split_at(n * hidden);
            rest = after;
            self.pool_rows(rows)
        });
        Ok(pooled.collect())
    }

    /// Word, position and type embeddings, added up and normed: `[tokens, hidden]`, row by row.
    fn lookup(&self, sequences: &[&[u32]]) -> Result<Vec<f32>, candle_core::Error> {
        let hidden = self.config.hidden_size;
        let longest = self.config.max_position_embeddings;
        let mut x = Vec::new();
        for sequence in sequences {
            if sequence.is_empty() || sequence.len() > longest {
                candle_core::bail!("a sequence has 1 to {longest} tokens, not {}", sequence.len());
            }
            for (&id, position) in sequence.iter().zip(self.positions.chunks_exact(hidden)) {
                let at = id as usize * hidden;
                let Some(word) = self.words.get(at..at + hidden) else {
                    candle_core::bail!("token {id} is not among {}", self.config.vocab_size);
                };
                x.extend(word.iter().zip(position).map(|(w, p)| w + p));
            }
        }
        kernels::norm(&mut x, &self.gamma, &self.beta, self.config.layer_norm_eps);
        Ok(x)
    }

    fn pool_rows(&self, rows: &[f32]) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let mut pooled = rows[..hidden].to_vec();
        if self.pooling == Pooling::Mean {
            for row in rows.chunks_exact(hidden).skip(1) {
                for (p, x) in pooled.iter_mut().zip(row) {
                    *p += x;
                }
            }
        }
        normalise(&mut pooled);
        pooled
    }
}

/// Scales a vector to length 1; the zero vector stays.
pub fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for x in vector {
            *x /= length;
        }
    }
}

impl Layer {
    fn load(weights: &Weights, config: &Config, n: usize) -> Result<Self, EncoderError> {
        let name = |part: &str| format!("encoder.layer.{n}.{part}");
        let attention = ["query", "key", "value"].map(|p| name(&format!("attention.self.{p}")));
        let mut qkv = Vec::new();
        let mut qkv_bias = Vec::new();
        for part in &attention {
            qkv.push(weights.tensor(&format!("{part}.weight"))?);
            qkv_bias.extend(weights.vector(&format!("{part}.bias"))?);
        }
        let norm = |part: &str| -> Result<AddNorm, EncoderError> {
            Ok(AddNorm {
                bias: weights.vector(&name(&format!("{part}.dense.bias")))?,
                gamma: weights.vector(&name(&format!("{part}.LayerNorm.weight")))?,
                beta: weights.vector(&name(&format!("{part}.LayerNorm.bias")))?,
                eps: config.layer_norm_eps,
            })
        };
        Ok(Self {
            qkv: Tensor::cat(&qkv, 0)?.t()?.contiguous()?,
            qkv_bias,
            attention_out: weights.transposed(&name("attention.output.dense.weight"))?,
            attention_norm: norm("attention.output")?,
            up: weights.transposed(&name("intermediate.dense.weight"))?,
            gelu: BiasGelu { bias: weights.vector(&name("intermediate.dense.bias"))? },
            down: weights.transposed(&name("output.dense.weight"))?,
            output_norm: norm("output")?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        lengths: &[usize],
        heads: usize,
    ) -> Result<Tensor, candle_core::Error> {
        let qkv = x.matmul(&self.qkv)?;
        let attended = qkv.apply_op1_no_bwd(&Attention { bias: &self.qkv_bias, lengths, heads })?;
        let attended = attended.matmul(&self.attention_out)?;
        attended.inplace_op2(x, &self.attention_norm)?;
        let up = attended.matmul(&self.up)?;
        up.inplace_op1(&self.gelu)?;
        let down = up.matmul(&self.down)?;
        down.inplace_op2(&attended, &self.output_norm)?;
        Ok(down)
    }
}

fn read_config(path: &Path, manifest: &Manifest) -> Result<Config, EncoderError> {
    let fault = |reason: String| EncoderError::Config { file: path.display().to_string(), reason };
    let text = std::fs::read(path).map_err(|e| fault(e.to_string()))?;
    let config: Config = serde_json::from_slice(&text).map_err(|e| fault(e.to_string()))?;
    if config.hidden_act != "gelu" {
        return Err(fault(format!("activation {:?}; only \"gelu\" is known", config.hidden_act)));
    }
    if config.hidden_size != manifest.dimensions
        || config.num_attention_heads == 0
        || !config.hidden_size.is_multiple_of(config.num_attention_heads)
        || config.max_position_embeddings < manifest.max_tokens
    {
        return Err(fault(format!("its sizes do not fit the manifest of {}", manifest.name)));
    }
    Ok(config)
}

/// A checkpoint's tensors by name, with or without the `bert.` prefix that some carry.
struct Weights(HashMap<String, Tensor>);

impl Weights {
    fn new(tensors: HashMap<String, Tensor>) -> Self {
        let plain = |name: String| name.strip_prefix("bert.").map_or(name.clone(), str::to_owned);
        Self(tensors.into_iter().map(|(name, tensor)| (plain(name), tensor)).collect())
    }

    fn tensor(&self, name: &str) -> Result<Tensor, candle_core::Error> {
        match self.0.get(name) {
            Some(tensor) => tensor.to_dtype(DType::F32),
            None => candle_core::bail!("the checkpoint has no tensor {name:?}"),
        }
    }

    /// `[out, in]` as checkpoints have it → `[in, out]` as the products want it.
    fn transposed(&self, name: &str) -> Result<Tensor, candle_core::Error> {
        self.tensor(name)?.t()?.contiguous()
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>, candle_core::Error> {
        self.tensor(name)?.flatten_all()?.to_vec1()
    }
}
