//! `POST /v1/embeddings`, as OpenAI's clients expect it.

use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invalid;
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, may};
use crate::inference::Lane;

/// Texts of one request.
const MAX_INPUTS: usize = 2048;

/// Texts to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"input": ["VPN drops", "Printer jams"]}))]
pub(in crate::http) struct EmbeddingsIn {
    input: Input,
    /// Any name is taken; the answer says which model it was.
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it")]
    model: Option<String>,
    #[serde(default)]
    encoding_format: Option<EncodingFormat>,
    /// Only the encoder's own number is possible.
    #[serde(default, deserialize_with = "super::whole")]
    #[schema(ignore)]
    dimensions: Option<u32>,
    /// Taken and not used.
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it")]
    user: Option<String>,
}

/// One text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Input {
    /// One text.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EncodingFormat {
    /// As numbers.
    Float,
    /// As little-endian 32-bit floats in base64.
    Base64,
}

/// Vectors in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EmbeddingsOut {
    /// `list`
    object: &'static str,
    data: Vec<EmbeddingOut>,
    /// The encoder's fingerprint.
    model: String,
    usage: Usage,
}

#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingOut {
    /// `embedding`
    object: &'static str,
    index: usize,
    embedding: VectorOut,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum VectorOut {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Embeds texts as they are. Long ones are read up to the encoder's limit.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "triage", request_body = EmbeddingsIn,
    responses((status = 200, description = "A vector for each text", body = EmbeddingsOut))
)]
pub(in crate::http) async fn embeddings(
    desk: Desk<may::Triage>,
    JsonBody { value, .. }: JsonBody<EmbeddingsIn>,
) -> Result<Json<EmbeddingsOut>, ApiError> {
    let texts = match value.input {
        Input::One(text) if text.is_empty() => {
            return Err(invalid("/input", "expected a text"));
        }
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    if !(1..=MAX_INPUTS).contains(&texts.len()) {
        return Err(invalid("/input", format!("expected 1 to {MAX_INPUTS} texts")));
    }
    let own = desk.triage.dimensions();
    if value.dimensions.is_some_and(|wanted| wanted as usize != own) {
        return Err(invalid("/dimensions", format!("this encoder has {own}")));
    }
    let embedded = desk.triage.embed(texts, Lane::Bulk).await?;
    let write = |vector: Vec<f32>| match value.encoding_format {
        Some(EncodingFormat::Base64) => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            VectorOut::Base64(STANDARD.encode(bytes))
        }
        _ => VectorOut::Float(vector),
    };
    let data = embedded.vectors.into_iter().enumerate().map(|(index, vector)| EmbeddingOut {
        object: "embedding",
        index,
        embedding: write(vector),
    });
    Ok(Json(EmbeddingsOut {
        object: "list",
        data: data.collect(),
        model: desk.triage.encoder().to_owned(),
        usage: Usage { prompt_tokens: embedded.tokens, total_tokens: embedded.tokens },
    }))
}
