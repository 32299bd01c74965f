//! `deskhand-eval sample`: is the sample history sound?

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use deskhand::domain::{ResolvedTicket, Suggestion, TicketText};
use deskhand::judge::Share;
use deskhand::{sample, text};
use serde::Deserialize;

use crate::desk::{Desk, ModelArgs};
use crate::leave_one_out::{answer_all, judge};
use crate::output::line;

const TRUTH: &str = include_str!("../sample/truth.json");
const ARTICLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample/articles");

/// Words of a run that should not recur.
const RUN: usize = 8;
/// Bodies that one run may stand in.
const MAX_RUN_BODIES: usize = 3;
/// Two tickets whose embeddings are closer than this say the same.
const TOO_CLOSE: f32 = 0.97;
/// Tickets that may have such a double.
const MAX_CLOSE: f64 = 0.02;
/// Neither noise nor a toy.
const ACCURACY: std::ops::RangeInclusive<f64> = 0.70..=0.97;

/// Check the sample history: variety, labels, planted truths, and that it is neither noise nor a
/// toy. Exits with 1 if a check fails.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// `truth.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Truth {
    #[serde(rename = "about")]
    _about: String,
    mislabelled: Vec<Mislabelled>,
    bounced: Vec<String>,
    major_incident: Incident,
    trends: Vec<Trend>,
    heaviest_system: System,
    shared_causes: Vec<Group>,
    look_alikes: Vec<Group>,
    outdated_article: String,
}

#[derive(Debug, Deserialize)]
struct Mislabelled {
    id: String,
    r#true: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Incident {
    from: String,
    to: String,
    tickets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Trend {
    category: String,
    direction: String,
}

#[derive(Debug, Deserialize)]
struct System {
    name: String,
    category: String,
}

#[derive(Debug, Deserialize)]
struct Group {
    id: String,
    tickets: Vec<String>,
}

pub(crate) async fn run(model: &ModelArgs, _: Args) -> Result<()> {
    let tickets = sample::tickets()?;
    let mut checks = Checks::default();
    variety(&tickets, &mut checks);
    labels(&tickets, &mut checks);
    truths(&tickets, &serde_json::from_str(TRUTH)?, &mut checks)?;
    let desk = Desk::open(model).await?;
    desk.import(&tickets, Some(sample::taxonomy())).await?;
    let answers = answer_all(&desk, &tickets).await?;
    desk.close().await;
    closeness(&tickets, &answers, &mut checks);
    let judged = judge(&tickets, &answers, |o| o.category.as_deref(), |s| &s.category);
    let accuracy: Share = judged.iter().map(|j| j.right).collect();
    checks.check(
        ACCURACY.contains(&accuracy.value()),
        format!("leave-one-out category accuracy {accuracy}, expected 70 to 97 %"),
    );
    checks.report()
}

/// What was checked, and whether it held.
#[derive(Default)]
struct Checks(Vec<(bool, String)>);

impl Checks {
    fn check(&mut self, holds: bool, what: impl Into<String>) {
        self.0.push((holds, what.into()));
    }

    fn report(&self) -> Result<()> {
        for (holds, what) in &self.0 {
            line(&format!("{}  {what}", if *holds { "ok    " } else { "FAILED" }))?;
        }
        let failed = self.0.iter().filter(|(holds, _)| !holds).count();
        anyhow::ensure!(failed == 0, "{failed} of {} checks failed", self.0.len());
        Ok(())
    }
}

fn id(ticket: &ResolvedTicket) -> &str {
    ticket.ticket.source.as_ref().map_or("", |s| s.id.as_str())
}

/// No two alike, and no phrase worn out. Signatures and quoted mail do not count, because the
/// cleaning takes them off.
fn variety(tickets: &[ResolvedTicket], checks: &mut Checks) {
    checks.check(tickets.len() >= 600, format!("{} tickets, expected at least 600", tickets.len()));
    let texts: HashSet<_> =
        tickets.iter().map(|t| (&t.ticket.text.subject, &t.ticket.text.body)).collect();
    let twice = tickets.len() - texts.len();
    checks.check(twice == 0, format!("{twice} tickets have another's text, expected none"));
    let mut runs: HashMap<String, HashSet<&str>> = HashMap::new();
    for ticket in tickets {
        let body = TicketText { body: ticket.ticket.text.body.clone(), ..TicketText::default() };
        let body = text::clean(&body).text.to_lowercase();
        let words: Vec<&str> =
            body.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        for run in words.windows(RUN) {
            runs.entry(run.join(" ")).or_default().insert(id(ticket));
        }
    }
    let worn: Vec<&String> =
        runs.iter().filter(|(_, bodies)| bodies.len() > MAX_RUN_BODIES).map(|r| r.0).collect();
    checks.check(
        worn.is_empty(),
        format!(
            "{} runs of {RUN} words stand in more than {MAX_RUN_BODIES} bodies {worn:?}",
            worn.len()
        ),
    );
    let foreign = |t: &&ResolvedTicket| {
        !matches!(text::detect(&text::clean(&t.ticket.text).text), "en" | text::UNDETERMINED)
    };
    let share: Share = tickets.iter().map(|t| foreign(&t)).collect();
    checks.check((0.05..0.15).contains(&share.value()), format!("{share} are not English"));
}

fn labels(tickets: &[ResolvedTicket], checks: &mut Checks) {
    let taxonomy = sample::taxonomy();
    checks.check(
        taxonomy.categories.len() >= 25 && taxonomy.teams.len() >= 8,
        format!("{} categories, {} teams", taxonomy.categories.len(), taxonomy.teams.len()),
    );
    let known = |t: &&ResolvedTicket| {
        let outcome = &t.outcome;
        outcome.category.as_deref().is_some_and(|c| taxonomy.category(c).is_some())
            && outcome.team.as_deref().is_some_and(|l| taxonomy.team(l).is_some())
            && outcome.priority.as_ref().is_some_and(|p| taxonomy.priorities.contains(p))
    };
    let unknown: Vec<&str> = tickets.iter().filter(|t| !known(t)).map(id).collect();
    checks.check(unknown.is_empty(), format!("labels outside the taxonomy: {unknown:?}"));
    let used: HashSet<_> = tickets.iter().filter_map(|t| t.outcome.category.as_deref()).collect();
    let unused = taxonomy.categories.iter().filter(|c| !used.contains(c.label.as_str())).count();
    checks.check(unused == 0, format!("{unused} categories without a ticket"));
}

fn truths(tickets: &[ResolvedTicket], truth: &Truth, checks: &mut Checks) -> Result<()> {
    let by_id: HashMap<&str, &ResolvedTicket> = tickets.iter().map(|t| (id(t), t)).collect();
    let wrong = truth.mislabelled.iter().filter(|m| {
        by_id.get(m.id.as_str()).is_some_and(|t| {
            m.r#true.iter().all(|(field, label)| match field.as_str() {
                "category" => t.outcome.category.as_ref() != Some(label),
                "team" => t.outcome.team.as_ref() != Some(label),
                _ => false,
            })
        })
    });
    let (wrong, listed) = (wrong.count(), truth.mislabelled.len());
    checks.check(
        wrong == listed && (15..=20).contains(&listed),
        format!("{wrong} of {listed} mislabelled tickets carry another label than the true one"),
    );
    let bounced = truth.bounced.iter().filter(|b| by_id.contains_key(b.as_str())).count();
    checks.check(bounced == 5 && truth.bounced.len() == 5, format!("{bounced} bounced tickets"));
    let from: jiff::Timestamp = truth.major_incident.from.parse()?;
    let to: jiff::Timestamp = truth.major_incident.to.parse()?;
    let created = |t: &ResolvedTicket| t.ticket.created_at;
    let inside = truth.major_incident.tickets.iter().filter(|i| {
        let at = by_id.get(i.as_str()).and_then(|t| created(t));
        at.is_some_and(|at| from <= at && at <= to)
    });
    let (inside, listed) = (inside.count(), truth.major_incident.tickets.len());
    checks.check(
        inside == listed && listed >= 15,
        format!("{inside} of {listed} tickets of the major incident lie within it"),
    );
    for trend in &truth.trends {
        let of = |t: &&ResolvedTicket| t.outcome.category.as_ref() == Some(&trend.category);
        let half = tickets.len() / 2;
        let (first, second) = tickets.split_at(half);
        let (first, second) = (first.iter().filter(of).count(), second.iter().filter(of).count());
        let holds = match trend.direction.as_str() {
            "rising" => second as f64 >= first as f64 * 1.5,
            "falling" => first as f64 >= second as f64 * 1.5,
            _ => false,
        };
        checks.check(
            holds,
            format!("{} is {}: {first}, then {second} tickets", trend.category, trend.direction),
        );
    }
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for category in tickets.iter().filter_map(|t| t.outcome.category.as_deref()) {
        *sizes.entry(category).or_default() += 1;
    }
    let largest = sizes.iter().max_by_key(|(_, n)| **n).map(|(c, n)| (*c, *n));
    let fair = tickets.len() / sizes.len().max(1);
    checks.check(
        largest.is_some_and(|(c, n)| c == truth.heaviest_system.category && n > 3 * fair),
        format!("{} causes most: {largest:?}, a fair share is {fair}", truth.heaviest_system.name),
    );
    for group in truth.shared_causes.iter().chain(&truth.look_alikes) {
        let there = group.tickets.iter().filter(|t| by_id.contains_key(t.as_str())).count();
        checks.check(
            there == group.tickets.len() && there >= 3,
            format!("{}: {there} of {} tickets are there", group.id, group.tickets.len()),
        );
    }
    let mut articles = Vec::new();
    for entry in std::fs::read_dir(ARTICLES)? {
        articles.push(std::fs::read_to_string(entry?.path())?);
    }
    let outdated = format!("id: {}", truth.outdated_article);
    checks.check(
        articles.len() == 12 && articles.iter().any(|a| a.contains(&outdated)),
        format!("{} articles, {} among them", articles.len(), truth.outdated_article),
    );
    Ok(())
}

/// How many tickets say nearly the same as another. The best of the similar tickets is the nearest
/// neighbour, because the search is exact.
fn closeness(tickets: &[ResolvedTicket], answers: &[Suggestion], checks: &mut Checks) {
    let close = tickets.iter().zip(answers).filter(|(_, answer)| {
        answer.similar.first().is_some_and(|nearest| nearest.score > TOO_CLOSE)
    });
    let close: Vec<&str> = close.map(|(ticket, _)| id(ticket)).collect();
    let share = Share { successes: close.len(), trials: tickets.len() };
    checks.check(
        share.value() <= MAX_CLOSE,
        format!("{share} of tickets have another above cosine {TOO_CLOSE}: {close:?}"),
    );
}
