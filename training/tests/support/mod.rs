//! A tiny encoder with random weights, and tickets that it can learn to tell apart.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use deskhand::model::{Manifest, ModelFile, Pooling, Precision, sha256};
use serde_json::json;

const WORDS: [&str; 24] = [
    "vpn", "tunnel", "gateway", "remote", "printer", "toner", "paper", "tray", "password", "reset",
    "login", "locked", "invoice", "refund", "charge", "bill", "the", "my", "is", "since", "today",
    "again", "please", "help",
];
/// Rows in each of the encoder's matrices.
const HIDDEN: usize = 16;
const UP: usize = 32;
const LAYERS: usize = 2;

/// Whole numbers from a seed (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n as u64) as usize
    }
}

/// Writes an encoder's folder: manifest, configuration, tokenizer and weights.
pub(crate) fn tiny_encoder(folder: &Path, seed: u64) -> Manifest {
    let mut dice = Dice(seed);
    let mut tensors = HashMap::new();
    let mut put = |name: String, shape: &[usize], centre: f32| {
        let count: usize = shape.iter().product();
        let mut value = || centre + 0.3 * (dice.below(2001) as f32 / 1000.0 - 1.0);
        let values: Vec<f32> = (0..count).map(|_| value()).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    let norm = |put: &mut dyn FnMut(String, &[usize], f32), name: &str| {
        put(format!("{name}.LayerNorm.weight"), &[HIDDEN], 1.0);
        put(format!("{name}.LayerNorm.bias"), &[HIDDEN], 0.0);
    };
    let linear =
        |put: &mut dyn FnMut(String, &[usize], f32), name: &str, [out, in_]: [usize; 2]| {
            put(format!("{name}.weight"), &[out, in_], 0.0);
            put(format!("{name}.bias"), &[out], 0.0);
        };
    let vocabulary = WORDS.len() + 3;
    put("embeddings.word_embeddings.weight".to_owned(), &[vocabulary, HIDDEN], 0.0);
    put("embeddings.position_embeddings.weight".to_owned(), &[40, HIDDEN], 0.0);
    put("embeddings.token_type_embeddings.weight".to_owned(), &[2, HIDDEN], 0.0);
    norm(&mut put, "embeddings");
    for n in 0..LAYERS {
        let layer = format!("encoder.layer.{n}");
        for part in ["query", "key", "value"] {
            linear(&mut put, &format!("{layer}.attention.self.{part}"), [HIDDEN, HIDDEN]);
        }
        linear(&mut put, &format!("{layer}.attention.output.dense"), [HIDDEN, HIDDEN]);
        norm(&mut put, &format!("{layer}.attention.output"));
        linear(&mut put, &format!("{layer}.intermediate.dense"), [UP, HIDDEN]);
        linear(&mut put, &format!("{layer}.output.dense"), [HIDDEN, UP]);
        norm(&mut put, &format!("{layer}.output"));
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    let config = json!({
        "hidden_act": "gelu", "hidden_size": HIDDEN, "intermediate_size": UP,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 40, "num_attention_heads": 2,
        "num_hidden_layers": LAYERS, "vocab_size": vocabulary, "type_vocab_size": 2,
        "model_type": "bert",
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let special = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true })
    };
    let words: HashMap<&str, usize> =
        ["[CLS]", "[SEP]", "[UNK]"].into_iter().chain(WORDS).zip(0..).collect();
    let cls = json!({ "SpecialToken": { "id": "[CLS]", "type_id": 0 } });
    let sep = json!({ "SpecialToken": { "id": "[SEP]", "type_id": 0 } });
    let part = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "[CLS]"), special(1, "[SEP]"), special(2, "[UNK]")],
        "normalizer": { "type": "Lowercase" }, "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, part("A"), sep], "pair": [cls, part("A"), sep, part("B"), sep],
            "special_tokens": {
                "[CLS]": { "id": "[CLS]", "ids": [0], "tokens": ["[CLS]"] },
                "[SEP]": { "id": "[SEP]", "ids": [1], "tokens": ["[SEP]"] },
            },
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": words, "unk_token": "[UNK]" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let files = ["config.json", "tokenizer.json", "model.safetensors"].map(|name| {
        let path = folder.join(name);
        let bytes = std::fs::metadata(&path).unwrap().len();
        ModelFile {
            name: name.to_owned(),
            bytes: Some(bytes),
            sha256: Some(sha256(&path).unwrap()),
        }
    });
    let manifest = Manifest {
        prefix: String::new(),
        name: "tiny".to_owned(),
        licence: "Apache-2.0".to_owned(),
        family: "bert".to_owned(),
        dimensions: HIDDEN,
        max_tokens: 32,
        pooling: Pooling::Mean,
        languages: vec!["en".to_owned()],
        hub: None,
        wheel: None,
        files: files.into(),
        home: Some(folder.to_owned()),
        precision: Precision::F32,
    };
    manifest.write(folder).unwrap();
    manifest
}

/// Tickets of four kinds as JSON lines: a word or two that tell, among some that do not.
pub(crate) fn tickets(count: usize, seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut lines = String::new();
    for n in 0..count {
        let kind = n % 4;
        let mut body: Vec<&str> =
            (0..2 + dice.below(8)).map(|_| WORDS[16 + dice.below(8)]).collect();
        for _ in 0..=dice.below(2) {
            let place = dice.below(body.len());
            body.insert(place, WORDS[4 * kind + dice.below(4)]);
        }
        let row = json!({ "body": body.join(" "), "category": format!("kind {kind}") });
        writeln!(lines, "{row}").unwrap();
    }
    lines
}
