//! Checkpoints of every shape that a manifest may name, made here at random, against
//! candle-transformers.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, xlm_roberta};
use deskhand::model::{Encoder, Manifest, Tokenizer};
use serde_json::json;

use crate::support::manifest;

/// The sizes and habits of a checkpoint.
#[derive(Clone)]
struct Shape {
    kind: &'static str,
    activation: &'static str,
    pooling: &'static str,
    hidden: usize,
    heads: usize,
    wide: usize,
    layers: usize,
    positions: usize,
    types: usize,
    dtype: DType,
    /// What stands before the tensors' names.
    prefix: &'static str,
}

const VOCABULARY: usize = 50;
const PADDING: usize = 1;

/// MiniLM, E5, GTE, BGE and the multilingual ones in small, and sizes that fit no register.
fn shapes() -> Vec<Shape> {
    let usual = Shape {
        kind: "bert",
        activation: "gelu",
        pooling: "mean",
        hidden: 48,
        heads: 4,
        wide: 96,
        layers: 3,
        positions: 80,
        types: 2,
        dtype: DType::F32,
        prefix: "",
    };
    vec![
        usual.clone(),
        Shape { pooling: "cls", heads: 2, prefix: "bert.", ..usual.clone() },
        Shape { pooling: "cls", layers: 1, hidden: 64, heads: 1, wide: 130, ..usual.clone() },
        Shape { activation: "gelu_new", hidden: 40, heads: 5, wide: 77, ..usual.clone() },
        Shape { activation: "relu", dtype: DType::F16, types: 1, ..usual.clone() },
        Shape { kind: "xlm-roberta", types: 1, prefix: "roberta.", ..usual.clone() },
        Shape { kind: "xlm-roberta", types: 1, pooling: "cls", ..usual },
    ]
}

impl Shape {
    fn config(&self) -> serde_json::Value {
        json!({
            "model_type": self.kind,
            "hidden_act": self.activation,
            "hidden_size": self.hidden,
            "intermediate_size": self.wide,
            "layer_norm_eps": 1e-5,
            "max_position_embeddings": self.positions,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "pad_token_id": PADDING,
            "position_embedding_type": "absolute",
            "type_vocab_size": self.types,
            "vocab_size": VOCABULARY,
            "attention_probs_dropout_prob": 0.1,
            "hidden_dropout_prob": 0.1,
            "initializer_range": 0.02,
        })
    }

    fn manifest(&self) -> Manifest {
        let pooling = serde_json::from_value(json!(self.pooling)).unwrap();
        Manifest { dimensions: self.hidden, max_tokens: 78, pooling, ..manifest() }
    }

    fn weights(&self) -> HashMap<String, Tensor> {
        let (hidden, wide) = (self.hidden, self.wide);
        let mut all: Vec<(String, Vec<usize>)> = vec![
            ("embeddings.word_embeddings.weight".into(), vec![VOCABULARY, hidden]),
            ("embeddings.position_embeddings.weight".into(), vec![self.positions, hidden]),
            ("embeddings.token_type_embeddings.weight".into(), vec![self.types, hidden]),
            ("embeddings.LayerNorm.weight".into(), vec![hidden]),
            ("embeddings.LayerNorm.bias".into(), vec![hidden]),
        ];
        let linear = [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ];
        for n in 0..self.layers {
            let name = |part: &str| format!("encoder.layer.{n}.{part}");
            for (part, outputs, inputs) in linear {
                all.push((name(&format!("{part}.weight")), vec![outputs, inputs]));
                all.push((name(&format!("{part}.bias")), vec![outputs]));
            }
            for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
                all.push((name(&format!("{part}.weight")), vec![hidden]));
                all.push((name(&format!("{part}.bias")), vec![hidden]));
            }
        }
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f32 / (1_u64 << 30) as f32 - 1.0
        };
        let tensor = |(name, shape): (String, Vec<usize>)| {
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| 0.4 * random()).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (format!("{}{name}", self.prefix), tensor.to_dtype(self.dtype).unwrap())
        };
        all.into_iter().map(tensor).collect()
    }

    /// The reference's token vectors for one text.
    fn reference(&self, folder: &Path, ids: &[u32]) -> Tensor {
        let tensors =
            candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
        let vars = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let vars =
            if self.prefix.is_empty() { vars } else { vars.pp(self.prefix.trim_end_matches('.')) };
        let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let types = ids.zeros_like().unwrap();
        let mut config = self.config();
        if self.kind == "xlm-roberta" {
            let config: xlm_roberta::Config = serde_json::from_value(config).unwrap();
            let model = xlm_roberta::XLMRobertaModel::new(&config, vars).unwrap();
            let mask = ids.ones_like().unwrap();
            return model.forward(&ids, &mask, &types, None, None, None).unwrap();
        }
        if self.activation == "gelu_new" {
            config["hidden_act"] = json!("geluapproximate");
        }
        let config: bert::Config = serde_json::from_value(config).unwrap();
        bert::BertModel::load(vars, &config).unwrap().forward(&ids, &types, None).unwrap()
    }
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_shape_embeds_as_with_candle_transformers() {
    for (at, shape) in shapes().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), shape.config().to_string()).unwrap();
        let path = folder.path().join("model.safetensors");
        candle_core::safetensors::save(&shape.weights(), path).unwrap();
        let encoder = Encoder::load(&shape.manifest(), folder.path(), 2).unwrap();
        let texts: Vec<Vec<u32>> = [1, 2, 15, 16, 17, 31, 33, 64, 78]
            .iter()
            .map(|&n| (0..n).map(|i| 2 + (i * 7 + n) % (VOCABULARY as u32 - 2)).collect())
            .collect();
        let sequences: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let together = encoder.embed(&sequences).unwrap();
        // So many that they are shared out by blocks of tokens instead of by features.
        let many: Vec<&[u32]> = sequences.iter().copied().cycle().take(90).collect();
        let among_many = encoder.embed(&many).unwrap();
        for (n, ids) in sequences.iter().enumerate() {
            let tokens = shape.reference(folder.path(), ids).squeeze(0).unwrap();
            let tokens = tokens.to_vec2::<f32>().unwrap();
            let mut expected = tokens[0].clone();
            if shape.pooling == "mean" {
                for token in &tokens[1..] {
                    for (e, t) in expected.iter_mut().zip(token) {
                        *e += t;
                    }
                }
            }
            let expected = unit(&expected);
            let off = furthest(&together[n], &expected);
            assert!(off < 2e-5, "shape {at}, {} tokens: {off}", ids.len());
            let alone = encoder.embed(&[ids]).unwrap().remove(0);
            for (other, how) in [(&alone, "alone"), (&among_many[n], "among many")] {
                let off = furthest(&together[n], other);
                assert!(off < 1e-5, "shape {at}, {} tokens {how}: {off}", ids.len());
            }
        }
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_with_the_reason() {
    let shape = shapes().remove(0);
    let load = |config: serde_json::Value, weights: &HashMap<String, Tensor>| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        candle_core::safetensors::save(weights, folder.path().join("model.safetensors")).unwrap();
        Encoder::load(&shape.manifest(), folder.path(), 1).unwrap_err().to_string()
    };
    let with = |key: &str, value: serde_json::Value| {
        let mut config = shape.config();
        config[key] = value;
        config
    };
    let weights = shape.weights();
    let cases = [
        (with("model_type", json!("t5")), "\"t5\" is not of the BERT family"),
        (with("hidden_act", json!("swish")), "unknown activation \"swish\""),
        (with("position_embedding_type", json!("relative_key")), "only absolute positions"),
        (with("max_position_embeddings", json!(60)), "do not fit the manifest"),
        (with("num_attention_heads", json!(5)), "do not fit the manifest"),
        (with("intermediate_size", json!(95)), "its shape is [96, 48], not [95, 48]"),
        (with("num_hidden_layers", json!(4)), "there is no such tensor"),
    ];
    for (config, expected) in cases {
        let error = load(config, &weights);
        assert!(error.contains(expected), "{error}");
    }
    let mut whole = weights;
    let counts = whole["embeddings.LayerNorm.bias"].to_dtype(DType::I64).unwrap();
    whole.insert("embeddings.LayerNorm.bias".to_owned(), counts);
    let error = load(shape.config(), &whole);
    assert!(error.contains("its numbers are I64"), "{error}");
}

/// A tokenizer as `XLM-R` and its kin have it: pieces with scores, `<s>` and `</s>` around them.
fn unigram(folder: &Path) {
    let pieces: Vec<(&str, f64)> = vec![
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -3.0),
        ("▁query", -2.0),
        (":", -2.0),
        ("▁druck", -2.5),
        ("er", -2.5),
        ("▁offline", -2.2),
    ];
    let special = |id: usize, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<s>"), special(2, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                          "split": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                               "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
        "decoder": null,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": false},
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

#[test]
fn a_unigram_tokenizer_puts_the_prefix_into_every_window() {
    let folder = tempfile::tempdir().unwrap();
    unigram(folder.path());
    let tokenizer = Tokenizer::load(folder.path(), 8).unwrap().prefixed("query: ").unwrap();
    let windows = tokenizer.windows("drucker offline").unwrap();
    assert_eq!(windows.windows, [[0, 5, 6, 7, 8, 9, 2]]);
    let long = tokenizer.windows("drucker offline drucker offline").unwrap();
    assert_eq!(long.windows, [[0, 5, 6, 7, 8, 9, 2], [0, 5, 6, 7, 8, 9, 2]]);
    assert!(!long.truncated);
    let beginning = tokenizer.beginning("drucker offline drucker offline").unwrap();
    assert_eq!(beginning, [0, 5, 6, 7, 8, 9, 7, 2], "as much as there is room for");
    assert_eq!(tokenizer.beginning("offline").unwrap(), [0, 5, 6, 9, 2]);
    let plain = Tokenizer::load(folder.path(), 8).unwrap();
    assert_eq!(plain.windows("offline").unwrap().windows, [[0, 9, 2]]);
    let error = Tokenizer::load(folder.path(), 4).unwrap().prefixed("query: ").unwrap_err();
    assert!(error.to_string().contains("leaves no room"), "{error}");
}
