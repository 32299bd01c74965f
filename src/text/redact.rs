//! stub
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
/// x
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleSettings {
    pub off: Vec<String>,
    pub custom: Vec<CustomRule>,
}
/// x
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomRule {
    pub name: String,
    pub pattern: String,
}
/// x
#[derive(Debug, Clone, Default)]
pub struct Rules;
impl Rules {
    /// x
    pub fn new(_: &RuleSettings) -> Result<Self, std::fmt::Error> {
        Ok(Self)
    }
    /// x
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }
}
