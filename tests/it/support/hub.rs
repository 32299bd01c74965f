//! A local server that speaks the Hugging Face hub's download protocol: `resolve` URLs, `Range`
//! requests, `x-repo-commit` and `etag`. The real hub cannot be reached from a test machine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;

const COMMIT: &str = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf";

#[derive(Clone)]
struct Shared {
    folder: PathBuf,
    requests: Arc<AtomicUsize>,
    bytes: Arc<AtomicU64>,
    breaks_left: Arc<AtomicUsize>,
    corrupt: Arc<Mutex<Option<String>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

/// A running hub that serves a folder of model files.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    shared: Shared,
}

impl Hub {
    pub(crate) async fn serve(folder: PathBuf) -> Self {
        let shared = Shared {
            folder,
            requests: Arc::default(),
            bytes: Arc::default(),
            breaks_left: Arc::default(),
            corrupt: Arc::default(),
            tokens: Arc::default(),
        };
        let router = Router::new()
            .route("/{owner}/{name}/resolve/{revision}/{file}", get(resolve))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, shared }
    }

    /// Breaks off the next so many large answers half-way.
    pub(crate) fn break_off(&self, times: usize) {
        self.shared.breaks_left.store(times, Ordering::SeqCst);
    }

    /// Serves other bytes for this file.
    pub(crate) fn corrupt(&self, file: Option<&str>) {
        *self.shared.corrupt.lock().unwrap() = file.map(str::to_owned);
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Bytes sent in bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::SeqCst)
    }

    /// The tokens that requests carried.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.shared.tokens.lock().unwrap().clone()
    }
}

async fn resolve(
    State(hub): State<Shared>,
    Path((_, _, revision, file)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    hub.requests.fetch_add(1, Ordering::SeqCst);
    if let Some(token) = headers.get("authorization") {
        hub.tokens.lock().unwrap().push(token.to_str().unwrap().to_owned());
    }
    let status = |status| Response::builder().status(status);
    let Ok(mut content) = std::fs::read(hub.folder.join(&file)) else {
        return status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
    };
    if revision != COMMIT {
        return status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap();
    }
    if hub.corrupt.lock().unwrap().as_deref() == Some(&file) {
        content[0] ^= 1;
    }
    let range = headers["range"].to_str().unwrap().trim_start_matches("bytes=");
    let (start, end) = range.split_once('-').unwrap();
    let start: usize = start.parse().unwrap();
    let end = end.parse::<usize>().unwrap().min(content.len() - 1);
    let part = content[start..=end].to_vec();
    let response = status(StatusCode::PARTIAL_CONTENT)
        .header("x-repo-commit", COMMIT)
        .header("etag", format!("\"{file}-etag\""))
        .header("accept-ranges", "bytes")
        .header("content-range", format!("bytes {start}-{end}/{}", content.len()));
    let large = part.len() > 1 << 20;
    let breaks = &hub.breaks_left;
    let less = |left: usize| left.checked_sub(1);
    if large && start > 0 && breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
        let half = part[..part.len() / 2].to_vec();
        hub.bytes.fetch_add(half.len() as u64, Ordering::SeqCst);
        let broken = std::io::Error::other("the connection broke");
        let stream = futures_util::stream::iter([Ok(half), Err(broken)]);
        return response.body(Body::from_stream(stream)).unwrap();
    }
    hub.bytes.fetch_add(part.len() as u64, Ordering::SeqCst);
    response.body(Body::from(part)).unwrap()
}
