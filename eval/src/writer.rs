//! `deskhand-eval writer`: a local language model's speed, and what the guard lets through of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use deskhand::domain::Draft;
use deskhand::drafts::rewrite;
use deskhand::inference::Lane;
use deskhand::model::{ChatMessage, LanguageModel, Sampling};
use deskhand::sample;
use deskhand::triage::Triage;
use serde_json::{Value, json};

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
    let mut totals = Totals::default();
    let progress = bar(args.drafts, "Rewriting");
    for ticket in tickets.iter().rev() {
        if totals.shown.len() == args.drafts {
            break;
        }
        let triage = &desk.app.triage;
        let assessed =
            triage.assess(&desk.workspace, &ticket.ticket, None, Lane::Interactive).await?;
        let suggestion = assessed.suggestion;
        let Some(draft) = suggestion.draft else { continue };
        let (rules, asked) = rewrite::prompt(&draft, &suggestion.language);
        let chat = [
            ChatMessage { role: "system", content: rules },
            ChatMessage { role: "user", content: asked },
        ];
        let answer = totals.time(&mut writer, &chat, sampling)?;
        totals.judge(triage, &draft, &answer).await?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    desk.close().await;
    let mut result = totals.report(writer.bytes(), bandwidth);
    if !args.brief {
        result["shown"] = json!(totals.shown);
    }
    line(&serde_json::to_string_pretty(&result)?)
}

/// What was counted over all drafts.
#[derive(Default)]
struct Totals {
    prompt_tokens: usize,
    tokens: usize,
    /// Seconds until the first token, and from there on.
    prompting: f64,
    decoding: f64,
    passed: usize,
    dropped: usize,
    stood: usize,
    faults: BTreeMap<String, usize>,
    shown: Vec<Value>,
}

impl Totals {
    /// Has an answer written, against the clock.
    fn time(
        &mut self,
        writer: &mut LanguageModel,
        chat: &[ChatMessage],
        sampling: Sampling,
    ) -> Result<String> {
        let (mut answer, mut first) = (String::new(), None);
        let start = Instant::now();
        let written = writer.write(chat, sampling, &mut |piece| {
            first.get_or_insert_with(|| start.elapsed().as_secs_f64());
            answer.push_str(piece);
            true
        })?;
        let (all, first) = (start.elapsed().as_secs_f64(), first.unwrap_or_default());
        self.prompt_tokens += written.prompt_tokens;
        self.tokens += written.tokens.saturating_sub(1);
        self.prompting += first;
        self.decoding += all - first;
        Ok(answer)
    }

    /// Holds an answer's sentences to the draft's.
    async fn judge(&mut self, triage: &Triage, draft: &Draft, answer: &str) -> Result<()> {
        let notes = rewrite::notes(draft);
        let texts: Vec<String> = notes.iter().map(|n| n.text.clone()).collect();
        let known = embed(triage, &texts, "Reading").await?;
        let (mut good, mut bad) = (Vec::new(), 0);
        for sentence in rewrite::answer_sentences(answer, true) {
            let vector = embed(triage, std::slice::from_ref(&sentence), "Reading").await?;
            let similarities: Vec<f32> = known.iter().map(|k| dot(k, &vector[0])).collect();
            match rewrite::judge(&sentence, &notes, &similarities) {
                Ok(sentence) => good.push(sentence),
                Err(fault) => {
                    bad += 1;
                    *self.faults.entry(format!("{fault:?}")).or_default() += 1;
                }
            }
        }
        self.passed += good.len();
        self.dropped += bad;
        let whole = rewrite::rewritten(draft, &good, bad);
        self.stood += usize::from(whole.is_none());
        let passed: Vec<&str> = good.iter().map(|s| s.text.as_str()).collect();
        self.shown.push(json!({ "notes": texts, "passed": passed, "used": whole.is_some() }));
        Ok(())
    }

    fn report(&self, bytes: u64, bandwidth: f64) -> Value {
        let decode = self.tokens as f64 / self.decoding.max(1e-9);
        json!({
            "drafts": self.shown.len(),
            "prompt_tokens_per_second": round(self.prompt_tokens as f64 / self.prompting.max(1e-9)),
            "decode_tokens_per_second": round(decode),
            "model_bytes": bytes,
            "memory_bytes_per_second": bandwidth.round(),
            "share_of_bandwidth": round(decode * bytes as f64 / bandwidth),
            "sentences_passed": self.passed,
            "sentences_dropped": self.dropped,
            "dropped_for": self.faults,
            "extractive_draft_stood": self.stood,
        })
    }
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
