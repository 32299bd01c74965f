//! BERT (Devlin et al., arXiv:1810.04805) and its kin as sentence encoders.
//!
//! What a checkpoint says of itself decides how it runs; `engine` does the computing.

use std::path::Path;

use serde::Deserialize;

use super::engine::{Activation, Engine, Layer, Linear, Norm, Team, query_scale};
use super::manifest::{Manifest, Pooling, Precision};
use super::taught::Taught;
use super::weights::Weights;

/// Why an encoder could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file is missing, unreadable or not what the manifest and the configuration say.
    #[error("{file}: {reason}")]
    Config {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights could not be made numbers.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The system has no threads left.
    #[error("threads for the encoder: {0}")]
    Threads(std::io::Error),
    /// A sequence is empty or longer than the checkpoint's positions.
    #[error("a sequence has 1 to {longest} tokens, not {tokens}")]
    Length {
        /// The most that there may be.
        longest: usize,
        /// How many there are.
        tokens: usize,
    },
    /// A token's number is outside the vocabulary.
    #[error("token {id} is not among {vocabulary}")]
    Token {
        /// The token.
        id: u32,
        /// How many there are.
        vocabulary: usize,
    },
}

impl EncoderError {
    pub(super) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::Config { file: path.display().to_string(), reason: reason.into() }
    }
}

fn bert() -> String {
    "bert".to_owned()
}

/// The parts of a checkpoint's `config.json` that matter here.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    /// The oldest files do not say it, and are all BERT.
    #[serde(default = "bert")]
    model_type: String,
    hidden_act: String,
    hidden_size: usize,
    intermediate_size: usize,
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    type_vocab_size: usize,
    vocab_size: usize,
}

/// A loaded encoder. Runs on threads of its own, so it never takes more cores than it was given.
pub struct Encoder {
    config: Config,
    pooling: Pooling,
    /// Word embeddings `[vocabulary, hidden]`, row by row.
    words: Vec<f32>,
    /// Position and token-type-0 embeddings, already added up, from the first position that a
    /// token may have: `[longest, hidden]`.
    positions: Vec<f32>,
    norm: Norm,
    engine: Engine,
    taught: Taught,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Encoder {
    /// Loads `config.json`, `model.safetensors` and what it was taught from a folder of verified
    /// files.
    ///
    /// # Errors
    /// The files are unreadable, or no checkpoint of the BERT family with the manifest's sizes.
    pub fn load(manifest: &Manifest, folder: &Path, threads: usize) -> Result<Self, EncoderError> {
        let path = folder.join("config.json");
        let config = read_config(&path, manifest)?;
        let weights = Weights::open(&folder.join("model.safetensors"))?;
        let hidden = config.hidden_size;
        let types = weights
            .read("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let mut positions = weights.read(
            "embeddings.position_embeddings.weight",
            &[config.max_position_embeddings, hidden],
        )?;
        positions.drain(..config.first_position() * hidden);
        for row in positions.chunks_exact_mut(hidden) {
            for (position, kind) in row.iter_mut().zip(&types) {
                *position += kind;
            }
        }
        let layers = (0..config.num_hidden_layers)
            .map(|n| load_layer(&weights, &config, n, manifest.precision))
            .collect::<Result<_, _>>()?;
        let activation = activation(&config.hidden_act).ok_or_else(|| {
            EncoderError::file(&path, format!("unknown activation {:?}", config.hidden_act))
        })?;
        let engine = Engine::new(
            layers,
            activation,
            config.layer_norm_eps,
            hidden,
            config.num_attention_heads,
            Team::new(threads).map_err(EncoderError::Threads)?,
        );
        Ok(Self {
            words: weights
                .read("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions,
            norm: load_norm(&weights, "embeddings.LayerNorm", hidden)?,
            pooling: manifest.pooling,
            config,
            engine,
            taught: Taught::read(manifest, folder)?,
        })
    }

    /// The instruction set that it computes with: `amx`, `avx512-vnni`, `avx512`, `avx2` or
    /// `portable`.
    pub fn instructions(&self) -> &'static str {
        self.engine.isa()
    }

    /// Whether it was fine-tuned on this very text.
    pub fn was_taught(&self, text: &str) -> bool {
        self.taught.contains(text)
    }

    /// The texts that it was fine-tuned on.
    pub fn taught(&self) -> &Taught {
        &self.taught
    }

    /// Length of an embedding.
    pub const fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    /// The threads that it computes on.
    pub fn threads(&self) -> usize {
        self.engine.team().threads()
    }

    /// Embeds sequences of token ids, special tokens included: one unit vector each, in order.
    ///
    /// # Errors
    /// An id is outside the vocabulary, or a sequence is empty or longer than the checkpoint's
    /// positions.
    pub fn embed(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncoderError> {
        for sequence in sequences {
            self.check(sequence)?;
        }
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        let tokens: Vec<(usize, usize)> = sequences
            .iter()
            .flat_map(|s| s.iter().enumerate().map(|(at, &id)| (id as usize, at)))
            .collect();
        let embed = |at: usize, out: &mut [f32]| {
            let (id, position) = tokens[at];
            self.look_up(id, position, out);
        };
        let first_only = self.pooling == Pooling::Cls;
        let mut vectors = self.engine.run(&lengths, &self.norm, first_only, embed);
        for vector in &mut vectors {
            normalise(vector);
        }
        Ok(vectors)
    }

    /// What a text's words mean by themselves: the mean of the first layer's input over all tokens,
    /// as codes of its direction, 127 for the largest number. Costs next to nothing.
    ///
    /// # Errors
    /// As [`Encoder::embed`].
    pub fn wording(&self, sequences: &[Vec<u32>]) -> Result<Vec<i8>, EncoderError> {
        let hidden = self.config.hidden_size;
        let (mut sum, mut token) = (vec![0.0_f32; hidden], vec![0.0_f32; hidden]);
        for sequence in sequences {
            self.check(sequence)?;
            for (at, &id) in sequence.iter().enumerate() {
                self.look_up(id as usize, at, &mut token);
                self.norm.apply(self.config.layer_norm_eps, &mut token);
                for (sum, x) in sum.iter_mut().zip(&token) {
                    *sum += x;
                }
            }
        }
        let largest = sum.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        Ok(sum.iter().map(|x| (x * scale).round() as i8).collect())
    }

    /// Whether a sequence is one that this encoder can read.
    fn check(&self, sequence: &[u32]) -> Result<(), EncoderError> {
        let longest = self.positions.len() / self.config.hidden_size;
        if sequence.is_empty() || sequence.len() > longest {
            return Err(EncoderError::Length { longest, tokens: sequence.len() });
        }
        let vocabulary = self.config.vocab_size;
        match sequence.iter().find(|&&id| id as usize >= vocabulary) {
            Some(&id) => Err(EncoderError::Token { id, vocabulary }),
            None => Ok(()),
        }
    }

    /// A token's embedding at a position, before the norm.
    fn look_up(&self, id: usize, position: usize, into: &mut [f32]) {
        let hidden = into.len();
        let word = &self.words[id * hidden..][..hidden];
        let position = &self.positions[position * hidden..][..hidden];
        for ((x, w), p) in into.iter_mut().zip(word).zip(position) {
            *x = w + p;
        }
    }

    /// Shares work on a list out over the encoder's threads; the results are in its order.
    pub fn share_out<T: Sync, R: Send>(&self, list: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let mut results: Vec<Option<R>> = list.iter().map(|_| None).collect();
        let items = list.iter().zip(&mut results).collect();
        self.engine.team().each(items, |(item, result)| *result = Some(work(item)));
        // `each` has done every one.
        results.into_iter().flatten().collect()
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

fn activation(name: &str) -> Option<Activation> {
    match name {
        "gelu" => Some(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
        "relu" => Some(Activation::Relu),
        _ => None,
    }
}

fn load_layer(
    weights: &Weights,
    config: &Config,
    n: usize,
    precision: Precision,
) -> Result<Layer, EncoderError> {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let name = |part: &str| format!("encoder.layer.{n}.{part}");
    let pair = |part: &str, outputs: usize, inputs: usize| {
        let matrix = weights.read(&name(&format!("{part}.weight")), &[outputs, inputs])?;
        Ok::<_, EncoderError>((matrix, weights.read(&name(&format!("{part}.bias")), &[outputs])?))
    };
    let linear = |part: &str, outputs: usize, inputs: usize| {
        let (matrix, bias) = pair(part, outputs, inputs)?;
        Ok::<_, EncoderError>(Linear::new(&matrix, &bias, inputs, precision))
    };
    let (mut matrix, mut bias) = pair("attention.self.query", hidden, hidden)?;
    let scale = query_scale(hidden / config.num_attention_heads);
    for weight in matrix.iter_mut().chain(&mut bias) {
        *weight *= scale;
    }
    for part in ["attention.self.key", "attention.self.value"] {
        let (more, more_bias) = pair(part, hidden, hidden)?;
        matrix.extend(more);
        bias.extend(more_bias);
    }
    Ok(Layer {
        qkv: Linear::new(&matrix, &bias, hidden, precision),
        out: linear("attention.output.dense", hidden, hidden)?,
        out_norm: load_norm(weights, &name("attention.output.LayerNorm"), hidden)?,
        up: linear("intermediate.dense", wide, hidden)?,
        down: linear("output.dense", hidden, wide)?,
        down_norm: load_norm(weights, &name("output.LayerNorm"), hidden)?,
    })
}

fn load_norm(weights: &Weights, name: &str, hidden: usize) -> Result<Norm, EncoderError> {
    Ok(Norm {
        gamma: weights.read(&format!("{name}.weight"), &[hidden])?,
        beta: weights.read(&format!("{name}.bias"), &[hidden])?,
    })
}

impl Config {
    /// The position of a sequence's first token. `RoBERTa` (Liu et al., arXiv:1907.11692) and its kin
    /// keep those up to the padding token's number free.
    fn first_position(&self) -> usize {
        match self.model_type.as_str() {
            "roberta" | "xlm-roberta" | "camembert" => self.pad_token_id.unwrap_or(1) + 1,
            _ => 0,
        }
    }
}

fn read_config(path: &Path, manifest: &Manifest) -> Result<Config, EncoderError> {
    let fault = |reason: String| EncoderError::file(path, reason);
    let text = std::fs::read(path).map_err(|e| fault(e.to_string()))?;
    let config: Config = serde_json::from_slice(&text).map_err(|e| fault(e.to_string()))?;
    if !["bert", "roberta", "xlm-roberta", "camembert"].contains(&config.model_type.as_str()) {
        return Err(fault(format!("{:?} is not of the BERT family", config.model_type)));
    }
    if config.position_embedding_type.as_deref().is_some_and(|kind| kind != "absolute") {
        return Err(fault("only absolute positions are known".to_owned()));
    }
    let room = config.max_position_embeddings.checked_sub(config.first_position());
    if config.hidden_size != manifest.dimensions
        || config.num_attention_heads == 0
        || config.num_hidden_layers == 0
        || config.type_vocab_size == 0
        || !config.hidden_size.is_multiple_of(config.num_attention_heads)
        || room.is_none_or(|room| room < manifest.max_tokens)
    {
        return Err(fault(format!("its sizes do not fit the manifest of {}", manifest.name)));
    }
    Ok(config)
}
