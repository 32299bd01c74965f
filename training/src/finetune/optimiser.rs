//! `AdamW` (Loshchilov & Hutter, arXiv:1711.05101) with a learning rate for each layer.
//!
//! Values and moments live in plain memory, whatever device computes the gradients, so that a
//! checkpoint is a copy of them.

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};
use deskhand::simd::widest;
use rayon::prelude::*;

use super::model::Parameter;
use super::ops::values;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// A parameter with its moments.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) parameter: Parameter,
    /// This parameter's learning rate for each unit of the step's.
    pub(super) rate: f32,
    /// Decoupled weight decay; 0 for none.
    pub(super) decay: f32,
    pub(super) value: Vec<f32>,
    /// Moving average of the gradient.
    pub(super) first: Vec<f32>,
    /// Moving average of its square.
    pub(super) second: Vec<f32>,
}

impl Slot {
    /// Makes the variable what the value says.
    pub(super) fn publish(&self) -> Result<()> {
        let var = &self.parameter.var;
        Ok(var.set(&Tensor::from_slice(&self.value, var.shape(), var.device())?)?)
    }
}

/// The gradients of all slots, in their order.
pub(super) type Gradients = Vec<Vec<f32>>;

/// All that is learned, and how far it has come.
#[derive(Debug)]
pub(super) struct AdamW {
    pub(super) slots: Vec<Slot>,
    /// Steps taken.
    pub(super) steps: u64,
}

impl AdamW {
    /// Takes each parameter with its relative learning rate and its weight decay.
    pub(super) fn new(parameters: Vec<(Parameter, f32, f32)>) -> Result<Self> {
        let slots = parameters.into_iter().map(|(parameter, rate, decay)| {
            let value = parameter.var.flatten_all()?.to_vec1::<f32>()?;
            let zeros = vec![0.0; value.len()];
            Ok(Slot { parameter, rate, decay, first: zeros.clone(), second: zeros, value })
        });
        Ok(Self { slots: slots.collect::<Result<_>>()?, steps: 0 })
    }

    /// Every slot's gradient out of a backward pass.
    ///
    /// # Errors
    /// One is missing: something on its way to the loss has no gradient.
    pub(super) fn gradients(&self, store: &GradStore) -> Result<Gradients> {
        let gradient = |slot: &Slot| {
            let name = &slot.parameter.name;
            let found = store.get(&slot.parameter.var);
            let found = found.with_context(|| format!("no gradient reaches {name}"))?;
            let found = found.to_device(&Device::Cpu)?;
            Ok(values([&found], |[gradient]| gradient.to_vec())?)
        };
        self.slots.iter().map(gradient).collect()
    }

    /// Takes a step against the gradients, scaled down to `clip` where their length is above that
    /// (Pascanu et al., arXiv:1211.5063). Returns the length before that.
    ///
    /// # Errors
    /// The gradients are not finite, or a variable cannot be set.
    pub(super) fn step(&mut self, gradients: &Gradients, rate: f32, clip: f32) -> Result<f32> {
        let squares = |g: &Vec<f32>| {
            widest(
                #[inline(always)]
                || squares(g),
            )
        };
        let each: Vec<f64> = gradients.par_iter().map(squares).collect();
        let length = each.iter().sum::<f64>().sqrt() as f32;
        anyhow::ensure!(
            length.is_finite(),
            "the gradient is no longer finite; try a smaller --learning-rate"
        );
        let scale = if length > clip { clip / length } else { 1.0 };
        self.steps += 1;
        let power = |beta: f32| (1.0 - f64::from(beta).powf(self.steps as f64)) as f32;
        let (correct_1, correct_2) = (1.0 / power(BETA_1), 1.0 / power(BETA_2));
        self.slots.par_iter_mut().zip(gradients).try_for_each(|(slot, gradient)| {
            let (rate, decay) = (rate * slot.rate, slot.decay);
            widest(
                #[inline(always)]
                || {
                    let moments = slot.first.iter_mut().zip(&mut slot.second);
                    for ((x, g), (m, v)) in slot.value.iter_mut().zip(gradient).zip(moments) {
                        let g = g * scale;
                        *m = BETA_1 * *m + (1.0 - BETA_1) * g;
                        *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
                        let update = *m * correct_1 / ((*v * correct_2).sqrt() + EPSILON);
                        *x -= rate * (update + decay * *x);
                    }
                },
            );
            slot.publish()
        })?;
        Ok(length)
    }
}

#[inline(always)]
fn squares(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    for chunk in values.chunks(8) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x * x);
        }
    }
    lanes.iter().sum()
}

/// The share of the full learning rate at a step: up in a line while warming up, then down in a
/// line to nothing.
pub(super) fn schedule(step: u64, total: u64, warmup: f64) -> f32 {
    let warm = (total as f64 * warmup).max(1.0);
    let (step, total) = (step as f64, total as f64);
    let up = (step + 1.0) / warm;
    let down = (total - step) / (total - warm).max(1.0);
    up.min(down).clamp(0.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    fn parameter(values: &[f32]) -> Parameter {
        let var = Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
        Parameter { name: "x".to_owned(), var, depth: 0, decays: true }
    }

    #[test]
    fn the_first_steps_are_those_of_the_paper() {
        let mut optimiser = AdamW::new(vec![(parameter(&[1.0, -2.0]), 1.0, 0.1)]).unwrap();
        // Bias correction makes the first update the gradient's sign; decay is decoupled from it.
        optimiser.step(&vec![vec![0.5, -3.0]], 0.01, 100.0).unwrap();
        let expected = [1.0 - 0.01 * (1.0 + 0.1), -2.0 - 0.01 * (-1.0 - 0.2)];
        for (value, expected) in optimiser.slots[0].value.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} {expected}");
        }
        let published = optimiser.slots[0].parameter.var.to_vec1::<f32>().unwrap();
        assert_eq!(published, optimiser.slots[0].value);
    }

    #[test]
    fn a_quadratic_is_minimised_and_long_gradients_are_cut() {
        let mut optimiser = AdamW::new(vec![(parameter(&[3.0, -4.0]), 1.0, 0.0)]).unwrap();
        for _ in 0..400 {
            let gradient = optimiser.slots[0].value.iter().map(|x| 2.0 * x).collect();
            optimiser.step(&vec![gradient], 0.05, 1.0).unwrap();
        }
        assert!(optimiser.slots[0].value.iter().all(|x| x.abs() < 0.05));
        assert!(optimiser.slots[0].first.iter().all(|m| m.abs() <= 1.0));
        assert!(optimiser.step(&vec![vec![f32::NAN, 0.0]], 0.05, 1.0).is_err());
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let rates: Vec<f32> = (0..100).map(|n| schedule(n, 100, 0.1)).collect();
        assert!((rates[0] - 0.1).abs() < 1e-6 && (rates[10] - 1.0).abs() < 0.02);
        assert!(rates[..10].is_sorted() && rates[10..].iter().rev().is_sorted());
        assert!(rates[99] > 0.0 && rates[99] < 0.02);
        assert!((schedule(0, 1, 0.1) - 1.0).abs() < 1e-6);
    }
}
