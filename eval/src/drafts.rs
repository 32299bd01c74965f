//! `deskhand-eval drafts`: drafts held to what was really answered.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use deskhand::backtest::replies::{History, Library, grounded, nearest, own_words};
use deskhand::domain::{Draft, ResolvedTicket};
use deskhand::drafts::{self, MIN_SIMILARITY};
use deskhand::exports::{self, ColumnMap, Options};
use deskhand::inference::Lane;
use deskhand::text::{self, rouge_l};
use deskhand::{sample, triage};
use serde_json::{Value, json};

use crate::desk::{Desk, ModelArgs};
use crate::output::{bar, line};

/// Rows without an earlier one to draft from are no test of drafting.
const LEAST_HISTORY: usize = 100;
/// Texts embedded at once.
const BATCH: usize = 64;

/// Drafts for tickets whose answer is known, held to that answer.
///
/// Each ticket with a resolution is drafted for by the service's own code. Its sources are the
/// tickets before it where there are dates, else all others; near-duplicates of it are left out.
/// Template words are left out of what is compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval drafts --json\n  \
    deskhand-eval drafts --data history.jsonl.gz --language en --limit 500 --json\n  \
    deskhand-eval drafts --questions elsewhere.jsonl --json")]
pub(crate) struct Args {
    /// A history (JSON lines or CSV, also .gz); without it the built-in sample
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Only rows that say they are in this language
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Draft for so many rows, drawn by the seed; the others are sources all the same
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Which half of the rows is drafted for: settings are tuned on the one, judged on the other
    #[arg(long, value_enum, default_value_t = Half::Both)]
    half: Half,
    /// Draws rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Questions from elsewhere, put to the history: how many are refused
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,
    /// Also write each draft beside what was answered to this file, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "questions")]
    rows: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which rows are drafted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Half {
    /// All of them.
    Both,
    /// Those that settings may be tuned on.
    Tune,
    /// Those that they are judged by.
    Test,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let history = load(&args)?;
    let desk = Desk::open(model).await?;
    let vectors = embed(&desk.app.triage, &texts(&history), "Reading").await?;
    let result = match &args.questions {
        Some(file) => questions(&desk, &history, &vectors, file, &args).await?,
        None => answers(&desk, &history, &vectors, &args).await?,
    };
    desk.close().await;
    if args.json {
        return line(&serde_json::to_string(&result)?);
    }
    line(&serde_json::to_string_pretty(&result)?)
}

/// The history that was asked for.
fn load(args: &Args) -> Result<History> {
    let tickets = match &args.data {
        Some(file) => read(file, args.language.as_deref())?,
        None => sample::tickets()?,
    };
    let history = History::of(tickets.into_iter());
    ensure!(!history.rows.is_empty(), "no row has a resolution; name the column `resolution`");
    Ok(history)
}

fn texts(history: &History) -> Vec<String> {
    history.rows.iter().map(|r| r.text.clone()).collect()
}

/// The rows to draft for.
fn drawn(history: &History, args: &Args) -> Vec<usize> {
    let rows = &history.rows;
    let first = if history.dated { LEAST_HISTORY.min(rows.len() / 2) } else { 0 };
    let order = |at: &usize| draw(args.seed, &rows[*at].text);
    let half = |at: &usize| match args.half {
        Half::Both => true,
        Half::Tune => draw(0, &rows[*at].text).is_multiple_of(2),
        Half::Test => draw(0, &rows[*at].text) % 2 == 1,
    };
    let mut drawn: Vec<usize> = (first..rows.len()).filter(half).collect();
    drawn.sort_by_key(order);
    drawn.truncate(args.limit.unwrap_or(usize::MAX));
    drawn
}

fn read(file: &Path, language: Option<&str>) -> Result<Vec<ResolvedTicket>> {
    let name = file.display().to_string();
    let mut bytes = std::fs::read(file).with_context(|| name.clone())?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        bytes = plain;
    }
    if let Some(language) = language {
        let says = |line: &&[u8]| {
            let row: Option<Value> = serde_json::from_slice(line).ok();
            row.is_some_and(|r| r["language"] == language)
        };
        bytes = bytes.split(|b| *b == b'\n').filter(says).collect::<Vec<_>>().join(&b'\n');
    }
    let options = Options { map: ColumnMap::default(), system: "export".to_owned() };
    Ok(exports::read(&bytes, &options).with_context(|| name)?.rows)
}

/// Rows that were drafted for, and how it went.
async fn answers(
    desk: &Desk,
    history: &History,
    vectors: &[Vec<f32>],
    args: &Args,
) -> Result<Value> {
    let mut drawn = drawn(history, args);
    drawn.sort_unstable();
    let mut library = Library::default();
    let (mut reasons, mut times) = (HashMap::<String, usize>::new(), Vec::new());
    let mut made: Vec<(usize, usize, Draft)> = Vec::new();
    for &at in &drawn {
        let row = &history.rows[at];
        library.grow(history, vectors, at)?;
        let found = library.sources(&vectors[at], &row.text, Some(at));
        let (draft, time) = history.draft(&row.text, &row.language, &found);
        times.push(time);
        match draft {
            // The baseline answers in the ticket's language too.
            Ok(draft) => {
                made.push((at, nearest(history, row, &library.nearest(&vectors[at], at)), draft));
            }
            Err(refusal) => {
                let reason = serde_json::to_value(refusal.reason)?;
                *reasons.entry(reason.as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
    }
    let grounded: Vec<bool> = made.iter().flat_map(|(_, _, d)| grounded(history, d)).collect();
    let leaks = made.iter().filter(|(_, _, d)| d.text.contains("{{") || d.text.contains("{%"));
    let leaks = leaks.count();
    let candidates: [Vec<String>; 3] = [
        made.iter().map(|(_, _, d)| own_words(d)).collect(),
        made.iter().map(|(_, near, _)| history.rows[*near].resolution.clone()).collect(),
        made.iter().map(|(at, _, _)| drafts::template_words(&history.rows[*at].language)).collect(),
    ];
    let truths: Vec<String> =
        made.iter().map(|(at, _, _)| history.rows[*at].resolution.clone()).collect();
    let truth = embed(&desk.app.triage, &truths, "Reading answers").await?;
    let mut scores: Vec<[Vec<f64>; 2]> = Vec::new();
    for texts in &candidates {
        let vectors = embed(&desk.app.triage, texts, "Comparing").await?;
        let rouge = texts.iter().zip(&truths).map(|(a, b)| rouge_l(a, b)).collect();
        let similar = vectors.iter().zip(&truth).map(|(a, b)| f64::from(dot(a, b))).collect();
        scores.push([rouge, similar]);
    }
    if let Some(file) = &args.rows {
        let mut rows = String::new();
        for (n, (at, near, draft)) in made.iter().enumerate() {
            let row = json!({
                "ticket": history.rows[*at].text, "answer": truths[n], "draft": draft,
                "nearest": history.rows[*near].resolution,
                "rouge_l": { "draft": scores[0][0][n], "nearest": scores[1][0][n] },
                "similarity": { "draft": scores[0][1][n], "nearest": scores[1][1][n] },
            });
            rows.push_str(&row.to_string());
            rows.push('\n');
        }
        std::fs::write(file, rows).with_context(|| file.display().to_string())?;
    }
    let share = |n: usize, of: usize| if of == 0 { 0.0 } else { n as f64 / of as f64 };
    let grounded_share = share(grounded.iter().filter(|g| **g).count(), grounded.len());
    times.sort_by(f64::total_cmp);
    let both = |of: usize| json!({ "rouge_l": round(mean(&scores[of][0])), "similarity": round(mean(&scores[of][1])) });
    let gains = |of: usize| {
        json!({ "rouge_l": gain(&scores[0][0], &scores[of][0]),
                "similarity": gain(&scores[0][1], &scores[of][1]) })
    };
    Ok(json!({
        "n": drawn.len(),
        "answered": made.len(),
        "refusal_rate": round(share(drawn.len() - made.len(), drawn.len())),
        "refusals": reasons,
        "rouge_l": round(mean(&scores[0][0])),
        "similarity": round(mean(&scores[0][1])),
        "baselines": { "nearest_resolution": both(1), "template": both(2) },
        "gains": { "nearest_resolution": gains(1), "template": gains(2) },
        "grounded_share": grounded_share,
        "placeholder_leaks": leaks,
        "p50_ms": times.get(times.len() / 2).map(|t| round(*t)),
        "sources": if history.dated { "earlier" } else { "others" },
        "min_similarity": MIN_SIMILARITY,
    }))
}

/// Questions that the history cannot answer.
async fn questions(
    desk: &Desk,
    history: &History,
    vectors: &[Vec<f32>],
    file: &Path,
    args: &Args,
) -> Result<Value> {
    let mut asked = read(file, args.language.as_deref())?;
    asked.sort_by_key(|t| draw(args.seed, &t.ticket.text.body));
    asked.truncate(args.limit.unwrap_or(usize::MAX));
    let texts: Vec<String> = asked.iter().map(|t| text::clean(&t.ticket.text).text).collect();
    let queries = embed(&desk.app.triage, &texts, "Asking").await?;
    let mut library = Library::default();
    library.add_all(history, vectors)?;
    let mut refused = 0;
    for (text, query) in texts.iter().zip(&queries) {
        let found = library.sources(query, text, None);
        let (draft, _) = history.draft(text, text::detect(text), &found);
        refused += usize::from(draft.is_err());
    }
    let share = deskhand::judge::Share { successes: refused, trials: texts.len() };
    let (low, high) = share.interval();
    Ok(json!({
        "n": texts.len(), "refusal_rate": round(share.value()),
        "refusal_interval": [round(low), round(high)], "min_similarity": MIN_SIMILARITY,
    }))
}

pub(crate) async fn embed(
    triage: &triage::Triage,
    texts: &[String],
    message: &'static str,
) -> Result<Vec<Vec<f32>>> {
    let progress = bar(texts.len(), message);
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(triage.embed(batch.to_vec(), Lane::Bulk).await?.vectors);
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    Ok(vectors)
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean difference on the same rows, with its 95 % interval (normal).
fn gain(ours: &[f64], theirs: &[f64]) -> Value {
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
    let mean = mean(&differences);
    let n = differences.len().max(2) as f64;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = 1.959_964 * (variance / n).sqrt();
    json!({ "mean": round(mean), "low": round(mean - half), "high": round(mean + half) })
}

pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A number from a seed and a text: FNV-1a, finished as `SplitMix64` is.
fn draw(seed: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = text.bytes().fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
