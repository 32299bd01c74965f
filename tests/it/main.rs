//! The integration tests: one binary, so that the encoder is loaded once.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod api;
mod architecture;
mod bad_input;
mod cli;
mod crash;
mod encoder;
mod faults;
mod fetch;
mod import;
mod index;
mod openapi;
mod qdrant;
mod store;
mod support;
