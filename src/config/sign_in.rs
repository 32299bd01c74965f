//! `[sign_in]`

use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use super::{Secret, Server};
use crate::domain::{Scope, WorkspaceId};

/// `[sign_in]`
#[derive(Debug, Clone, Deserialize)]
pub struct SignIn {
    /// Whether others than admins may sign in with a password.
    pub passwords: bool,
    /// A provider's issuer; empty means that there is none.
    pub issuer: String,
    /// What the provider knows this service by.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Secret,
    /// A file that holds it.
    pub client_secret_file: PathBuf,
    /// What people know the provider by.
    pub provider_name: String,
    /// What is asked for besides `openid`, separated by blanks.
    pub scopes: String,
    /// The claim that says what somebody may do.
    pub roles_claim: String,
    /// Its values that make an agent.
    pub agent: String,
    /// Its values that make a lead.
    pub lead: String,
    /// Its values that make an admin.
    pub admin: String,
    /// The desk that people from the provider work at.
    pub workspace: String,
}

impl SignIn {
    /// Whether people come from a provider.
    pub fn has_provider(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// What people know the provider by.
    pub fn shown_name(&self) -> String {
        let host = || Url::parse(&self.issuer).ok()?.host_str().map(str::to_owned);
        match self.provider_name.trim() {
            "" => host().unwrap_or_default(),
            name => name.to_owned(),
        }
    }

    /// The claim's values with what each of them gives.
    pub fn roles(&self) -> Vec<(String, Scope)> {
        let of = |text, scope| values(text).map(move |value| (value.to_owned(), scope));
        of(&self.agent, Scope::Agent)
            .chain(of(&self.lead, Scope::Lead))
            .chain(of(&self.admin, Scope::Admin))
            .collect()
    }

    /// The desk.
    pub fn desk(&self) -> Option<WorkspaceId> {
        WorkspaceId::try_from(self.workspace.clone()).ok()
    }

    /// Checks what types alone cannot, `check` taking whether it is sound, the setting, and what
    /// was expected.
    pub(super) fn check(&self, server: &Server, check: &mut impl FnMut(bool, &str, &str)) {
        check(self.desk().is_some(), "sign_in.workspace", "expected a desk's name, such as main");
        if !self.has_provider() {
            check(
                self.passwords,
                "sign_in.passwords",
                "expected true where sign_in.issuer names no provider",
            );
            return;
        }
        check(
            address(&self.issuer).is_some_and(|url| url.query().is_none() && is_safe(&url)),
            "sign_in.issuer",
            "expected the provider's issuer, such as https://sso.example.com/realms/it; http is \
             for this computer alone",
        );
        check(!self.client_id.is_empty(), "sign_in.client_id", "expected what the provider knows");
        check(
            !server.public_url.is_empty(),
            "server.public_url",
            "expected the console's address where sign_in.issuer names a provider",
        );
        check(!self.roles_claim.is_empty(), "sign_in.roles_claim", "expected a claim's name");
        check(
            !self.roles().is_empty(),
            "sign_in.agent",
            "expected a value of sign_in.roles_claim here, in sign_in.lead or in sign_in.admin: \
             nobody could sign in",
        );
    }
}

/// The values in a setting: between semicolons if it has any, or else between commas.
fn values(text: &str) -> impl Iterator<Item = &str> {
    let between = if text.contains(';') { ';' } else { ',' };
    text.split(between).map(str::trim).filter(|value| !value.is_empty())
}

fn address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

/// Whether what is sent there can be read there alone.
fn is_safe(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && here)
}

/// Whether an address names a place that browsers may keep cookies for, and no path on it.
pub(super) fn is_origin(text: &str) -> bool {
    address(text).is_some_and(|url| is_safe(&url) && url.path() == "/" && url.query().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    const SOUND: &str = r#"
        [server]
        public_url = "https://desk.example.com"
        [sign_in]
        issuer = "https://sso.example.com/realms/it"
        client_id = "deskhand"
        agent = "desk, night desk"
        admin = "cn=ops,ou=it;cn=root,ou=it"
    "#;

    fn faults(change: &str) -> Vec<String> {
        let layers = Layers::new().file("f", SOUND).file("g", change);
        let faults = layers.build().map_or_else(|e| e.0, |_| Vec::new());
        faults.into_iter().map(|f| f.setting).collect()
    }

    #[test]
    fn values_become_roles() {
        let sign_in = Layers::new().file("f", SOUND).build().unwrap().sign_in;
        let roles = sign_in.roles();
        let named: Vec<_> = roles.iter().map(|(value, scope)| (value.as_str(), *scope)).collect();
        assert_eq!(
            named,
            [
                ("desk", Scope::Agent),
                ("night desk", Scope::Agent),
                ("cn=ops,ou=it", Scope::Admin),
                ("cn=root,ou=it", Scope::Admin),
            ]
        );
        assert_eq!(sign_in.shown_name(), "sso.example.com");
    }

    #[test]
    fn a_fault_names_its_setting() {
        assert_eq!(faults(""), [""; 0]);
        for (change, setting) in [
            ("[sign_in]\nissuer = \"sso.example.com\"", "sign_in.issuer"),
            ("[sign_in]\nissuer = \"http://sso.example.com\"", "sign_in.issuer"),
            ("[sign_in]\nissuer = \"https://sso.example.com?a=b\"", "sign_in.issuer"),
            ("[sign_in]\nclient_id = \"\"", "sign_in.client_id"),
            ("[sign_in]\nroles_claim = \"\"", "sign_in.roles_claim"),
            ("[sign_in]\nagent = \" , \"\nadmin = \";\"", "sign_in.agent"),
            ("[sign_in]\nworkspace = \"No Desk!\"", "sign_in.workspace"),
            ("[sign_in]\nissuer = \"\"\npasswords = false", "sign_in.passwords"),
            ("[server]\npublic_url = \"\"", "server.public_url"),
            ("[server]\npublic_url = \"desk.example.com\"", "server.public_url"),
            ("[server]\npublic_url = \"http://desk.example.com\"", "server.public_url"),
            ("[server]\npublic_url = \"https://example.com/desk\"", "server.public_url"),
            ("[server]\npublic_url = \"https://a:b@example.com\"", "server.public_url"),
        ] {
            assert_eq!(faults(change), [setting], "{change}");
        }
        for sound in ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:1"] {
            assert_eq!(faults(&format!("[server]\npublic_url = \"{sound}\"")), [""; 0]);
            assert_eq!(faults(&format!("[sign_in]\nissuer = \"{sound}\"")), [""; 0]);
        }
    }
}
