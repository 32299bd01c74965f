//! The labels a desk uses: categories, the teams that own them, priorities.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LabelField, Outcome};

/// A team that tickets are routed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Its name, unique in the taxonomy.
    #[schema(pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    pub label: String,
    /// The part of the organisation that it belongs to (IT, engineering, business…).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// What it owns, in a sentence.
    #[serde(default)]
    pub description: String,
}

/// What a ticket can be about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name, unique in the taxonomy.
    #[schema(pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    pub label: String,
    /// The label of the team that usually owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What belongs here, and what does not.
    #[serde(default)]
    pub description: String,
    /// Phrases as requesters write them.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// Every label that an answer may carry. One that is not in here cannot be suggested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Taxonomy {
    /// Whose labels these are.
    pub name: String,
    /// Grows by one with every change.
    pub version: u32,
    /// Lowest first.
    #[serde(default)]
    pub priorities: Vec<String>,
    /// The owner teams.
    #[serde(default)]
    pub teams: Vec<Team>,
    /// The categories.
    #[serde(default)]
    pub categories: Vec<Category>,
}

/// Why a taxonomy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaxonomyError {
    /// The file is not TOML of the right shape.
    #[error("{0}")]
    Syntax(String),
    /// Faults in what it says, all of them.
    #[error("{}", .0.join("; "))]
    Faults(Vec<String>),
}

impl Taxonomy {
    /// Reads a taxonomy from TOML and checks it.
    ///
    /// # Errors
    /// The place of a syntax error, or every fault: labels given twice or blank, and categories
    /// whose team is not listed.
    pub fn from_toml(text: &str) -> Result<Self, TaxonomyError> {
        let taxonomy: Self =
            toml::from_str(text).map_err(|e| TaxonomyError::Syntax(e.to_string()))?;
        taxonomy.check()?;
        Ok(taxonomy)
    }

    /// An empty one, for a desk whose labels will come from its own history.
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: 1,
            priorities: Vec::new(),
            teams: Vec::new(),
            categories: Vec::new(),
        }
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Every fault, as [`Taxonomy::from_toml`] reports them.
    pub fn check(&self) -> Result<(), TaxonomyError> {
        let mut faults = Vec::new();
        for field in LabelField::ALL {
            let kind = field.name();
            let mut seen = BTreeSet::new();
            for label in self.labels(field) {
                if label.chars().all(|c| c.is_whitespace() || c.is_control()) {
                    faults.push(format!("a {kind} has a blank label"));
                } else if !seen.insert(label) {
                    faults.push(format!("{kind} {label:?} is listed twice"));
                }
            }
        }
        for category in &self.categories {
            if let Some(team) = &category.team
                && self.team(team).is_none()
            {
                faults.push(format!(
                    "category {:?} names the team {team:?}, which is not listed under [[teams]]",
                    category.label
                ));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(TaxonomyError::Faults(faults)) }
    }

    /// The labels of a field.
    pub fn labels(&self, field: LabelField) -> Box<dyn Iterator<Item = &str> + '_> {
        match field {
            LabelField::Category => Box::new(self.categories.iter().map(|c| c.label.as_str())),
            LabelField::Team => Box::new(self.teams.iter().map(|t| t.label.as_str())),
            LabelField::Priority => Box::new(self.priorities.iter().map(String::as_str)),
        }
    }

    /// The team with this label.
    pub fn team(&self, label: &str) -> Option<&Team> {
        self.teams.iter().find(|t| t.label == label)
    }

    /// The category with this label.
    pub fn category(&self, label: &str) -> Option<&Category> {
        self.categories.iter().find(|c| c.label == label)
    }

    /// Takes from another taxonomy what this one has nothing of: priorities, teams, categories.
    pub fn fill_from(&mut self, other: &Self) {
        if self.priorities.is_empty() {
            self.priorities.clone_from(&other.priorities);
        }
        if self.categories.is_empty() {
            // Their owners only make sense together with the teams that they name.
            let own_teams = !self.teams.is_empty();
            let owner = |c: &Category| c.team.clone().filter(|_| !own_teams);
            let filled = other.categories.iter().map(|c| Category { team: owner(c), ..c.clone() });
            self.categories = filled.collect();
        }
        if self.teams.is_empty() {
            self.teams.clone_from(&other.teams);
        }
    }

    /// Adds the labels that these outcomes use and the taxonomy lacks. A new category belongs to
    /// the team that solved most of its tickets. Returns whether anything was added, and if so
    /// raises the version.
    pub fn learn_labels<'a>(&mut self, outcomes: impl Iterator<Item = &'a Outcome>) -> bool {
        let mut owners: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        let (mut teams, mut priorities) = (BTreeSet::new(), BTreeSet::new());
        for outcome in outcomes {
            if let Some(category) = outcome.category.as_deref() {
                let owner = owners.entry(category).or_default();
                if let Some(team) = outcome.team.as_deref() {
                    *owner.entry(team).or_default() += 1;
                }
            }
            teams.extend(outcome.team.as_deref());
            priorities.extend(outcome.priority.as_deref());
        }
        let before = (self.teams.len(), self.categories.len(), self.priorities.len());
        for team in teams {
            if self.team(team).is_none() {
                self.teams.push(Team {
                    label: team.to_owned(),
                    department: None,
                    description: String::new(),
                });
            }
        }
        for (category, owner) in owners {
            if self.category(category).is_none() {
                let most = owner.into_iter().max_by_key(|&(team, n)| (n, std::cmp::Reverse(team)));
                self.categories.push(Category {
                    label: category.to_owned(),
                    team: most.map(|(team, _)| team.to_owned()),
                    description: String::new(),
                    examples: Vec::new(),
                });
            }
        }
        for priority in priorities {
            if !self.priorities.iter().any(|p| p == priority) {
                self.priorities.push(priority.to_owned());
            }
        }
        let grown = before != (self.teams.len(), self.categories.len(), self.priorities.len());
        self.version += u32::from(grown);
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(category: &str, team: &str) -> Outcome {
        Outcome {
            category: Some(category.to_owned()),
            team: Some(team.to_owned()),
            ..Outcome::default()
        }
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = r#"
            name = "x"
            version = 1
            [[teams]]
            label = "A"
            [[teams]]
            label = "A"
            [[categories]]
            label = "C"
            team = "B"
        "#;
        let Err(TaxonomyError::Faults(faults)) = Taxonomy::from_toml(text) else {
            panic!("accepted");
        };
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn a_new_category_belongs_to_the_team_that_solved_most_of_it() {
        let mut taxonomy = Taxonomy::empty("x");
        let history =
            [outcome("VPN", "Desk"), outcome("VPN", "Network"), outcome("VPN", "Network")];
        assert!(taxonomy.learn_labels(history.iter()));
        assert_eq!(taxonomy.category("VPN").unwrap().team.as_deref(), Some("Network"));
        assert_eq!(taxonomy.version, 2);
        assert!(!taxonomy.learn_labels(history.iter()), "a second import changes nothing");
        assert_eq!(taxonomy.version, 2);
    }
}
