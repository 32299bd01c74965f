//! How sure labels must be.

use axum::http::{HeaderMap, Uri};

use crate::console::desk::{Answer, Fields, Page, Posted, see_other};
use crate::console::pages::Visit;
use crate::console::pages::policy::{self as view, PolicyPage};
use crate::http::{ApiError, Desk, may};
use crate::triage::{Receipt, TriageError};

/// Targets that the curve is drawn through.
const CURVE: [f64; 7] = [0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99];

/// A target in per cent, as the form sends it. What cannot be asked for is no target.
fn target(fields: &Fields) -> Option<f64> {
    let percent: f64 = fields.get("target").parse().ok()?;
    // To a thousandth: so many decimals the page shows.
    let share = (percent * 10.0).round() / 1000.0;
    (0.5..=0.999).contains(&share).then_some(share)
}

async fn read<S>(desk: &Desk<S>, target: Option<f64>) -> Result<PolicyPage, TriageError> {
    let workspace = &desk.caller.workspace;
    let shown = desk.triage.policy(workspace, target).await?;
    let mut others = Vec::new();
    if shown.bundle.is_some() {
        for target in CURVE {
            others.push(desk.triage.policy(workspace, Some(target)).await?);
        }
    }
    Ok(PolicyPage { shown, others, saved: false, refused: None })
}

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let mut shown = read(&desk, target(&fields)).await.map_err(|error| visit.fail(error))?;
    shown.saved = fields.get("saved") == "1";
    Ok(Visit::html(&headers, view::page(&visit, &shown)))
}

pub(super) async fn save(posted: Posted<may::Lead>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let wanted = target(&fields);
    let refused = match (wanted, fields.get("version").parse::<i64>()) {
        (Some(wanted), Ok(version)) => {
            let saved =
                desk.triage.put_policy(&desk.caller, wanted, Some(version), Receipt::none());
            match saved.await {
                Ok(_) => return Ok(see_other("/policy?saved=1")),
                Err(error) => error,
            }
        }
        _ => return Err(visit.fail(crate::http::ErrorCode::InvalidField)),
    };
    let error = ApiError::from(&refused);
    let mut shown = read(&desk, wanted).await.map_err(|error| visit.fail(error))?;
    shown.refused = Some(match refused {
        TriageError::Stale { .. } => visit.words.changed_meanwhile.to_owned(),
        other => other.to_string(),
    });
    let mut response = Visit::html(&HeaderMap::new(), view::page(&visit, &shown));
    *response.status_mut() = error.code().status();
    Err(response)
}
