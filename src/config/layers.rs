//! Laying settings over one another, and finding every fault on the way.

use std::fmt;

use toml::{Table, Value};

use super::{Config, DEFAULTS};

/// Before every environment variable; sections and keys are separated by two underscores.
const PREFIX: &str = "DESKHAND__";

/// Settings that are never shown.
const SECRETS: [(&str, &str); 5] = [
    ("data", "postgres_url"),
    ("drafts", "api_key"),
    ("index", "qdrant_api_key"),
    ("model", "hub_token"),
    ("sign_in", "client_secret"),
];

/// One thing that is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which setting, with where it came from.
    pub setting: String,
    /// What was expected.
    pub reason: String,
}

impl Fault {
    pub(super) fn new(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { setting: setting.into(), reason: reason.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.reason)
    }
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} fault(s):\n{}", .0.len(),
    .0.iter().map(|f| format!("  - {f}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<Fault>);

/// Settings under construction. The defaults name every key there is and its type; whatever a
/// later layer says is held to them.
#[derive(Debug, Clone)]
pub struct Layers {
    values: Table,
    faults: Vec<Fault>,
}

impl Default for Layers {
    fn default() -> Self {
        Self::new()
    }
}

impl Layers {
    /// The defaults.
    ///
    /// # Panics
    /// Never in a released build: a test reads the embedded defaults.
    #[expect(clippy::expect_used, reason = "embedded at compile time and read by a test")]
    pub fn new() -> Self {
        let values = DEFAULTS.parse().expect("the built-in defaults");
        Self { values, faults: Vec::new() }
    }

    /// Lays a TOML file over what is there. `name` is what faults call it.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        match text.parse::<Table>() {
            Ok(table) => self.table(name, table),
            Err(e) => self.faults.push(Fault::new(name, e.to_string().trim_end())),
        }
        self
    }

    fn table(&mut self, name: &str, table: Table) {
        for (section, keys) in table {
            let Value::Table(keys) = keys else {
                let reason = format!("unknown setting; settings stand in {}", self.sections());
                self.faults.push(Fault::new(format!("{name}: {section}"), reason));
                continue;
            };
            for (key, value) in keys {
                self.set(&format!("{name}: {section}.{key}"), &section, &key, value);
            }
        }
    }

    /// Lays environment variables over what is there; those of other programs are passed over.
    #[must_use]
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        for (name, text) in variables {
            let Some(path) = name.strip_prefix(PREFIX) else { continue };
            let path = path.to_ascii_lowercase();
            match path.split_once("__") {
                Some((section, key)) => self.set_text(&name, section, key, &text),
                None => self.faults.push(Fault::new(&name, "expected DESKHAND__SECTION__KEY")),
            }
        }
        self
    }

    /// Sets `section.key` from a flag, if it was given.
    #[must_use]
    pub fn flag(mut self, flag: &str, section: &str, key: &str, value: Option<String>) -> Self {
        if let Some(text) = value {
            self.set_text(flag, section, key, &text);
        }
        self
    }

    /// Settings that come as text take the type that the default has.
    fn set_text(&mut self, origin: &str, section: &str, key: &str, text: &str) {
        let parsed = match self.values.get(section).and_then(|s| s.get(key)) {
            Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
            Some(Value::Float(_)) => text.parse().ok().map(Value::Float),
            Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
            _ => None,
        };
        let value = parsed.unwrap_or_else(|| Value::String(text.to_owned()));
        self.set(origin, section, key, value);
    }

    fn set(&mut self, origin: &str, section: &str, key: &str, value: Value) {
        let sections = self.sections();
        let Some(Value::Table(keys)) = self.values.get_mut(section) else {
            let reason = format!("unknown section; there are: {sections}");
            self.faults.push(Fault::new(origin, reason));
            return;
        };
        let Some(present) = keys.get(key) else {
            let known = keys.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let reason = format!("unknown setting; [{section}] has: {known}");
            self.faults.push(Fault::new(origin, reason));
            return;
        };
        let value = match (present, value) {
            (Value::Float(_), Value::Integer(n)) => Value::Float(n as f64),
            (_, value) => value,
        };
        if present.type_str() == value.type_str() {
            keys.insert(key.to_owned(), value);
        } else {
            let reason = format!("expected {}, found {value}", described(present));
            self.faults.push(Fault::new(origin, reason));
        }
    }

    fn sections(&self) -> String {
        self.values.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The settings as TOML, secrets hidden.
    pub fn to_toml(&self) -> String {
        let mut shown = self.values.clone();
        for (section, key) in SECRETS {
            if let Some(Value::Table(keys)) = shown.get_mut(section)
                && keys.get(key).is_some_and(|t| t.as_str() != Some(""))
            {
                keys.insert(key.to_owned(), Value::String("[hidden]".to_owned()));
            }
        }
        shown.to_string()
    }

    /// The finished settings.
    ///
    /// # Errors
    /// Every fault of every layer, and every value that makes no sense.
    pub fn build(self) -> Result<Config, ConfigError> {
        let mut faults = self.faults;
        // A value of the right type may still not parse (an address, say). One is reported at a
        // time, so take out what is at fault and go on with the default in its place.
        let mut values = self.values;
        let defaults = Self::new().values;
        let config: Config = loop {
            match serde_path_to_error::deserialize(values.clone()) {
                Ok(config) => break config,
                Err(e) => {
                    let path = e.path().to_string();
                    faults.push(Fault::new(&path, e.inner().message().to_owned()));
                    if !restore(&mut values, &defaults, &path) {
                        return Err(ConfigError(faults));
                    }
                }
            }
        };
        faults.extend(config.faults());
        if faults.is_empty() { Ok(config) } else { Err(ConfigError(faults)) }
    }
}

/// Puts the default back in place of `section.key`. Returns whether that changed anything.
fn restore(values: &mut Table, defaults: &Table, path: &str) -> bool {
    let Some((section, key)) = path.split_once('.') else { return false };
    let default = defaults.get(section).and_then(|s| s.get(key)).cloned();
    match (values.get_mut(section).and_then(Value::as_table_mut), default) {
        (Some(keys), Some(default)) => {
            keys.insert(key.to_owned(), default.clone()) != Some(default)
        }
        _ => false,
    }
}

const fn described(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        _ => "another kind of value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        let owned: Vec<_> = pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        owned.into_iter()
    }

    #[test]
    fn the_defaults_are_sound() {
        let config = Layers::new().build().unwrap();
        assert!(config.server.listen.ip().is_loopback());
    }

    #[test]
    fn later_layers_win() {
        let config = Layers::new()
            .file("f", "[server]\nlisten = \"127.0.0.1:1\"\n[policy]\nauto = 1\n")
            .environment(variables(&[("DESKHAND__SERVER__LISTEN", "127.0.0.1:2"), ("PATH", "/")]))
            .flag("--listen", "server", "listen", Some("127.0.0.1:3".to_owned()))
            .build()
            .unwrap();
        assert_eq!(config.server.listen.port(), 3);
        assert!((config.policy.auto - 1.0).abs() < 1e-6);
    }

    #[test]
    fn every_fault_of_every_layer_is_reported_at_once() {
        let faults = Layers::new()
            .file("f", "colour = 1\n[server]\nlisten = 8080\nport = 1\n[policy]\nauto = 7\n")
            .environment(variables(&[
                ("DESKHAND__NOWHERE__X", "1"),
                ("DESKHAND__DATA__FOLDER", ""),
                ("DESKHAND__LOG__FORMAT", "xml"),
            ]))
            .build()
            .unwrap_err()
            .0;
        let settings: Vec<_> = faults.iter().map(|f| f.setting.as_str()).collect();
        assert_eq!(
            settings,
            [
                "f: colour",
                "f: server.listen",
                "f: server.port",
                "DESKHAND__NOWHERE__X",
                "log.format",
                "data.folder",
                "policy.auto",
            ]
        );
    }

    #[test]
    fn a_log_level_that_is_not_ascii_is_a_fault_and_no_panic() {
        let file = "[log]\nlevel = \"On Tue, Ann wrote:\u{200b}[email]\"\n";
        let faults = Layers::new().file("f", file).build().unwrap_err().0;
        assert_eq!(faults[0].setting, "log.level");
    }

    #[test]
    fn a_secret_is_never_printed() {
        for (section, key) in SECRETS {
            let file = format!("[{section}]\n{key} = \"s3cr3t\"\n");
            let layers = Layers::new().file("f", &file);
            assert!(!layers.to_toml().contains("s3cr3t"), "{section}.{key}");
            assert!(
                !format!("{:?}", layers.build().unwrap()).contains("s3cr3t"),
                "{section}.{key}"
            );
        }
    }

    #[test]
    fn every_setting_that_is_a_secret_is_known_as_one() {
        let defaults = Layers::new().values;
        for (section, keys) in &defaults {
            for key in keys.as_table().unwrap().keys() {
                // A secret may come from a file, and nothing else may.
                if let Some(key) = key.strip_suffix("_file") {
                    assert!(SECRETS.contains(&(section, key)), "{section}.{key}");
                }
            }
        }
    }
}
