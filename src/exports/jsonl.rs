//! JSON lines: one object a line.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::columns::{Field, Found};
use super::row::{Values, resolved_ticket};
use super::thread::messages;
use super::{Export, ExportError, Options, RowFault};
use crate::domain::Message;

pub(super) fn read(text: &str, options: &Options) -> Result<Export, ExportError> {
    let mut export = Export::default();
    let mut objects: Vec<(u64, Map<String, Value>)> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if content.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(content) {
            Ok(object) => objects.push((line, object)),
            Err(e) => {
                let reason = format!("expected a JSON object: {e}");
                export.faults.push(RowFault { line, column: None, reason });
            }
        }
    }
    // A field may be absent from some objects, so the columns are those of all of them.
    let columns: BTreeSet<&String> = objects.iter().flat_map(|(_, o)| o.keys()).collect();
    let columns: Vec<String> = columns.into_iter().cloned().collect();
    let found = Found::among(&columns, &options.map)?;
    for (line, object) in &objects {
        let values = Object { object, found: &found };
        match resolved_ticket(*line, &values, &options.system, &mut export.warnings) {
            Ok(ticket) => {
                export.rows.push(ticket);
                export.lines.push(*line);
            }
            Err(fault) => export.faults.push(fault),
        }
    }
    export.columns = found.pairs();
    export.unused = found.unused;
    export.faults.sort_by_key(|f| f.line);
    Ok(export)
}

struct Object<'a> {
    object: &'a Map<String, Value>,
    found: &'a Found,
}

impl Object<'_> {
    fn value(&self, field: Field) -> Option<&Value> {
        self.found.column(field).and_then(|(_, name)| self.object.get(name))
    }
}

impl Values for Object<'_> {
    fn text(&self, field: Field) -> Result<Option<String>, String> {
        match self.value(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|t| !t.trim().is_empty())),
            Some(Value::Number(n))
                if matches!(field, Field::Id | Field::Minutes | Field::Priority) =>
            {
                Ok(Some(n.to_string()))
            }
            Some(other) => Err(format!("expected text, found {}", kind(other))),
        }
    }

    fn column(&self, field: Field) -> String {
        self.found.column(field).map_or(field.name(), |(_, name)| name).to_owned()
    }

    fn messages(&self) -> Result<Vec<Message>, String> {
        match self.value(Field::Messages) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(thread) => messages(thread),
        }
    }
}

pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
