//! The classifier on histories as they are: uneven, contradictory, mislabelled, with rare labels.

use std::collections::BTreeMap;

use deskhand::classify::{
    Bundle, BundleManifest, Calibration, FieldModel, Labelled, Options, Prediction, Query,
    Readings, Terms, bundle::FORMAT, fit, nearest::nearest,
};
use fastrand::Rng;

const WIDTH: usize = 64;

/// Tickets scattered around one point a class, with words of their class among common ones.
#[derive(Default)]
struct World {
    vectors: Vec<Vec<f32>>,
    terms: Vec<Terms>,
    wordings: Vec<Vec<i8>>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    taught: Vec<bool>,
    classes: Vec<String>,
}

fn normal(rng: &mut Rng) -> f32 {
    (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0
}

fn unit(mut v: Vec<f32>) -> Vec<f32> {
    let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut v {
        *x /= length;
    }
    v
}

impl World {
    fn new(classes: usize) -> Self {
        Self { classes: (0..classes).map(|c| format!("class {c}")).collect(), ..Self::default() }
    }

    /// Adds tickets of a class; `spread` is how far they lie from its point.
    fn add(&mut self, class: usize, count: usize, spread: f32, seed: u64) {
        let mut point = Rng::with_seed(class as u64 + 1000);
        let centre = unit((0..WIDTH).map(|_| normal(&mut point)).collect());
        let mut rng = Rng::with_seed(seed * 7919 + class as u64);
        for _ in 0..count {
            let scale = spread / (WIDTH as f32).sqrt();
            let around = centre.iter().map(|c| c + scale * normal(&mut rng)).collect();
            self.vectors.push(unit(around));
            let (own, common) = (rng.u32(..5), rng.u32(..40));
            self.terms.push(Terms::of(&format!("topic{class}x{own} filler{common} please help")));
            // Words that mean nothing by themselves.
            self.wordings.push(vec![1; 8]);
            self.labels.push(class);
            self.groups.push(self.groups.len());
            self.taught.push(false);
        }
    }

    fn labelled(&self) -> Labelled<'_> {
        let readings = Readings {
            vectors: &self.vectors,
            terms: &self.terms,
            wordings: &self.wordings,
            groups: &self.groups,
            taught: &self.taught,
        };
        Labelled::of(readings, self.labels.iter().copied().enumerate())
    }

    fn fit(&self) -> FieldModel {
        let labelled = self.labelled();
        let history = labelled.history(&self.classes, &[]);
        fit(history, Calibration::Folds, Options { seed: 1 }, &|_, _| ()).unwrap()
    }

    /// What a model that learned from this history says of other tickets.
    fn answers(&self, model: &FieldModel, asked: &Self) -> Vec<Prediction> {
        let all: Vec<&[f32]> = self.vectors.iter().map(Vec::as_slice).collect();
        let queries: Vec<&[f32]> = asked.vectors.iter().map(Vec::as_slice).collect();
        let near = nearest(&queries, &all, 20, |_, _| true);
        let answer = |(i, near): (usize, Vec<(usize, f32)>)| {
            let neighbours: Vec<_> =
                near.into_iter().map(|(row, cosine)| (self.labels[row], cosine)).collect();
            model.predict(Query {
                vector: &asked.vectors[i],
                words: &model.read(&asked.terms[i], &asked.wordings[i]),
                neighbours: &neighbours,
            })
        };
        near.into_iter().enumerate().map(answer).collect()
    }
}

fn accuracy(answers: &[Prediction], truth: &[usize]) -> f64 {
    let right = answers.iter().zip(truth).filter(|(a, t)| a.top == **t).count();
    right as f64 / truth.len() as f64
}

#[test]
fn small_labels_beside_a_large_one_are_still_found() {
    let (mut world, mut asked) = (World::new(6), World::new(6));
    world.add(0, 1_500, 1.2, 1);
    for class in 1..6 {
        world.add(class, 15, 1.2, 1);
        asked.add(class, 40, 1.2, 2);
    }
    let right = accuracy(&world.answers(&world.fit(), &asked), &asked.labels);
    assert!(right > 0.85, "{right}");
}

/// What a fine-tuned encoder does: the tickets that it was taught lie close together, others as far
/// apart as ever.
#[test]
fn what_the_encoder_was_taught_promises_nothing() {
    let (mut world, mut asked) = (World::new(8), World::new(8));
    for class in 0..8 {
        world.add(class, 80, 0.4, 1);
    }
    world.taught.fill(true);
    for class in 0..8 {
        world.add(class, 30, 3.5, 2);
        asked.add(class, 100, 3.5, 3);
    }
    for ticket in world.terms.iter_mut().chain(&mut asked.terms) {
        *ticket = Terms::of("please help");
    }
    // How often it says that it is right, less how often it is.
    let off = |world: &World| {
        let model = world.fit();
        let right = model.promises().answers().filter(|(_, right, _)| *right).count();
        let said = right as f64 / model.promises().len() as f64;
        let off = said - accuracy(&world.answers(&model, &asked), &asked.labels);
        (off, model.promises().len())
    };
    let (honest, judged) = off(&world);
    assert_eq!(judged, 240);
    assert!(honest.abs() < 0.08, "{honest}");
    // Were they to judge, it would say far too much.
    let mut fooled = world;
    fooled.taught.fill(false);
    let (fooled, judged) = off(&fooled);
    assert_eq!(judged, 880);
    assert!(fooled > 0.1, "{fooled} {honest}");
}

#[test]
fn a_ticket_as_good_as_taught_promises_nothing_either() {
    let mut world = World::new(3);
    for class in 0..3 {
        world.add(class, 40, 1.0, 1);
    }
    // Every other ticket was taught, and the next says nearly the same.
    for row in 0..120 {
        world.taught[row] = row % 2 == 0;
        world.groups[row] = row / 2;
    }
    assert_eq!(world.fit().promises().len(), 0);
}

#[test]
fn one_label_in_ten_wrong_does_little_harm() {
    let (mut world, mut asked) = (World::new(8), World::new(8));
    for class in 0..8 {
        world.add(class, 80, 1.2, 1);
        asked.add(class, 50, 1.2, 2);
    }
    let mut rng = Rng::with_seed(3);
    for label in &mut world.labels {
        if rng.f32() < 0.1 {
            *label = rng.usize(..8);
        }
    }
    let model = world.fit();
    let right = accuracy(&world.answers(&model, &asked), &asked.labels);
    assert!(right > 0.95, "{right}");
    // It has been told wrong things one time in ten, and is as unsure as that.
    let promise = model.promises().at(0.98);
    assert!(promise.threshold.is_none(), "{promise:?}");
}

#[test]
fn a_label_with_one_ticket_is_known_by_it() {
    let (mut world, mut asked) = (World::new(5), World::new(5));
    for class in 0..4 {
        world.add(class, 60, 1.0, 1);
    }
    world.add(4, 1, 1.0, 1);
    asked.add(4, 20, 0.8, 2);
    let model = world.fit();
    assert_eq!(model.support(), [60, 60, 60, 60, 1]);
    let right = accuracy(&world.answers(&model, &asked), &asked.labels);
    assert!(right > 0.6, "{right}");
}

#[test]
fn tickets_of_a_label_never_seen_are_told_by_it() {
    let (mut world, mut known, mut strange) = (World::new(10), World::new(10), World::new(11));
    for class in 0..10 {
        world.add(class, 60, 1.0, 1);
        known.add(class, 20, 1.0, 2);
    }
    strange.add(10, 200, 1.0, 2);
    let model = world.fit();
    let turned_away = |answers: Vec<Prediction>| {
        let n = answers.len() as f64;
        answers.iter().filter(|a| a.trust() < model.novelty_threshold()).count() as f64 / n
    };
    let (known, strange) =
        (turned_away(world.answers(&model, &known)), turned_away(world.answers(&model, &strange)));
    assert!(known < 0.1 && strange > 0.7, "{known} {strange}");
}

#[test]
fn the_same_text_under_two_labels_is_never_applied_to_one() {
    let mut world = World::new(4);
    for class in 0..4 {
        world.add(class, 100, 1.0, 1);
    }
    // One text, fourteen times under one label and six times under the other.
    let (vector, terms) = (world.vectors[0].clone(), world.terms[0].clone());
    for n in 0..20 {
        world.vectors.push(vector.clone());
        world.terms.push(terms.clone());
        world.wordings.push(vec![1; 8]);
        world.labels.push(usize::from(n % 10 >= 7));
        world.groups.push(0);
        world.taught.push(false);
    }
    let model = world.fit();
    let (vectors, terms, wordings) = (vec![vector], vec![terms], vec![vec![1; 8]]);
    let asked = World { vectors, terms, wordings, ..World::default() };
    let answer = world.answers(&model, &asked).remove(0);
    assert!(answer.probabilities[0] > 0.4 && answer.probabilities[1] > 0.05, "{answer:?}");
    let promise = model.promises().at(0.95);
    assert!(!promise.applies(answer.top, answer.confidence()), "{answer:?}");
}

#[test]
fn two_thousand_labels_can_be_told_apart() {
    let (mut world, mut asked) = (World::new(2_000), World::new(2_000));
    for class in 0..2_000 {
        world.add(class, 2, 0.6, 1);
    }
    for class in (0..2_000).step_by(10) {
        asked.add(class, 1, 0.6, 2);
    }
    let right = accuracy(&world.answers(&world.fit(), &asked), &asked.labels);
    assert!(right > 0.9, "{right}");
}

#[test]
fn the_same_history_gives_the_same_bytes_on_any_number_of_threads() {
    let mut world = World::new(5);
    for class in 0..5 {
        world.add(class, 60, 1.2, 1);
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let model = pool.install(|| world.fit());
        let manifest = BundleManifest {
            format: FORMAT,
            encoder: "all:1".into(),
            taxonomy: None,
            data: String::new(),
            split: String::new(),
            seed: 1,
            target_precision: 0.95,
            fields: BTreeMap::new(),
        };
        let bundle = Bundle::new(manifest, [("category".to_owned(), model)].into());
        let into = folder.path().join(threads.to_string());
        bundle.save(&into).unwrap();
        let read = Bundle::load(&into, "all:1").unwrap();
        assert_eq!((read.id(), &read.fields), (bundle.id(), &bundle.fields));
        ["category.safetensors", "bundle.json"].map(|f| std::fs::read(into.join(f)).unwrap())
    };
    assert!(bytes(1) == bytes(3));
}
