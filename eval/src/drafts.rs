//! `deskhand-eval drafts`: drafts held to what was really answered.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use deskhand::domain::{
    Draft, DraftSettings, FieldKind, ResolvedTicket, SentenceKind, SourceKind, SourceRef,
};
use deskhand::drafts::{self, MIN_SIMILARITY, Request, Source};
use deskhand::exports::{self, ColumnMap, Options};
use deskhand::text::rouge_l;
use deskhand::text::{self, Rules};
use deskhand::{sample, triage};
use serde_json::{Value, json};

use crate::desk::{Desk, ModelArgs};
use crate::library::{Found, Library};
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
    let history = History::load(&args)?;
    let desk = Desk::open(model).await?;
    let vectors = embed(&desk.app.triage, &history.texts(), "Reading").await?;
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

/// Tickets whose answer is known, as the service reads them.
pub(crate) struct History {
    pub(crate) rows: Vec<Row>,
    pub(crate) dated: bool,
}

pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) language: String,
    pub(crate) resolution: String,
    /// Its place among the tickets that were given.
    pub(crate) origin: usize,
    ticket: ResolvedTicket,
    reference: SourceRef,
}

impl History {
    fn load(args: &Args) -> Result<Self> {
        let tickets = match &args.data {
            Some(file) => read(file, args.language.as_deref())?,
            None => sample::tickets()?,
        };
        let history = Self::of(tickets.into_iter());
        ensure!(!history.rows.is_empty(), "no row has a resolution; name the column `resolution`");
        Ok(history)
    }

    /// Those of the tickets that have an answer, in the order of their time where all have one.
    pub(crate) fn of(tickets: impl Iterator<Item = ResolvedTicket>) -> Self {
        let rules = Rules::default();
        let mut rows = Vec::new();
        for (n, ticket) in tickets.enumerate() {
            let Some(resolution) = ticket.outcome.resolution.as_deref() else { continue };
            let cleaned = text::clean(&ticket.ticket.text).text;
            let resolution = rules.redact(resolution).into_owned();
            if cleaned.is_empty() || resolution.trim().is_empty() {
                continue;
            }
            let reference = SourceRef { kind: SourceKind::Ticket, id: n.to_string() };
            rows.push(Row {
                language: text::detect(&cleaned).to_owned(),
                text: rules.redact(&cleaned).into_owned(),
                resolution,
                origin: n,
                ticket,
                reference,
            });
        }
        let dated = rows.iter().all(|r| r.ticket.ticket.created_at.is_some());
        if dated {
            rows.sort_by_key(|r| r.ticket.ticket.created_at);
        }
        Self { rows, dated }
    }

    fn texts(&self) -> Vec<String> {
        self.rows.iter().map(|r| r.text.clone()).collect()
    }

    /// The rows to draft for.
    fn drawn(&self, args: &Args) -> Vec<usize> {
        let first = if self.dated { LEAST_HISTORY.min(self.rows.len() / 2) } else { 0 };
        let order = |at: &usize| draw(args.seed, &self.rows[*at].text);
        let half = |at: &usize| match args.half {
            Half::Both => true,
            Half::Tune => draw(0, &self.rows[*at].text).is_multiple_of(2),
            Half::Test => draw(0, &self.rows[*at].text) % 2 == 1,
        };
        let mut drawn: Vec<usize> = (first..self.rows.len()).filter(half).collect();
        drawn.sort_by_key(order);
        drawn.truncate(args.limit.unwrap_or(usize::MAX));
        drawn
    }

    pub(crate) fn draft(
        &self,
        text: &str,
        language: &str,
        found: &[Found],
    ) -> (Result<Draft, drafts::Refusal>, f64) {
        let sources: Vec<Source<'_>> = found
            .iter()
            .map(|found| {
                let row = &self.rows[found.row];
                Source {
                    reference: &row.reference,
                    score: found.cosine,
                    words: found.words,
                    text: &row.resolution,
                    language: Some(&row.language),
                    category: row.ticket.outcome.category.as_deref(),
                    at: row.ticket.outcome.resolved_at,
                    stale: false,
                }
            })
            .collect();
        let settings = DraftSettings::default();
        let request = Request {
            text,
            language,
            // The truth is not known when a draft is made; the nearest source's is the guess.
            category: found
                .first()
                .and_then(|f| self.rows[f.row].ticket.outcome.category.as_deref()),
            requester: None,
            settings: &settings,
            votes: &HashMap::new(),
        };
        let start = Instant::now();
        let draft = drafts::draft(&request, &sources);
        (draft, start.elapsed().as_secs_f64() * 1e3)
    }
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
    let mut drawn = history.drawn(args);
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

/// The most similar ticket whose answer the requester could read.
pub(crate) fn nearest(history: &History, row: &Row, found: &[usize]) -> usize {
    let readable = |at: &usize| {
        let language = &history.rows[*at].language;
        language == &row.language
            || language == text::UNDETERMINED
            || row.language == text::UNDETERMINED
    };
    let mut rows = found.iter().copied();
    rows.clone().find(readable).or_else(|| rows.next()).unwrap_or_default()
}

/// A draft without its template's words, and without the blanks that an agent fills in.
pub(crate) fn own_words(draft: &Draft) -> String {
    let own = draft.sentences.iter().filter(|s| s.kind != SentenceKind::Template);
    let said = own.map(|sentence| {
        // What redaction left in place of a value stands in the true answer too.
        let blanks = sentence.fields.iter().filter(|f| f.kind != FieldKind::Private);
        blanks.fold(sentence.text.clone(), |text, f| text.replacen(&f.placeholder, " ", 1))
    });
    said.collect::<Vec<_>>().join("\n")
}

/// For each sentence of a draft, whether what it says stands in each source that it names: between
/// its fields word for word and in order.
pub(crate) fn grounded(history: &History, draft: &Draft) -> Vec<bool> {
    let own = draft.sentences.iter().filter(|s| s.kind != SentenceKind::Template);
    own.map(|sentence| {
        let mut pieces = Vec::new();
        let mut rest = sentence.text.as_str();
        for field in &sentence.fields {
            if let Some((before, after)) = rest.split_once(&field.placeholder) {
                pieces.push(before);
                rest = after;
            }
        }
        pieces.push(rest);
        let says = |source: &SourceRef| {
            let row = source.id.parse().ok().and_then(|at: usize| history.rows.get(at));
            let Some(row) = row else { return false };
            let mut text = words(&row.resolution);
            pieces.iter().all(|piece| {
                let piece = words(piece);
                let at = text.find(piece.trim());
                at.is_some_and(|at| {
                    text = text.split_off(at + piece.trim().len());
                    true
                })
            })
        };
        !sentence.sources.is_empty() && sentence.sources.iter().all(says)
    })
    .collect()
}

/// Lower-case words with one blank between.
fn words(text: &str) -> String {
    let plain = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    plain.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn embed(
    triage: &triage::Triage,
    texts: &[String],
    message: &'static str,
) -> Result<Vec<Vec<f32>>> {
    let progress = bar(texts.len(), message);
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(triage.embed(batch.to_vec()).await?.vectors);
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
