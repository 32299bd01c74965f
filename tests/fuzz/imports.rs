//! Exports of other systems, as they are and as they should not be.

use deskhand::exports::{Options, read};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::hostile;
use crate::runner::fuzz;

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let options = Options { system: "fuzz".to_owned(), ..Options::default() };
    let export = match read(bytes, &options) {
        Ok(export) => export,
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    prop_assert_eq!(export.rows.len(), export.lines.len());
    prop_assert!(export.lines.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", export.lines);
    for row in &export.rows {
        let text = &row.ticket.text;
        prop_assert!(
            !text.subject.is_empty() || !text.body.is_empty() || !text.messages.is_empty()
        );
        let source = row.ticket.source.as_ref().unwrap();
        prop_assert!((1..=200).contains(&source.id.len()) && source.system == "fuzz");
    }
    for fault in export.faults.iter().chain(&export.warnings) {
        prop_assert!(fault.line >= 1 && !fault.reason.is_empty());
        prop_assert!(
            !export.lines.contains(&fault.line) || export.warnings.contains(fault),
            "{fault}"
        );
    }
    let again = read(bytes, &options).unwrap();
    prop_assert_eq!(again.rows, export.rows);
    Ok(())
}

#[test]
fn any_bytes() {
    fuzz("import of any bytes", &hostile::bytes(), |bytes| check(&bytes));
}

#[test]
fn csv() {
    let cell = prop_oneof![4 => hostile::text(), 2 => Just(String::new()), 3 => "[a-z ]{0,8}"];
    let row = [cell.boxed(), hostile::text().boxed(), "[a-z]{1,6}".boxed()];
    let rows = prop::collection::vec(row, 0..8);
    let separator = prop::sample::select(vec![b',', b';', b'\t']);
    fuzz("import of CSV", &(rows, separator, hostile::text()), |(rows, separator, tail)| {
        let mut writer = ::csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        writer.write_record(["id", "subject", "category"]).unwrap();
        for (n, row) in rows.iter().enumerate() {
            writer.write_record([&n.to_string(), &row[1], &row[2]]).unwrap();
        }
        let mut bytes = writer.into_inner().unwrap();
        // What a spreadsheet writes comes back as it was.
        let options = Options { system: "fuzz".to_owned(), ..Options::default() };
        let export = read(&bytes, &options).unwrap();
        let said: Vec<&[String; 3]> = rows.iter().filter(|r| !r[1].trim().is_empty()).collect();
        prop_assert_eq!(export.rows.len(), said.len());
        for (read, row) in export.rows.iter().zip(said) {
            prop_assert_eq!(&read.ticket.text.subject, &row[1]);
            prop_assert_eq!(read.outcome.category.as_ref(), Some(&row[2]));
        }
        // And what goes wrong at the end takes nothing else with it, and nothing down.
        bytes.extend(tail.as_bytes());
        check(&bytes)
    });
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        hostile::text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn json_lines() {
    let field = prop::sample::select(vec![
        "id",
        "subject",
        "body",
        "messages",
        "requester",
        "created_at",
        "category",
        "team",
        "priority",
        "resolution",
        "resolved_at",
        "handling_minutes",
        "url",
        "Summary",
        "other",
    ]);
    let object = prop::collection::vec(
        (field, prop_oneof![any_json(), hostile::text().prop_map(Value::from)]),
        0..8,
    )
    .prop_map(|pairs| {
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(pairs.collect()).to_string()
    });
    let line = prop_oneof![6 => object, 1 => hostile::text(), 1 => Just(String::new())];
    let lines = prop::collection::vec(line, 0..8);
    fuzz("import of JSON lines", &lines, |lines| {
        let first = json!({"id": "first", "subject": "a printer"});
        let text = format!("{first}\n{}\n", lines.join("\n"));
        check(text.as_bytes())?;
        let export = read(text.as_bytes(), &Options::default()).unwrap();
        prop_assert_eq!(export.rows[0].ticket.text.subject.as_str(), "a printer");
        // Every line that says anything is a row or a fault.
        let said = text.lines().filter(|line| !line.trim().is_empty()).count();
        prop_assert_eq!(export.rows.len() + export.faults.len(), said);
        Ok(())
    });
}
