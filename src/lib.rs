//! Deskhand.
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod domain;
pub mod exports;
pub mod http;
pub mod index;
pub mod inference;
pub mod judge;
pub mod lifecycle;
pub mod model;
pub mod sample;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod triage;
