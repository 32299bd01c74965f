//! A run on disk: one file, replaced whole, so that a kill at any time leaves a state that can be
//! taken up exactly.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::trainer::{Settings, Standing, Trainer};

/// The file, inside the folder of the result.
pub(super) const FILE: &str = "checkpoint.safetensors";
/// The tensor that holds [`State`] as JSON.
const STATE: &str = "state";

/// What a run is of: another one must not be continued from its checkpoint.
#[derive(Debug, Serialize)]
pub(super) struct Identity {
    /// SHA-256 of the data file.
    pub(super) data: String,
    /// The label's field.
    pub(super) label: String,
    /// The encoder that training began with.
    pub(super) encoder: String,
    pub(super) settings: Settings,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// The [`Identity`] as JSON, compared as text.
    identity: String,
    standing: Standing,
    steps: u64,
}

/// Writes where a run stands.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn save(folder: &Path, identity: &Identity, trainer: &Trainer<'_>) -> Result<()> {
    let state = State {
        identity: serde_json::to_string(identity)?,
        standing: trainer.standing.clone(),
        steps: trainer.optimiser.steps,
    };
    let state = serde_json::to_vec(&state)?;
    let mut tensors = HashMap::new();
    let length = state.len();
    tensors.insert(STATE.to_owned(), Tensor::from_vec(state, length, &Device::Cpu)?);
    let mut put = |name: String, values: &[f32]| -> Result<()> {
        tensors.insert(name, Tensor::from_slice(values, values.len(), &Device::Cpu)?);
        Ok(())
    };
    put("memory".to_owned(), &trainer.memory)?;
    for (slot, best) in trainer.optimiser.slots.iter().zip(&trainer.best) {
        let name = &slot.parameter.name;
        put(format!("value.{name}"), &slot.value)?;
        put(format!("first.{name}"), &slot.first)?;
        put(format!("second.{name}"), &slot.second)?;
        put(format!("best.{name}"), best)?;
    }
    let part = folder.join(format!("{FILE}.part"));
    candle_core::safetensors::save(&tensors, &part)?;
    let path = folder.join(FILE);
    fs::rename(&part, &path).with_context(|| path.display().to_string())
}

/// Puts a run where its checkpoint says that it was.
///
/// # Errors
/// The checkpoint is unreadable, or of another run.
pub(super) fn load(folder: &Path, identity: &Identity, trainer: &mut Trainer<'_>) -> Result<()> {
    let path = folder.join(FILE);
    let name = path.display().to_string();
    let mut tensors =
        candle_core::safetensors::load(&path, &Device::Cpu).with_context(|| name.clone())?;
    let mut take = |part: &str| {
        tensors
            .remove(part)
            .with_context(|| format!("{name} has no {part:?}; start without --resume"))
    };
    let state: State = serde_json::from_slice(&take(STATE)?.to_vec1::<u8>()?)?;
    let identity = serde_json::to_string(identity)?;
    ensure!(
        state.identity == identity,
        "{name}: this checkpoint is of another run: it is of {}, this run is of {identity}; start \
         without --resume",
        state.identity
    );
    let mut values = |part: String, into: &mut Vec<f32>| -> Result<()> {
        let values = take(&part)?.to_vec1::<f32>()?;
        ensure!(values.len() == into.len(), "{}: {part} is of another size", path.display());
        *into = values;
        Ok(())
    };
    values("memory".to_owned(), &mut trainer.memory)?;
    for (slot, best) in trainer.optimiser.slots.iter_mut().zip(&mut trainer.best) {
        let name = slot.parameter.name.clone();
        values(format!("value.{name}"), &mut slot.value)?;
        values(format!("first.{name}"), &mut slot.first)?;
        values(format!("second.{name}"), &mut slot.second)?;
        values(format!("best.{name}"), best)?;
        slot.publish()?;
    }
    trainer.optimiser.steps = state.steps;
    trainer.standing = state.standing;
    Ok(())
}
