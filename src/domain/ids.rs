//! Identifiers. New ones come from an [`IdSource`] that is passed in, so tests are deterministic.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Where new identifiers come from.
pub trait IdSource: Send + Sync {
    /// A fresh identifier, never given before; later ones sort after earlier ones.
    fn next(&self) -> Uuid;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an identifier that an [`IdSource`] gave.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The 16 bytes that stores keep.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Back from the bytes that a store kept.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .examples([concat!($prefix, "_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5")])
                    .into()
            }
        }

        impl ToSchema for $name {}

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A ticket as we know it, whatever its own system calls it.
    TicketId,
    "tkt"
);
id!(
    /// One answer given for a ticket.
    SuggestionId,
    "sug"
);

id!(
    /// What an agent decided about a suggestion, or how a ticket was resolved.
    DecisionId,
    "dec"
);
id!(
    /// One history on its way in.
    ImportId,
    "imp"
);
id!(
    /// A back-test of an uploaded export.
    ReportId,
    "rep"
);
id!(
    /// The public part of an API key.
    KeyId,
    "key"
);
id!(
    /// An agent who signs in with a password.
    UserId,
    "usr"
);
id!(
    /// Work that was promised in a transaction.
    JobId,
    "job"
);
id!(
    /// One attempt at a request that may be sent twice.
    ClaimId,
    "clm"
);

/// A text that is no identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an identifier such as {prefix}_0192f0c1a2b37c4d8e9fa0b1c2d3e4f5")]
pub struct InvalidId {
    prefix: &'static str,
}

/// A desk (IT, engineering, HR). Every read and write is scoped by one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// The workspace of an installation that has only one.
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The name as it stands in configuration and URLs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkspaceId {
    type Error = InvalidWorkspace;

    fn try_from(name: String) -> Result<Self, InvalidWorkspace> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=40).contains(&name.len()) && name.bytes().all(plain) {
            Ok(Self(name))
        } else {
            Err(InvalidWorkspace)
        }
    }
}

impl From<WorkspaceId> for String {
    fn from(id: WorkspaceId) -> Self {
        id.0
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace name with characters that it may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a workspace is named with 1 to 40 of a–z, 0–9 and '-'")]
pub struct InvalidWorkspace;

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = TicketId::new(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(TicketId::from_slice(id.as_bytes()), Some(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = SuggestionId::new(Uuid::from_u128(7)).to_string();
        assert!(id.parse::<TicketId>().is_err());
    }

    #[test]
    fn a_workspace_name_holds_no_surprises() {
        assert!(WorkspaceId::try_from("it-emea".to_owned()).is_ok());
        for bad in ["", "IT", "a b", "a/b", &"x".repeat(41)] {
            assert!(WorkspaceId::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
