//! `deskhand-eval leave-one-out`: every ticket of a history, triaged as if it were new.

use std::path::PathBuf;

use anyhow::Result;
use deskhand::domain::{Decision, LabelDecision, ResolvedTicket, Suggestion};
use deskhand::exports::ColumnMap;
use deskhand::inference::Lane;
use deskhand::judge::Share;
use serde_json::json;

use crate::desk::{Desk, ModelArgs, history};
use crate::output::{bar, line};

/// Accuracy when each ticket of a history is triaged with all others known.
///
/// The tickets go through the service's own pipeline; a ticket never votes for itself. Later
/// tickets vote for earlier ones, so this flatters: a time-ordered test is stricter.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  deskhand-eval leave-one-out\n  \
    deskhand-eval leave-one-out tickets.csv --json")]
pub(crate) struct Args {
    /// An export (JSON lines or CSV); without it the built-in sample history
    file: Option<PathBuf>,
    /// Which column holds which field, where the name does not tell
    #[arg(long, value_name = "FIELD=COLUMN,…", default_value = "", hide_default_value = true)]
    map: ColumnMap,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<()> {
    let (tickets, taxonomy) = history(args.file, args.map)?;
    let desk = Desk::open(model).await?;
    desk.import(&tickets, taxonomy).await?;
    let answers = answer_all(&desk, &tickets).await?;
    desk.close().await;
    let fields: [(&str, Vec<Judged>); 3] = [
        ("category", judge(&tickets, &answers, |o| o.category.as_deref(), |s| &s.category)),
        ("team", judge(&tickets, &answers, |o| o.team.as_deref(), |s| &s.team.decision)),
        ("priority", judge(&tickets, &answers, |o| o.priority.as_deref(), |s| &s.priority)),
    ];
    let drafted: Share = answers.iter().map(|a| a.draft.is_some()).collect();
    if args.json {
        let field = |judged: &[Judged]| {
            let (accuracy, coverage, precision) = shares(judged);
            json!({ "accuracy": share(accuracy), "auto_coverage": share(coverage),
                    "auto_precision": share(precision) })
        };
        let fields: serde_json::Map<_, _> =
            fields.iter().map(|(name, judged)| ((*name).to_owned(), field(judged))).collect();
        let result =
            json!({ "tickets": tickets.len(), "fields": fields, "drafted": share(drafted) });
        return line(&serde_json::to_string_pretty(&result)?);
    }
    line(&format!(
        "{} tickets, each triaged with all others known (95 % intervals)\n",
        tickets.len()
    ))?;
    line("field      accuracy               auto: coverage         auto: precision")?;
    for (name, judged) in &fields {
        let (accuracy, coverage, precision) = shares(judged);
        line(&format!("{name:<10} {accuracy:<22} {coverage:<22} {precision}"))?;
    }
    line(&format!("drafted    {drafted}"))
}

/// The pipeline's answers to all tickets, in order.
pub(crate) async fn answer_all(desk: &Desk, tickets: &[ResolvedTicket]) -> Result<Vec<Suggestion>> {
    let progress = bar(tickets.len(), "Triaging");
    let mut answers = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        let assessed = desk
            .app
            .triage
            .assess(&desk.workspace, &ticket.ticket, None, Lane::Interactive)
            .await?;
        answers.push(assessed.suggestion);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(answers)
}

/// One answer held against the truth.
pub(crate) struct Judged {
    pub(crate) right: bool,
    auto: bool,
}

/// Tickets whose truth is known, judged.
pub(crate) fn judge(
    tickets: &[ResolvedTicket],
    answers: &[Suggestion],
    truth: impl Fn(&deskhand::domain::Outcome) -> Option<&str>,
    answer: impl Fn(&Suggestion) -> &LabelDecision,
) -> Vec<Judged> {
    let pairs = tickets.iter().zip(answers);
    let judged = pairs.filter_map(|(ticket, suggestion)| {
        let (truth, answer) = (truth(&ticket.outcome)?, answer(suggestion));
        let right = answer.label.as_deref() == Some(truth);
        Some(Judged { right, auto: answer.decision == Decision::Auto })
    });
    judged.collect()
}

/// Accuracy; the share decided automatically; the share of those that is right.
fn shares(judged: &[Judged]) -> (Share, Share, Share) {
    (
        judged.iter().map(|j| j.right).collect(),
        judged.iter().map(|j| j.auto).collect(),
        judged.iter().filter(|j| j.auto).map(|j| j.right).collect(),
    )
}

fn share(share: Share) -> serde_json::Value {
    let (low, high) = share.interval();
    json!({ "value": share.value(), "low": low, "high": high, "trials": share.trials })
}
