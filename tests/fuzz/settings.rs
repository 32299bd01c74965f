//! Ids, taxonomies, settings.

use std::fmt::Display;
use std::str::FromStr;

use deskhand::config::Layers;
use deskhand::domain::{
    ClaimId, DecisionId, ImportId, JobId, KeyId, Scopes, SuggestionId, Taxonomy, TicketId, UserId,
    WorkspaceId,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::hostile;
use crate::runner::fuzz;

fn check_id<T: FromStr + Display + PartialEq + std::fmt::Debug>(
    text: &str,
) -> Result<(), TestCaseError> {
    if let Ok(id) = text.parse::<T>() {
        let written = id.to_string();
        prop_assert!(written.len() == 36 && written.is_ascii(), "{written}");
        prop_assert_eq!(written.parse::<T>().ok(), Some(id));
    }
    Ok(())
}

#[test]
fn ids() {
    let text = prop_oneof![
        hostile::text(),
        "(tkt|sug|dec|imp|key|usr|job|clm)_[0-9a-fA-F]{30,34}",
        "(tkt|sug|dec)_\\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\}?",
        "[a-z0-9-]{0,45}",
        "(triage|agent|lead|admin|,| ){0,6}",
    ];
    fuzz("ids", &text, |text| {
        check_id::<TicketId>(&text)?;
        check_id::<SuggestionId>(&text)?;
        check_id::<DecisionId>(&text)?;
        check_id::<ImportId>(&text)?;
        check_id::<KeyId>(&text)?;
        check_id::<UserId>(&text)?;
        check_id::<JobId>(&text)?;
        check_id::<ClaimId>(&text)?;
        if let Ok(workspace) = WorkspaceId::try_from(text.clone()) {
            prop_assert!(workspace.as_str() == text && text.len() <= 40 && text.is_ascii());
        }
        if let Ok(scopes) = text.parse::<Scopes>() {
            prop_assert_eq!(scopes.to_string().parse::<Scopes>().ok(), Some(scopes));
        }
        Ok(())
    });
}

/// TOML that is nearly right.
fn toml(
    keys: &'static [&'static str],
    sections: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => hostile::text().prop_map(|text| ::toml::Value::String(text).to_string()),
        2 => "[ -~]{0,16}",
        2 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| n.to_string()),
        1 => Just("true".to_owned()),
        1 => Just("[\"low\", \"high\"]".to_owned()),
        1 => (1..300usize).prop_map(|n| "[".repeat(n)),
        1 => "\"[A-Z]{1,2}\"",
    ];
    let pair =
        (prop::sample::select(keys), value).prop_map(|(key, value)| format!("{key} = {value}"));
    let line = prop_oneof![
        8 => pair,
        3 => prop::sample::select(sections).prop_map(str::to_owned),
        1 => hostile::text(),
    ];
    prop::collection::vec(line, 0..16).prop_map(|lines| lines.join("\n"))
}

#[test]
fn taxonomies() {
    const KEYS: [&str; 9] = [
        "name",
        "version",
        "priorities",
        "label",
        "department",
        "description",
        "team",
        "examples",
        "stray",
    ];
    const SECTIONS: [&str; 4] =
        ["[[teams]]", "[[categories]]", "[teams]", "name = \"desk\"\nversion = 1"];
    fuzz("taxonomies", &toml(&KEYS, &SECTIONS), |text| {
        match Taxonomy::from_toml(&text) {
            Ok(taxonomy) => {
                prop_assert_eq!(taxonomy.check(), Ok(()));
                let written = ::toml::to_string(&taxonomy).unwrap();
                prop_assert_eq!(Taxonomy::from_toml(&written).ok(), Some(taxonomy), "{}", written);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        Ok(())
    });
}

#[test]
fn settings() {
    const KEYS: [&str; 14] = [
        "listen",
        "hosts",
        "cors_origins",
        "max_body_bytes",
        "folder",
        "kind",
        "name",
        "threads",
        "auto",
        "suggest",
        "novel",
        "format",
        "level",
        "stray",
    ];
    const SECTIONS: [&str; 8] =
        ["[server]", "[data]", "[index]", "[model]", "[policy]", "[log]", "[stray]", "[[server]]"];
    let name = prop_oneof![
        "DESKHAND__(SERVER|DATA|MODEL|POLICY|LOG|X)__(LISTEN|FOLDER|THREADS|AUTO|LEVEL|X)",
        "DESKHAND__[A-Z_]{0,12}",
        "[A-Z_]{0,8}",
    ];
    let value = prop_oneof![hostile::text(), "[0-9.:-]{0,12}"];
    let variables = prop::collection::vec((name, value), 0..4);
    let given = (toml(&KEYS, &SECTIONS), variables, prop::option::of(hostile::text()));
    fuzz("settings", &given, |(file, variables, listen)| {
        let secret = "hf_fuzzed_secret";
        let layers = Layers::new()
            .file("fuzz.toml", &file)
            .environment(variables.into_iter())
            .environment(std::iter::once((
                "DESKHAND__MODEL__HUB_TOKEN".to_owned(),
                secret.to_owned(),
            )))
            .flag("--listen", "server", "listen", listen);
        let shown = layers.to_toml();
        prop_assert!(!shown.contains(secret), "{shown}");
        match layers.build() {
            Ok(config) => {
                let printed = format!("{config:?}");
                prop_assert!(!printed.contains(secret), "{}", printed);
                // What is shown, secrets apart, are settings again, and the same ones.
                let again = Layers::new().file("shown", &shown);
                prop_assert_eq!(again.to_toml(), shown);
                prop_assert!(again.build().is_ok());
            }
            Err(error) => {
                prop_assert!(!error.0.is_empty() && !error.to_string().contains(secret), "{error}");
            }
        }
        Ok(())
    });
}
