//! `deskhand-eval writer`: a local language model's speed, and what the guard lets through of it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use deskhand::domain::SentenceKind;
use deskhand::drafts::rewrite;
use deskhand::inference::Lane;
use deskhand::model::{ChatMessage, LanguageModel, Sampling};
use deskhand::sample;
use serde_json::json;

use crate::desk::{Desk, ModelArgs};
use crate::drafts::{dot, embed, round};
use crate::output::{bar, line};

/// Bytes that are read to measure the memory's bandwidth: more than any cache holds.
const READ: usize = 512 << 20;

/// Time a local model, and rewrite drafts for sample tickets with it.
///
/// Decoding reads the whole model for each token, so its speed is given beside what the memory
/// could deliver. Every sentence that passed the guard is printed with its notes, to be read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  deskhand-eval writer --gguf SmolLM2-135M-Instruct.Q4_1.gguf --drafts 50"
)]
pub(crate) struct Args {
    /// The model
    #[arg(long, value_name = "FILE")]
    gguf: PathBuf,
    /// Drafts to rewrite
    #[arg(long, default_value_t = 10)]
    drafts: usize,
    /// Tokens of an answer
    #[arg(long, default_value_t = 160)]
    max_tokens: usize,
    /// Leave the sentences out
    #[arg(long)]
    brief: bool,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let mut writer = LanguageModel::load(&args.gguf)?;
    let sampling = Sampling { max_tokens: args.max_tokens, temperature: 0.0, seed: 1 };
    let tickets = sample::tickets()?;
    let desk = Desk::open(model).await?;
    desk.import(&tickets, Some(sample::taxonomy())).await?;
    let bandwidth = bandwidth();
    let (mut prompt_tokens, mut tokens, mut prompting, mut decoding) = (0, 0, 0.0, 0.0);
    let (mut kept, mut dropped, mut stood) = (0, 0, 0);
    let (mut faults, mut shown) = (std::collections::BTreeMap::new(), Vec::new());
    let progress = bar(args.drafts, "Rewriting");
    let mut made = 0;
    for ticket in tickets.iter().rev() {
        if made == args.drafts {
            break;
        }
        let assessed = desk
            .app
            .triage
            .assess(&desk.workspace, &ticket.ticket, None, Lane::Interactive)
            .await?;
        let suggestion = assessed.suggestion;
        let Some(draft) = suggestion.draft else { continue };
        made += 1;
        let notes = rewrite::notes(&draft);
        let texts: Vec<String> = notes.iter().map(|n| n.text.clone()).collect();
        let known = embed(&desk.app.triage, &texts, "Reading").await?;
        let (rules, asked) = rewrite::prompt(&draft, &suggestion.language);
        let chat = [
            ChatMessage { role: "system", content: rules },
            ChatMessage { role: "user", content: asked },
        ];
        let (mut answer, mut first) = (String::new(), None);
        let start = Instant::now();
        let written = writer.write(&chat, sampling, &mut |piece| {
            first.get_or_insert_with(|| start.elapsed().as_secs_f64());
            answer.push_str(piece);
            true
        })?;
        let (all, first) = (start.elapsed().as_secs_f64(), first.unwrap_or_default());
        prompt_tokens += written.prompt_tokens;
        tokens += written.tokens.saturating_sub(1);
        prompting += first;
        decoding += all - first;
        let (mut good, mut bad) = (Vec::new(), 0);
        let mut passed = Vec::new();
        for sentence in rewrite::answer_sentences(&answer, true) {
            let vector =
                embed(&desk.app.triage, std::slice::from_ref(&sentence), "Reading").await?;
            let similarities: Vec<f32> = known.iter().map(|k| dot(k, &vector[0])).collect();
            match rewrite::judge(&sentence, &notes, &similarities) {
                Ok(sentence) => {
                    passed.push(sentence.text.clone());
                    good.push(sentence);
                }
                Err(fault) => {
                    bad += 1;
                    *faults.entry(format!("{fault:?}")).or_insert(0) += 1;
                }
            }
        }
        kept += good.len();
        dropped += bad;
        let whole = rewrite::rewritten(&draft, &good, bad);
        stood += usize::from(whole.is_none());
        debug_assert!(good.iter().all(|s| s.kind == SentenceKind::Model));
        shown.push(json!({ "notes": texts, "passed": passed, "used": whole.is_some() }));
        progress.inc(1);
    }
    progress.finish_and_clear();
    desk.close().await;
    let decode = f64::from(u32::try_from(tokens).context("tokens")?) / decoding.max(1e-9);
    let read = decode * writer.bytes() as f64;
    let mut result = json!({
        "drafts": made,
        "prompt_tokens_per_second": round(prompt_tokens as f64 / prompting.max(1e-9)),
        "decode_tokens_per_second": round(decode),
        "model_bytes": writer.bytes(),
        "memory_bytes_per_second": bandwidth.round(),
        "share_of_bandwidth": round(read / bandwidth),
        "sentences_passed": kept,
        "sentences_dropped": dropped,
        "dropped_for": faults,
        "extractive_draft_stood": stood,
    });
    if !args.brief {
        result["shown"] = json!(shown);
    }
    line(&serde_json::to_string_pretty(&result)?)
}

/// Bytes a second that all cores read together, of the best of five passes.
fn bandwidth() -> f64 {
    let data = vec![1u64; READ / 8];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut best = f64::MIN;
    for _ in 0..5 {
        let start = Instant::now();
        let sum: u64 = std::thread::scope(|scope| {
            let parts = data.chunks(data.len().div_ceil(cores));
            let parts =
                parts.map(|part| scope.spawn(|| part.iter().copied().fold(0, u64::wrapping_add)));
            let threads: Vec<_> = parts.collect();
            threads.into_iter().filter_map(|t| t.join().ok()).fold(0, u64::wrapping_add)
        });
        let seconds = start.elapsed().as_secs_f64();
        // What is added up must be looked at, or nothing is read.
        if std::hint::black_box(sum) > 0 {
            best = best.max(READ as f64 / seconds);
        }
    }
    best
}
