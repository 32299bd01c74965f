use jiff::Timestamp;

use super::*;
use crate::exports::{ExportError, HistoryOptions, Limits};
use crate::judge::report::InputFile;

fn now() -> Timestamp {
    "2025-06-01T00:00:00Z".parse().unwrap()
}

fn read(content: &[u8], limits: Limits) -> Result<Loaded, ExportError> {
    let name = "tickets.csv".to_owned();
    let file = InputFile { name, bytes: content.len() as u64, sha256: String::new() };
    let mut loaded = Loaded::default();
    loaded.read(file, content, &HistoryOptions { limits, ..HistoryOptions::default() }, now())?;
    Ok(loaded)
}

fn prepared(groups: Vec<usize>) -> Prepared {
    Prepared { taught: vec![false; groups.len()], groups, ..Prepared::default() }
}

fn load(content: &str) -> Result<Loaded, String> {
    let mut loaded =
        read(content.as_bytes(), Limits::default()).map_err(|error| error.to_string())?;
    loaded.settle((60_000, "--latest"), &Rules::default()).map_err(|error| error.to_string())?;
    Ok(loaded)
}

/// What a person is told.
fn told(result: Result<Loaded, String>) -> String {
    result.expect_err("it is refused")
}

fn rows(n: usize, row: impl Fn(usize) -> String) -> String {
    (0..n).map(row).collect()
}

#[test]
fn missing_columns_are_told_with_those_there_are() {
    let said = told(load("nummer,wann\n1,heute\n"));
    assert!(said.contains("nummer, wann") && said.contains("--map subject=nummer"), "{said}");
    let all = rows(30, |n| format!("{n},broken {n}\n"));
    let mut loaded = load(&format!("id,subject\n{all}")).unwrap();
    let said = fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(
        said.contains("no ticket has a category") && said.contains("--map team=COLUMN"),
        "{said}"
    );
    let said = fields(&mut loaded, &["queue".to_owned()]).err().unwrap().to_string();
    assert!(said.contains("--map category=queue"), "{said}");
}

#[test]
fn three_tickets_are_no_history() {
    let said = told(load("id,subject,category\n1,a b,x\n2,c d,y\n3,e f,x\n"));
    assert!(
        said.contains("there are 3 tickets") && said.contains("export a longer time"),
        "{said}"
    );
}

#[test]
fn one_class_is_nothing_to_tell() {
    let all = rows(30, |n| format!("{n},broken {n},IT,Network\n"));
    let mut loaded = load(&format!("id,subject,category,team\n{all}")).unwrap();
    let said = fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(said.contains("every ticket has the category \"IT\""), "{said}");
    // One field of two is judged, and the other is said.
    let all = rows(30, |n| format!("{n},broken {n},IT,{}\n", ["Network", "Mail"][n % 2]));
    let mut loaded = load(&format!("id,subject,category,team\n{all}")).unwrap();
    let found = fields(&mut loaded, &[]).unwrap();
    assert_eq!((found.len(), found[0].field.as_str()), (1, "team"));
    assert!(loaded.warnings.iter().any(|w| w.contains("every ticket has the category")));
    // A column of ids is no label.
    let all = rows(30, |n| format!("{n},broken {n},C{n}\n"));
    let mut loaded = load(&format!("id,subject,category\n{all}")).unwrap();
    let said = fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(said.contains("30 different values for 30 tickets"), "{said}");
}

#[test]
fn only_duplicates_leave_nothing_to_judge() {
    let all = rows(40, |n| format!("{n},the same,{},2025-0{}-01\n", ["a", "b"][n % 2], 1 + n / 10));
    let mut loaded = load(&format!("id,subject,category,created\n{all}")).unwrap();
    let labels = fields(&mut loaded, &[]).unwrap().remove(0);
    let settings = Settings::default();
    let data = prepared(vec![0; 40]);
    let said = divide(&loaded, &data, &labels, &settings).err().unwrap().to_string();
    assert!(said.contains("export a longer time") && said.contains("near-duplicates"), "{said}");
}

#[test]
fn the_latest_are_judged_and_what_would_give_them_away_is_not_learned() {
    let all =
        rows(50, |n| format!("{n},broken {n},{},2025-01-{:02}\n", ["a", "b"][n % 2], 1 + n / 2));
    let mut loaded = load(&format!("id,subject,category,created\n{all}")).unwrap();
    let labels = fields(&mut loaded, &[]).unwrap().remove(0);
    let settings = Settings::default();
    let data = prepared((0..50).collect());
    let (parts, warnings) = divide(&loaded, &data, &labels, &settings).unwrap();
    assert_eq!((parts.score.first(), parts.score.len(), warnings.len()), (Some(&40), 10, 0));
    // The data's own parts, with a copy of a judged ticket among those to learn from.
    for (row, ticket) in loaded.tickets.iter_mut().enumerate() {
        ticket.split = Some(if row < 10 { "test" } else { "train" }.to_owned());
    }
    let mut groups: Vec<usize> = (0..50).collect();
    groups[20] = 3;
    let data = prepared(groups);
    let (parts, warnings) = divide(&loaded, &data, &labels, &settings).unwrap();
    assert_eq!((parts.score.len(), parts.fit.len()), (10, 39));
    assert!(!parts.fit.contains(&20) && warnings[0].starts_with("1 tickets were not learned from"));
}

#[test]
fn threads_stand_together() {
    let all = rows(25, |n| {
        let parent = if n == 7 || n == 9 { "3" } else { "" };
        format!("{n},broken {n},a,{parent}\n")
    });
    let mut loaded = load(&format!("id,subject,category,parent\n{all}")).unwrap();
    let mut prepared = Prepared { groups: (0..25).collect(), ..Prepared::default() };
    loaded.group(&mut prepared);
    assert_eq!((prepared.groups[7], prepared.groups[9], prepared.groups[8]), (3, 3, 8));
    assert_eq!((loaded.data.same_thread, loaded.data.near_duplicates), (2, 0));
}

#[test]
fn dates_ahead_other_encodings_and_too_much_are_said() {
    let all = rows(30, |n| format!("{n},Störung {n},a,20{}-01-02\n", if n < 3 { 45 } else { 25 }));
    let text = format!("id,subject,category,created\n{all}");
    let loaded = load(&text).unwrap();
    assert!(
        loaded.warnings[0].contains("3 tickets") && loaded.warnings[0].contains("in the future")
    );
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let mut loaded = read(&latin, Limits::default()).unwrap();
    loaded.settle((60_000, "--latest"), &Rules::default()).unwrap();
    assert_eq!(loaded.subjects[4], "Störung 4");
    assert!(loaded.warnings.iter().any(|w| w.contains("read as windows-1252")));
    let large = format!("id,subject\n1,{}\n", "a ".repeat(700_000));
    let limits = Limits { text: 1 << 20, workbook: 1 << 17 };
    let said = read(large.as_bytes(), limits).unwrap_err().to_string();
    assert!(said.contains("more than 1 MB") && said.contains("fewer months"), "{said}");
}

#[test]
fn the_latest_tickets_are_taken_where_there_are_too_many() {
    let all = rows(60, |n| format!("{n},broken {n},a,2025-0{}-01\n", 1 + n / 20));
    let text = format!("id,subject,category,created\n{all}");
    let mut loaded = read(text.as_bytes(), Limits::default()).unwrap();
    loaded.settle((25, "--latest"), &Rules::default()).unwrap();
    assert_eq!(loaded.tickets.len(), 25);
    assert_eq!(loaded.data.from.as_deref(), Some("2025-02-01"));
    assert!(loaded.warnings[0].contains("the latest 25 of 60"));
}
