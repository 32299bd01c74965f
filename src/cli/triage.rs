//! `deskhand triage`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::Common;
use super::terminal::{Downloads, say};
use crate::app::{self, App};
use crate::domain::{
    Decision, LabelDecision, SentenceKind, Suggestion, Ticket, TicketText, WorkspaceId,
};
use crate::triage::Receipt;

/// Longest ticket that is read from standard input.
const MAX_INPUT: u64 = 1 << 20;

/// Triage one ticket from the command line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand triage \"VPN drops every few minutes\"\n  \
    deskhand triage \"VPN drops\" \"Since the update, from home only.\"\n  \
    deskhand triage --json < ticket.txt\n\n\
    Read from standard input, the first line is the subject and the rest the body.")]
pub(super) struct TriageArgs {
    /// Subject line; without it the ticket is read from standard input
    subject: Option<String>,
    /// What the ticket says
    body: Option<String>,
    /// The desk that answers
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
    workspace: WorkspaceId,
    /// Print the answer as JSON, as the API would
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(common: &Common, args: TriageArgs) -> Result<()> {
    let text = match args.subject {
        Some(subject) => {
            TicketText { subject, body: args.body.unwrap_or_default(), messages: Vec::new() }
        }
        None => from_stdin()?,
    };
    let config = common.quiet_config()?;
    let store = app::store(&config).await?;
    let app = App::open(&config, store, &Downloads::default()).await?;
    let ticket = Ticket { text, requester: None, created_at: None, source: None };
    let suggestion = app.triage.triage(&args.workspace, ticket, Receipt::none()).await;
    app.close(Duration::from_secs(5)).await;
    let suggestion = suggestion?;
    if args.json {
        super::print(&serde_json::to_string_pretty(&suggestion)?)
    } else {
        super::print(&for_people(&suggestion))
    }
}

fn from_stdin() -> Result<TicketText> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        say("Type the ticket, its subject on the first line, and end with Ctrl-D:");
    }
    let mut bytes = Vec::new();
    stdin.by_ref().take(MAX_INPUT + 1).read_to_end(&mut bytes).context("standard input")?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_INPUT, "a ticket has at most {MAX_INPUT} bytes");
    let text = String::from_utf8(bytes).context("standard input is not UTF-8")?;
    let (subject, body) = text.trim_start().split_once('\n').unwrap_or((text.trim(), ""));
    Ok(TicketText {
        subject: subject.trim().to_owned(),
        body: body.trim().to_owned(),
        messages: Vec::new(),
    })
}

fn for_people(suggestion: &Suggestion) -> String {
    let mut out = String::new();
    let mut line = |name: &str, decided: &LabelDecision, note: &str| {
        let label = decided.label.as_deref().unwrap_or("–");
        let certainty = match decided.decision {
            Decision::Auto => "sure",
            Decision::Suggest => "likely",
            Decision::Abstain => "not sure",
        };
        let percent = decided.probability * 100.0;
        let _ = writeln!(out, "{name:<9} {label}{note}  ({percent:.0} %, {certainty})");
    };
    line("Category", &suggestion.category, "");
    let department = suggestion.team.department.as_ref().map(|d| format!(" [{d}]"));
    line("Team", &suggestion.team.decision, &department.unwrap_or_default());
    line("Priority", &suggestion.priority, "");
    if !suggestion.similar.is_empty() {
        let _ = writeln!(out, "\nSimilar tickets");
        for similar in &suggestion.similar {
            let category = similar.category.as_deref().unwrap_or("–");
            let _ = writeln!(out, "  {:.2}  {}  ({category})", similar.score, similar.subject);
        }
    }
    match &suggestion.draft {
        Some(draft) => {
            let sources = draft.sentences.iter().filter(|s| s.kind == SentenceKind::Source).count();
            let _ = writeln!(out, "\nDraft ({sources} sentences from resolved tickets)");
            for line in draft.text.lines() {
                let _ = writeln!(out, "{}", format!("  {line}").trim_end());
            }
        }
        None => {
            let _ = writeln!(out, "\nNo draft: no similar ticket says surely enough what to do.");
        }
    }
    out.trim_end().to_owned()
}
