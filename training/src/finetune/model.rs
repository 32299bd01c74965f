//! The encoder in its differentiable mode: the same checkpoint, the same result, with gradients.
//!
//! Word, position and type embeddings stay as they are: a history of some thousand tickets sees
//! too few of the words to move them all, and it spares the largest gradient.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device, Tensor, Var};
use deskhand::model::{Manifest, Pooling};
use serde::Deserialize;

use super::kernels::Packing;
use super::noise::{self, Dropout};
use super::ops::{Version, factors};

/// The parts of a BERT checkpoint's `config.json` that matter here.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    /// The oldest files do not say it, and are all BERT.
    model_type: Option<String>,
    hidden_act: String,
    hidden_size: usize,
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
}

/// Something that training moves.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// What a checkpoint of a run calls it.
    pub(super) name: String,
    /// The value.
    pub(super) var: Var,
    /// Layers between this one and the encoder's result.
    pub(super) depth: usize,
    /// Whether weight decay applies: to matrices, not to biases and `LayerNorm`.
    pub(super) decays: bool,
}

/// One transformer layer. Matrices are `[in, out]`; a norm's rows are the bias of the linear layer
/// before it, scale and shift.
#[derive(Debug)]
struct Layer {
    qkv: Var,
    qkv_bias: Var,
    attention_out: Var,
    attention_norm: Var,
    up: Var,
    up_bias: Var,
    down: Var,
    output_norm: Var,
}

/// Where in an encoder dropout acts, so that each place has noise of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    /// Of this pass.
    pub(super) key: u64,
    /// The share that is dropped; 0 for none.
    pub(super) rate: f32,
}

impl Noise {
    /// None at all.
    pub(super) const NONE: Self = Self { key: 0, rate: 0.0 };

    fn at(self, layer: usize, site: u64) -> Dropout {
        Dropout::new(noise::key(&[self.key, layer as u64, site]), self.rate)
    }
}

/// An encoder that can learn.
#[derive(Debug)]
pub(super) struct Model {
    config: Config,
    pooling: Pooling,
    device: Device,
    version: Version,
    words: Tensor,
    /// Position and token-type-0 embeddings, added up.
    positions: Tensor,
    /// Of the embeddings; its bias is zero.
    norm: Tensor,
    layers: Vec<Layer>,
    /// The checkpoint as it was read, names and all: what is written back takes its place there.
    checkpoint: HashMap<String, Tensor>,
}

impl Model {
    /// Loads `config.json` and `model.safetensors` from a folder of verified files.
    ///
    /// # Errors
    /// The files are unreadable, or no BERT checkpoint with erf-GELU.
    pub(super) fn load(manifest: &Manifest, folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join("config.json");
        let named = || path.display().to_string();
        let text = std::fs::read(&path).with_context(named)?;
        let config: Config = serde_json::from_slice(&text).with_context(named)?;
        ensure!(
            config.hidden_act == "gelu" && manifest.family == "bert",
            "{}: only BERT encoders with \"gelu\" can be fine-tuned",
            named()
        );
        // RoBERTa and its kin count positions from another number.
        let kind = config.model_type.as_deref().unwrap_or("bert");
        ensure!(kind == "bert", "{}: {kind:?} cannot be fine-tuned, only \"bert\"", named());
        ensure!(
            config.num_attention_heads > 0
                && config.hidden_size.is_multiple_of(config.num_attention_heads),
            "{}: the heads do not divide the hidden size",
            named()
        );
        let checkpoint =
            candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
        let weights = Weights { checkpoint: &checkpoint, device };
        let hidden = config.hidden_size;
        let vector =
            |name: &str| weights.tensor(&format!("embeddings.{name}"))?.reshape((1, hidden));
        let [types, gamma, beta] = [
            weights.tensor("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?,
            vector("LayerNorm.weight")?,
            vector("LayerNorm.bias")?,
        ];
        let positions = weights.tensor("embeddings.position_embeddings.weight")?;
        let layers = (0..config.num_hidden_layers)
            .map(|n| Layer::load(&weights, n))
            .collect::<Result<_, candle_core::Error>>()?;
        Ok(Self {
            pooling: manifest.pooling,
            device: device.clone(),
            version: Version::on(device),
            words: weights.tensor("embeddings.word_embeddings.weight")?,
            positions: positions.broadcast_add(&types)?,
            norm: Tensor::cat(&[gamma.zeros_like()?, gamma, beta], 0)?,
            config,
            layers,
            checkpoint,
        })
    }

    /// Length of an embedding.
    pub(super) fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    /// Where it computes.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Every parameter, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        for (n, layer) in self.layers.iter().enumerate() {
            for (name, var) in layer.named() {
                all.push(Parameter {
                    name: format!("layer.{n}.{name}"),
                    var: var.clone(),
                    depth: self.layers.len() - 1 - n,
                    decays: matches!(name, "qkv" | "attention_out" | "up" | "down"),
                });
            }
        }
        all
    }

    /// Embeds sequences of token ids: `[sequences, dimensions]`, rows of length 1.
    ///
    /// # Errors
    /// A sequence is empty or longer than the checkpoint's positions, or an id is not in its
    /// vocabulary.
    pub(super) fn forward(&self, sequences: &[&[u32]], noise: Noise) -> Result<Tensor> {
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        let longest = self.config.max_position_embeddings;
        if let Some(length) = lengths.iter().find(|n| !(1..=longest).contains(*n)) {
            bail!("a sequence has 1 to {longest} tokens, not {length}");
        }
        let ids = sequences.concat();
        let places: Vec<u32> = lengths.iter().flat_map(|n| 0..*n as u32).collect();
        let tokens = ids.len();
        let lookup = |table: &Tensor, ids: Vec<u32>| {
            table.index_select(&Tensor::from_vec(ids, tokens, &self.device)?, 0)
        };
        let (words, places) = (lookup(&self.words, ids)?, lookup(&self.positions, places)?);
        let eps = self.config.layer_norm_eps;
        let none = Noise::NONE.at(0, 0);
        let mut x = self.version.add_norm(&words, &places, &self.norm, eps, none)?;
        if noise.rate > 0.0 {
            x = (&x * factors(x.shape(), 0, noise.at(0, 0), &self.device)?)?;
        }
        for (n, layer) in self.layers.iter().enumerate() {
            let packing = Packing {
                lengths: lengths.clone(),
                heads: self.config.num_attention_heads,
                dropout: noise.at(n, 1),
            };
            let sites = [noise.at(n, 2), noise.at(n, 3)];
            x = layer.forward(&x, &packing, eps, sites, self.version)?;
        }
        let pooled = self.pooling_matrix(&lengths)?.matmul(&x)?;
        Ok(unit_rows(&pooled)?)
    }

    /// `[sequences, tokens]`: what each token counts for in its sequence's vector.
    fn pooling_matrix(&self, lengths: &[usize]) -> Result<Tensor, candle_core::Error> {
        let tokens: usize = lengths.iter().sum();
        let mut weights = vec![0.0f32; lengths.len() * tokens];
        let mut first = 0;
        for (row, &n) in weights.chunks_exact_mut(tokens).zip(lengths) {
            match self.pooling {
                Pooling::Mean => row[first..first + n].fill(1.0 / n as f32),
                Pooling::Cls => row[first] = 1.0,
            }
            first += n;
        }
        Tensor::from_vec(weights, (lengths.len(), tokens), &self.device)
    }

    /// Writes `model.safetensors` as the checkpoint was, with what was learned in its place.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let mut learned = BTreeMap::new();
        for (n, layer) in self.layers.iter().enumerate() {
            layer.unfold(&format!("encoder.layer.{n}."), &mut learned)?;
        }
        let mut tensors = self.checkpoint.clone();
        for (name, tensor) in &mut tensors {
            if let Some(new) = learned.remove(name.strip_prefix("bert.").unwrap_or(name)) {
                *tensor = new.to_device(&Device::Cpu)?.reshape(tensor.shape())?.contiguous()?;
            }
        }
        ensure!(learned.is_empty(), "the checkpoint has no {:?}", learned.keys());
        candle_core::safetensors::save(&tensors, path)?;
        Ok(())
    }
}

/// Scales rows to length 1.
///
/// # Errors
/// The tensor is not `[rows, columns]`.
pub(super) fn unit_rows(x: &Tensor) -> Result<Tensor, candle_core::Error> {
    x.broadcast_div(&(x.sqr()?.sum_keepdim(1)? + 1e-24)?.sqrt()?)
}

impl Layer {
    fn load(weights: &Weights, n: usize) -> Result<Self, candle_core::Error> {
        let get = |part: &str| weights.tensor(&format!("encoder.layer.{n}.{part}"));
        let matrix = |part: &str| get(part)?.t()?.contiguous();
        let attention = |part: &str| {
            let each =
                ["query", "key", "value"].map(|p| get(&format!("attention.self.{p}.{part}")));
            Tensor::cat(&each.into_iter().collect::<Result<Vec<_>, _>>()?, 0)
        };
        let norm = |part: &str| {
            let rows = ["dense.bias", "LayerNorm.weight", "LayerNorm.bias"];
            let rows = rows.map(|p| get(&format!("{part}.{p}"))?.unsqueeze(0));
            Tensor::cat(&rows.into_iter().collect::<Result<Vec<_>, _>>()?, 0)
        };
        let var = |tensor: Result<Tensor, candle_core::Error>| Var::from_tensor(&tensor?);
        Ok(Self {
            qkv: var(attention("weight").and_then(|w| w.t()?.contiguous()))?,
            qkv_bias: var(attention("bias"))?,
            attention_out: var(matrix("attention.output.dense.weight"))?,
            attention_norm: var(norm("attention.output"))?,
            up: var(matrix("intermediate.dense.weight"))?,
            up_bias: var(get("intermediate.dense.bias"))?,
            down: var(matrix("output.dense.weight"))?,
            output_norm: var(norm("output"))?,
        })
    }

    fn named(&self) -> [(&'static str, &Var); 8] {
        [
            ("qkv", &self.qkv),
            ("qkv_bias", &self.qkv_bias),
            ("attention_out", &self.attention_out),
            ("attention_norm", &self.attention_norm),
            ("up", &self.up),
            ("up_bias", &self.up_bias),
            ("down", &self.down),
            ("output_norm", &self.output_norm),
        ]
    }

    /// The layer's tensors under the names, and in the layout, of a checkpoint.
    fn unfold(
        &self,
        prefix: &str,
        out: &mut BTreeMap<String, Tensor>,
    ) -> Result<(), candle_core::Error> {
        let mut put = |name: &str, tensor: Tensor| out.insert(format!("{prefix}{name}"), tensor);
        for (n, part) in ["query", "key", "value"].into_iter().enumerate() {
            let hidden = self.qkv_bias.elem_count() / 3;
            let weight = self.qkv.narrow(1, n * hidden, hidden)?.t()?;
            put(&format!("attention.self.{part}.weight"), weight);
            let bias = self.qkv_bias.narrow(0, n * hidden, hidden)?;
            put(&format!("attention.self.{part}.bias"), bias);
        }
        put("attention.output.dense.weight", self.attention_out.t()?);
        put("intermediate.dense.weight", self.up.t()?);
        put("intermediate.dense.bias", self.up_bias.as_tensor().clone());
        put("output.dense.weight", self.down.t()?);
        for (part, norm) in
            [("attention.output", &self.attention_norm), ("output", &self.output_norm)]
        {
            for (n, name) in ["dense.bias", "LayerNorm.weight", "LayerNorm.bias"].iter().enumerate()
            {
                put(&format!("{part}.{name}"), norm.get(n)?);
            }
        }
        Ok(())
    }

    fn forward(
        &self,
        x: &Tensor,
        packing: &Packing,
        eps: f32,
        [after_attention, after_output]: [Dropout; 2],
        version: Version,
    ) -> Result<Tensor, candle_core::Error> {
        let attended = version.attention(&x.matmul(&self.qkv)?, &self.qkv_bias, packing)?;
        let attended = attended.matmul(&self.attention_out)?;
        let x = version.add_norm(&attended, x, &self.attention_norm, eps, after_attention)?;
        let up = version.bias_gelu(&x.matmul(&self.up)?, &self.up_bias)?;
        let down = up.matmul(&self.down)?;
        version.add_norm(&down, &x, &self.output_norm, eps, after_output)
    }
}

/// A checkpoint's tensors by name, with or without the `bert.` prefix that some carry.
struct Weights<'a> {
    checkpoint: &'a HashMap<String, Tensor>,
    device: &'a Device,
}

impl Weights<'_> {
    fn tensor(&self, name: &str) -> Result<Tensor, candle_core::Error> {
        let found =
            self.checkpoint.get(name).or_else(|| self.checkpoint.get(&format!("bert.{name}")));
        match found {
            Some(tensor) => tensor.to_dtype(DType::F32)?.to_device(self.device),
            None => candle_core::bail!("the checkpoint has no tensor {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
