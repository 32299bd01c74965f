//! Our encoder against candle-transformers' BERT, on the real weights.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use deskhand::inference::Embedder;
use deskhand::model::{Encoder, Manifest, Precision, Tokenizer};
use deskhand::sample;
use deskhand::text;

use crate::support::{load, manifest, weights};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    // In `f64`: the sums' own roundings would be as large as what some tests look for.
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum::<f64>() as f32
}

/// The reference: one text at a time, mean over tokens, unit length.
fn reference(model: &BertModel, ids: &[u32]) -> Vec<f32> {
    let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let types = ids.zeros_like().unwrap();
    let hidden = model.forward(&ids, &types, None).unwrap();
    let mean = hidden.mean(1).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
    let length = cosine(&mean, &mean).sqrt();
    mean.into_iter().map(|x| x / length).collect()
}

/// A thousand sequences of every length that the checkpoint takes: the sample's tickets, alone or
/// joined until they are long enough.
fn thousand(tokenizer: &Tokenizer) -> Vec<Vec<u32>> {
    let tickets = sample::tickets().unwrap();
    let texts: Vec<String> = tickets.iter().map(|t| text::clean(&t.ticket.text).text).collect();
    let sequences = (0..1000).map(|n| {
        // Short ones mostly, as tickets are.
        let wanted = if n % 10 == 0 { 3 + n * 509 / 990 } else { 3 + n * 13 % 80 };
        let mut ids = vec![101];
        for text in texts.iter().cycle().skip(n) {
            let windows = tokenizer.windows(text).unwrap().windows;
            ids.extend(windows.iter().flat_map(|w| &w[1..w.len() - 1]));
            if ids.len() >= wanted - 1 {
                break;
            }
        }
        ids.truncate(wanted - 1);
        ids.push(102);
        ids
    });
    sequences.collect()
}

#[test]
fn a_thousand_texts_embed_as_with_candle_transformers() {
    let (encoder, tokenizer) = load();
    let config = std::fs::read(weights().join("config.json")).unwrap();
    let config: Config = serde_json::from_slice(&config).unwrap();
    let tensors =
        candle_core::safetensors::load(weights().join("model.safetensors"), &Device::Cpu).unwrap();
    let model =
        BertModel::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &config)
            .unwrap();
    let sequences = thousand(&tokenizer);
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    assert_eq!(sequences.iter().map(|s| s.len()).max(), Some(512));
    for batch in sequences.chunks(40) {
        let embedded = encoder.embed(batch).unwrap();
        for (ids, ours) in batch.iter().zip(&embedded) {
            let theirs = reference(&model, ids);
            let similarity = cosine(ours, &theirs);
            assert!(similarity > 0.9999, "{similarity} on {} tokens", ids.len());
            let worst = furthest(ours, &theirs);
            assert!(worst < 2e-5, "{worst} on {} tokens", ids.len());
        }
    }
}

#[test]
fn a_wording_is_what_goes_into_the_first_layer() {
    let (encoder, tokenizer) = load();
    let config = std::fs::read(weights().join("config.json")).unwrap();
    let config: Config = serde_json::from_slice(&config).unwrap();
    let bottom = Config { num_hidden_layers: 0, ..config };
    let tensors =
        candle_core::safetensors::load(weights().join("model.safetensors"), &Device::Cpu).unwrap();
    let tensors = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let model = BertModel::load(tensors, &bottom).unwrap();
    for ids in thousand(&tokenizer).iter().step_by(10) {
        let codes = encoder.wording(std::slice::from_ref(ids)).unwrap();
        assert_eq!(codes.iter().map(|code| code.unsigned_abs()).max(), Some(127));
        let ours: Vec<f32> = codes.iter().map(|code| f32::from(*code)).collect();
        let similarity = cosine(&ours, &reference(&model, ids)) / cosine(&ours, &ours).sqrt();
        assert!(similarity > 0.999, "{similarity} on {} tokens", ids.len());
    }
    assert!(encoder.wording(&[vec![101; 513]]).is_err());
    assert!(encoder.wording(&[vec![999_999]]).is_err());
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_text_embeds_the_same_alone_and_among_others() {
    let (encoder, tokenizer) = load();
    let sequences = thousand(&tokenizer);
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).step_by(4).collect();
    let among = encoder.embed(&sequences).unwrap();
    for (at, sequence) in sequences.iter().enumerate() {
        let alone = encoder.embed(&[sequence]).unwrap().remove(0);
        let worst = furthest(&alone, &among[at]);
        assert!(worst < 1e-5, "{worst} on {} tokens", sequence.len());
        assert!((cosine(&alone, &alone) - 1.0).abs() < 1e-5, "not of unit length");
    }
}

#[test]
fn eight_bits_point_nearly_the_same_way() {
    let (encoder, tokenizer) = load();
    let manifest = Manifest { precision: Precision::Int8, ..manifest() };
    let bytes = Encoder::load(&manifest, &weights(), 2).unwrap();
    let sequences = thousand(&tokenizer);
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).step_by(2).collect();
    let (exact, close) = (encoder.embed(&sequences).unwrap(), bytes.embed(&sequences).unwrap());
    let cosines: Vec<f32> = exact.iter().zip(&close).map(|(a, b)| cosine(a, b)).collect();
    let worst = cosines.iter().copied().fold(1.0, f32::min);
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    assert!(worst > 0.98 && mean > 0.995, "worst {worst}, mean {mean}");
    // A token's bytes are its own: whom it shares a batch with changes next to nothing.
    for (at, sequence) in sequences.iter().enumerate().step_by(25) {
        let alone = bytes.embed(&[sequence]).unwrap().remove(0);
        let alike = cosine(&alone, &close[at]);
        assert!(alike > 0.9999, "{alike} on {} tokens", sequence.len());
    }
}

#[test]
fn impossible_input_is_an_error_not_a_panic() {
    let (encoder, _) = load();
    let too_long = vec![101; 513];
    for sequence in [&[][..], &[999_999][..], &too_long] {
        assert!(encoder.embed(&[sequence]).is_err());
    }
    assert!(encoder.embed(&[]).unwrap().is_empty());
}

#[test]
fn a_long_text_is_windowed_and_what_is_left_out_is_said() {
    let (_, tokenizer) = load();
    let short = tokenizer.windows("The printer is out of paper").unwrap();
    assert_eq!((short.windows.len(), short.truncated), (1, false));
    let two = tokenizer.windows(&"printer ".repeat(300)).unwrap();
    assert_eq!((two.windows.len(), two.truncated), (2, false));
    let many = tokenizer.windows(&"printer ".repeat(5000)).unwrap();
    assert!(many.truncated);
    assert!(many.windows.iter().all(|w| w.len() <= 256 && w[0] == 101 && w.last() == Some(&102)));
    assert_eq!(tokenizer.windows("").unwrap().windows, [[101, 102]]);
}

#[test]
fn a_list_embeds_as_its_texts_do() {
    let (encoder, tokenizer) = load();
    let long = "The printer on floor two is out of paper again. ".repeat(60);
    let texts = ["vpn", &long, "Drucker", ""];
    let expected = texts.map(|text| {
        let windows = tokenizer.windows(text).unwrap();
        let sequences: Vec<&[u32]> = windows.windows.iter().map(Vec::as_slice).collect();
        (encoder.embed(&sequences).unwrap(), windows)
    });
    let embedder = Embedder::new(encoder, tokenizer);
    let mut done = 0;
    let embedded = embedder.embed_all(&texts, |more| done += more).unwrap();
    assert_eq!((embedded.len(), done), (4, 4));
    for (embedding, (vectors, windows)) in embedded.iter().zip(&expected) {
        assert_eq!(embedding.tokens, windows.tokens());
        let mut mean = vec![0.0; 384];
        for (vector, window) in vectors.iter().zip(&windows.windows) {
            for (m, x) in mean.iter_mut().zip(vector) {
                *m += x * window.len() as f32;
            }
        }
        let length = cosine(&mean, &mean).sqrt();
        assert!(cosine(&embedding.vector, &mean) / length > 0.999_99);
    }
}

#[test]
fn copies_of_a_text_have_the_same_vector_bit_by_bit() {
    let (encoder, tokenizer) = load();
    let embedder = Embedder::new(encoder, tokenizer);
    let texts: Vec<String> =
        (0..60).map(|n| format!("the printer {}", "jams again ".repeat(n % 20))).collect();
    let mut done = 0;
    let embedded = embedder.embed_all(&texts, |more| done += more).unwrap();
    assert_eq!(done, 60);
    for (at, embedding) in embedded.iter().enumerate() {
        assert_eq!(embedding.vector, embedded[at % 20].vector, "{at}");
    }
}

#[test]
fn what_was_embedded_once_is_taken_from_the_file() {
    let (encoder, tokenizer) = load();
    let folder = tempfile::tempdir().unwrap();
    let embedder = Embedder::new(encoder, tokenizer);
    let remembering = || embedder.clone().remembering(folder.path(), "all:1").unwrap();
    let texts: Vec<String> = (0..40).map(|n| format!("ticket {n} about the printer")).collect();
    let first = remembering().embed_all(&texts[..25], |_| {}).unwrap();
    let mut steps = Vec::new();
    let all = remembering().embed_all(&texts, |more| steps.push(more)).unwrap();
    assert_eq!(all[..25], first[..]);
    assert_eq!((steps[0], steps.iter().sum::<usize>()), (25, 40));
    let afresh = embedder.embed_all(&texts, |_| {}).unwrap();
    assert!(all.iter().zip(&afresh).all(|(a, b)| cosine(&a.vector, &b.vector) > 0.999_999));
}
