//! The integration tests: one binary, so that the encoder is loaded once.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod access;
mod api;
mod architecture;
mod bad_input;
mod bundles;
mod checkpoints;
mod classify;
mod cli;
mod console;
mod crash;
mod decisions;
mod drafts;
mod embeddings;
mod encoder;
mod erasure;
mod external;
mod faults;
mod fetch;
mod idempotency;
mod import;
mod index;
mod isolation;
mod memory;
mod openapi;
mod qdrant;
mod sessions;
mod sign_in;
mod store;
mod support;
mod taxonomy;
mod uploads;
mod words;
