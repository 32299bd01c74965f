//! A ticket's thread, as systems write it: whatever else they note of a message is left aside.

use serde_json::Value;

use super::jsonl::kind;
use super::row::timestamp;
use crate::domain::Message;

/// What an author is known by, where there is more than a name.
const NAMES: [&str; 3] = ["name", "email", "id"];

/// Reads `[{"author", "at", "text"}]`, or a list of texts. Only the text has to be there; a time
/// that cannot be read is none.
pub(super) fn messages(value: &Value) -> Result<Vec<Message>, String> {
    const EXPECTED: &str = "expected [{\"author\", \"at\", \"text\"}]";
    let Value::Array(thread) = value else {
        return Err(format!("{EXPECTED}, found {}", kind(value)));
    };
    let message = |(at, value): (usize, &Value)| {
        read(value).map_err(|reason| format!("{EXPECTED}; message {}: {reason}", at + 1))
    };
    thread.iter().enumerate().map(message).collect()
}

fn read(value: &Value) -> Result<Message, String> {
    match value {
        Value::String(text) => Ok(Message { author: None, at: None, text: text.clone() }),
        Value::Object(fields) => {
            let text = match fields.get("text") {
                Some(Value::String(text)) => text.clone(),
                Some(other) => return Err(format!("its text is {}", kind(other))),
                None => return Err("it has no text".to_owned()),
            };
            let at = fields.get("at").and_then(Value::as_str).and_then(timestamp);
            Ok(Message { author: author(fields.get("author"))?, at, text })
        }
        other => Err(format!("it is {}", kind(other))),
    }
}

/// Who wrote it, if anybody is named. A person whose name is not understood is no reason to keep
/// what they wrote without it: it could not be found again when they are to be erased.
fn author(value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => {
            Ok(Some(name.trim().to_owned()).filter(|name| !name.is_empty()))
        }
        Some(Value::Number(id)) => Ok(Some(id.to_string())),
        Some(Value::Object(person)) => {
            let mut named = NAMES.iter().filter_map(|name| match person.get(*name) {
                Some(value @ (Value::String(_) | Value::Number(_))) => {
                    author(Some(value)).transpose()
                }
                _ => None,
            });
            let unnamed = || format!("its author has none of {}", NAMES.join(", "));
            named.next().unwrap_or_else(|| Err(unnamed())).map(Some)
        }
        Some(other) => Err(format!("its author is {}", kind(other))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_text_of_a_message_has_to_be_there() {
        let thread = json!([
            "Hello",
            {"text": "Still down", "author": " Ann ", "at": "2025-03-04 09:15", "id": 7, "public": true},
            {"text": "", "author": null, "at": "yesterday"},
            {"text": "", "author": {"id": 7, "name": "Ann"}},
            {"text": "", "author": 4711},
        ]);
        let read = messages(&thread).unwrap();
        let texts: Vec<&str> = read.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts, ["Hello", "Still down", "", "", ""]);
        let authors: Vec<Option<&str>> = read.iter().map(|m| m.author.as_deref()).collect();
        assert_eq!(authors, [None, Some("Ann"), None, Some("Ann"), Some("4711")]);
        assert_eq!(read[1].at.map(|t| t.to_string()).as_deref(), Some("2025-03-04T09:15:00Z"));
        assert_eq!(read[2].at, None);
    }

    #[test]
    fn a_message_without_a_text_is_named() {
        for (thread, complaint) in [
            (json!({"text": "a"}), "found an object"),
            (json!([{"text": "a"}, {"body": "b"}]), "message 2: it has no text"),
            (json!([{"text": null}]), "message 1: its text is null"),
            (json!([3]), "message 1: it is a number"),
            (json!([{"text": "a", "author": true}]), "message 1: its author is true or false"),
            (
                json!([{"text": "a", "author": {"n": "Ann"}}]),
                "its author has none of name, email, id",
            ),
        ] {
            let error = messages(&thread).unwrap_err();
            assert!(error.ends_with(complaint), "{error}");
        }
    }
}
