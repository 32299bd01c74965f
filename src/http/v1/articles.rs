//! `/v1/articles`: knowledge articles that drafts quote.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{invalid, is_blank, name, without_nul};
use crate::domain::{Article, ArticleHead};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, Once, PathId, may};
use crate::http::idempotency::{answer, once};
use crate::store::Answer;
use crate::text;
use crate::triage::Receipt;

/// Articles of one request.
const MAX_ARTICLES: usize = 200;
/// Characters of an article.
const MAX_TEXT: usize = 256 * 1024;

/// Articles to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "articles": [{
    "id": "KB-03", "title": "Reset your password", "category": "Password reset",
    "text": "1. Open the portal.\n2. Choose *Forgot password*.", "updated_at": "2025-03-04T00:00:00Z"
}] }))]
pub(in crate::http) struct ArticlesIn {
    /// The articles; one with a known id takes that one's place.
    #[schema(min_items = 1, max_items = 200)]
    articles: Vec<ArticleIn>,
}

/// A knowledge article.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ArticleIn {
    /// Its own id where it was written.
    #[schema(min_length = 1, max_length = 200, pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    id: String,
    /// Its heading.
    #[serde(default)]
    title: String,
    /// What it says: Markdown, HTML or plain text.
    #[schema(pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    text: String,
    /// The category that it is about.
    #[serde(default)]
    category: Option<String>,
    /// ISO 639-1; told from the text where it is not said.
    #[serde(default)]
    #[schema(pattern = "^[a-z]{2}$")]
    language: Option<String>,
    /// When it was last changed.
    #[serde(default)]
    updated_at: Option<Timestamp>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ArticlesOut {
    /// Written, new or changed.
    imported: usize,
    /// There already, word for word.
    unchanged: usize,
    /// Without any words.
    empty: usize,
}

/// A desk's articles.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ArticleList {
    articles: Vec<ArticleHead>,
}

fn article(at: usize, given: ArticleIn) -> Result<Article, ApiError> {
    let pointer = |field: &str| format!("/articles/{at}/{field}");
    if is_blank(&given.text) || given.text.chars().count() > MAX_TEXT {
        let expected = format!("expected text of at most {MAX_TEXT} characters");
        return Err(invalid(&pointer("text"), expected));
    }
    let language = given.language.map(without_nul);
    if language
        .as_deref()
        .is_some_and(|l| l.len() != 2 || !l.bytes().all(|b| b.is_ascii_lowercase()))
    {
        return Err(invalid(&pointer("language"), "expected a code of ISO 639-1, such as en"));
    }
    let body = without_nul(given.text);
    let body = if text::is_html(&body) { text::page(&body).markdown } else { body };
    let title = without_nul(given.title);
    Ok(Article {
        id: name(&pointer("id"), given.id)?,
        title,
        text: body,
        category: given.category.map(without_nul),
        language,
        updated_at: given.updated_at,
    })
}

/// Takes knowledge articles in. Each is quoted from the next draft on; the same ones again change
/// nothing.
#[utoipa::path(
    post, path = "/v1/articles", operation_id = "put_articles", tag = "drafts", request_body = ArticlesIn,
    responses((status = 200, description = "They are in", body = ArticlesOut))
)]
pub(in crate::http) async fn put(
    desk: Desk<may::Lead>,
    JsonBody { value, .. }: JsonBody<ArticlesIn>,
) -> Result<Response, ApiError> {
    if value.articles.is_empty() || value.articles.len() > MAX_ARTICLES {
        return Err(invalid("/articles", format!("expected 1 to {MAX_ARTICLES}")));
    }
    let articles = value.articles.into_iter().enumerate();
    let articles = articles.map(|(at, a)| article(at, a)).collect::<Result<Vec<_>, _>>()?;
    let report = desk.triage.import_articles(&desk.caller, articles).await?;
    let out =
        ArticlesOut { imported: report.imported, unchanged: report.unchanged, empty: report.empty };
    Ok(Json(out).into_response())
}

/// Lists the desk's articles; `stale` ones are quoted only where nothing else helps.
#[utoipa::path(
    get, path = "/v1/articles", operation_id = "list_articles", tag = "drafts",
    responses((status = 200, description = "All of them, by id", body = ArticleList))
)]
pub(in crate::http) async fn list(desk: Desk<may::Triage>) -> Result<Response, ApiError> {
    let articles = desk.triage.articles(&desk.caller.workspace).await?;
    Ok(Json(ArticleList { articles }).into_response())
}

/// What an erased article answers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ArticleErased {
    /// Which one it was.
    id: String,
}

/// Erases an article, with the drafts and stored answers that quote it.
#[utoipa::path(
    delete, path = "/v1/articles/{id}", operation_id = "erase_article", tag = "drafts",
    params(("id" = String, Path, description = "The article's id")),
    responses((status = 200, description = "It is gone", body = ArticleErased))
)]
pub(in crate::http) async fn erase(
    desk: Desk<may::Admin>,
    PathId(id): PathId<String>,
    key: Once,
) -> Result<Response, ApiError> {
    let id = without_nul(id);
    once(&desk, key, async |claim| {
        let rendered =
            |(): &()| -> Answer { answer(StatusCode::OK, &ArticleErased { id: id.clone() }) };
        let receipt = Receipt::new(claim.as_ref(), &rendered);
        desk.triage.erase_article(&desk.caller, &id, receipt).await?;
        Ok(rendered(&()))
    })
    .await
}
