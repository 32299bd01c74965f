//! What a provider says of somebody, as a person with a role. Pure.

use serde_json::{Map, Value};

use crate::domain::Scope;

/// Letters of a name that are kept.
const MAX_NAME: usize = 100;
/// Bytes of a subject, as OpenID Connect Core says (section 2).
const MAX_SUBJECT: usize = 255;

/// What somebody may do, by the values of one claim.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// The claim: its name, or the names on the way to it with dots between them.
    pub claim: String,
    /// Values and what each of them gives. The highest counts.
    pub values: Vec<(String, Scope)>,
}

/// Somebody whom a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Which provider.
    pub issuer: String,
    /// Who, for that provider: the same for ever, unlike a name or an address.
    pub subject: String,
    /// What they are called. May be anybody's name.
    pub name: String,
    /// What they may do; none if the provider gives them nothing here.
    pub role: Option<Scope>,
}

impl Roles {
    /// Whether the claim is among these at all.
    pub(super) fn are_told(&self, claims: &Map<String, Value>) -> bool {
        find(claims, &self.claim).is_some()
    }

    /// What these claims allow.
    pub fn of(&self, claims: &Map<String, Value>) -> Option<Scope> {
        let found = find(claims, &self.claim)?;
        // A text stands for a list of one.
        let values = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
        let given = |known: &str| values.iter().any(|value| value.as_str() == Some(known));
        self.values.iter().filter(|(known, _)| given(known)).map(|(_, scope)| *scope).max()
    }
}

/// A claim by its name, or by the names on the way to it. Names may hold dots themselves, as
/// addresses do.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let below = |(at, _)| {
        let inner = claims.get(&path[..at])?.as_object()?;
        find(inner, &path[at + 1..])
    };
    claims.get(path).or_else(|| path.match_indices('.').find_map(below))
}

/// Whether they say what somebody is called.
pub(super) fn are_named(claims: &Map<String, Value>) -> bool {
    name(claims).is_some()
}

fn name(claims: &Map<String, Value>) -> Option<String> {
    ["name", "preferred_username", "email"].into_iter().find_map(|claim| {
        let text = claims.get(claim)?.as_str()?;
        let seen: String = text.chars().filter(|c| c.is_whitespace() || !is_hidden(*c)).collect();
        let line = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(line.chars().take(MAX_NAME).collect()).filter(|line: &String| !line.is_empty())
    })
}

/// Letters that are not seen, or that turn around what stands beside them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The person whom these claims describe; nobody if they have no subject, or an impossible one.
pub(super) fn person(issuer: &str, roles: &Roles, claims: &Map<String, Value>) -> Option<Person> {
    let sound = |s: &&str| (1..=MAX_SUBJECT).contains(&s.len()) && !s.contains('\0');
    let subject = claims.get("sub")?.as_str().filter(sound)?.to_owned();
    Some(Person {
        issuer: issuer.to_owned(),
        name: name(claims).unwrap_or_else(|| subject.chars().take(MAX_NAME).collect()),
        role: roles.of(claims),
        subject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    fn roles(claim: &str) -> Roles {
        let values = [("desk", Scope::Agent), ("leads", Scope::Lead), ("ops", Scope::Admin)];
        let values = values.map(|(value, scope)| (value.to_owned(), scope)).to_vec();
        Roles { claim: claim.to_owned(), values }
    }

    #[test]
    fn the_highest_role_counts_wherever_the_claim_stands() {
        let of = |claim: &str, claims: Value| roles(claim).of(&object(claims));
        assert_eq!(of("groups", json!({"groups": ["x", "leads", "desk"]})), Some(Scope::Lead));
        assert_eq!(of("groups", json!({"groups": "ops"})), Some(Scope::Admin), "a text is one");
        assert_eq!(of("groups", json!({"groups": "ops desk"})), None, "and not several");
        assert_eq!(of("a.roles", json!({"a": {"roles": ["desk"]}})), Some(Scope::Agent));
        let address = json!({"https://desk.example/roles": ["desk"]});
        assert_eq!(of("https://desk.example/roles", address), Some(Scope::Agent));
        let client = json!({"access": {"desk.example": {"roles": ["leads"]}}});
        assert_eq!(of("access.desk.example.roles", client), Some(Scope::Lead));
    }

    #[test]
    fn what_is_not_mapped_gives_nothing() {
        let of = |claims: Value| roles("groups").of(&object(claims));
        for nothing in [
            json!({}),
            json!({"groups": []}),
            json!({"groups": ["Desk", "desk ", "", "admin"]}),
            json!({"groups": null}),
            json!({"groups": {"desk": true}}),
            json!({"groups": [["ops"], {"ops": 1}, 3, null]}),
            json!({"roles": ["ops"]}),
        ] {
            assert_eq!(of(nothing.clone()), None, "{nothing}");
        }
        assert_eq!(Roles::default().of(&object(json!({"": ["desk"]}))), None);
    }

    #[test]
    fn a_person_is_a_subject_and_a_name_is_only_shown() {
        let named = |claims: Value| person("i", &roles("groups"), &object(claims)).unwrap();
        let ann = named(json!({"sub": "1", "name": " Ann\n\u{202e} Doe ", "email": "a@b.example"}));
        assert_eq!((ann.subject.as_str(), ann.name.as_str(), ann.role), ("1", "Ann Doe", None));
        let by = |claims| named(claims).name;
        assert_eq!(by(json!({"sub": "1", "name": " ", "preferred_username": "ann"})), "ann");
        assert_eq!(by(json!({"sub": "1", "email": "a@b.example"})), "a@b.example");
        assert_eq!(by(json!({"sub": "1", "name": 7})), "1");
        assert_eq!(by(json!({"sub": "1", "name": "é".repeat(1000)})).chars().count(), MAX_NAME);
        let long = "1".repeat(256);
        for nobody in [json!({}), json!({"sub": ""}), json!({"sub": 1}), json!({"sub": long})] {
            assert_eq!(person("i", &roles("groups"), &object(nobody)), None);
        }
    }

    proptest! {
        /// More values never give less, their order does not matter, and what is not mapped adds
        /// nothing.
        #[test]
        fn roles_only_add_up(
            values in prop::collection::vec("desk|leads|ops|[a-z]{0,6}", 0..8),
            more in "desk|leads|ops|[a-z]{0,6}",
        ) {
            let of = |values: &[String]| roles("g").of(&object(json!({"g": values})));
            let before = of(&values);
            let turned: Vec<String> = values.iter().rev().cloned().collect();
            prop_assert_eq!(of(&turned), before);
            let known = values.iter().any(|v| ["desk", "leads", "ops"].contains(&v.as_str()));
            prop_assert_eq!(before.is_some(), known);
            let after = of(&[values, vec![more.clone()]].concat());
            prop_assert!(after >= before);
            if !["desk", "leads", "ops"].contains(&more.as_str()) {
                prop_assert_eq!(after, before);
            }
        }

        /// Whatever a provider sends, a claim is looked for without a panic.
        #[test]
        fn any_path_can_be_asked_for(path in "[a-c.é]{0,8}") {
            let claims = object(json!({"a": {"b": {"c": "desk"}}, "": {"": "desk"}, "é": "desk"}));
            let _ = roles(&path).of(&claims);
        }
    }
}
