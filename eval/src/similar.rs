//! `deskhand-eval similar`: whether search finds the tickets that belong together.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use deskhand::backtest::replies::{id, row};
use deskhand::domain::{Message, TicketId, TicketText};
use deskhand::index::{LEXICAL_WEIGHT, Lexical, MemoryIndex};
use deskhand::inference::Lane;
use deskhand::judge::Share;
use deskhand::text::{Rules, Terms, clean};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::desk::{Desk, ModelArgs};
use crate::output::{bar, line};

/// Tickets that a search asks for.
const K: usize = 10;
/// Texts that are embedded together.
const BATCH: usize = 64;

/// Score similar-ticket search on tickets of which it is known which belong together.
///
/// A row of the file has an `id`, a `subject` or `body` or both, and may name the ids that count as
/// hits: `duplicates`, and then all rows are searched; or `relevant`, and then rows whose `split` is
/// `query` are searched for among those whose `split` is `corpus`. A row never finds itself. Rows
/// none of whose hits are in the corpus are left out and counted.
///
/// Texts are cleaned, redacted and embedded as the service does it, and searched in its index.
/// Nothing is fitted: no label has any influence on what is found.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval similar --data duplicates.jsonl.gz --json")]
pub(crate) struct Args {
    /// JSON lines, as they are or as .gz
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As much of a row as is read.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(deserialize_with = "name")]
    id: String,
    subject: Option<String>,
    body: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    messages: Vec<Said>,
    split: Option<String>,
    #[serde(default, deserialize_with = "names")]
    duplicates: Vec<String>,
    #[serde(default, deserialize_with = "names")]
    relevant: Vec<String>,
}

/// As much of a message as is read.
#[derive(Debug, Clone, Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
}

/// An id, as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(serde_json::Number),
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

fn name<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    Name::deserialize(from).map(String::from)
}

fn names<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<String>, D::Error> {
    or_none::<D, Name>(from).map(|names| names.into_iter().map(String::from).collect())
}

/// A list; `null` is an empty one.
fn or_none<'de, D, T>(from: D) -> std::result::Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let start = Instant::now();
    let rows = read(&args.data)?;
    let task = Task::new(&rows).with_context(|| args.data.display().to_string())?;
    let texts: Vec<String> = rows.iter().map(text).collect();
    let vectors = embed(model, &texts).await?;
    let terms: Vec<Terms> = texts.iter().map(|text| Terms::of(text)).collect();

    let ids: Vec<_> = (0..rows.len()).map(id).collect();
    let (mut index, mut lexical) = (MemoryIndex::default(), Lexical::default());
    let mut slots = HashMap::new();
    for &row in &task.corpus {
        index.put(ids[row], &vectors[row], &terms[row])?;
        if let Some(slot) = lexical.add(&terms[row]) {
            slots.insert(slot as usize, row);
        }
    }
    let (mut both, mut dense, mut words) = (Judged::new(), Judged::new(), Judged::new());
    let mut worth = 0.0;
    for (query, hits) in &task.queries {
        let (query, own) = (*query, Some(ids[*query]));
        let rows = |found: Vec<TicketId>| -> Vec<usize> { found.into_iter().map(row).collect() };
        let found = index.most_similar(&vectors[query], &terms[query], K, own);
        both.add(&rows(found.into_iter().map(|f| f.0).collect()), hits);
        let nearest = index.nearest(&vectors[query], K, own);
        dense.add(&rows(nearest.into_iter().map(|n| n.0).collect()), hits);
        let scores = lexical.scores(&terms[query]);
        let scores = scores.iter().enumerate().map(|(slot, &score)| (score, slots[&slot]));
        let mut best: Vec<_> = scores.filter(|&(s, row)| s > 0.0 && row != query).collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        worth += f64::from(LEXICAL_WEIGHT * best.first().map_or(0.0, |best| best.0));
        words.add(&best.iter().take(K).map(|(_, row)| *row).collect::<Vec<_>>(), hits);
    }
    let weight = worth / task.queries.len() as f64;
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let mut result = both.json();
        result["n"] = json!(task.queries.len());
        result["corpus"] = json!(task.corpus.len());
        result["left_out"] = json!(task.left_out);
        result["lexical_weight"] = json!(weight);
        result["bm25"] = words.json();
        result["dense"] = dense.json();
        result["seconds"] = json!((seconds * 10.0).round() / 10.0);
        return line(&serde_json::to_string_pretty(&result)?);
    }
    line(&format!(
        "{} queries among {} tickets (95 % intervals); the best match by words is worth {weight:.2} \
         of cosine\n",
        task.queries.len(),
        task.corpus.len()
    ))?;
    line("                    hit at 1               hit at 5               nDCG at 10")?;
    for (name, judged) in [("vector and words", both), ("vector", dense), ("BM25", words)] {
        let [one, five] = [&judged.first, &judged.first_five].map(|hits| share(hits).to_string());
        let (value, low, high) = mean(&judged.gains);
        line(&format!("{name:<18}  {one:<21}  {five:<21}  {value:.3} ({low:.3}–{high:.3})"))?;
    }
    Ok(())
}

/// Who is searched for, among whom, and what counts as a hit: positions of rows.
#[derive(Debug, PartialEq)]
struct Task {
    queries: Vec<(usize, HashSet<usize>)>,
    corpus: Vec<usize>,
    /// Rows that name hits, none of which is in the corpus.
    left_out: usize,
}

impl Task {
    fn new(rows: &[Row]) -> Result<Self> {
        let by_split = rows.iter().any(|row| !row.relevant.is_empty());
        let is = |row: &Row, split: &str| row.split.as_deref() == Some(split);
        let corpus: Vec<usize> =
            (0..rows.len()).filter(|&at| !by_split || is(&rows[at], "corpus")).collect();
        let mut places = HashMap::new();
        for &at in &corpus {
            ensure!(
                places.insert(rows[at].id.as_str(), at).is_none(),
                "the id {:?} stands in two rows; give each row its own",
                rows[at].id
            );
        }
        let (mut queries, mut left_out) = (Vec::new(), 0);
        for (at, row) in rows.iter().enumerate() {
            let named = if by_split { &row.relevant } else { &row.duplicates };
            if named.is_empty() || (by_split && !is(row, "query")) {
                continue;
            }
            let hits = named.iter().filter_map(|id| places.get(id.as_str()).copied());
            let hits: HashSet<usize> = hits.filter(|&hit| hit != at).collect();
            if hits.is_empty() {
                left_out += 1;
            } else {
                queries.push((at, hits));
            }
        }
        ensure!(
            !queries.is_empty(),
            "no row says what it should find: name ids in `duplicates`, or in `relevant` of rows \
             with \"split\": \"query\", and have rows with these ids in the corpus"
        );
        Ok(Self { queries, corpus, left_out })
    }
}

fn read(file: &Path) -> Result<Vec<Row>> {
    let name = file.display().to_string();
    let mut bytes = std::fs::read(file).with_context(|| name.clone())?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let mut packed = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        packed.read_to_end(&mut plain).with_context(|| format!("{name}: damaged gzip"))?;
        bytes = plain;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut rows = Vec::new();
    for (n, line) in bytes.split(|&b| b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(row) => rows.push(row),
            Err(e) => bail!("{name}, line {}: expected an object with an `id`: {e}", n + 1),
        }
    }
    Ok(rows)
}

fn message(text: &str) -> Message {
    Message { author: None, at: None, text: text.to_owned() }
}

/// What the service would embed of a ticket.
fn text(row: &Row) -> String {
    let text = TicketText {
        subject: row.subject.clone().unwrap_or_default(),
        body: row.body.clone().unwrap_or_default(),
        messages: row.messages.iter().map(|said| message(&said.text)).collect(),
    };
    Rules::default().redact(&clean(&text).text).into_owned()
}

async fn embed(model: &ModelArgs, texts: &[String]) -> Result<Vec<Vec<f32>>> {
    let desk = Desk::open(model).await?;
    // Texts of one length together, so that batches are even.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&at| texts[at].len());
    let mut vectors = vec![Vec::new(); texts.len()];
    let progress = bar(texts.len(), "Embedding");
    for batch in order.chunks(BATCH) {
        let some = batch.iter().map(|&at| texts[at].clone()).collect();
        let made = desk.app.triage.embed(some, Lane::Bulk);
        for (&at, vector) in batch.iter().zip(made.await?.vectors) {
            vectors[at] = vector;
        }
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    desk.close().await;
    Ok(vectors)
}

/// What searches found, query by query.
struct Judged {
    first: Vec<bool>,
    first_five: Vec<bool>,
    gains: Vec<f64>,
}

impl Judged {
    fn new() -> Self {
        Self { first: Vec::new(), first_five: Vec::new(), gains: Vec::new() }
    }

    fn add(&mut self, found: &[usize], hits: &HashSet<usize>) {
        let is_hit: Vec<bool> = found.iter().map(|row| hits.contains(row)).collect();
        self.first.push(is_hit.first() == Some(&true));
        self.first_five.push(is_hit.iter().take(5).any(|&hit| hit));
        self.gains.push(ndcg(&is_hit, hits.len()));
    }

    fn json(&self) -> Value {
        let shown = |(value, low, high)| json!({ "value": value, "low": low, "high": high });
        let rate = |hits: &[bool]| {
            let (low, high) = share(hits).interval();
            shown((share(hits).value(), low, high))
        };
        json!({
            "hit_at_1": rate(&self.first),
            "hit_at_5": rate(&self.first_five),
            "ndcg_at_10": shown(mean(&self.gains)),
        })
    }
}

fn share(hits: &[bool]) -> Share {
    hits.iter().copied().collect()
}

/// Normalised discounted cumulative gain of a list (Järvelin and Kekäläinen, TOIS 2002) where
/// `wanted` tickets are hits, each worth 1.
fn ndcg(is_hit: &[bool], wanted: usize) -> f64 {
    let worth = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let found: f64 =
        (is_hit.iter().enumerate()).filter(|(_, hit)| **hit).map(|(n, _)| worth(n)).sum();
    found / (0..wanted.min(K)).map(worth).sum::<f64>()
}

/// The mean of values between 0 and 1, with its 95 % interval: normal, from their own spread.
fn mean(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let margin = 1.959_964 * (squares / (n - 1.0).max(1.0) / n).sqrt();
    (mean, (mean - margin).max(0.0), (mean + margin).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &str) -> Vec<Row> {
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn duplicates_are_looked_for_among_all_others() {
        let rows = rows(
            r#"{"id": "a", "subject": "x", "duplicates": ["b", "a", "gone"]}
            {"id": "b", "body": "y"}
            {"id": "c", "duplicates": ["gone"]}"#,
        );
        let task = Task::new(&rows).unwrap();
        assert_eq!(task.queries, [(0, HashSet::from([1]))]);
        assert_eq!((task.corpus.len(), task.left_out), (3, 1));
    }

    #[test]
    fn rows_as_other_programs_write_them_are_read() {
        let rows = rows(
            r#"{"id": 1, "subject": null, "duplicates": [2], "messages": [{"author": "x", "text": "jam"}]}
            {"id": "2", "body": "y", "duplicates": null, "messages": null}"#,
        );
        assert_eq!(Task::new(&rows).unwrap().queries, [(0, HashSet::from([1]))]);
        assert!(text(&rows[0]).contains("jam"));
    }

    #[test]
    fn queries_are_looked_for_in_the_corpus_alone() {
        let rows = rows(
            r#"{"id": "a", "split": "corpus", "relevant": ["b"]}
            {"id": "b", "split": "corpus"}
            {"id": "q", "split": "query", "relevant": ["a", "other"]}
            {"id": "r", "split": "query", "relevant": ["q"]}
            {"id": "s", "split": "train", "relevant": ["a"]}"#,
        );
        let task = Task::new(&rows).unwrap();
        assert_eq!(task.queries, [(2, HashSet::from([0]))]);
        assert_eq!((task.corpus, task.left_out), (vec![0, 1], 1));
    }

    #[test]
    fn a_file_that_names_no_hits_is_refused() {
        let refused = Task::new(&rows(r#"{"id": "a"}"#)).unwrap_err();
        assert!(refused.to_string().contains("`duplicates`"), "{refused}");
        let twice = Task::new(&rows("{\"id\": \"a\"}\n{\"id\": \"a\"}")).unwrap_err();
        assert!(twice.to_string().contains("two rows"), "{twice}");
    }

    #[test]
    fn gains_are_discounted_by_place() {
        assert!((ndcg(&[true, false, true], 2) - 1.5 / (1.0 + 1.0 / 3f64.log2())).abs() < 1e-12);
        assert!((ndcg(&[true; 10], 30) - 1.0).abs() < 1e-12);
        assert!(ndcg(&[], 1).abs() < 1e-12);
        let (value, low, high) = mean(&[0.0, 1.0, 1.0, 0.0]);
        assert!(low < value && value < high && (value - 0.5).abs() < 1e-12);
    }
}
