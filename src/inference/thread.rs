//! The thread that owns the encoder, and the queue in front of it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::plan::{Waiting, plan};
use super::{InferenceError, Lane};
use crate::model::encoder::normalise;
use crate::model::{Encoder, Windows};

/// Tokens of people's requests that may wait: about a second's work for two cores. Whoever comes then
/// hears at once that it is busy, instead of waiting ever longer.
const WAITING_TOKENS: usize = 8192;

/// One text's windows and where to send its vector.
pub(super) struct Job {
    pub(super) windows: Windows,
    pub(super) lane: Lane,
    /// When nobody waits for the answer any more.
    pub(super) deadline: Option<Instant>,
    pub(super) reply: oneshot::Sender<Result<Vec<f32>, InferenceError>>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    ended: bool,
}

/// What waits for the encoder. Callers bound its length with permits.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding the lock; if it did, the queue itself would still be sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, unless it is closed or too much waits already for a person to wait for more.
    pub(super) fn push(&self, job: Job) -> Result<(), InferenceError> {
        let mut state = self.lock();
        if state.closed {
            return Err(InferenceError::Stopped);
        }
        if job.lane == Lane::Interactive {
            let waits = |job: &&Job| job.lane == Lane::Interactive && !job.reply.is_closed();
            let people = state.jobs.iter().filter(waits);
            let before: usize = people.map(|job| job.windows.tokens()).sum();
            if before > 0 && before + job.windows.tokens() > WAITING_TOKENS {
                return Err(InferenceError::Overloaded);
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn wait_until_ended(&self, patience: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, patience, |state| !state.ended);
        waited.is_ok_and(|(state, _)| state.ended)
    }

    /// Waits for work and takes the next batch; `None` once closed and empty.
    fn next_batch(&self, interactive_run: usize) -> Option<Vec<Job>> {
        let mut state = self.lock();
        loop {
            state.jobs.retain(|job| !job.reply.is_closed());
            if !state.jobs.is_empty() {
                let now = Instant::now();
                let waiting: Vec<Waiting> = state.jobs.iter().map(|job| job.waiting(now)).collect();
                let picked = plan(&waiting, interactive_run);
                let mut batch = Vec::with_capacity(picked.len());
                for (at, job) in std::mem::take(&mut state.jobs).into_iter().enumerate() {
                    if picked.binary_search(&at).is_ok() {
                        batch.push(job);
                    } else if waiting[at].expired {
                        // A caller that has gone away needs no answer.
                        let _ = job.reply.send(Err(InferenceError::Overloaded));
                    } else {
                        state.jobs.push_back(job);
                    }
                }
                if !batch.is_empty() {
                    return Some(batch);
                }
                continue;
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Job {
    fn waiting(&self, now: Instant) -> Waiting {
        let expired = self.deadline.is_some_and(|deadline| deadline < now);
        Waiting { lane: self.lane, tokens: self.windows.tokens(), expired }
    }
}

/// Marks the queue as ended however the thread ends.
struct EndGuard(Arc<Queue>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.ended = true;
        state.jobs.clear();
        drop(state);
        self.0.changed.notify_all();
    }
}

pub(super) fn start(encoder: Arc<Encoder>, queue: Arc<Queue>) -> std::io::Result<()> {
    std::thread::Builder::new().name("inference".to_owned()).spawn(move || {
        let guard = EndGuard(queue);
        let mut interactive_run = 0;
        while let Some(batch) = guard.0.next_batch(interactive_run) {
            let bulk = batch.first().is_some_and(|job| job.lane == Lane::Bulk);
            interactive_run = if bulk { 0 } else { interactive_run + 1 };
            compute(&encoder, batch);
        }
    })?;
    Ok(())
}

/// Computes a batch. If it fails, each half is tried on its own, so that a bad text is found in a
/// few steps and never fails its neighbours.
fn compute(encoder: &Encoder, mut batch: Vec<Job>) {
    let sequences: Vec<&[u32]> =
        batch.iter().flat_map(|job| job.windows.windows.iter().map(Vec::as_slice)).collect();
    match guarded(encoder, &sequences) {
        Ok(vectors) => {
            let mut vectors = vectors.into_iter();
            for job in batch {
                let parts = vectors.by_ref().take(job.windows.windows.len());
                let vector = merge(&job.windows.windows, parts);
                // A caller that has gone away no longer wants its answer.
                let _ = job.reply.send(Ok(vector));
            }
        }
        Err(error) if batch.len() == 1 => {
            for job in batch {
                let _ = job.reply.send(Err(InferenceError::Encoder(error.clone())));
            }
        }
        Err(_) => {
            let rest = batch.split_off(batch.len() / 2);
            compute(encoder, batch);
            compute(encoder, rest);
        }
    }
}

/// A forward pass. A panic in the numerics is an error of the texts, not the end of the service.
pub(super) fn guarded(encoder: &Encoder, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>, String> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| encoder.embed(sequences))) {
        Ok(Ok(vectors)) => Ok(vectors),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

/// One vector from those of the windows: their mean, weighted by length.
pub(super) fn merge(windows: &[Vec<u32>], mut vectors: impl Iterator<Item = Vec<f32>>) -> Vec<f32> {
    let mut merged = vectors.next().unwrap_or_default();
    if windows.len() > 1 {
        let weight = |at: usize| windows.get(at).map_or(0.0, |w: &Vec<u32>| w.len() as f32);
        for m in &mut merged {
            *m *= weight(0);
        }
        for (at, vector) in vectors.enumerate() {
            for (m, x) in merged.iter_mut().zip(vector) {
                *m += weight(at + 1) * x;
            }
        }
        normalise(&mut merged);
    }
    merged
}
