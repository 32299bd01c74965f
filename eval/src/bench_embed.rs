//! `deskhand-eval bench-embed`: how fast the encoder is, alone with its texts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use deskhand::app;
use deskhand::model::{Encoder, Tokenizer};
use serde::Deserialize;
use serde_json::json;

use crate::bench::status_megabytes;
use crate::desk::{ModelArgs, Silent};
use crate::output::line;

/// Tokens of one forward pass, as when an evaluation embeds its texts.
const BATCH_TOKENS: usize = 4096;
/// Passes over one text before the clock runs, and those that are timed.
const SINGLE: (usize, usize) = (20, 200);

/// Time the encoder on a file of texts: all of them at once, tokenizing included, and one alone.
///
/// Nothing is remembered from one pass to the next. `make bench-peers` runs other encoders on the
/// same texts in turns with this one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  python3 eval/peers/texts.py > texts.jsonl\n  \
    deskhand-eval bench-embed --texts texts.jsonl --max-tokens 256 --threads 2 --json")]
pub(crate) struct Args {
    /// One JSON string or ticket (subject, body) a line
    #[arg(long, value_name = "FILE")]
    texts: PathBuf,
    /// Longer texts are cut off here
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(3..))]
    max_tokens: u64,
    /// Threads to compute on
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let texts = read(&args.texts)?;
    let config = model.config(None)?;
    let manifest = app::manifest(&config)?;
    let folder = app::fetcher(&config)?.ensure(&manifest, &Silent).await?;
    let result = tokio::task::spawn_blocking(move || -> Result<_> {
        let encoder = Encoder::load(&manifest, &folder, args.threads as usize)?;
        let tokenizer = Tokenizer::load(&folder, args.max_tokens as usize)?;
        measure(&encoder, &tokenizer, &texts, &manifest.fingerprint())
    });
    let result = result.await??;
    if args.json {
        return line(&result.to_string());
    }
    line(&serde_json::to_string_pretty(&result)?)
}

fn measure(
    encoder: &Encoder,
    tokenizer: &Tokenizer,
    texts: &[String],
    fingerprint: &str,
) -> Result<serde_json::Value> {
    let all = |texts: &[String]| -> Result<Vec<usize>> {
        let sequences = encoder.share_out(texts, |text| tokenizer.beginning(text));
        let sequences = sequences.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut rest = sequences.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let fitting = rest.iter().take_while(|s| {
                tokens += s.len();
                tokens <= BATCH_TOKENS
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            rest = after;
            let batch: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
            encoder.embed(&batch)?;
        }
        Ok(sequences.iter().map(Vec::len).collect())
    };
    all(&texts[..texts.len().min(128)])?;
    let start = Instant::now();
    let lengths = all(texts)?;
    let seconds = start.elapsed().as_secs_f64();
    let tokens: usize = lengths.iter().sum();

    let mut by_length: Vec<usize> = (0..texts.len()).collect();
    by_length.sort_by_key(|&at| lengths[at]);
    let median = tokenizer.beginning(&texts[by_length[texts.len() / 2]])?;
    let mut times = Vec::with_capacity(SINGLE.1);
    for pass in 0..SINGLE.0 + SINGLE.1 {
        let start = Instant::now();
        encoder.embed(&[&median])?;
        if pass >= SINGLE.0 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| round(times[(times.len() as f64 * share) as usize], 1e3);
    Ok(json!({
        "texts": texts.len(),
        "tokens": tokens,
        "texts_per_second": round(texts.len() as f64 / seconds, 10.0),
        "tokens_per_second": round(tokens as f64 / seconds, 10.0),
        "single_p50_ms": at(0.50),
        "single_p99_ms": at(0.99),
        "peak_rss_mb": status_megabytes("VmHWM:"),
        "threads": encoder.threads(),
        "encoder": format!("{fingerprint}, {}", encoder.instructions()),
    }))
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Ticket {
        #[serde(default)]
        subject: String,
        #[serde(default)]
        body: String,
    },
}

/// The texts of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<String>> {
    let file = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let texts = file.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let texts = texts.map(|(at, line)| {
        let line = serde_json::from_str(line).with_context(|| {
            format!("{}, line {}: neither a JSON string nor a ticket", path.display(), at + 1)
        })?;
        Ok(match line {
            Line::Text(text) => text,
            Line::Ticket { subject, body } => format!("{subject}\n{body}"),
        })
    });
    let texts = texts.collect::<Result<Vec<_>>>()?;
    ensure!(!texts.is_empty(), "{} holds no texts", path.display());
    Ok(texts)
}
