//! `deskhand-eval compare`: two ways of labelling, on the same tickets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use deskhand::app;
use deskhand::backtest::report::{self, Labels, Loaded, Settings};
use deskhand::backtest::{self, Parts, Prepared, Regime};
use deskhand::classify::{Bundle, ClassWords};
use deskhand::domain::Clock;
use deskhand::inference::Embedder;
use deskhand::judge::compare::{Comparison, compare};
use deskhand::judge::gate::{Figures, Gate};
use deskhand::text::Rules;
use serde::Serialize;
use serde_json::json;

use crate::desk::{ModelArgs, Silent};
use crate::output::{Bars, bar, follow, line, note};
use crate::report::load::{self, Exports};

/// Exit status where a gate is not met.
const GATE: u8 = 3;
/// Labels and tickets that are shown.
const SHOWN: usize = 10;

/// Compare two bundles, or a bundle with the routing as it is, on the same tickets.
///
/// FIRST and SECOND are each a bundle's folder; `fresh`: a model fitted to the earlier tickets; or
/// `present`: the team that each ticket went to first (a column `team_history`, or `handovers` of 0).
/// The latest fifth of the tickets is judged by, and the earlier ones are what a model remembers.
/// Says by how much SECOND is right more often, whether that is more than chance, on which tickets
/// they differ, and whose tickets gain or lose. A bundle must not have learned from what it is
/// judged by: fit it to a file without the latest tickets.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  deskhand-eval compare old-bundle new-bundle --label team --data tickets.csv\n  \
    deskhand-eval compare present bundle --label team --data tickets.xlsx --gate \"difference>=0,p<=0.05\""
)]
pub(crate) struct Args {
    /// A bundle's folder, `fresh` or `present`
    first: Side,
    /// What it is compared with, likewise
    second: Side,
    #[command(flatten)]
    data: Data,
    /// The field: category, team or priority
    #[arg(long, default_value = "category")]
    label: String,
    /// Judge by the rows of this split, where the data are divided
    #[arg(long, value_name = "SPLIT")]
    score: Option<String>,
    /// For all that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with 3 unless these hold, which may name `accuracy_first`, `accuracy_second`,
    /// `difference`, `difference_low` and `p`
    #[arg(long)]
    gate: Option<Gate>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The exports under a flag, since two positions are taken.
#[derive(Debug, clap::Args)]
struct Data {
    /// Exports: JSON lines, CSV, XLSX, XLS or ODS; without any, the built-in sample
    #[arg(long = "data", value_name = "EXPORT")]
    files: Vec<PathBuf>,
    /// Which column holds which field, where the name does not tell
    #[arg(long, value_name = "FIELD=COLUMN,…", default_value = "", hide_default_value = true)]
    map: deskhand::exports::ColumnMap,
    /// How dates are written where the column does not tell: dmy or mdy
    #[arg(long, value_name = "ORDER")]
    dates: Option<deskhand::exports::DateOrder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    Bundle(PathBuf),
    Fresh,
    Present,
}

impl FromStr for Side {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "fresh" => Self::Fresh,
            "present" => Self::Present,
            folder => Self::Bundle(PathBuf::from(folder)),
        })
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundle(folder) => write!(f, "{}", folder.display()),
            Self::Fresh => f.write_str("fresh"),
            Self::Present => f.write_str("present"),
        }
    }
}

/// A ticket on which the two differ.
#[derive(Debug, Serialize)]
struct Difference {
    ticket: String,
    subject: String,
    truth: String,
    first: Option<String>,
    second: Option<String>,
}

pub(crate) async fn run(model: &ModelArgs, args: Args) -> Result<ExitCode> {
    ensure!(
        args.first != args.second,
        "FIRST and SECOND are the same; there is nothing to compare"
    );
    let exports = Exports {
        files: args.data.files.clone(),
        map: args.data.map.clone(),
        dates: args.data.dates,
        sheet: None,
        latest: 60_000,
        max_megabytes: 1024,
    };
    let mut loaded = load::read(&exports, app::SystemClock.now())?;
    let mut fields = report::fields(&mut loaded, std::slice::from_ref(&args.label))?;
    let labels = fields.swap_remove(0);
    let config = model.config(None)?;
    let encoder = app::manifest(&config)?.fingerprint();
    let embedder = app::embedder(&config, &Silent).await?;
    let gate = args.gate.clone();
    let done =
        tokio::task::spawn_blocking(move || judge(&args, loaded, &labels, &encoder, &embedder));
    let figures = done.await??;
    let Some(gate) = gate else { return Ok(ExitCode::SUCCESS) };
    let short = gate.check(&figures)?;
    for shortfall in &short {
        note(&format!("gate not met: {shortfall}"))?;
    }
    Ok(if short.is_empty() { ExitCode::SUCCESS } else { GATE.into() })
}

fn judge(
    args: &Args,
    mut loaded: Loaded,
    labels: &Labels,
    encoder: &str,
    embedder: &Embedder,
) -> Result<Figures> {
    let bars = Bars::default();
    let prepared = report::prepare_all(&mut loaded, &Rules::default(), embedder, &bars)?;
    bars.finish();
    let data = prepared.select(&labels.rows);
    let settings = Settings { seed: args.seed, score: args.score.clone(), ..Settings::default() };
    let (mut parts, warnings) = report::divide(&loaded, &data, labels, &settings)?;
    for warning in loaded.warnings.iter().chain(&warnings) {
        note(&format!("note: {warning}"))?;
    }
    // Both are judged by the same tickets: those whose first team is known, if that is asked for.
    if [&args.first, &args.second].contains(&&Side::Present) {
        ensure!(args.label == "team", "present is about teams; add --label team");
        let known = |row: &usize| present(&loaded, labels.rows[*row]).is_some();
        parts.score.retain(known);
        ensure!(
            !parts.score.is_empty(),
            "the export does not tell which team a ticket went to first: name its column, for \
             example --map team_history=COLUMN or --map handovers=COLUMN"
        );
    }
    let names: Vec<Vec<String>> = labels.names.iter().map(|n| vec![n.clone()]).collect();
    let words = backtest::describe(&names, embedder)?;
    let asked =
        Asked { args, loaded: &loaded, labels, data: &data, parts: &parts, words: &words, encoder };
    let (first, second) = (asked.answers(&args.first)?, asked.answers(&args.second)?);
    let truth: Vec<usize> = parts.score.iter().map(|row| labels.given[*row]).collect();
    let found = compare(&first, &second, &truth, &labels.names, args.seed);
    let name = |answer: Option<usize>| answer.and_then(|label| labels.names.get(label).cloned());
    let differ: Vec<Difference> = found
        .differ
        .iter()
        .map(|at| {
            let row = labels.rows[parts.score[*at]];
            Difference {
                ticket: loaded.ids[row].clone(),
                subject: loaded.subjects[row].clone(),
                truth: labels.names[truth[*at]].clone(),
                first: name(first[*at]),
                second: name(second[*at]),
            }
        })
        .collect();
    print(args, &found, &differ, &parts)?;
    Ok([
        ("accuracy_first", found.first.value),
        ("accuracy_second", found.second.value),
        ("difference", found.difference.value),
        ("difference_low", found.difference.low),
        ("p", found.p),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

/// The team that a ticket went to first, where the export tells.
fn present(loaded: &Loaded, row: usize) -> Option<&str> {
    let ticket = &loaded.tickets[row];
    match (ticket.path.first(), ticket.handovers) {
        (Some(team), _) => Some(team),
        (None, Some(0)) => loaded.label(row, "team"),
        (None, Some(_)) => None,
        // Histories that tell a path tell it where there is one.
        (None, None) => loaded.tells_paths().then(|| loaded.label(row, "team")).flatten(),
    }
}

struct Asked<'a> {
    args: &'a Args,
    loaded: &'a Loaded,
    labels: &'a Labels,
    data: &'a Prepared,
    parts: &'a Parts,
    words: &'a [ClassWords],
    encoder: &'a str,
}

impl Asked<'_> {
    /// What a side says of each judged ticket.
    fn answers(&self, side: &Side) -> Result<Vec<Option<usize>>> {
        let bundle = match side {
            Side::Present => return Ok(self.present()),
            Side::Fresh => None,
            Side::Bundle(folder) => Some(self.load(folder)?),
        };
        let model = match &bundle {
            None => None,
            Some(bundle) => Some(bundle.fields.get(&self.args.label).with_context(|| {
                let fields: Vec<&str> = bundle.fields.keys().map(String::as_str).collect();
                format!("{side} has no field {:?}; it has: {}", self.args.label, fields.join(", "))
            })?),
        };
        let settings = backtest::Settings {
            regime: Regime::Automatic,
            seed: self.args.seed,
            model,
            baselines: false,
        };
        let progress = bar(1, "Judging");
        let answers = backtest::answers(
            self.data,
            &self.labels.given,
            &self.labels.names,
            self.words,
            self.parts,
            settings,
            &follow(&progress),
        )?;
        progress.finish_and_clear();
        Ok(answers.top().into_iter().map(Some).collect())
    }

    fn present(&self) -> Vec<Option<usize>> {
        let number = |team: &str| self.labels.names.iter().position(|name| name == team);
        let answer = |row: &usize| present(self.loaded, self.labels.rows[*row]).and_then(number);
        self.parts.score.iter().map(answer).collect()
    }

    fn load(&self, folder: &Path) -> Result<Bundle> {
        let bundle = Bundle::load(folder, self.encoder)
            .with_context(|| format!("the bundle {}", folder.display()))?;
        if self.loaded.files.iter().any(|file| file.sha256 == bundle.manifest.data) {
            note(&format!(
                "note: {} was fitted to this very file; what it is judged by, it may have learned",
                folder.display()
            ))?;
        }
        Ok(bundle)
    }
}

fn print(args: &Args, found: &Comparison, differ: &[Difference], parts: &Parts) -> Result<()> {
    if args.json {
        let result = json!({
            "first": args.first.to_string(), "second": args.second.to_string(), "label": args.label,
            "split": parts.how, "seed": args.seed, "comparison": found, "differ": differ,
        });
        return line(&result.to_string());
    }
    let percent = |e: deskhand::judge::Estimate| {
        format!("{:.1} % ({:.1}–{:.1})", 100.0 * e.value, 100.0 * e.low, 100.0 * e.high)
    };
    let (first, second) = (args.first.to_string(), args.second.to_string());
    let Comparison { tickets, only_first, only_second, both, neither, .. } = found;
    line(&format!("{tickets} tickets, {} (95 % intervals)\n", parts.how))?;
    line(&format!("{first:<40} {}", percent(found.first)))?;
    line(&format!("{second:<40} {}", percent(found.second)))?;
    let d = found.difference;
    line(&format!(
        "{:<40} {:+.1} points ({:+.1} to {:+.1}), McNemar p {}",
        "the second is ahead by",
        100.0 * d.value,
        100.0 * d.low,
        100.0 * d.high,
        if found.p < 0.001 { "< 0.001".to_owned() } else { format!("{:.3}", found.p) },
    ))?;
    line(&format!(
        "both right {both}, only the first {only_first}, only the second {only_second}, neither {neither}\n"
    ))?;
    for change in found.labels.iter().take(SHOWN) {
        line(&format!(
            "  {:<38} {:>5} tickets: {:+.0} ({} gained, {} lost)",
            change.label,
            change.tickets,
            change.gained as f64 - change.lost as f64,
            change.gained,
            change.lost
        ))?;
    }
    let by_kind: BTreeMap<bool, Vec<&Difference>> =
        differ.iter().fold(BTreeMap::new(), |mut kinds: BTreeMap<_, Vec<_>>, d| {
            kinds.entry(d.second.as_deref() != Some(&d.truth)).or_default().push(d);
            kinds
        });
    for (lost, tickets) in by_kind {
        line(if lost { "\nlost, for example" } else { "\ngained, for example" })?;
        for d in tickets.iter().take(SHOWN) {
            let said = |answer: &Option<String>| answer.clone().unwrap_or_else(|| "–".to_owned());
            line(&format!(
                "  {}: {} (right: {}; first: {}; second: {})",
                d.ticket,
                d.subject.chars().take(70).collect::<String>(),
                d.truth,
                said(&d.first),
                said(&d.second)
            ))?;
        }
    }
    Ok(())
}
