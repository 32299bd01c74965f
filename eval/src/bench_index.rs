//! `deskhand-eval bench-index`: how long a search takes among many tickets, whether it finds the
//! right ones, and what it costs in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use deskhand::domain::{ExternalRef, Outcome, Ticket, TicketId, TicketText, WorkspaceId};
use deskhand::index::{EmbeddedIndex, TicketIndex};
use deskhand::store::{EntryRow, Records, SqlStore};
use deskhand::text::Terms;
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::json;

use crate::bench::resident_megabytes;
use crate::output::{bar, line};

const DIMENSIONS: usize = 384;
/// Neighbours that a search asks for.
const K: usize = 10;
/// Rows of one transaction.
const BATCH: u64 = 1000;
/// The encoder that the rows say they come from.
const ENCODER: &str = "bench-index";
/// Searches before the clock runs.
const WARM_UP: u64 = 20;
/// Queries that are not in the store have numbers from here on.
const UNSEEN: u64 = 1 << 40;

/// Time searches among synthetic tickets, and hold what they find to brute force.
///
/// The tickets are made by a fixed seed: topics, issues within topics, and now and then an exact
/// double. They are written through the store, which is then opened again. Half of the queries are
/// new, half are tickets of the store, which must not find themselves. A second workspace in the
/// same store holds a quarter as many tickets and must not be found at all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval bench-index --tickets 100000\n  \
    deskhand-eval bench-index --tickets 100000 --keep bench-data --json")]
pub(crate) struct Args {
    /// How many tickets the searched workspace holds
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..UNSEEN))]
    tickets: u64,
    /// How many searches are timed, one after the other
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    searches: u64,
    /// Folder for the store: filled if it is empty, used as it is otherwise
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let searched = workspace("searched")?;
    let filled = fill(folder, &searched, args.tickets).await?;

    let before = resident_megabytes();
    let start = Instant::now();
    let store = Arc::new(SqlStore::open_folder(folder).await?);
    let index = EmbeddedIndex::new(store.clone(), ENCODER.to_owned(), DIMENSIONS);
    let count = index.count(&searched).await?;
    let load_seconds = start.elapsed().as_secs_f64();
    let after = resident_megabytes();
    ensure!(count == args.tickets, "the index holds {count} tickets instead of {}", args.tickets);

    for number in 0..WARM_UP {
        let query = Query::new(args.searches + number, args.tickets);
        index.search(&searched, &query.vector, K, query.exclude()).await?;
    }
    let queries: Vec<Query> = (0..args.searches).map(|n| Query::new(n, args.tickets)).collect();
    let mut found = Vec::with_capacity(queries.len());
    let mut times = Vec::with_capacity(queries.len());
    let progress = bar(queries.len(), "Searching");
    for query in &queries {
        let start = Instant::now();
        let neighbours = index.search(&searched, &query.vector, K, query.exclude()).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        found.push(neighbours.iter().map(|n| n.ticket_id).collect::<Vec<_>>());
        progress.inc(1);
    }
    progress.finish_and_clear();
    let progress = bar(queries.len(), "Searching by words");
    let mut hybrid_times = Vec::with_capacity(queries.len());
    for query in &queries {
        let start = Instant::now();
        let terms = words(query.stored.unwrap_or(UNSEEN));
        index.similar(&searched, &query.vector, &terms, K, query.exclude()).await?;
        hybrid_times.push(start.elapsed().as_secs_f64() * 1e3);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let rss = resident_megabytes();
    store.close().await;

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let recall = recall(&queries, &found, args.tickets, cores);
    times.sort_by(f64::total_cmp);
    hybrid_times.sort_by(f64::total_cmp);
    let part = |times: &[f64], share: f64| {
        times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
    };
    let (at, hybrid_at) = (|share| part(&times, share), |share| part(&hybrid_times, share));
    let bytes_per_ticket =
        before.zip(after).map(|(b, a)| ((a - b) * f64::from(1 << 20) / count as f64).round());
    if args.json {
        let result = json!({
            "tickets": count,
            "other_workspace_tickets": others(args.tickets),
            "dimensions": DIMENSIONS,
            "searches": args.searches,
            "search_p50_ms": thousandths(at(0.50)),
            "search_p99_ms": thousandths(at(0.99)),
            "hybrid_p50_ms": thousandths(hybrid_at(0.50)),
            "hybrid_p99_ms": thousandths(hybrid_at(0.99)),
            "recall_at_10": recall,
            "rss_mb": rss,
            "bytes_per_ticket": bytes_per_ticket,
            "import_seconds": filled.map(thousandths),
            "load_seconds": thousandths(load_seconds),
            "threads": 1,
            "cores": cores,
        });
        return line(&serde_json::to_string_pretty(&result)?);
    }
    let or_unknown = |value: Option<f64>| value.map_or("unknown".to_owned(), |v| v.to_string());
    line(&format!("{count} tickets of {DIMENSIONS} numbers, {} searches\n", args.searches))?;
    line(&format!("search, median     {:.2} ms", at(0.50)))?;
    line(&format!("search, 99 %       {:.2} ms", at(0.99)))?;
    line(&format!("with words, median {:.2} ms", hybrid_at(0.50)))?;
    line(&format!("with words, 99 %   {:.2} ms", hybrid_at(0.99)))?;
    line(&format!("recall at 10       {recall}"))?;
    line(&format!("load               {load_seconds:.2} s"))?;
    line(&format!("memory             {} MB", or_unknown(rss)))?;
    line(&format!("memory per ticket  {} bytes", or_unknown(bytes_per_ticket)))
}

fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn workspace(name: &str) -> Result<WorkspaceId> {
    Ok(WorkspaceId::try_from(name.to_owned())?)
}

/// How many tickets the second workspace holds.
fn others(tickets: u64) -> u64 {
    tickets.div_ceil(4)
}

/// Writes the tickets, unless they are there, and closes the store. Returns how long it took.
async fn fill(folder: &Path, searched: &WorkspaceId, tickets: u64) -> Result<Option<f64>> {
    let store = SqlStore::open_folder(folder).await?;
    let held = store.counts(searched).await?.searchable;
    let start = Instant::now();
    if held == 0 {
        store.bind_encoder(ENCODER).await?;
        let other = workspace("other")?;
        let progress = bar((tickets + others(tickets)) as usize, "Importing");
        for first in (0..tickets).step_by(BATCH as usize) {
            let until = (first + BATCH).min(tickets);
            import(&store, searched, 0, first..until, &progress).await?;
            // A workspace's rows lie among another's, as they do on a shared desk.
            import(&store, &other, 1, others(first)..others(until), &progress).await?;
        }
        progress.finish_and_clear();
    }
    store.close().await;
    ensure!(
        held == 0 || held == tickets,
        "{} holds {held} tickets; name that number with --tickets, or another folder",
        folder.display()
    );
    Ok((held == 0).then(|| start.elapsed().as_secs_f64()))
}

async fn import(
    store: &SqlStore,
    workspace: &WorkspaceId,
    place: u64,
    numbers: std::ops::Range<u64>,
    progress: &ProgressBar,
) -> Result<()> {
    let mut tx = store.begin(workspace).await?;
    let rows = numbers.end - numbers.start;
    for number in numbers {
        let (ticket, outcome, entry) = row(number);
        let id = id(place, number).context("an id has 16 bytes")?;
        tx.put_ticket(id, &ticket, "en", Timestamp::UNIX_EPOCH).await?;
        tx.set_outcome(id, &outcome, None).await?;
        tx.put_entry(ENCODER, id, &entry).await?;
    }
    tx.commit().await?;
    progress.inc(rows);
    Ok(())
}

/// A ticket about as long as most are.
fn row(number: u64) -> (Ticket, Outcome, EntryRow) {
    let text = |what: &str, sentences| {
        let sentence = format!("{what} {number} goes on about a machine that does not start. ");
        sentence.repeat(sentences)
    };
    let ticket = Ticket {
        text: TicketText {
            subject: format!("Ticket {number} about a machine"),
            body: text("Ticket", 8),
            messages: Vec::new(),
        },
        requester: None,
        created_at: None,
        source: Some(ExternalRef { system: "bench".to_owned(), id: number.to_string(), url: None }),
    };
    let outcome = Outcome {
        category: Some("Hardware".to_owned()),
        team: Some("Service Desk".to_owned()),
        priority: Some("normal".to_owned()),
        resolution: Some(text("Resolution", 4)),
        ..Outcome::default()
    };
    let entry = EntryRow {
        listed: true,
        vector: Some(vector(number)),
        terms: Some(words(number)),
        subject: ticket.text.subject.clone(),
        resolution: outcome.resolution.clone(),
    };
    (ticket, outcome, entry)
}

fn id(place: u64, number: u64) -> Option<TicketId> {
    TicketId::from_slice(&(u128::from(place) << 64 | u128::from(number)).to_be_bytes())
}

/// What is searched for.
struct Query {
    vector: Vec<f32>,
    /// The number of the stored ticket that it is.
    stored: Option<u64>,
}

impl Query {
    /// Every second one is a ticket of the store.
    fn new(number: u64, tickets: u64) -> Self {
        let stored = number.is_multiple_of(2).then(|| Numbers(number).next() % tickets);
        Self { vector: vector(stored.unwrap_or(UNSEEN + number)), stored }
    }

    fn exclude(&self) -> Option<TicketId> {
        self.stored.and_then(|number| id(0, number))
    }
}

/// The share of the true nearest that were found. The truth is computed from the tickets'
/// generator, without store and index: products summed in `f64` and rounded as scores are, equals
/// by id.
fn recall(queries: &[Query], found: &[Vec<TicketId>], tickets: u64, cores: usize) -> f64 {
    let progress = bar(tickets as usize * cores, "Checking");
    let share = queries.len().div_ceil(cores);
    let checked: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let parts = queries.chunks(share).zip(found.chunks(share));
        let threads: Vec<_> = parts
            .map(|(queries, found)| scope.spawn(|| hits(queries, found, tickets, &progress)))
            .collect();
        // A thread that failed has found nothing.
        threads.into_iter().map(|thread| thread.join().unwrap_or((0, 1))).collect()
    });
    progress.finish_and_clear();
    let (hits, wanted) = checked.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    hits as f64 / wanted.max(1) as f64
}

/// How many of the true nearest were found, and how many there are.
fn hits(
    queries: &[Query],
    found: &[Vec<TicketId>],
    tickets: u64,
    progress: &ProgressBar,
) -> (usize, usize) {
    let mut nearest = vec![Vec::<(f32, u64)>::new(); queries.len()];
    for number in 0..tickets {
        let vector = vector(number);
        for (query, nearest) in queries.iter().zip(&mut nearest) {
            if query.stored == Some(number) {
                continue;
            }
            let products = query.vector.iter().zip(&vector);
            let score = products.map(|(q, v)| f64::from(*q) * f64::from(*v)).sum::<f64>() as f32;
            // Numbers rise as ids do, so an equal score comes after those that are there.
            let at = nearest.partition_point(|(other, _)| *other >= score);
            if at < K {
                nearest.insert(at, (score, number));
                nearest.truncate(K);
            }
        }
        progress.inc(1);
    }
    let hits = nearest.iter().zip(found).map(|(nearest, found)| {
        nearest.iter().filter(|(_, n)| id(0, *n).is_some_and(|id| found.contains(&id))).count()
    });
    (hits.sum(), nearest.iter().map(Vec::len).sum())
}

/// The unit vector of a ticket: what all have in common, a topic, an issue within it, and noise.
/// Some topics and issues are common and most are rare; one ticket in fifty is an exact double.
fn vector(number: u64) -> Vec<f32> {
    let mut numbers = Numbers(number.wrapping_mul(0xD134_2543_DE82_EF95));
    if numbers.unit() < 0.02 && number > 0 {
        return vector(number / 2);
    }
    let topic = (300.0 * numbers.unit().powi(2)) as u64;
    let issue = (60.0 * numbers.unit().powi(2)) as u64;
    let mut parts = [
        (0.4, Numbers(1)),
        (0.55, Numbers(2 + topic)),
        (0.45, Numbers(1_000_000 + 1000 * topic + issue)),
        (0.6, numbers),
    ];
    let mut vector: Vec<f32> = (0..DIMENSIONS)
        .map(|_| parts.iter_mut().map(|(weight, numbers)| *weight * numbers.bell()).sum())
        .collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut vector {
        *x /= length;
    }
    vector
}

/// The terms of a ticket of a hundred words: a vocabulary of 200,000 whose words are used as Zipf's
/// law has it, so that some stand in nearly every ticket and most in hardly any.
fn words(number: u64) -> Terms {
    let mut numbers = Numbers(number.wrapping_mul(0xA076_1D64_78BD_642F));
    let words = (0..100).map(|_| format!("w{}", 200_000f32.powf(numbers.unit()) as u64));
    Terms::of(&words.collect::<Vec<_>>().join(" "))
}

/// Random numbers that are the same everywhere: `SplitMix64` (Steele et al., OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// About normal: four uniform ones.
    fn bell(&mut self) -> f32 {
        let bits = self.next();
        let quarter = |at: u32| (bits >> (16 * at)) as u16;
        (0..4).map(|at| f32::from(quarter(at)) / 65_536.0).sum::<f32>() - 2.0
    }
}
