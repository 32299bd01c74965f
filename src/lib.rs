//! Deskhand: self-hosted ticket triage. A ticket comes in; category, owner team, priority, the
//! resolved tickets like it and a drafted reply go out. Nothing leaves the machine.
//!
//! # The map of the house
//!
//! Each storey may use those below it, never its neighbours; `tests/it/architecture.rs` checks it.
//!
//! | storey | room | what it is for |
//! |---|---|---|
//! | roof | [`cli`] | the commands, one a file |
//! | | [`app`] | the composition root: the only place that knows every part |
//! | | [`console`], [`telemetry`] | pages for people; logs |
//! | 7 | [`http`] | routes, limits, errors as problem documents |
//! | | [`config`], [`lifecycle`] | settings in layers; tracked tasks, soft and hard shutdown |
//! | | [`reports`] | back-tests of exports that people upload, one at a time |
//! | 6 | [`triage`] | **the service**: assess, decide, draft, import |
//! | | [`access`] | who may come in: keys, users, people from a provider, sessions |
//! | | [`backtest`] | how well labels would have been told on a desk's own history |
//! | | [`sample`] | the built-in history of an invented company |
//! | 5 | [`index`] | the resolved tickets most like a vector |
//! | 4 | [`store`] | the system of record: use cases, one transaction each |
//! | | [`inference`] | the encoder behind a queue: lanes, batches, overload as an answer |
//! | | [`identity`] | a provider that says who somebody is, if people come from one |
//! | | [`writing`] | a language model that rewrites drafts, if one is wanted |
//! | 3 | [`model`] | model files, tokenizer, the encoder and its kernels |
//! | | [`classify`] | **labels with honest probabilities**: views, stacking, promises, bundles |
//! | | [`exports`] | other systems' exports, read as resolved tickets; labelled data |
//! | | [`drafts`] | a reply from what helped before: chosen, cited, or refused |
//! | 2 | [`text`] | cleaning, redaction, language, sentences |
//! | | [`judge`] | figures with their intervals, splits, near-duplicates, gates |
//! | 1 | [`domain`] | plain types: ticket, taxonomy, suggestion, ids, time |
//! | | [`simd`] | loops for the processor at hand |
//!
//! # One ticket's way through
//!
//! [`http`] parses the request into a [`domain::Ticket`]. [`triage::Triage::triage`] cleans it
//! ([`text::clean`]), embeds it in one forward pass ([`inference::Inference::embed`]), searches
//! once ([`index::TicketIndex::search`]), asks the desk's trained bundle ([`classify`]) or lets
//! neighbours and descriptions vote where there is none, decides by
//! policy, drafts from the best resolution, and writes ticket and suggestion in one transaction
//! ([`store::Transaction`]). Only then is it answered.

pub mod access;
pub mod app;
pub mod backtest;
pub mod classify;
pub mod cli;
pub mod config;
pub mod console;
pub mod domain;
pub mod drafts;
pub mod exports;
pub mod http;
pub mod identity;
pub mod index;
pub mod inference;
pub mod judge;
pub mod lifecycle;
pub mod model;
pub mod reports;
pub mod sample;
pub mod simd;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod triage;
pub mod writing;
