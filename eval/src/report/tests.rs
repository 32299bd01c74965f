use std::io::Write;
use std::path::PathBuf;

use deskhand::backtest::Prepared;
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::load::{self, Exports, Loaded};
use super::study::{self, Settings};

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn exports(files: &[&NamedTempFile]) -> Exports {
    Exports {
        files: files.iter().map(|f| f.path().to_path_buf()).collect(),
        map: deskhand::exports::ColumnMap::default(),
        dates: None,
        sheet: None,
        latest: 60_000,
        max_megabytes: 1024,
    }
}

fn now() -> Timestamp {
    "2025-06-01T00:00:00Z".parse().unwrap()
}

fn load(content: &str) -> anyhow::Result<Loaded> {
    let file = file(content.as_bytes());
    Loaded::read(&exports(&[&file]), now())
}

/// What a person is told.
fn told(result: anyhow::Result<Loaded>) -> String {
    format!("{:#}", result.err().expect("it is refused"))
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
    let said = load::fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(
        said.contains("no ticket has a category") && said.contains("--map team=COLUMN"),
        "{said}"
    );
    let said = load::fields(&mut loaded, &["queue".to_owned()]).err().unwrap().to_string();
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
    let said = load::fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(said.contains("every ticket has the category \"IT\""), "{said}");
    // One field of two is judged, and the other is said.
    let all = rows(30, |n| format!("{n},broken {n},IT,{}\n", ["Network", "Mail"][n % 2]));
    let mut loaded = load(&format!("id,subject,category,team\n{all}")).unwrap();
    let fields = load::fields(&mut loaded, &[]).unwrap();
    assert_eq!((fields.len(), fields[0].field.as_str()), (1, "team"));
    assert!(loaded.warnings.iter().any(|w| w.contains("every ticket has the category")));
    // A column of ids is no label.
    let all = rows(30, |n| format!("{n},broken {n},C{n}\n"));
    let mut loaded = load(&format!("id,subject,category\n{all}")).unwrap();
    let said = load::fields(&mut loaded, &[]).err().unwrap().to_string();
    assert!(said.contains("30 different values for 30 tickets"), "{said}");
}

#[test]
fn only_duplicates_leave_nothing_to_judge() {
    let all = rows(40, |n| format!("{n},the same,{},2025-0{}-01\n", ["a", "b"][n % 2], 1 + n / 10));
    let mut loaded = load(&format!("id,subject,category,created\n{all}")).unwrap();
    let labels = load::fields(&mut loaded, &[]).unwrap().remove(0);
    let settings = Settings { seed: 1, score: None, triage: 3.0, misroute: 20.0 };
    let prepared = Prepared { groups: vec![0; 40], ..Prepared::default() };
    let said =
        format!("{:#}", study::divide(&loaded, &prepared, &labels, &settings).err().unwrap());
    assert!(said.contains("export a longer time") && said.contains("near-duplicates"), "{said}");
}

#[test]
fn the_latest_are_judged_and_what_would_give_them_away_is_not_learned() {
    let all =
        rows(50, |n| format!("{n},broken {n},{},2025-01-{:02}\n", ["a", "b"][n % 2], 1 + n / 2));
    let mut loaded = load(&format!("id,subject,category,created\n{all}")).unwrap();
    let labels = load::fields(&mut loaded, &[]).unwrap().remove(0);
    let settings = Settings { seed: 1, score: None, triage: 3.0, misroute: 20.0 };
    let prepared = Prepared { groups: (0..50).collect(), ..Prepared::default() };
    let (parts, warnings) = study::divide(&loaded, &prepared, &labels, &settings).unwrap();
    assert_eq!((parts.score.first(), parts.score.len(), warnings.len()), (Some(&40), 10, 0));
    // The data's own parts, with a copy of a judged ticket among those to learn from.
    for (row, ticket) in loaded.tickets.iter_mut().enumerate() {
        ticket.split = Some(if row < 10 { "test" } else { "train" }.to_owned());
    }
    let mut groups: Vec<usize> = (0..50).collect();
    groups[20] = 3;
    let prepared = Prepared { groups, ..Prepared::default() };
    let (parts, warnings) = study::divide(&loaded, &prepared, &labels, &settings).unwrap();
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
    let file = file(&latin);
    let loaded = Loaded::read(&exports(&[&file]), now()).unwrap();
    assert_eq!(loaded.subjects[4], "Störung 4");
    assert!(loaded.warnings.iter().any(|w| w.contains("read as windows-1252")));
    let large = self::file(format!("id,subject\n1,{}\n", "a ".repeat(700_000)).as_bytes());
    let small = Exports { max_megabytes: 1, ..exports(&[&large]) };
    let said = told(Loaded::read(&small, now()));
    assert!(said.contains("more than 1 MB") && said.contains("fewer months"), "{said}");
    let folder = Exports { files: vec![PathBuf::from("/")], ..exports(&[]) };
    assert!(told(Loaded::read(&folder, now())).contains("folder"));
}

#[test]
fn the_latest_tickets_are_taken_where_there_are_too_many() {
    let all = rows(60, |n| format!("{n},broken {n},a,2025-0{}-01\n", 1 + n / 20));
    let file = file(format!("id,subject,category,created\n{all}").as_bytes());
    let loaded = Loaded::read(&Exports { latest: 25, ..exports(&[&file]) }, now()).unwrap();
    assert_eq!(loaded.tickets.len(), 25);
    assert_eq!(loaded.data.from.as_deref(), Some("2025-02-01"));
    assert!(loaded.warnings[0].contains("the latest 25 of 60"));
}

#[test]
fn injected_labels_are_wrong_and_known() {
    let all = rows(100, |n| format!("{n},broken {n},c{}\n", n % 4));
    let mut loaded = load(&format!("id,subject,category\n{all}")).unwrap();
    let mut labels = load::fields(&mut loaded, &[]).unwrap().remove(0);
    let before = labels.given.clone();
    let injected = study::inject(&mut labels, 0.08, 1);
    let changed: Vec<usize> = (0..100).filter(|r| before[*r] != labels.given[*r]).collect();
    assert_eq!(changed, injected.keys().copied().collect::<Vec<_>>());
    assert_eq!(changed.len(), 8);
    assert!(injected.iter().all(|(row, right)| before[*row] == *right));
}
