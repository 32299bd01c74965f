//! The direction of dependencies, and which crates each room may touch.

use std::path::{Path, PathBuf};

/// Rooms by storey. A room may use those of the storeys below, never its neighbours.
const STOREYS: [&[&str]; 7] = [
    &["domain", "simd"],
    &["text", "judge"],
    &["model", "classify", "exports", "drafts"],
    &["inference", "store", "writing", "identity"],
    &["index"],
    &["triage", "access", "backtest", "sample"],
    &["http", "config", "lifecycle", "reports"],
];

/// Above all of them; may use everything.
const ROOF: [&str; 5] = ["console", "telemetry", "app", "cli", "lib"];

/// A crate and the rooms that may name it.
const CRATES: [(&str, &[&str]); 16] = [
    ("axum", &["http", "console"]),
    ("maud", &["console"]),
    ("candle_core", &["model"]),
    ("candle_transformers", &["model"]),
    ("tokenizers", &["model"]),
    ("minijinja", &["drafts", "judge", "model"]),
    ("regex", &["text"]),
    ("rusqlite", &["store"]),
    ("sqlx", &["store"]),
    ("qdrant_client", &["index"]),
    ("tonic", &["index"]),
    ("argon2", &["access"]),
    ("openidconnect", &["identity"]),
    ("utoipa", &["domain", "http"]),
    ("clap", &["cli", "main"]),
    ("anyhow", &["app", "cli", "main"]),
];

/// The files that may hold unsafe code, and why.
const UNSAFE: [(&str, &str); 5] = [
    ("src/model/engine/amx.rs", "tile instructions, behind a type that proves they are there"),
    ("src/model/engine/lanes.rs", "vector instructions, behind types that prove they are there"),
    ("src/model/engine/team.rs", "work is lent to threads that stay awake between steps"),
    ("tests/fuzz/counting.rs", "an allocator that counts, and the processor time of a thread"),
    ("training/src/main.rs", "an environment variable, set before there are threads"),
];

/// Every Rust file below a folder, with its path inside it.
fn files(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    found
}

fn sources() -> Vec<(String, PathBuf, String)> {
    let found = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(found.len() > 30);
    let in_room = |(inside, text): (PathBuf, String)| {
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        (room.trim_end_matches(".rs").to_owned(), inside.clone(), text)
    };
    found.into_iter().map(in_room).collect()
}

fn storey(room: &str) -> Option<usize> {
    STOREYS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a file names as `crate::room`.
fn uses(text: &str) -> Vec<&str> {
    text.match_indices("crate::")
        .map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|room| !room.is_empty())
        .collect()
}

#[test]
fn dependencies_point_downwards() {
    for (room, path, text) in sources() {
        let Some(own) = storey(&room) else {
            assert!(ROOF.contains(&room.as_str()) || room == "main", "{room} has no storey");
            continue;
        };
        for used in uses(&text) {
            let below = storey(used).is_some_and(|s| s < own || used == room);
            assert!(below, "{} ({room}) must not use {used}", path.display());
        }
    }
}

#[test]
fn crates_stay_in_their_rooms() {
    for (room, path, text) in sources() {
        for (name, rooms) in CRATES {
            let used = text.contains(&format!("{name}::"));
            assert!(!used || rooms.contains(&room.as_str()), "{}: {name}", path.display());
        }
    }
}

#[test]
fn unsafe_code_stands_only_where_it_is_named() {
    // Put together here, so that this file does not hold the word as code does.
    let word = ["un", "safe"].concat();
    let holds = |text: &str| {
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .any(|token| token == word)
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "eval/src", "training/src", "tests"] {
        let files = files(&root.join(folder));
        assert!(files.len() > 5, "{folder}");
        let here = files.iter().filter(|(_, text)| holds(text));
        found.extend(here.map(|(path, _)| format!("{folder}/{}", path.display())));
    }
    found.sort();
    assert_eq!(found, UNSAFE.map(|(file, _)| file), "name a file, with its reason, or do without");
}
