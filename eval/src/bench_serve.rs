//! `deskhand-eval bench-serve`: a running server under load.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use deskhand::lifecycle::Lifecycle;
use deskhand::sample;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::bench::process_megabytes;
use crate::output::{bar, line};

/// Requests that may be under way at once, however fast they are sent.
const UNDER_WAY: usize = 4096;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often an import is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes that an answer writes to the log, about; and how often that is timed.
const WRITTEN: usize = 32 << 10;
const SYNCS: usize = 500;

/// Send tickets to a running server and time the answers.
///
/// A closed loop (`--clients`) sends the next ticket when the last one is answered; an open loop
/// (`--rate`) sends them on time whatever happens, and counts from when each was due. Every ticket
/// is another one, so that none is remembered, unless `--remembered` asks for just that: what is
/// left is everything but the encoder. With `--import` the same load runs twice: on the idle
/// server, and while a history of that many tickets is taken in.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    DESKHAND__SERVER__REQUESTS_PER_MINUTE=1000000 deskhand serve --data /tmp/load &\n  \
    deskhand-eval bench-serve --clients 8 --requests 2000 --pid $!\n  \
    deskhand-eval bench-serve --rate 300 --requests 3000\n  \
    deskhand-eval bench-serve --clients 8 --requests 200000 --remembered --pid $!\n  \
    deskhand-eval bench-serve --clients 1 --requests 1000 --import 100000")]
pub(crate) struct Args {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A key, where the server wants one
    #[arg(long, env = "DESKHAND_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many wait for an answer at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    clients: u64,
    /// Send so many a second instead
    #[arg(long, conflicts_with = "clients")]
    rate: Option<f64>,
    /// How many are sent
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Send the same thousand tickets again and again
    #[arg(long)]
    remembered: bool,
    /// Measure again while so many tickets are imported
    #[arg(long, value_name = "TICKETS")]
    import: Option<u64>,
    /// The server's process, whose memory is watched
    #[arg(long)]
    pid: Option<u32>,
    /// The server's data folder: also measure what its disk takes to keep one small write, which
    /// every answer waits for
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let server = Arc::new(Server::new(&args)?);
    server.first().await?;
    let mut result = json!({ "load": match args.rate {
        Some(rate) => format!("open loop, {rate} requests a second"),
        None => format!("closed loop, {} clients", args.clients),
    }});
    let (_, idle) = measure(&server, &args, "Sending", &AtomicBool::new(false)).await?;
    result["idle"] = idle.clone();
    if let Some(folder) = &args.disk {
        let times = syncs(folder).with_context(|| folder.display().to_string())?;
        result["disk"] =
            json!({ "sync_p50_ms": at(&times, 0.50), "sync_p99_ms": at(&times, 0.99) });
    }
    if let Some(tickets) = args.import {
        let (busy, import) = tokio::try_join!(
            async {
                // The import is under way before the first ticket is sent.
                while !server.importing.load(Ordering::Acquire) {
                    tokio::time::sleep(LOOK).await;
                }
                measure(&server, &args, "Sending, importing", &server.imported).await
            },
            server.import(tickets),
        )?;
        let (lasted, busy) = busy;
        let p99 = |phase: &Value| phase["p99_ms"].as_f64();
        let ratio =
            p99(&busy).zip(p99(&idle)).map(|(busy, idle)| (busy / idle * 100.0).round() / 100.0);
        result["importing"] = busy;
        result["import"] = import;
        result["import"]["lasted_through_the_load"] = json!(lasted);
        result["p99_ratio"] = json!(ratio);
    }
    line(&serde_json::to_string_pretty(&result)?)
}

struct Server {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    bodies: Vec<(String, String)>,
    remembered: bool,
    sent: AtomicU64,
    importing: AtomicBool,
    imported: AtomicBool,
}

/// One answer.
struct Answer {
    status: u16,
    /// From when it was due.
    milliseconds: f64,
    /// Of those, without the encoder.
    around: Option<f64>,
}

impl Server {
    fn new(args: &Args) -> Result<Self> {
        let bodies = sample::tickets()?.into_iter().map(|ticket| {
            let text = ticket.ticket.text;
            (text.subject, text.body)
        });
        Ok(Self {
            client: reqwest::Client::builder().timeout(PATIENCE).build()?,
            url: args.url.trim_end_matches('/').to_owned(),
            key: args.key.clone(),
            bodies: bodies.collect(),
            remembered: args.remembered,
            sent: AtomicU64::new(0),
            importing: AtomicBool::new(false),
            imported: AtomicBool::new(false),
        })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The sample's words, and a number to make the ticket like no other.
    fn ticket(&self, number: u64) -> (String, String) {
        let (subject, body) = &self.bodies[number as usize % self.bodies.len()];
        if self.remembered {
            return (subject.clone(), body.clone());
        }
        (subject.clone(), format!("{body}\nReference {number}."))
    }

    /// Makes sure that it answers at all.
    async fn first(&self) -> Result<()> {
        let answer = self.triage(Instant::now()).await;
        match answer.status {
            200 => Ok(()),
            0 => bail!("no server answers at {}; start one with `deskhand serve`", self.url),
            status => bail!("the server answers {status} to a triage at {}", self.url),
        }
    }

    async fn triage(&self, due: Instant) -> Answer {
        // Another run's numbers differ, or its tickets would be remembered.
        let number =
            self.sent.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()) * 1_000_000;
        let (subject, body) = self.ticket(number);
        let request = self.request(reqwest::Method::POST, "/v1/triage");
        let sent = request.json(&json!({ "subject": subject, "body": body })).send().await;
        let (status, answer) = match sent {
            Ok(response) => {
                (response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())
            }
            Err(_) => (0, Value::Null),
        };
        let milliseconds = due.elapsed().as_secs_f64() * 1e3;
        let around = answer["timings_ms"]["embed"].as_f64().map(|embed| milliseconds - embed);
        Answer { status, milliseconds, around }
    }

    /// Imports so many tickets and says how long it took.
    async fn import(&self, tickets: u64) -> Result<Value> {
        let mut rows = String::new();
        for number in 0..tickets {
            let number = number + u64::from(std::process::id()) * 1_000_000 + 500_000;
            let (subject, body) = self.ticket(number);
            let row = json!({ "id": number.to_string(), "subject": subject, "body": body,
                              "category": "Hardware" });
            rows.push_str(&row.to_string());
            rows.push('\n');
        }
        let start = Instant::now();
        let request = self.request(reqwest::Method::POST, "/v1/imports?source=bench");
        let request = request.header("content-type", "application/x-ndjson").body(rows);
        let record: Value = request.send().await?.error_for_status()?.json().await?;
        let id = record["id"].as_str().context("the server named no import")?.to_owned();
        let progress = bar(tickets as usize, "Importing");
        loop {
            let request = self.request(reqwest::Method::GET, &format!("/v1/imports/{id}"));
            let record: Value = request.send().await?.error_for_status()?.json().await?;
            let done = record["done"].as_u64().unwrap_or(0);
            progress.set_position(done);
            self.importing.store(done > 0, Ordering::Release);
            match record["state"].as_str() {
                Some("done") => break,
                Some("failed") => bail!("the import failed: {}", record["failure"]),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        self.importing.store(true, Ordering::Release);
        self.imported.store(true, Ordering::Release);
        progress.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        Ok(json!({ "tickets": tickets, "seconds": tenths(seconds),
                   "tickets_per_second": tenths(tickets as f64 / seconds) }))
    }
}

/// Sends the load once. Also says whether `ended` was still false at the end of it.
async fn measure(
    server: &Arc<Server>,
    args: &Args,
    message: &'static str,
    ended: &AtomicBool,
) -> Result<(bool, Value)> {
    let before = args.pid.and_then(|pid| process_megabytes(pid, "VmRSS:"));
    let answers = Arc::new(Mutex::new(Vec::with_capacity(args.requests as usize)));
    let progress = bar(args.requests as usize, message);
    let start = Instant::now();
    if let Some(rate) = args.rate {
        ensure!(rate > 0.0 && rate.is_finite(), "--rate is a number above 0");
        open(server, args.requests, rate, &answers, &progress).await?;
    } else {
        closed(server, args, &answers, &progress).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
    let lasted = !ended.load(Ordering::Acquire);
    let mut summary = summarise(&answers, seconds);
    if let Some(pid) = args.pid {
        summary["rss_mb_before"] = json!(before);
        summary["rss_mb_after"] = json!(process_megabytes(pid, "VmRSS:"));
    }
    Ok((lasted, summary))
}

/// What a disk takes to keep so much more of a file for good, in milliseconds, sorted.
fn syncs(folder: &Path) -> Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(folder)?;
    let page = vec![1; WRITTEN];
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&page)?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(sorted(times.into_iter()))
}

type Answers = Arc<Mutex<Vec<Answer>>>;

fn keep(answers: &Answers, answer: Answer, progress: &ProgressBar) {
    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    progress.inc(1);
}

async fn closed(server: &Arc<Server>, args: &Args, answers: &Answers, progress: &ProgressBar) {
    let lifecycle = Lifecycle::default();
    let left = Arc::new(AtomicU64::new(args.requests));
    for _ in 0..args.clients {
        let (server, left) = (Arc::clone(server), Arc::clone(&left));
        let (answers, progress) = (Arc::clone(answers), progress.clone());
        lifecycle.spawn(async move {
            let take = |left: u64| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                keep(&answers, server.triage(Instant::now()).await, &progress);
            }
        });
    }
    lifecycle.drained(Duration::MAX).await;
}

async fn open(
    server: &Arc<Server>,
    requests: u64,
    rate: f64,
    answers: &Answers,
    progress: &ProgressBar,
) -> Result<()> {
    let lifecycle = Lifecycle::default();
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    let start = Instant::now();
    for number in 0..requests {
        let due = start + Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep_until(due.into()).await;
        let permit = Arc::clone(&under_way).acquire_owned().await?;
        let (server, answers, progress) =
            (Arc::clone(server), Arc::clone(answers), progress.clone());
        lifecycle.spawn(async move {
            keep(&answers, server.triage(due).await, &progress);
            drop(permit);
        });
    }
    lifecycle.drained(Duration::MAX).await;
    Ok(())
}

fn summarise(answers: &[Answer], seconds: f64) -> Value {
    let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
    for answer in answers {
        let name = match answer.status {
            0 => "none".to_owned(),
            status => status.to_string(),
        };
        *statuses.entry(name).or_default() += 1;
    }
    let served = || answers.iter().filter(|a| a.status == 200);
    let times = sorted(served().map(|a| a.milliseconds));
    let refused = sorted(answers.iter().filter(|a| a.status == 503).map(|a| a.milliseconds));
    let around = sorted(served().filter_map(|a| a.around));
    json!({
        "requests": answers.len(),
        "seconds": tenths(seconds),
        "answers_per_second": tenths(times.len() as f64 / seconds),
        "statuses": statuses,
        "p50_ms": at(&times, 0.50),
        "p99_ms": at(&times, 0.99),
        "p999_ms": at(&times, 0.999),
        "refused_p99_ms": at(&refused, 0.99),
        "around_the_encoder_p50_ms": at(&around, 0.50),
        "around_the_encoder_p99_ms": at(&around, 0.99),
    })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn at(sorted: &[f64], share: f64) -> Option<f64> {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at).map(|value| (value * 100.0).round() / 100.0)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
