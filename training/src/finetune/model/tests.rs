//! The differentiable mode against the service's encoder, and its gradients against slopes.

use deskhand::model::{Encoder, Tokenizer};

use super::*;
use crate::finetune::head::{self, Head, Others, matrix};
use crate::finetune::optimiser::{AdamW, Gradients};
use crate::support::{tickets, tiny_encoder};

/// Token ids of some tickets, of different lengths.
fn sequences(folder: &Path, max_tokens: usize) -> Vec<Vec<u32>> {
    let tokenizer = Tokenizer::load(folder, max_tokens).unwrap();
    let lines = tickets(9, 4);
    lines.lines().map(|line| tokenizer.windows(line).unwrap().windows.remove(0)).collect()
}

fn assert_embeds_like_the_service(manifest: &Manifest, folder: &Path) {
    let fast = Encoder::load(manifest, folder, 1).unwrap();
    let mut model = Model::load(manifest, folder, &Device::Cpu).unwrap();
    let texts = sequences(folder, 32);
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let expected = fast.embed(&texts).unwrap();
    for version in [Version::Fused, Version::Primitive] {
        model.version = version;
        let found = model.forward(&texts, Noise::NONE).unwrap().to_vec2::<f32>().unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            let cosine: f32 = found.iter().zip(expected).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.9999, "{version:?}: {cosine}");
        }
    }
}

#[test]
fn it_embeds_as_the_service_does() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = tiny_encoder(folder.path(), 3);
    assert_embeds_like_the_service(&manifest, folder.path());
    let cls = Manifest { pooling: Pooling::Cls, ..manifest };
    assert_embeds_like_the_service(&cls, folder.path());
}

#[test]
fn it_embeds_as_the_service_does_with_the_real_weights() {
    let manifest = Manifest::find("all-MiniLM-L6-v2").unwrap();
    let config = deskhand::config::Layers::new().environment(std::env::vars()).build().unwrap();
    let cache = deskhand::app::model_cache(&config).unwrap();
    let faults = cache.verify(&manifest);
    assert!(faults.is_empty(), "run `deskhand models fetch` first: {faults:?}");
    assert_embeds_like_the_service(&manifest, &cache.folder(&manifest));
}

#[test]
fn what_was_not_learned_is_written_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = tiny_encoder(folder.path(), 3);
    let model = Model::load(&manifest, folder.path(), &Device::Cpu).unwrap();
    let path = folder.path().join("again.safetensors");
    model.save(&path).unwrap();
    let original = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    assert!(std::fs::read(&path).unwrap() == original);
    let shift = &model.layers[0].up_bias;
    shift.set(&(shift.as_tensor() + 1.0).unwrap()).unwrap();
    model.save(&path).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    assert_eq!(length, original.len() as u64);
    assert!(std::fs::read(&path).unwrap() != original);
}

/// A tiny model with its head and all three losses, dropout on.
struct Setup {
    model: Model,
    head: Head,
    optimiser: AdamW,
    texts: Vec<Vec<u32>>,
    labels: Vec<u32>,
    memory: Tensor,
}

impl Setup {
    fn new(version: Version) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = tiny_encoder(folder.path(), 5);
        let mut model = Model::load(&manifest, folder.path(), &Device::Cpu).unwrap();
        model.version = version;
        let texts = sequences(folder.path(), 32);
        let labels: Vec<u32> = (0..texts.len() as u32).map(|n| n % 4).collect();
        let all: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let vectors = model.forward(&all, Noise::NONE).unwrap().to_vec2::<f32>().unwrap();
        let head = Head::new(&vectors, &labels, 4, &Device::Cpu).unwrap();
        let mut parameters = model.parameters();
        parameters.push(head.parameter());
        let slots = parameters.into_iter().map(|p| (p, 1.0, 0.0)).collect();
        let memory = matrix(&vectors).unwrap();
        Self { model, head, optimiser: AdamW::new(slots).unwrap(), texts, labels, memory }
    }

    fn loss(&self) -> Tensor {
        let texts: Vec<&[u32]> = self.texts.iter().map(Vec::as_slice).collect();
        let vectors = self.model.forward(&texts, Noise { key: 11, rate: 0.1 }).unwrap();
        let targets = head::targets(&self.labels, 4, 0.1).unwrap();
        let logits = self.head.logits(&vectors).unwrap();
        let first = head::cross_entropy(&logits, &targets).unwrap();
        let others = Others { vectors: &self.memory, labels: &self.labels };
        let own: Vec<_> = (0..self.labels.len()).map(Some).collect();
        let second = head::contrastive(&vectors, &self.labels, &own, &others, 0.1).unwrap();
        let third = head::disagreement(&logits).unwrap();
        (first + second + third).unwrap()
    }

    fn gradients(&self) -> Gradients {
        self.optimiser.gradients(&self.loss().backward().unwrap()).unwrap()
    }
}

/// The key's bias adds the same to every score of a query, which the softmax takes away.
fn is_zero_by_construction(name: &str, place: usize, count: usize) -> bool {
    name.ends_with("qkv_bias") && place / (count / 3) == 1
}

#[test]
fn two_passes_over_a_text_drop_different_values() {
    let setup = Setup::new(Version::Fused);
    let text: &[u32] = &setup.texts[0];
    let both = |noise| setup.model.forward(&[text, text], noise).unwrap().to_vec2::<f32>().unwrap();
    let calm = both(Noise::NONE);
    let apart = |v: &[Vec<f32>]| v[0].iter().zip(&v[1]).map(|(a, b)| (a - b).abs()).sum::<f32>();
    assert!(apart(&calm) < 1e-5 && apart(&both(Noise { key: 11, rate: 0.1 })) > 0.01);
}

#[test]
fn a_gradient_reaches_every_parameter() {
    let setup = Setup::new(Version::Fused);
    for (slot, gradient) in setup.optimiser.slots.iter().zip(setup.gradients()) {
        let name = &slot.parameter.name;
        assert_eq!(gradient.len(), slot.value.len(), "{name}");
        for (place, g) in gradient.iter().enumerate() {
            let zero = is_zero_by_construction(name, place, gradient.len());
            assert!(g.is_finite() && zero == (*g == 0.0), "{name}[{place}]: {g}");
        }
    }
}

#[test]
fn gradients_of_both_versions_agree() {
    let [fused, primitive] =
        [Version::Fused, Version::Primitive].map(|version| Setup::new(version).gradients());
    for (n, (fused, primitive)) in fused.iter().zip(&primitive).enumerate() {
        let largest = primitive.iter().fold(0.0f32, |max, g| max.max(g.abs()));
        for (a, b) in fused.iter().zip(primitive) {
            assert!((a - b).abs() < 1e-3 * largest + 1e-5, "slot {n}: {a} {b}");
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    const STEP: f32 = 4e-3;
    let setup = Setup::new(Version::Fused);
    let gradients = setup.gradients();
    for (slot, gradient) in setup.optimiser.slots.iter().zip(&gradients) {
        // The steepest ones stand out of the noise of single precision.
        let mut steepest: Vec<usize> = (0..gradient.len()).collect();
        steepest.sort_by(|a, b| gradient[*b].abs().total_cmp(&gradient[*a].abs()));
        for place in &steepest[..3] {
            let at = |shift: f32| {
                let mut moved = slot.clone();
                moved.value[*place] += shift;
                moved.publish().unwrap();
                setup.loss().to_scalar::<f32>().unwrap()
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            slot.publish().unwrap();
            let expected = gradient[*place];
            let name = &slot.parameter.name;
            assert!(
                (slope - expected).abs() < 0.03 * expected.abs() + 5e-3,
                "{name}[{place}]: {slope}, expected {expected}"
            );
        }
    }
}

#[test]
fn impossible_input_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = tiny_encoder(folder.path(), 3);
    let model = Model::load(&manifest, folder.path(), &Device::Cpu).unwrap();
    for text in [&[][..], &[0; 41], &[9999]] {
        assert!(model.forward(&[text], Noise::NONE).is_err());
    }
    std::fs::write(folder.path().join("config.json"), "{\"hidden_act\": \"relu\"}").unwrap();
    assert!(Model::load(&manifest, folder.path(), &Device::Cpu).is_err());
}
