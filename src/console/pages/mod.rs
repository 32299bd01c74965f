//! The pages, rendered: plain values in, HTML out. Everything that is put in is escaped.

pub(super) mod audit;
pub(super) mod bundles;
pub(super) mod chart;
pub(super) mod desks;
pub(super) mod imports;
pub(super) mod keys;
pub(super) mod labels;
pub(super) mod layout;
pub(super) mod marks;
pub(super) mod parts;
pub(super) mod policy;
pub(super) mod problem;
pub(super) mod quality;
pub(super) mod queue;
pub(super) mod reports;
pub(super) mod sign_in;
pub(super) mod suggested;
pub(super) mod ticket;
pub(super) mod try_it;

use jiff::Timestamp;

use super::words::Words;
use crate::domain::{Scope, Scopes};

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the computer is set.
    System,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or(Self::System)
    }
}

/// Somebody who looks at a page, and how they like it.
pub(super) struct Visit {
    pub(super) words: &'static Words,
    pub(super) theme: Theme,
    /// A user's or key's name.
    pub(super) name: String,
    pub(super) workspace: String,
    /// What they may do; none for somebody who is not signed in.
    pub(super) scopes: Option<Scopes>,
    /// What forms must carry; empty where there are no sessions.
    pub(super) csrf: String,
    /// The page's own path and query.
    pub(super) here: String,
    pub(super) now: Timestamp,
}

impl Visit {
    /// Whether they may do so much.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.as_ref().is_some_and(|scopes| scopes.allow(scope))
    }

    /// Whether they have signed in with a password.
    pub(super) fn signed_in(&self) -> bool {
        !self.csrf.is_empty()
    }
}
