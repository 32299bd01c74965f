//! The desk's labels.

use axum::http::{HeaderMap, Uri};

use crate::console::desk::{Answer, Fields, Page, Posted, see_other};
use crate::console::pages::Visit;
use crate::console::pages::labels::{self as view, Overlap};
use crate::domain::{Category, LabelField, Taxonomy, Team};
use crate::http::{ApiError, Desk, ErrorCode, may};
use crate::inference::Lane;
use crate::triage::{Mappings, Receipt, TriageError};

/// Categories that are at least so much alike are worth a look, and at most so many pairs are.
const ALIKE: f32 = 0.8;
const PAIRS: usize = 12;

/// Categories whose names, descriptions and examples say nearly the same.
async fn overlaps<S>(desk: &Desk<S>, taxonomy: &Taxonomy) -> Result<Vec<Overlap>, TriageError> {
    let said = |c: &Category| format!("{}. {} {}", c.label, c.description, c.examples.join(". "));
    let described = |c: &&Category| !c.description.is_empty() || !c.examples.is_empty();
    let categories: Vec<&Category> = taxonomy.categories.iter().filter(described).collect();
    let made = desk.triage.embed(categories.iter().map(|c| said(c)).collect(), Lane::Bulk).await?;
    let mut found = Vec::new();
    for (at, one) in made.vectors.iter().enumerate() {
        for (behind, other) in made.vectors.iter().enumerate().skip(at + 1) {
            let alike: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
            if alike >= ALIKE {
                let label = |at: usize| categories[at].label.clone();
                found.push(Overlap { one: label(at), other: label(behind), alike });
            }
        }
    }
    found.sort_by(|a, b| b.alike.total_cmp(&a.alike));
    found.truncate(PAIRS);
    Ok(found)
}

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let read = async {
        let taxonomy = desk.triage.taxonomy(&desk.caller.workspace).await?;
        // A warning is not worth failing the page for.
        let overlaps = overlaps(&desk, &taxonomy).await.unwrap_or_default();
        Ok::<_, crate::store::StoreError>((taxonomy, overlaps))
    };
    let (taxonomy, overlaps) = read.await.map_err(|error| visit.fail(TriageError::from(error)))?;
    let saved = fields.get("saved") == "1";
    Ok(Visit::html(&headers, view::page(&visit, &taxonomy, &overlaps, saved, None)))
}

/// The labels that a form holds, and which one takes another's place. A row without a label is
/// none: what carried its old label must have gone, or the change is refused.
fn filled_in(fields: &Fields) -> (Taxonomy, Mappings) {
    let column = |name: &'static str| fields.all(name).collect::<Vec<_>>();
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let at = |values: &[&str], row: usize| {
        values.get(row).copied().unwrap_or_default().trim().to_owned()
    };
    let mut mappings = Mappings::new();
    let mut renamed = |field: LabelField, was: String, now: &str| {
        if !was.is_empty() && was != now {
            mappings.entry(field).or_default().insert(was, now.to_owned());
        }
    };
    let (was, departments) = (column("team-was"), column("team-department"));
    let descriptions = column("team-description");
    let mut teams = Vec::new();
    for (row, label) in column("team").into_iter().enumerate() {
        let label = label.trim().to_owned();
        if label.is_empty() {
            continue;
        }
        renamed(LabelField::Team, at(&was, row), &label);
        let department = Some(at(&departments, row)).filter(|d| !d.is_empty());
        teams.push(Team { label, department, description: at(&descriptions, row) });
    }
    let (was, owners) = (column("category-was"), column("category-team"));
    let (descriptions, examples) = (column("category-description"), column("category-examples"));
    let mut categories = Vec::new();
    for (row, label) in column("category").into_iter().enumerate() {
        let label = label.trim().to_owned();
        if label.is_empty() {
            continue;
        }
        renamed(LabelField::Category, at(&was, row), &label);
        categories.push(Category {
            label,
            team: Some(at(&owners, row)).filter(|team| !team.is_empty()),
            description: at(&descriptions, row),
            examples: lines(&at(&examples, row)),
        });
    }
    // An owner that was renamed in the same breath.
    if let Some(renamed) = mappings.get(&LabelField::Team) {
        for category in &mut categories {
            if let Some(now) = category.team.as_ref().and_then(|team| renamed.get(team)) {
                category.team = Some(now.clone());
            }
        }
    }
    let priorities = lines(fields.get("priorities"));
    let name = fields.get("name").trim().to_owned();
    (Taxonomy { name, version: 0, priorities, teams, categories }, mappings)
}

pub(super) async fn save(posted: Posted<may::Lead>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let Ok(version) = fields.get("version").parse::<i64>() else {
        return Err(visit.fail(ErrorCode::InvalidField));
    };
    let (taxonomy, mappings) = filled_in(&fields);
    let shown =
        Taxonomy { version: u32::try_from(version).unwrap_or_default(), ..taxonomy.clone() };
    let receipt = Receipt::none();
    let saved = desk.triage.put_taxonomy(&desk.caller, taxonomy, &mappings, Some(version), receipt);
    let Err(error) = saved.await else { return Ok(see_other("/labels?saved=1")) };
    let said = match &error {
        TriageError::Stale { .. } => visit.words.changed_meanwhile.to_owned(),
        other => other.to_string(),
    };
    let page = view::page(&visit, &shown, &[], false, Some(&said));
    let mut response = Visit::html(&HeaderMap::new(), page);
    *response.status_mut() = ApiError::from(&error).code().status();
    Err(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_as_the_labels_that_it_shows() {
        let form = "name=IT&priorities=low%0D%0Ahigh%0D%0A\
            &team-was=Net&team=Network&team-department=IT&team-description=VPN\
            &team-was=&team=&team-department=&team-description=\
            &category-was=VPN&category=VPN&category-team=Net&category-description=d&category-examples=a%0Ab\
            &category-was=Old&category=&category-team=&category-description=&category-examples=";
        let (taxonomy, mappings) = filled_in(&Fields::read(form.as_bytes()));
        assert_eq!(taxonomy.priorities, ["low", "high"]);
        assert_eq!(taxonomy.teams.len(), 1);
        assert_eq!(
            taxonomy.categories[0].team.as_deref(),
            Some("Network"),
            "renamed with its team"
        );
        assert_eq!(taxonomy.categories[0].examples, ["a", "b"]);
        assert_eq!(taxonomy.categories.len(), 1, "a row without a label is none");
        assert_eq!(mappings[&LabelField::Team]["Net"], "Network");
        assert!(!mappings.contains_key(&LabelField::Category));
    }
}
