//! Who may do what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a caller may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send tickets in and read the answers: ticketing systems.
    Triage,
    /// Decide about suggestions: help-desk agents.
    Agent,
    /// Read figures, change labels, import and export: IT leads.
    Lead,
    /// Erase, and everything else.
    Admin,
}

impl Scope {
    /// All of them, least first.
    pub const ALL: [Self; 4] = [Self::Triage, Self::Agent, Self::Lead, Self::Admin];

    /// As it stands on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Agent => "agent",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected triage, agent, lead or admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(UnknownScope)
    }
}

/// The scopes that a key or a user was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These, sorted, each once.
    pub fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// Whether one of them includes the wanted one.
    pub fn allow(&self, wanted: Scope) -> bool {
        self.0.iter().any(|&scope| scope >= wanted)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split(',').map(|s| s.trim().parse()).collect::<Result<_, _>>().map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_the_lesser_ones_only() {
        let lead: Scopes = "lead".parse().unwrap();
        assert!(lead.allow(Scope::Triage) && lead.allow(Scope::Agent) && lead.allow(Scope::Lead));
        assert!(!lead.allow(Scope::Admin));
        assert!("root".parse::<Scopes>().is_err());
        assert_eq!("lead,triage".parse::<Scopes>().unwrap().to_string(), "triage,lead");
    }
}
