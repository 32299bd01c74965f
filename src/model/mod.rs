//! Model files and what runs them.
//!
//! [`manifest`] says which files a model consists of, [`cache`] keeps verified copies, [`fetch`]
//! brings missing ones, [`tokenize`] turns text into windows of token ids and [`encoder`] turns
//! those into embeddings; [`taught`] says what a fine-tuned one knows by heart.

pub mod cache;
pub mod encoder;
pub mod fetch;

mod engine;
mod hub;
pub mod manifest;
mod quick;
pub mod taught;
pub mod tokenize;
mod weights;
pub mod writer;

pub use cache::{Cache, CacheError, sha256};
pub use encoder::{Encoder, EncoderError};
pub use fetch::{FetchError, Fetcher, Progress, Sources};

pub use manifest::{Manifest, ManifestError, ModelFile, Pooling, Precision};
pub use taught::Taught;
pub use tokenize::{TokenizeError, Tokenizer, Windows};
pub use writer::{ChatMessage, LanguageModel, Sampling, WriterError, Written};
