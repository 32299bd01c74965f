//! `deskhand demo` and `deskhand serve`.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::net::TcpListener;

use super::Common;
use super::terminal::{Downloads, Rows, Steps, say};
use crate::access::Accounts;
use crate::app::{self, App, SystemIds};
use crate::config::Config;
use crate::domain::WorkspaceId;
use crate::http::{Limits, Progress, RateLimit, Readiness, State};
use crate::lifecycle::Lifecycle;
use crate::reports::Reports;
use crate::store::Store;
use crate::triage::{Caller, FitOutcome, ImportProgress, Learning, Receipt, Triage};
use crate::{console, http, sample, telemetry};

/// Sample tickets that are in before the demo calls itself ready.
const DEMO_READY: u64 = 100;

/// How often expired things are looked for.
const TIDY_EVERY: Duration = Duration::from_hours(1);
/// How often the database's log is written to its place. An answer that is committed meanwhile waits
/// some milliseconds for the disk, so fewer than one in a hundred may be; and a page that changes
/// with every answer is written once for all of them.
const SHORTEN_LOG_EVERY: Duration = Duration::from_secs(5);

/// The default of `data.folder`, and what the demo takes in its place.
const DEFAULT_FOLDER: &str = "deskhand-data";
const DEMO_FOLDER: &str = "deskhand-demo";

/// Try it: fetch the encoder, import the sample history, serve the console.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand demo\n  \
    deskhand demo --listen 127.0.0.1:9000 --data /tmp/demo\n\n\
    The sample history is synthetic: a year at an invented company, its people fictional.")]
pub(super) struct DemoArgs {
    /// Address and port to serve on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// Serve the API and the console.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand serve\n  \
    deskhand serve --config /etc/deskhand.toml\n  \
    DESKHAND__SERVER__LISTEN=127.0.0.1:9000 deskhand serve --data /var/lib/deskhand")]
pub(super) struct ServeArgs {
    /// Address and port to serve on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

pub(super) async fn demo(common: &Common, args: DemoArgs) -> Result<()> {
    let mut config = config(common, args.listen)?;
    super::quieten(&mut config);
    // Invented tickets must never vote on a real desk: the demo keeps to a folder of its own.
    if config.data.folder == Path::new(DEFAULT_FOLDER) {
        config.data.folder = DEMO_FOLDER.into();
    }
    let server = Server::start(config).await?;
    let opened = server.open().await;
    let app = server.or_stop(opened).await?;
    let triage = Arc::clone(&app.triage);
    let tickets = sample::tickets()?;
    let workspace = WorkspaceId::main();
    let own = triage.store().taxonomy(&workspace).await?;
    if own.is_some_and(|taxonomy| taxonomy.name != sample::taxonomy().name) {
        let folder = server.config.data.folder.display();
        let refused = anyhow::anyhow!(
            "{folder} holds a desk of its own, and invented tickets must not vote there; \
             name another folder with --data, or use `deskhand serve`"
        );
        return server.or_stop(Err(refused)).await;
    }
    server.readiness.stage("importing the first sample tickets");
    server.readiness.import(Some(Progress { done: 0, total: tickets.len() }));
    let (readiness, lifecycle) = (Arc::clone(&server.readiness), server.lifecycle.clone());
    server.look_after(&app.triage, true);
    let (publish, address) = (server.publisher(), server.address.clone());
    let fail = server.failure();
    server.lifecycle.spawn(async move {
        let shown = Rows::new(tickets.len(), "Importing the sample history");
        let progress = DemoProgress { shown: &shown, readiness: &readiness, total: tickets.len() };
        let import = async {
            let taxonomy = Some(sample::taxonomy());
            let report = triage.import(&workspace, &tickets, taxonomy, &progress).await?;
            let caller = Caller { workspace: workspace.clone(), actor: "demo".to_owned() };
            triage.import_articles(&caller, sample::articles()?).await?;
            if triage.store().counts(&workspace).await?.suggestions == 0 {
                // Last, so that all of the history answers them.
                let waiting = sample::waiting();
                for answer in triage.triage_batch(&workspace, waiting, Receipt::none()).await? {
                    answer?;
                }
            }
            anyhow::Ok(report)
        };
        let ready = async {
            while triage.store().counts(&workspace).await?.searchable < DEMO_READY {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            triage.warm_up(&workspace).await?;
            publish(&triage);
            greet(&address);
            anyhow::Ok(())
        };
        let both = async { tokio::try_join!(import, ready) };
        tokio::select! {
            outcome = both => {
                shown.finish();
                readiness.import(None);
                match outcome {
                    Ok((report, ())) if report.imported > 0 => {
                        say(&format!("{} sample tickets are in", report.imported));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        fail(error.context("the sample history could not be imported"));
                        lifecycle.stop();
                    }
                }
            }
            // The rest is imported at the next start.
            () = lifecycle.stopping() => shown.finish(),
        }
    });
    server.run(app).await
}

pub(super) async fn serve(common: &Common, args: ServeArgs) -> Result<()> {
    let server = Server::start(config(common, args.listen)?).await?;
    let opened = server.open().await;
    let app = server.or_stop(opened).await?;
    server.readiness.stage("preparing the taxonomy");
    app.triage.warm_up(&WorkspaceId::main()).await?;
    server.publisher()(&app.triage);
    server.look_after(&app.triage, false);
    tracing::info!(address = server.address, "ready");
    server.run(app).await
}

fn config(common: &Common, listen: Option<String>) -> Result<Config> {
    Ok(common.layers()?.flag("--listen", "server", "listen", listen).build()?)
}

/// A server that answers `/readyz` from the first moment on, while the rest is being loaded.
struct Server {
    config: Config,
    lifecycle: Lifecycle,
    readiness: Arc<Readiness>,
    triage: Arc<OnceLock<Arc<Triage>>>,
    reports: Arc<Reports>,
    store: Arc<dyn Store>,
    address: String,
    /// The first thing that went wrong in the background.
    failure: Arc<OnceLock<anyhow::Error>>,
}

impl Server {
    async fn start(config: Config) -> Result<Self> {
        telemetry::init(&config.log);
        let figures = telemetry::figures();
        let store = app::store(&config).await?;
        let accounts = app::doors(&config, Arc::clone(&store))?;
        let open = config.server.listen.ip().is_loopback();
        refuse_strangers(&config, open, &accounts).await?;
        let listener = TcpListener::bind(config.server.listen).await.with_context(|| {
            format!("cannot listen on {}; name another with --listen", config.server.listen)
        })?;
        let address = format!("http://{}", listener.local_addr()?);
        let lifecycle = Lifecycle::default();
        lifecycle.stop_on_signal();
        let readiness = Arc::new(Readiness::default());
        readiness.stage("loading the encoder");
        let triage = Arc::new(OnceLock::new());
        let settings = &config.server;
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
        };
        let origins = list(&settings.cors_origins).into_iter().filter_map(|o| o.try_into().ok());
        let mut hosts = list(&settings.hosts);
        hosts.extend(settings.public_host());
        let state = State {
            triage: Arc::clone(&triage),
            accounts: Arc::new(OnceLock::from(Arc::new(accounts))),
            open,
            readiness: Arc::clone(&readiness),
            ids: Arc::new(SystemIds),
            limits: Limits {
                body_bytes: settings.max_body_bytes,
                import_bytes: settings.max_import_bytes,
                time: Duration::from_secs(settings.request_timeout_seconds),
            },
            rate_limit: RateLimit::per_minute(settings.requests_per_minute).map(Arc::new),
            sign_ins: Arc::default(),
            hosts: hosts.into(),
            origins: origins.collect(),
            metrics: figures,
        };
        let reports = Arc::new(app::reports(&config));
        let router = http::router(state, console::routes(&reports));
        let connections = settings.max_connections;
        let (stop, task) = (lifecycle.clone(), lifecycle.clone());
        let failure = Arc::new(OnceLock::new());
        let failed = Arc::clone(&failure);
        lifecycle.spawn(async move {
            let stopping = async move { stop.stopping().await };
            let served = http::serve(listener, router, connections, stopping).await;
            if let Err(error) = served {
                let _ = failed.set(anyhow::Error::from(error).context("the listener failed"));
            }
            task.stop();
        });
        Ok(Self { config, lifecycle, readiness, triage, reports, store, address, failure })
    }

    /// Keeps promised work going, learns from what is decided, and keeps the house clean. `shown`
    /// says whether somebody watches the terminal.
    fn look_after(&self, triage: &Arc<Triage>, shown: bool) {
        let (worker, stop) = (Arc::clone(triage), self.lifecycle.clone());
        self.lifecycle.spawn(async move { worker.work(stop.stopping()).await });
        let (maker, asked, stop) =
            (Arc::clone(&self.reports), Arc::clone(triage), self.lifecycle.clone());
        self.lifecycle.spawn(async move { maker.work(asked, stop.stopping()).await });
        let (learner, stop) = (Arc::clone(triage), self.lifecycle.clone());
        let readiness = Arc::clone(&self.readiness);
        let watch = Arc::new(Watch { readiness, shown, steps: Mutex::default() });
        self.lifecycle.spawn(async move { learner.keep_learning(stop.stopping(), watch).await });
        let (keeper, stop) = (Arc::clone(triage), self.lifecycle.clone());
        self.lifecycle.spawn(async move {
            loop {
                if let Err(error) = keeper.tidy().await {
                    tracing::warn!(%error, "retention could not be enforced; trying again later");
                }
                tokio::select! {
                    () = stop.stopping() => return,
                    () = tokio::time::sleep(TIDY_EVERY) => {}
                }
            }
        });
        let (store, stop) = (Arc::clone(&self.store), self.lifecycle.clone());
        self.lifecycle.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.stopping() => return,
                    () = tokio::time::sleep(SHORTEN_LOG_EVERY) => {}
                }
                if let Err(error) = store.shorten_log().await {
                    tracing::debug!(%error, "the database's log could not be shortened");
                }
            }
        });
    }

    /// Opens everything else, unless a signal comes first.
    async fn open(&self) -> Result<App> {
        let downloads = Downloads::default();
        tokio::select! {
            opened = App::open(&self.config, Arc::clone(&self.store), &downloads) => opened,
            () = self.lifecycle.stopping() => anyhow::bail!("stopped before it was ready"),
        }
    }

    /// Stops serving if something failed.
    async fn or_stop<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.lifecycle.stop();
            self.lifecycle.drained(Duration::from_secs(1)).await;
        }
        result
    }

    /// Makes the service reachable.
    fn publisher(&self) -> impl Fn(&Arc<Triage>) + Send + 'static {
        let (slot, readiness) = (Arc::clone(&self.triage), Arc::clone(&self.readiness));
        move |triage| {
            slot.get_or_init(|| Arc::clone(triage));
            readiness.ready();
        }
    }

    /// Keeps the first failure of a background task, for the exit status.
    fn failure(&self) -> impl Fn(anyhow::Error) + Send + 'static {
        let failure = Arc::clone(&self.failure);
        move |error| {
            let _ = failure.set(error);
        }
    }

    /// Waits for the end: soft at first, then hard.
    async fn run(self, app: App) -> Result<()> {
        self.lifecycle.stopping().await;
        let grace = Duration::from_secs(self.config.server.shutdown_grace_seconds);
        if !self.lifecycle.drained(grace).await {
            tracing::warn!("some requests were still running after {} s", grace.as_secs());
        }
        app.close(Duration::from_secs(5)).await;
        tracing::info!("stopped");
        match Arc::into_inner(self.failure).and_then(OnceLock::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Other machines can reach an address that is not loopback: then callers need keys, so there must
/// be one.
async fn refuse_strangers(config: &Config, open: bool, accounts: &Accounts) -> Result<()> {
    anyhow::ensure!(
        open || accounts.required().await?,
        "other machines can reach {}, and nobody has a key or a password yet; make a key first \
         (deskhand keys create NAME --scope admin), or listen on 127.0.0.1",
        config.server.listen
    );
    Ok(())
}

/// Shows the import on the terminal and in `/readyz`.
struct DemoProgress<'a> {
    shown: &'a Rows,
    readiness: &'a Readiness,
    total: usize,
}

impl ImportProgress for DemoProgress<'_> {
    fn advance(&self, rows: usize) {
        self.shown.advance(rows);
        let status = Progress { done: self.shown.done(), total: self.total };
        self.readiness.import(Some(status));
    }
}

/// Shows learning in `/readyz`, and on the terminal where somebody watches it.
struct Watch {
    readiness: Arc<Readiness>,
    shown: bool,
    steps: Mutex<Option<Steps>>,
}

impl Learning for Watch {
    fn advance(&self, done: usize, total: usize) {
        self.readiness.fit(Some(Progress { done, total }));
        if self.shown {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.get_or_insert_with(|| Steps::new(total, "Learning the labels")).at(done);
        }
    }

    fn ended(&self, outcome: Option<&FitOutcome>) {
        self.readiness.fit(None);
        if let Some(steps) = self.steps.lock().unwrap_or_else(PoisonError::into_inner).take() {
            steps.finish();
        }
        if let (true, Some(FitOutcome::Activated(record))) = (self.shown, outcome) {
            let fields = record.manifest.iter().flat_map(|m| &m.fields);
            let right = fields.filter_map(|(name, field)| {
                Some(format!("{name} {:.0} %", 100.0 * field.metrics.as_ref()?.accuracy.value))
            });
            let right = right.collect::<Vec<_>>().join(", ");
            say(&format!(
                "The labels are learned; on tickets held out, right are: {right}. Bundle {}",
                record.id
            ));
        }
    }
}

fn greet(address: &str) {
    say(&format!(
        "\nDeskhand is ready. Its queue is at\n\n  {address}/\n\nTry any text at \
         {address}/try, or from a shell:\n\n  \
         curl -s {address}/v1/triage -H 'content-type: application/json' \\\n    \
         -d '{{\"subject\": \"VPN drops every few minutes\", \
         \"body\": \"Working from home, GlobalProtect disconnects since the update.\"}}'\n\n\
         Without accounts, whoever reaches this address may use it. Stop it with Ctrl-C.\n"
    ));
}
