//! Personal and secret data out of a ticket, before a model or an index sees it.
//!
//! The scanners are written by hand rather than as patterns: each starts at a character that tells
//! (an `@`, a digit, the first letter of a word) and looks at a bounded stretch around it, so that
//! the work grows with the text and with nothing else.

mod check;
mod context;
mod custom;
mod email;
mod hits;
mod ip;
mod letters;
mod looks;
mod number;
mod password;
mod phone;
mod token;
mod units;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use custom::Pattern;
use hits::Hits;
use units::Units;

/// How often a text is gone over. Taking something out can uncover more; twice is the rule, and
/// the limit is for texts made to need it.
const MAX_PASSES: usize = 8;

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone or fax number, with its extension.
    Phone,
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
    /// An IP address, of version 4 or 6.
    IpAddress,
    /// A key, a token, the credentials in an address, a private key.
    Token,
    /// A password or PIN.
    Password,
    /// A number by which a state knows a person.
    NationalId,
    /// What a rule of the workspace's own finds, by its name.
    Custom(Arc<str>),
}

impl Kind {
    /// The built-in kinds.
    pub const BUILT_IN: [Self; 8] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::IpAddress,
        Self::Token,
        Self::Password,
        Self::NationalId,
    ];

    /// The name, as placeholders and settings have it.
    pub fn name(&self) -> &str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::IpAddress => "ip",
            Self::Token => "token",
            Self::Password => "password",
            Self::NationalId => "national-id",
            Self::Custom(name) => name,
        }
    }

    fn built_in(name: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stretch of a text that is taken out, in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
}

/// A rule of a workspace's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomRule {
    /// What the placeholder says: 1 to 32 of a-z, 0-9 and _.
    pub name: String,
    /// A regular expression without look-around and back-references, matched line by line.
    pub pattern: String,
}

/// Which rules a workspace has. By default all built-in ones, and none of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Names of built-in kinds that stay in the text.
    pub off: Vec<String>,
    /// Rules of its own. They go first.
    pub custom: Vec<CustomRule>,
}

/// A setting that makes no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("redaction rule {rule:?}: {problem}")]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The rules of a workspace, ready for use.
#[derive(Debug, Clone)]
pub struct Rules(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    on: Vec<Kind>,
    patterns: Vec<Pattern>,
    names: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self(Arc::new(Inner {
            on: Kind::BUILT_IN.to_vec(),
            patterns: Vec::new(),
            names: Vec::new(),
        }))
    }
}

impl Rules {
    /// Makes rules of settings.
    ///
    /// # Errors
    ///
    /// Names the first rule that is unknown, badly named or has a pattern that does not compile or
    /// would be too large.
    pub fn new(settings: &RuleSettings) -> Result<Self, RuleError> {
        let mut on = Kind::BUILT_IN.to_vec();
        for name in &settings.off {
            if Kind::built_in(name).is_none() {
                let names: Vec<&str> = Kind::BUILT_IN.iter().map(Kind::name).collect();
                let problem = format!("there is no such kind; there are {}", names.join(", "));
                return Err(RuleError { rule: name.clone(), problem });
            }
            on.retain(|kind| kind.name() != name);
        }
        if let Some(rule) = settings.custom.get(custom::MAX_RULES) {
            let problem = format!("no more than {} rules", custom::MAX_RULES);
            return Err(RuleError { rule: rule.name.clone(), problem });
        }
        let patterns = settings.custom.iter().map(Pattern::new).collect::<Result<_, _>>()?;
        let names = settings.custom.iter().map(|rule| rule.name.clone()).collect();
        Ok(Self(Arc::new(Inner { on, patterns, names })))
    }

    /// What is to be taken out of a text, in order and apart. Placeholders in it stay as they are.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut units = Units::new(text, |name| self.is_placeholder(name));
        let mut found: Vec<Found> = Vec::new();
        for _ in 0..MAX_PASSES {
            let before = found.len();
            let of = |(kind, bytes): (Kind, Range<usize>)| Found {
                kind,
                start: bytes.start,
                end: bytes.end,
            };
            found.extend(custom::find(&self.0.patterns, text, &mut units).into_iter().map(of));
            for scan in [Self::tokens, Self::emails, Self::passwords, Self::numbers] {
                let hits = scan(self, &units);
                if !hits.is_empty() {
                    let ranges =
                        hits.iter().map(|(kind, range)| (kind.clone(), units.bytes(range)));
                    found.extend(ranges.map(of));
                    units.mask(hits.iter().map(|(_, range)| range.clone()));
                }
            }
            if found.len() == before {
                break;
            }
        }
        found.sort_by_key(|found| found.start);
        found
    }

    /// The text with a placeholder for each stretch found. Doing it twice changes nothing.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for Found { kind, start, end } in &found {
            out.push_str(text.get(from..*start).unwrap_or_default());
            out.push('[');
            out.push_str(kind.name());
            out.push(']');
            from = *end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn is_placeholder(&self, name: &str) -> bool {
        Kind::built_in(name).is_some() || self.0.names.iter().any(|own| own == name)
    }

    fn is_on(&self, kind: &Kind) -> bool {
        self.0.on.contains(kind)
    }

    /// Goes over the units once, with a scanner that looks at one place.
    fn scan(units: &Units, look: impl Fn(usize) -> Option<(Kind, Range<usize>)>) -> Hits {
        let mut hits = Hits::default();
        let mut i = 0;
        while i < units.len() {
            if let Some((kind, range)) = look(i) {
                let end = range.end;
                hits.push(units, &kind, range);
                i = end.max(i + 1);
            } else {
                i += 1;
            }
        }
        hits
    }

    fn tokens(&self, units: &Units) -> Hits {
        if !self.is_on(&Kind::Token) {
            return Hits::default();
        }
        Self::scan(units, |i| Some((Kind::Token, token::find(units, i)?)))
    }

    fn emails(&self, units: &Units) -> Hits {
        if !self.is_on(&Kind::Email) {
            return Hits::default();
        }
        Self::scan(units, |i| {
            (units.at(i) == '@').then(|| email::around(units, i))?.map(|range| (Kind::Email, range))
        })
    }

    fn passwords(&self, units: &Units) -> Hits {
        if !self.is_on(&Kind::Password) {
            return Hits::default();
        }
        Self::scan(units, |i| Some((Kind::Password, password::find(units, i)?)))
    }

    /// Everything made of digits. What is surest goes first: check digits before shapes.
    fn numbers(&self, units: &Units) -> Hits {
        let on = |kind: Kind, find: &dyn Fn() -> Option<Range<usize>>| {
            if !self.is_on(&kind) {
                return None;
            }
            find().map(|range| (kind, range))
        };
        Self::scan(units, |i| {
            let c = units.at(i);
            let to = |end: Option<usize>| end.map(|end| i..end);
            let starts = c.is_ascii_alphanumeric() && units.word_starts(i);
            if starts && c.is_ascii_alphabetic() {
                return on(Kind::Iban, &|| to(letters::iban(units, i)))
                    .or_else(|| on(Kind::NationalId, &|| to(letters::national(units, i))))
                    .or_else(|| on(Kind::IpAddress, &|| to(v6(units, i))));
            }
            if starts {
                return on(Kind::IpAddress, &|| to(ip::v4(units, i)))
                    .or_else(|| number::find(units, i, |kind| self.is_on(kind)))
                    .map(|(kind, range)| (kind, range.start..range.end))
                    .or_else(|| on(Kind::IpAddress, &|| to(v6(units, i))))
                    .or_else(|| on(Kind::Phone, &|| phone::find(units, i)));
            }
            match c {
                ':' => on(Kind::IpAddress, &|| to(v6(units, i))),
                '+' | '(' => on(Kind::Phone, &|| phone::find(units, i)),
                _ => None,
            }
        })
    }
}

/// An IPv6 address that is not the end of something longer.
fn v6(units: &Units, i: usize) -> Option<usize> {
    let before = units.before(i);
    let whole = before != ':' && before != '.' && !units::is_word(before);
    if whole { ip::v6(units, i) } else { None }
}

#[cfg(test)]
mod tests;
