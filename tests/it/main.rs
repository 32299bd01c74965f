//! The integration tests: one binary, so that the encoder is loaded once.

mod api;
mod architecture;
mod bad_input;
mod cli;
mod crash;
mod encoder;
mod fetch;
mod import;
mod store;
mod support;
