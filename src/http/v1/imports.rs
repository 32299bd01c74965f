//! `/v1/imports`: a history, sent as a stream and taken in by a job.
#![expect(unused_qualifications, reason = "in what the macro for parameters writes")]

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use utoipa::IntoParams;

use super::name;
use crate::domain::{ImportId, ImportRecord};
use crate::http::extract::{Desk, Params, PathId, may};
use crate::http::{ApiError, ErrorCode, State};
use crate::triage::{Receipt, TriageError};

/// How long a sender may pause.
const PAUSE: Duration = Duration::from_secs(30);
/// Bytes that are put on disk together.
const CHUNK: usize = 1 << 20;

/// Whose ids the rows have.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ImportIn {
    /// The ticketing system that the ids belong to.
    #[param(
        min_length = 1,
        max_length = 200,
        default = "import",
        pattern = r"[^\s\x00-\x1f\x7f-\x9f]"
    )]
    source: Option<String>,
}

/// Sends a history: JSON lines or CSV, as long as the server allows. It is answered when all of it
/// is on disk; a job takes it in. Rows that are in already stay as they are, so it may be sent
/// again.
#[utoipa::path(
    post, path = "/v1/imports", operation_id = "send_import", tag = "imports", params(ImportIn),
    request_body(content(
        (String = "application/x-ndjson"),
        (String = "text/csv", example = "id,subject,category\n1,VPN drops,VPN\n"))),
    responses((status = 202, description = "All of it is on disk", body = ImportRecord,
        headers(("Location" = String, description = "Where its progress can be read"))))
)]
pub(in crate::http) async fn send(
    desk: Desk<may::Lead>,
    Shared(state): Shared<State>,
    Params(wanted): Params<ImportIn>,
    request: Request,
) -> Result<Response, ApiError> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = media_type.and_then(|m| m.split(';').next()).unwrap_or_default().trim();
    let known = ["application/x-ndjson", "application/jsonl", "application/json-lines", "text/csv"];
    if !known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Err(ApiError::from(ErrorCode::UnsupportedMediaType)
            .detail("expected application/x-ndjson or text/csv"));
    }
    let source = name("", wanted.source.unwrap_or_else(|| "import".to_owned())).map_err(|_| {
        ApiError::from(ErrorCode::InvalidParameter).detail("source: expected 1 to 200 characters")
    })?;
    let mut upload = desk.triage.begin_import(&desk.caller, source).await?;
    let limit = state.limits.import_bytes;
    let mut stream = Body::into_data_stream(request.into_body());
    let (mut pending, mut total) = (Vec::new(), 0u64);
    let failure = loop {
        match tokio::time::timeout(PAUSE, stream.next()).await {
            Ok(None) => break upload.push(&pending).await.err().map(ApiError::from),
            Ok(Some(Ok(bytes))) => {
                total += bytes.len() as u64;
                if total > limit {
                    break Some(
                        ApiError::from(ErrorCode::BodyTooLarge)
                            .detail(format!("at most {limit} bytes are read")),
                    );
                }
                pending.extend_from_slice(&bytes);
                if pending.len() >= CHUNK {
                    let chunk = std::mem::take(&mut pending);
                    // What is on disk already must not stay there, least of all on a full one.
                    if let Err(error) = upload.push(&chunk).await {
                        break Some(error.into());
                    }
                }
            }
            Ok(Some(Err(error))) => {
                break Some(ApiError::from(ErrorCode::BodyUnreadable).source(&error));
            }
            Err(_) => {
                let detail = format!("nothing came for {} s", PAUSE.as_secs());
                break Some(ApiError::from(ErrorCode::BodyUnreadable).detail(detail));
            }
        }
    };
    if let Some(error) = failure {
        if let Err(error) = upload.abandon(error.code().title()).await {
            tracing::warn!(%error, "a part of a history could not be dropped");
        }
        return Err(error);
    }
    let record = upload.finish(Receipt::none()).await?;
    let place = format!("/v1/imports/{}", record.id);
    let headers = [(HeaderName::from_static("location"), place)];
    Ok((StatusCode::ACCEPTED, headers, Json(record)).into_response())
}

/// Reads how far an import has come, and which rows could not be taken.
#[utoipa::path(
    get, path = "/v1/imports/{id}", operation_id = "read_import", tag = "imports",
    params(("id" = ImportId, Path, description = "The import's id")),
    responses((status = 200, description = "Its progress", body = ImportRecord))
)]
pub(in crate::http) async fn read(
    desk: Desk<may::Lead>,
    PathId(id): PathId<ImportId>,
) -> Result<Json<ImportRecord>, ApiError> {
    let record = desk.triage.store().import(&desk.caller.workspace, id).await;
    Ok(Json(record.map_err(TriageError::from)?.ok_or(TriageError::NotFound("import"))?))
}
