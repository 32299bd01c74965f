//! What tests share: the real encoder (loaded once), a service on a folder of its own, the built
//! program, and a vector server.

mod double;
mod http;
mod hub;
mod postgres;
mod program;
mod provider;
mod qdrant;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use deskhand::access::Accounts;
use deskhand::app::SystemEntropy;
use deskhand::config::Layers;
use deskhand::domain::{
    Clock, ExternalRef, IdSource, Outcome, ResolvedTicket, Ticket, TicketText, WorkspaceId,
};
use deskhand::http::{Limits, Readiness, State, router};
use deskhand::index::{EmbeddedIndex, ExternalIndex, TicketIndex};
use deskhand::inference::Inference;
use deskhand::model::{Encoder, Manifest, Tokenizer};
use deskhand::reports::Reports;
use deskhand::store::{SqlStore, Store};
use deskhand::triage::{ImportProgress, ImportReport, Parts, Triage};
use deskhand::writing::Writer;
use deskhand::{app, console};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) use double::{DoubleIndex, Gate, GatedIndex, TestClock};
pub(crate) use http::Reply;
pub(crate) use hub::Hub;
pub(crate) use postgres::TestDatabase;
pub(crate) use program::{Program, RunningDemo, deskhand};
pub(crate) use provider::{
    CLIENT as PROVIDER_CLIENT, SECRET as PROVIDER_SECRET, Signed, TestProvider,
};
pub(crate) use qdrant::TestQdrant;
pub(crate) use server::{Serving, serve};

/// The default encoder's manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest::find("all-MiniLM-L6-v2").unwrap()
}

/// The folder of the real weights. `make test` has put them there.
pub(crate) fn weights() -> PathBuf {
    let config = Layers::new().environment(std::env::vars()).build().unwrap();
    let cache = app::model_cache(&config).unwrap();
    let faults = cache.verify(&manifest());
    assert!(faults.is_empty(), "run `deskhand models fetch` first: {faults:?}");
    cache.folder(&manifest())
}

/// The real encoder and tokenizer, for a test that wants them to itself.
pub(crate) fn load() -> (Encoder, Tokenizer) {
    let folder = weights();
    let encoder = Encoder::load(&manifest(), &folder, 2).unwrap();
    (encoder, Tokenizer::load(&folder, manifest().max_tokens).unwrap())
}

/// The real encoder behind its queue, loaded once for all tests.
pub(crate) fn inference() -> Inference {
    static SHARED: OnceLock<Inference> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let (encoder, tokenizer) = load();
        Inference::start(encoder, tokenizer).unwrap()
    });
    shared.clone()
}

/// A vector server for one test.
pub(crate) fn test_qdrant(arguments: &[&str]) -> TestQdrant {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(|| {
        // Beside the program, whatever the target folder and profile.
        let program = Path::new(env!("CARGO_BIN_EXE_deskhand"));
        let binary = program.with_file_name("deskhand-test-qdrant");
        if !binary.exists() {
            // `make test` has built it. With its own features, as there.
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["test", "--locked", "--no-run", "-p", "deskhand-test-qdrant"]);
            cargo.arg("--target-dir");
            cargo.arg(program.ancestors().nth(2).unwrap());
            if program.parent().unwrap().ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "the test server could not be built");
        }
        binary
    });
    TestQdrant::start(binary, arguments)
}

/// Identifiers that count up, so that a test's output is the same each time.
#[derive(Default)]
pub(crate) struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}

pub(crate) struct NoProgress;

impl ImportProgress for NoProgress {
    fn advance(&self, _: usize) {}
}

type Own = (Arc<dyn Clock>, Arc<dyn IdSource>);

/// How a desk differs from the usual one.
pub(crate) struct Setup {
    /// An index that has to be told of every change, in place of the embedded one.
    pub(crate) external: Option<Arc<DoubleIndex>>,
    /// Where its searches can be stopped.
    pub(crate) gate: Option<Arc<Gate>>,
    /// A clock and ids of its own, in place of `Desk::clock` and ids that count up.
    pub(crate) own: Option<Own>,
    /// An encoder of its own.
    pub(crate) inference: Option<Inference>,
    /// Rewrites drafts.
    pub(crate) writer: Option<Writer>,
    /// What reports may cost.
    pub(crate) reports: deskhand::reports::Limits,
    /// Changes what handlers share.
    pub(crate) adjust: Box<dyn FnOnce(&mut State)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            external: None,
            gate: None,
            own: None,
            inference: None,
            writer: None,
            reports: deskhand::reports::Limits { bytes: 1 << 20, latest: 20_000, keep: 10 },
            adjust: Box::new(|_| {}),
        }
    }
}

/// A service with a data folder of its own, and its router.
pub(crate) struct Desk {
    pub(crate) triage: Arc<Triage>,
    pub(crate) workspace: WorkspaceId,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) router: Router,
    pub(crate) reports: Arc<Reports>,
    pub(crate) folder: TempDir,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::set_up(Setup::default()).await
    }

    /// A desk over a store that was opened elsewhere.
    pub(crate) fn over(store: Arc<dyn Store>, folder: TempDir) -> Self {
        Self::build(store, folder, Setup::default())
    }

    /// A desk with a clock and ids of its own.
    pub(crate) fn at(
        store: Arc<dyn Store>,
        folder: TempDir,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self::build(store, folder, Setup { own: Some((clock, ids)), ..Setup::default() })
    }

    /// A desk unlike the usual one.
    pub(crate) async fn set_up(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
        store.bind_encoder(&manifest().fingerprint()).await.unwrap();
        Self::build(store, folder, setup)
    }

    pub(crate) fn build(store: Arc<dyn Store>, folder: TempDir, setup: Setup) -> Self {
        let manifest = manifest();
        let defaults = Layers::new().build().unwrap();
        let clock = Arc::new(TestClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
        let usual = || -> Own { (Arc::clone(&clock) as _, Arc::new(CountingIds::default())) };
        let (now, ids) = setup.own.unwrap_or_else(usual);
        let embedded =
            EmbeddedIndex::new(Arc::clone(&store), manifest.fingerprint(), manifest.dimensions);
        let index: Arc<dyn TicketIndex> = match (&setup.external, setup.gate) {
            (Some(external), _) => Arc::clone(external) as Arc<dyn TicketIndex>,
            (None, Some(gate)) => Arc::new(GatedIndex { inner: embedded, gate }),
            (None, None) => Arc::new(embedded),
        };
        let triage = Arc::new(Triage::new(Parts {
            index,
            external: setup.external.map(|external| external as Arc<dyn ExternalIndex>),
            store: Arc::clone(&store),
            inference: setup.inference.unwrap_or_else(inference),
            encoder: manifest,
            writer: setup.writer,
            policy: defaults.policy,
            bundles: folder.path().join("bundles"),
            clock: Arc::clone(&now),
            ids,
        }));
        let accounts = Arc::new(Accounts::new(
            store,
            now,
            Arc::new(CountingIds::default()),
            Arc::new(SystemEntropy),
        ));
        let readiness = Readiness::default();
        readiness.ready();
        let mut state = State {
            triage: Arc::new(OnceLock::from(Arc::clone(&triage))),
            accounts: Arc::new(OnceLock::from(Arc::clone(&accounts))),
            open: true,
            readiness: Arc::new(readiness),
            ids: Arc::new(CountingIds::default()),
            limits: Limits {
                body_bytes: defaults.server.max_body_bytes,
                import_bytes: defaults.server.max_import_bytes,
                time: Duration::from_mins(1),
            },
            rate_limit: None,
            sign_ins: Arc::default(),
            hosts: Arc::from(["desk.example".to_owned()]),
            origins: Arc::default(),
            metrics: None,
        };
        (setup.adjust)(&mut state);
        let reports = Arc::new(Reports::new(folder.path().join("uploads"), setup.reports));
        let router = router(state, console::routes(&reports));
        let workspace = WorkspaceId::main();
        Self { triage, workspace, accounts, clock, router, reports, folder }
    }

    /// A desk that remembers these tickets.
    pub(crate) async fn with(tickets: &[ResolvedTicket]) -> Self {
        let desk = Self::new().await;
        desk.import(tickets).await;
        desk
    }

    pub(crate) async fn import(&self, tickets: &[ResolvedTicket]) -> ImportReport {
        self.triage.import(&self.workspace, tickets, None, &NoProgress).await.unwrap()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().entry("host").or_insert(HeaderValue::from_static("localhost:8080"));
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts bytes as JSON and reads the JSON answer.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post("/v1/triage").header("content-type", "application/json");
        let response = self.send(request.body(body.into()).unwrap()).await;
        let status = response.status();
        let problem = !status.is_success();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(content_type.starts_with("application/problem+json"), problem, "{content_type}");
        (status, json(response).await)
    }

    /// Posts a ticket that must be answered.
    pub(crate) async fn triage(&self, ticket: Value) -> Value {
        let (status, answer) = self.post(ticket.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }
}

pub(crate) async fn json(response: Response<Body>) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A resolved ticket in a few words.
pub(crate) fn resolved(
    id: &str,
    subject: &str,
    category: &str,
    resolution: &str,
) -> ResolvedTicket {
    ResolvedTicket {
        ticket: Ticket {
            text: TicketText { subject: subject.to_owned(), ..TicketText::default() },
            requester: None,
            created_at: None,
            source: Some(ExternalRef { system: "test".to_owned(), id: id.to_owned(), url: None }),
        },
        outcome: Outcome {
            category: Some(category.to_owned()),
            team: Some(format!("{category} team")),
            priority: Some("normal".to_owned()),
            resolution: Some(resolution.to_owned()),
            ..Outcome::default()
        },
    }
}

/// A small history with three clear categories.
pub(crate) fn small_history() -> Vec<ResolvedTicket> {
    let rows = [
        ("VPN", "VPN drops every few minutes", "Installed client 6.2.6. Rebooted the laptop."),
        ("VPN", "cannot connect to the VPN from home", "Installed client 6.2.6."),
        (
            "VPN",
            "VPN gateway unreachable since the update",
            "Removed the old client. Installed client 6.2.6.",
        ),
        ("Printing", "printer jams on the second floor", "Replaced the fuser."),
        ("Printing", "my print job never comes out", "Linked the badge again."),
        ("Printing", "printer prints blank pages", "Changed the toner."),
        ("Password reset", "forgot my password", "Reset it by phone."),
        ("Password reset", "password expired, cannot log in", "Set a temporary password."),
        ("Password reset", "please reset my password", "Reset it in the portal."),
    ];
    let numbered = rows.iter().enumerate();
    numbered
        .map(|(n, (category, subject, fix))| resolved(&format!("T-{n}"), subject, category, fix))
        .collect()
}
