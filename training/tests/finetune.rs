//! `deskhand-train finetune` as a person runs it, on a tiny encoder.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use deskhand::app;
use deskhand::config::Layers;
use deskhand::model::{Encoder, Manifest, Taught, Tokenizer, sha256};
use serde_json::Value;
use tempfile::TempDir;

use support::{tickets, tiny_encoder};

/// A folder with an encoder and tickets.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base");
        std::fs::create_dir(&base).unwrap();
        tiny_encoder(&base, 1);
        std::fs::write(folder.path().join("tickets.jsonl"), tickets(600, 2)).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// With settings for a tiny encoder, but for those that are given.
    fn command(&self, out: &str, more: &[&str]) -> Command {
        let base = self.path("base").display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskhand-train"));
        command.args(["finetune", "--offline"]).arg("--data").arg(self.path("tickets.jsonl"));
        command.arg("--out").arg(self.path(out)).args(more);
        for (name, value) in
            [("--encoder", base.as_str()), ("--learning-rate", "3e-3"), ("--epochs", "4")]
        {
            if !more.contains(&name) {
                command.args([name, value]);
            }
        }
        command
    }

    fn run(&self, out: &str, more: &[&str]) -> Output {
        self.command(out, more).output().unwrap()
    }

    /// What a run leaves behind.
    fn bytes(&self, out: &str) -> Vec<(String, Vec<u8>)> {
        let names = ["model.safetensors", "manifest.toml", "training.json", "training.svg"];
        names.map(|n| (n.to_owned(), std::fs::read(self.path(out).join(n)).unwrap())).into()
    }
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("training.json")).unwrap()).unwrap()
}

#[test]
fn a_tuned_encoder_tells_more_apart_and_loads_like_any_other() {
    let bench = Bench::new();
    let settings = ["--learning-rate", "1e-2", "--epochs", "12", "--patience", "12"];
    succeeded(&bench.run("tuned", &[&settings[..], &["--batch", "16"]].concat()));
    let tuned = bench.path("tuned");
    let report = report(&tuned);
    let losses: Vec<f64> = report["epochs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["cross_entropy"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 12 && losses[11] < 0.8 * losses[0], "{losses:?}");
    let accuracy = |which: &str| report["validation"][which]["planes"]["value"].as_f64().unwrap();
    assert!(accuracy("tuned") > accuracy("frozen"), "{report:#}");
    // The words alone tell these kinds apart: the whole answer cannot gain, and that is said.
    assert_eq!(report["validation"]["frozen"]["answers"]["value"], 1.0);
    assert!(report["validation"]["verdict"].as_str().unwrap().contains("NOT beat"), "{report:#}");
    assert_eq!(report["rows"]["valid"], 60);
    assert!(!tuned.join("checkpoint.safetensors").exists());

    // By its path, through the service's own settings.
    let config = Layers::new()
        .flag("test", "model", "name", Some(tuned.display().to_string()))
        .build()
        .unwrap();
    let manifest = app::manifest(&config).unwrap();
    assert_eq!(
        (manifest.name.as_str(), manifest.licence.as_str()),
        ("tiny-tickets-category", "Apache-2.0")
    );
    assert!(app::model_cache(&config).unwrap().verify(&manifest).is_empty());
    assert_ne!(manifest.fingerprint(), Manifest::read(&bench.path("base")).unwrap().fingerprint());
    let encoder = Encoder::load(&manifest, &tuned, 1).unwrap();
    let tokenizer = Tokenizer::load(&tuned, manifest.max_tokens).unwrap();
    let windows = tokenizer.windows("my printer is out of toner").unwrap().windows;
    assert_eq!(encoder.embed(&[&windows[0]]).unwrap()[0].len(), manifest.dimensions);
    let known = tickets(600, 2);
    let taught = known.lines().filter(|line| {
        let ticket: Value = serde_json::from_str(line).unwrap();
        encoder.was_taught(ticket["body"].as_str().unwrap())
    });
    assert_eq!(taught.count(), 540);

    // Tuned again, with other rows left out: it knows what it was taught before as well.
    let again = ["--encoder", tuned.to_str().unwrap(), "--seed", "2", "--epochs", "1"];
    succeeded(&bench.run("twice", &again));
    let lines = |run: &str| {
        let text = std::fs::read_to_string(bench.path(run).join(Taught::FILE)).unwrap();
        text.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert!(lines("twice").is_superset(&lines("tuned")));
    assert!(lines("twice").len() > lines("tuned").len());

    // A file that was changed since is refused, and left where it is.
    std::fs::write(tuned.join("config.json"), "{}").unwrap();
    let refused = bench.run("again", &["--encoder", tuned.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("config.json is corrupted"), "{error}");
    assert!(tuned.join("config.json").exists());
}

#[test]
fn threads_change_nothing_and_seeds_and_passes_do() {
    let bench = Bench::new();
    let two = ["--epochs", "2"];
    let twice = [&two[..], &["--consistency", "1"]].concat();
    for (name, settings) in [("once", &two[..]), ("twice", &twice)] {
        let (one, three) = (format!("{name}-1"), format!("{name}-3"));
        succeeded(&bench.run(&one, &[settings, &["--threads", "1"]].concat()));
        succeeded(&bench.run(&three, &[settings, &["--threads", "3"]].concat()));
        assert!(bench.bytes(&one) == bench.bytes(&three), "the thread count changed the result");
    }
    assert!(bench.bytes("once-1")[0] != bench.bytes("twice-1")[0], "a second pass changed nothing");
    succeeded(&bench.run("other", &["--threads", "3", "--epochs", "2", "--seed", "2"]));
    assert!(bench.bytes("once-1")[0] != bench.bytes("other")[0], "the seed changed nothing");
}

#[test]
fn what_the_manifest_puts_before_a_text_is_there_in_training() {
    let bench = Bench::new();
    succeeded(&bench.run("plain", &["--epochs", "1"]));
    let base = bench.path("base");
    let manifest = Manifest::read(&base).unwrap();
    Manifest { prefix: "toner ".to_owned(), ..manifest }.write(&base).unwrap();
    succeeded(&bench.run("prefixed", &["--epochs", "1"]));
    assert_eq!(Manifest::read(&bench.path("prefixed")).unwrap().prefix, "toner ");
    assert!(bench.bytes("plain")[0] != bench.bytes("prefixed")[0], "it was left out");
}

#[test]
fn an_encoder_that_counts_positions_otherwise_is_refused() {
    let bench = Bench::new();
    let base = bench.path("base");
    let config = std::fs::read_to_string(base.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["model_type"] = "xlm-roberta".into();
    std::fs::write(base.join("config.json"), config.to_string()).unwrap();
    let mut manifest = Manifest::read(&base).unwrap();
    for file in manifest.files.iter_mut().filter(|file| file.name == "config.json") {
        (file.bytes, file.sha256) = (None, Some(sha256(&base.join("config.json")).unwrap()));
    }
    manifest.write(&base).unwrap();
    let refused = bench.run("refused", &[]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("xlm-roberta"), "{error}");
}

#[test]
fn a_killed_run_is_taken_up_to_the_same_bytes() {
    let bench = Bench::new();
    // Small batches: several checkpoints within each epoch.
    let settings = ["--batch", "4", "--epochs", "3"];
    succeeded(&bench.run("whole", &settings));
    let checkpoint = bench.path("killed").join("checkpoint.safetensors");
    let mut killed = bench.command("killed", &settings).stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..60_000 {
        if checkpoint.exists() || killed.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(checkpoint.exists(), "it ended before it could be killed");
    assert!(!bench.path("killed").join("training.json").exists());

    let other = bench.run("killed", &["--batch", "4", "--epochs", "3", "--seed", "9", "--resume"]);
    let error = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && error.contains("another run"), "{error}");

    let resumed = bench.run("killed", &[&settings[..], &["--resume"]].concat());
    succeeded(&resumed);
    let said = String::from_utf8_lossy(&resumed.stdout).into_owned();
    assert!(said.contains("resumed after 50 steps"), "{said}");
    assert!(bench.bytes("whole") == bench.bytes("killed"), "the resumed run came out differently");
}

#[test]
fn bad_input_is_refused_with_what_to_do() {
    let bench = Bench::new();
    for (more, expected) in [
        (&["--label", "team"][..], "labels there are: category"),
        (&["--epochs", "0"], "--epochs: expected at least 1"),
        (&["--dropout", "1"], "--dropout: expected"),
        (&["--consistency", "nan"], "--consistency: expected"),
        (&["--learning-rate", "nan"], "--learning-rate: expected"),
        (&["--encoder", "no-such-encoder"], "manifest.toml"),
        (&["--learning-rate", "1e30"], "smaller --learning-rate"),
    ] {
        let output = bench.run("refused", more);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(expected), "{more:?}: {error}");
    }
}
