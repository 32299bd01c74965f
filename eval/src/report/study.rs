//! One field of a loaded history: divided, judged, and its labels examined.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use deskhand::backtest::{self, Case, Minutes, Parts, Plan, Prepared};
use deskhand::inference::Embedder;
use deskhand::judge::doctor::{self, Doctor, is_bounced};
use deskhand::judge::report::{Field, Similar};
use deskhand::judge::{Share, metrics};
use serde::Serialize;

use super::load::{Labels, Loaded};
use crate::output::bar;

/// Judged tickets below which figures are too wide to decide on.
const FEW: usize = 200;
/// Tickets that bounced before their times say something.
const BOUNCED: usize = 5;

/// How to judge.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) score: Option<String>,
    pub(crate) triage: f64,
    pub(crate) misroute: f64,
}

/// A field, judged.
pub(crate) struct Judged {
    pub(crate) field: Field,
    pub(crate) similar: Similar,
    pub(crate) warnings: Vec<String>,
    /// Tickets that were judged, by their place in the history.
    pub(crate) scored: Vec<usize>,
}

/// Time by stage.
#[derive(Debug)]
pub(crate) struct Stages {
    last: Instant,
    seconds: Vec<(String, f64)>,
}

impl Default for Stages {
    fn default() -> Self {
        Self { last: Instant::now(), seconds: Vec::new() }
    }
}

impl Stages {
    pub(crate) fn done(&mut self, stage: &str) {
        self.seconds.push((stage.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }

    pub(crate) fn into_seconds(self) -> Vec<(String, f64)> {
        self.seconds
    }
}

/// How tickets are divided, with whatever leaks taken out; and what there is to say about it.
pub(crate) fn divide(
    loaded: &Loaded,
    data: &Prepared,
    labels: &Labels,
    settings: &Settings,
) -> Result<(Parts, Vec<String>)> {
    let mut tickets = loaded.labelled(&labels.rows);
    let parts_named: BTreeSet<&str> = tickets.iter().filter_map(|t| t.split.as_deref()).collect();
    // Data that are divided, but have no part to be judged by, are divided anew.
    let divided = settings.score.is_some() || parts_named.contains("test");
    if !divided {
        for ticket in &mut tickets {
            ticket.split = None;
        }
    }
    let numbers: Vec<u32> = labels.given.iter().map(|l| *l as u32).collect();
    let plan = Plan { score: settings.score.clone(), seed: settings.seed, ..Plan::default() };
    let mut warnings = Vec::new();
    let mut all = plan.divide(&tickets, &numbers, &data.groups).or_else(|error| {
        // All of one day, say: then by chance.
        if settings.score.is_some() {
            return Err(error);
        }
        for ticket in &mut tickets {
                    ticket.created_at = None;
                }
        let parts = plan.divide(&tickets, &numbers, &data.groups)?;
        warnings.push(format!("{error}; so a fifth by chance is judged instead of the latest"));
        Ok(parts)
    }).with_context(|| {
        "the tickets cannot be divided into some to learn from and others to judge by; export a \
         longer time"
    })?;
    let Some(mut parts) = all.pop() else { bail!("there is nothing to judge") };
    let judged: BTreeSet<usize> = parts.score.iter().map(|r| data.groups[*r]).collect();
    let before = parts.fit.len();
    let clean = |rows: &mut Vec<usize>| rows.retain(|r| !judged.contains(&data.groups[*r]));
    clean(&mut parts.fit);
    clean(&mut parts.calibrate);
    let left = before - parts.fit.len();
    if left > 0 {
        warnings.push(format!(
            "{left} tickets were not learned from, because a near-duplicate or a ticket of their \
             thread is among the judged ones"
        ));
    }
    if parts.fit.is_empty() || parts.score.is_empty() {
        bail!(
            "nearly all tickets say the same, so none are left to judge by that the others do not \
             give away; export a longer time, or other columns for subject and body"
        );
    }
    Ok((parts, warnings))
}

/// Judges a field.
pub(crate) fn judge(
    loaded: &Loaded,
    prepared: &Prepared,
    labels: &Labels,
    settings: &Settings,
    embedder: &Embedder,
) -> Result<Judged> {
    let data = select(prepared, &labels.rows);
    let (parts, mut warnings) = divide(loaded, &data, labels, settings)?;
    if parts.score.len() < FEW {
        warnings.push(format!(
            "only {} tickets could be judged by for the {}; the intervals say how little that is",
            parts.score.len(),
            labels.field
        ));
    }
    let names: Vec<Vec<String>> = labels.names.iter().map(|n| vec![n.clone()]).collect();
    let words = backtest::describe(&names, embedder)?;
    let times = loaded.times(&labels.rows);
    let subjects: Vec<String> = labels.rows.iter().map(|r| loaded.subjects[*r].clone()).collect();
    let case = Case {
        name: &labels.field,
        data: &data,
        subjects: &subjects,
        labels: &labels.given,
        names: &labels.names,
        words: &words,
        times: &times,
        seed: settings.seed,
    };
    let minutes = Minutes {
        triage: settings.triage,
        misroute: settings.misroute,
        measured: bounced_longer(loaded),
    };
    let progress = bar(1, "Fitting and judging");
    let stage = |name: &'static str| {
        progress.set_message(name);
        progress.set_position(0);
    };
    let advance = |done: usize, of: usize| {
        progress.set_length(of as u64);
        progress.set_position(done as u64);
    };
    let (field, _) = backtest::study(case, &parts, minutes, &stage, &advance)?;
    let similar = backtest::similar(case, &parts);
    progress.finish_and_clear();
    let scored = parts.score.iter().map(|r| labels.rows[*r]).collect();
    Ok(Judged { field, similar, warnings, scored })
}

/// The field's tickets; no copy is made where that is all of them.
fn select<'a>(prepared: &'a Prepared, rows: &[usize]) -> std::borrow::Cow<'a, Prepared> {
    if rows.len() == prepared.vectors.len() {
        std::borrow::Cow::Borrowed(prepared)
    } else {
        std::borrow::Cow::Owned(prepared.select(rows))
    }
}

/// What tickets that bounced took longer than others, in minutes, by their medians.
fn bounced_longer(loaded: &Loaded) -> Option<f64> {
    let (mut bounced, mut straight) = (Vec::new(), Vec::new());
    for ticket in &loaded.tickets {
        let Some(minutes) = ticket.resolved.outcome.handling_minutes else { continue };
        let of =
            if is_bounced(&ticket.path, ticket.handovers) { &mut bounced } else { &mut straight };
        of.push(minutes);
    }
    if bounced.len() < BOUNCED || straight.len() < BOUNCED {
        return None;
    }
    let median = |list: &mut Vec<u32>| {
        list.sort_unstable();
        f64::from(list[list.len() / 2])
    };
    Some(median(&mut bounced) - median(&mut straight)).filter(|minutes| *minutes > 0.0)
}

/// What the doctor found, and a taxonomy to start from.
pub(crate) struct Examined {
    pub(crate) doctor: Doctor,
    pub(crate) taxonomy: String,
}

/// Examines a field's labels.
pub(crate) fn examine(
    loaded: &Loaded,
    prepared: &Prepared,
    labels: &Labels,
    seed: u64,
) -> Result<Examined> {
    let data = select(prepared, &labels.rows);
    let progress = bar(6, "Looking at labels");
    let unseen =
        backtest::unseen(&data, &labels.given, labels.names.len(), seed, &mut || progress.inc(1))?;
    progress.finish_and_clear();
    let of = |list: &[String]| labels.rows.iter().map(|r| list[*r].clone()).collect::<Vec<_>>();
    let (ids, subjects) = (of(&loaded.ids), of(&loaded.subjects));
    let times = loaded.times(&labels.rows);
    let ticket = |row: &usize| &loaded.tickets[*row];
    let paths: Vec<Vec<String>> = labels.rows.iter().map(|r| ticket(r).path.clone()).collect();
    // A history that tells paths tells them of the tickets that were handed over.
    let straight = loaded.tells_paths().then_some(0);
    let handovers: Vec<Option<u32>> =
        labels.rows.iter().map(|r| ticket(r).handovers.or(straight)).collect();
    let history = doctor::History {
        field: &labels.field,
        names: &labels.names,
        labels: &labels.given,
        probabilities: &unseen.probabilities,
        groups: &data.groups,
        vectors: &data.vectors,
        texts: &data.texts,
        ids: &ids,
        subjects: &subjects,
        times: &times,
        paths: &paths,
        handovers: &handovers,
        seed,
    };
    let found = doctor::examine(&history);
    let owners: Vec<Option<&str>> = labels.rows.iter().map(|r| loaded.label(*r, "team")).collect();
    let taxonomy = doctor::draft(&loaded.title, &history, &owners, &found);
    Ok(Examined { doctor: found, taxonomy })
}

/// Puts a wrong label on a share of the tickets; which, by their place among the field's.
pub(crate) fn inject(labels: &mut Labels, share: f64, seed: u64) -> BTreeMap<usize, usize> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut rows: Vec<usize> = (0..labels.given.len()).collect();
    rng.shuffle(&mut rows);
    rows.truncate((share.clamp(0.0, 1.0) * rows.len() as f64).round() as usize);
    let mut was = BTreeMap::new();
    for row in rows {
        let right = labels.given[row];
        let other = rng.usize(..labels.names.len() - 1);
        was.insert(row, right);
        labels.given[row] = if other >= right { other + 1 } else { other };
    }
    was
}

/// How many of the injected wrong labels were found.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    tickets: usize,
    injected: usize,
    suspects: usize,
    found: usize,
    /// Of the suspects, the share that was injected: a floor, since the data have faults of their own.
    precision: deskhand::judge::Estimate,
    recall: deskhand::judge::Estimate,
    /// Among as many of the surest suspects as labels were injected.
    precision_of_the_surest: f64,
    /// Of the found ones, the share whose right label was suggested.
    suggested_right: f64,
    estimated_noise: f64,
    /// How well suspicion ranks: the area under the ROC curve of "is suspected, and how surely".
    auroc: Option<f64>,
}

pub(crate) fn told(
    labels: &Labels,
    loaded: &Loaded,
    injected: &BTreeMap<usize, usize>,
    doctor: &Doctor,
) -> Told {
    let wrong: BTreeMap<&str, &str> = injected
        .iter()
        .map(|(row, right)| (loaded.ids[labels.rows[*row]].as_str(), labels.names[*right].as_str()))
        .collect();
    let suspects = &doctor.mislabelled;
    let hit = |ticket: &str| wrong.contains_key(ticket);
    let found = suspects.iter().filter(|s| hit(&s.ticket)).count();
    let right =
        suspects.iter().filter(|s| wrong.get(s.ticket.as_str()) == Some(&s.suggested.as_str()));
    let right = right.count();
    let surest = suspects.iter().take(wrong.len());
    let surest_found = surest.clone().filter(|s| hit(&s.ticket)).count();
    let score: BTreeMap<&str, f32> =
        suspects.iter().map(|s| (s.ticket.as_str(), s.confidence - s.given)).collect();
    let of = |wanted: bool| -> Vec<f32> {
        let ids = labels.rows.iter().map(|r| loaded.ids[*r].as_str());
        ids.filter(|id| wrong.contains_key(id) == wanted)
            .map(|id| score.get(id).copied().unwrap_or_default())
            .collect()
    };
    Told {
        tickets: labels.given.len(),
        injected: wrong.len(),
        suspects: suspects.len(),
        found,
        precision: Share { successes: found, trials: suspects.len() }.estimate(),
        recall: Share { successes: found, trials: wrong.len() }.estimate(),
        precision_of_the_surest: surest_found as f64 / surest.len().max(1) as f64,
        suggested_right: right as f64 / found.max(1) as f64,
        estimated_noise: doctor.noise,
        auroc: metrics::auroc(&of(true), &of(false)).ok().flatten(),
    }
}

/// The command line as it was typed, quoted for a shell.
pub(crate) fn command() -> String {
    let words = std::env::args().enumerate().map(|(n, word)| {
        let word =
            if n == 0 { word.rsplit(['/', '\\']).next().unwrap_or(&word).to_owned() } else { word };
        let plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Processor and operating system, as far as the system tells.
pub(crate) fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|p| p.1));
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    name.map_or(system.clone(), |name| format!("{}, {system}", name.trim()))
}
