//! One field of a loaded history: divided, judged, and its labels examined.

use std::collections::BTreeSet;

use super::load::{Labels, Loaded};
use super::{ReportError, Settings};
use crate::backtest::{
    Case, Embed, Minutes, Parts, Plan, Prepared, Stage, Watch, describe, similar, study, unseen,
};
use crate::judge::doctor::{self, Doctor, is_bounced};
use crate::judge::report::{Field, Similar};

/// Judged tickets below which figures are too wide to decide on.
const FEW: usize = 200;
/// Tickets that bounced before their times say something.
const BOUNCED: usize = 5;

/// A field, judged.
pub(super) struct Judged {
    pub(super) field: Field,
    pub(super) similar: Similar,
    pub(super) warnings: Vec<String>,
    /// Tickets that were judged, by their place in the history.
    pub(super) scored: Vec<usize>,
}

/// How tickets are divided, with whatever leaks taken out; and what there is to say about it.
///
/// # Errors
/// No part is left to learn from, or none to judge by.
pub fn divide(
    loaded: &Loaded,
    data: &Prepared,
    labels: &Labels,
    settings: &Settings,
) -> Result<(Parts, Vec<String>), ReportError> {
    let mut tickets = loaded.labelled(&labels.rows);
    let parts_named: BTreeSet<&str> = tickets.iter().filter_map(|t| t.split.as_deref()).collect();
    // Data that are divided, but have no part to be judged by, are divided anew.
    if settings.score.is_none() && !parts_named.contains("test") {
        for ticket in &mut tickets {
            ticket.split = None;
        }
    }
    let numbers: Vec<u32> = labels.given.iter().map(|l| *l as u32).collect();
    let plan = Plan { score: settings.score.clone(), seed: settings.seed, ..Plan::default() };
    let mut warnings = Vec::new();
    let mut divided = plan.divide(&tickets, &numbers, &data.groups);
    // All of one day, say: then by chance.
    if let Err(error) = &divided
        && settings.score.is_none()
    {
        let warning = format!("{error}; so a fifth by chance is judged instead of the latest");
        for ticket in &mut tickets {
            ticket.created_at = None;
        }
        divided = plan.divide(&tickets, &numbers, &data.groups);
        warnings.push(warning);
    }
    let mut all = divided.map_err(|error| {
        ReportError::Unfit(format!(
            "the tickets cannot be divided into some to learn from and others to judge by; export \
             a longer time: {error}"
        ))
    })?;
    let Some(mut parts) = all.pop() else {
        return Err(ReportError::Unfit("there is nothing to judge".to_owned()));
    };
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
    let taught = parts.taught(&data.taught);
    if taught > 0 {
        warnings.push(format!(
            "the encoder was fine-tuned on {taught} of the judged tickets, so the figures say more \
             of what it remembers than of what it understands; judge by others"
        ));
    }
    if parts.fit.is_empty() || parts.score.is_empty() {
        return Err(ReportError::Unfit(
            "nearly all tickets say the same, so none are left to judge by that the others do not \
             give away; export a longer time, or other columns for subject and body"
                .to_owned(),
        ));
    }
    Ok((parts, warnings))
}

/// Judges a field.
pub(super) fn judge(
    loaded: &Loaded,
    prepared: &Prepared,
    labels: &Labels,
    settings: &Settings,
    encoder: &dyn Embed,
    watch: &dyn Watch,
) -> Result<Judged, ReportError> {
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
    let words = describe(&names, encoder)?;
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
    let (field, _) = study(case, &parts, minutes, watch)?;
    let similar = similar(case, &parts);
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
#[derive(Debug)]
pub struct Examined {
    /// The findings.
    pub doctor: Doctor,
    /// A draft of a cleaned taxonomy, as TOML.
    pub taxonomy: String,
}

/// Examines a field's labels.
///
/// # Errors
/// There are too few tickets to leave some out in turn.
pub fn examine(
    loaded: &Loaded,
    prepared: &Prepared,
    labels: &Labels,
    seed: u64,
    watch: &dyn Watch,
) -> Result<Examined, ReportError> {
    /// The search for similar tickets, and five folds.
    const STEPS: usize = 6;
    let data = select(prepared, &labels.rows);
    watch.begin(Stage::Labels, Some(&labels.field));
    let mut done = 0;
    let mut advance = || {
        done += 1;
        watch.advance(done, STEPS);
    };
    let unseen = unseen(&data, &labels.given, labels.names.len(), seed, &mut advance)?;
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

/// Processor and operating system, as far as the system tells.
pub fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|p| p.1));
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    name.map_or(system.clone(), |name| format!("{}, {system}", name.trim()))
}

/// A command line, quoted for a shell.
pub fn shell(words: impl IntoIterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+".contains(c);
    let quoted = words.into_iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
