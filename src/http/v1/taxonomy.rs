//! `/v1/taxonomy`: the labels of a desk.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::without_nul;
use crate::domain::{Category, LabelField, Taxonomy, Team};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, if_match, may};
use crate::http::idempotency::{answer, once, respond, with_header};
use crate::store::Answer;
use crate::triage::{Mappings, Receipt, TriageError};

fn rendered(taxonomy: &Taxonomy) -> Answer {
    let etag = format!("\"{}\"", taxonomy.version);
    with_header(answer(StatusCode::OK, taxonomy), "etag", etag)
}

/// Reads the desk's labels.
#[utoipa::path(
    get, path = "/v1/taxonomy", operation_id = "read_taxonomy", tag = "taxonomy",
    responses((status = 200, description = "The newest version", body = Taxonomy,
        headers(("ETag" = String, description = "The version"))))
)]
pub(in crate::http) async fn read(desk: Desk<may::Triage>) -> Result<Response, ApiError> {
    let taxonomy = desk.triage.taxonomy(&desk.caller.workspace).await.map_err(TriageError::from)?;
    Ok(respond(&rendered(&taxonomy)))
}

/// Labels to take the place of the present ones.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "IT",
    "priorities": ["low", "normal", "high"],
    "teams": [{"label": "Network", "department": "IT", "description": "VPN, Wi-Fi, firewalls."}],
    "categories": [{"label": "VPN", "team": "Network", "description": "Remote access.",
                    "examples": ["VPN drops every few minutes"]}],
    "mappings": {"category": {"Remote access": "VPN"}}
}))]
pub(in crate::http) struct TaxonomyIn {
    /// Whose labels these are.
    name: String,
    /// Ignored: the next version is given. There so that what was read can be sent back.
    #[serde(default)]
    #[expect(dead_code, reason = "only there to be accepted")]
    version: Option<u32>,
    /// Lowest first.
    #[serde(default)]
    priorities: Vec<String>,
    /// The owner teams.
    #[serde(default)]
    teams: Vec<Team>,
    /// The categories.
    #[serde(default)]
    categories: Vec<Category>,
    /// For each field, which label takes which one's place.
    #[serde(default)]
    mappings: MappingsIn,
}

/// For each field, which label takes which one's place.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct MappingsIn {
    category: BTreeMap<String, String>,
    team: BTreeMap<String, String>,
    priority: BTreeMap<String, String>,
}

impl From<MappingsIn> for Mappings {
    fn from(given: MappingsIn) -> Self {
        let clean = |labels: BTreeMap<String, String>| {
            labels.into_iter().map(|(a, b)| (without_nul(a), without_nul(b))).collect()
        };
        Self::from([
            (LabelField::Category, clean(given.category)),
            (LabelField::Team, clean(given.team)),
            (LabelField::Priority, clean(given.priority)),
        ])
    }
}

impl TaxonomyIn {
    /// All of it without NUL, which databases cannot keep. The version is given later.
    fn into_taxonomy(self) -> Taxonomy {
        let texts = |texts: Vec<String>| texts.into_iter().map(without_nul).collect();
        let team = |team: Team| Team {
            label: without_nul(team.label),
            department: team.department.map(without_nul),
            description: without_nul(team.description),
        };
        let category = |category: Category| Category {
            label: without_nul(category.label),
            team: category.team.map(without_nul),
            description: without_nul(category.description),
            examples: texts(category.examples),
        };
        Taxonomy {
            name: without_nul(self.name),
            version: 0,
            priorities: texts(self.priorities),
            teams: self.teams.into_iter().map(team).collect(),
            categories: self.categories.into_iter().map(category).collect(),
        }
    }
}

/// Gives the desk other labels. One that tickets carry cannot vanish: it is mapped, or refused.
/// With `If-Match` and the `ETag` that the change is based on, it is refused if that is another now.
#[utoipa::path(
    put, path = "/v1/taxonomy", operation_id = "put_taxonomy", tag = "taxonomy", request_body = TaxonomyIn,
    responses((status = 200, description = "The new version", body = Taxonomy,
        headers(("ETag" = String, description = "The version"))))
)]
pub(in crate::http) async fn put(
    desk: Desk<may::Lead>,
    headers: HeaderMap,
    JsonBody { mut value, once: key }: JsonBody<TaxonomyIn>,
) -> Result<Response, ApiError> {
    let expected = if_match(&headers)?;
    let mappings = Mappings::from(std::mem::take(&mut value.mappings));
    let taxonomy = value.into_taxonomy();
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &rendered);
        let caller = &desk.caller;
        let saved = desk.triage.put_taxonomy(caller, taxonomy, &mappings, expected, receipt);
        Ok(rendered(&saved.await?))
    })
    .await
}
