//! What gives the answer away within a ticket's own words: notes that agents wrote into it, and form
//! lines that hold the label itself.

use std::collections::HashMap;

use super::HistoryTicket;

/// A form line counts as holding the label where it is the label in so many of the tickets.
const AGREES: f64 = 0.5;
/// Fewer tickets with such a line are chance.
const LEAST: usize = 5;
/// Longest name of a form line.
const KEY: usize = 40;

/// Beginnings of lines below which an agent speaks.
const MARKS: [&str; 18] = [
    "resolution:",
    "resolution notes:",
    "close notes:",
    "closing notes:",
    "closure notes:",
    "work notes:",
    "worknotes:",
    "solution:",
    "root cause:",
    "action taken:",
    "actions taken:",
    "agent notes:",
    "internal note:",
    "resolved by:",
    "closed by:",
    "lösung:",
    "abschlussnotiz:",
    "solution apportée:",
];

/// What was taken out of tickets, and from how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leak {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// From how many tickets.
    pub tickets: usize,
    /// Which, the first few by their line.
    pub examples: Vec<String>,
}

impl Leak {
    fn new(what: String, why: &str) -> Self {
        Self { what, why: why.to_owned(), ..Self::default() }
    }

    fn add(&mut self, ticket: &HistoryTicket) {
        self.tickets += 1;
        if self.examples.len() < 3 {
            let source = ticket.resolved.ticket.source.as_ref();
            let id = source.map_or_else(String::new, |s| s.id.clone());
            self.examples.push(format!("line {}, {id}", ticket.line));
        }
    }
}

/// Takes out of tickets what was not there when they came in, and says what. What is left may be
/// empty; such tickets are the caller's to drop.
pub fn strip_leaks(tickets: &mut [HistoryTicket]) -> Vec<Leak> {
    let mut leaks = vec![later_messages(tickets), agents_words(tickets)];
    leaks.extend(form_lines(tickets));
    leaks.retain(|leak| leak.tickets > 0);
    leaks
}

/// Only the first message was there when the ticket came in.
fn later_messages(tickets: &mut [HistoryTicket]) -> Leak {
    let mut leak = Leak::new(
        "later messages of the thread".to_owned(),
        "they were written after the ticket came in, many of them by agents",
    );
    for ticket in tickets {
        if ticket.resolved.ticket.text.messages.is_empty() {
            continue;
        }
        let text = &mut ticket.resolved.ticket.text;
        let messages = std::mem::take(&mut text.messages);
        if text.subject.trim().is_empty()
            && text.body.trim().is_empty()
            && let Some(first) = messages.into_iter().next()
        {
            text.body = first.text;
        }
        leak.add(ticket);
    }
    leak
}

/// Paragraphs that are the resolution again, and what follows a heading under which agents write.
fn agents_words(tickets: &mut [HistoryTicket]) -> Leak {
    let mut leak = Leak::new(
        "agents' notes within the first message".to_owned(),
        "they say how the ticket was solved, which nobody knew when it came in",
    );
    for ticket in tickets {
        let resolution = ticket.resolved.outcome.resolution.as_deref().map(words);
        let body = &ticket.resolved.ticket.text.body;
        let mut kept: Vec<&str> = Vec::new();
        let mut cut = false;
        for line in body.lines() {
            let start = line.trim_start().to_lowercase();
            if MARKS.iter().any(|mark| start.starts_with(mark)) {
                cut = true;
                break;
            }
            let own = words(line);
            let repeats = own.split(' ').count() >= 5
                && resolution.as_ref().is_some_and(|r| r.contains(own.as_str()));
            cut |= repeats;
            if !repeats {
                kept.push(line);
            }
        }
        if cut {
            let kept = kept.join("\n");
            ticket.resolved.ticket.text.body = kept;
            leak.add(ticket);
        }
    }
    leak
}

fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Lines such as `Category: VPN` whose value is the ticket's own label.
fn form_lines(tickets: &mut [HistoryTicket]) -> Vec<Leak> {
    let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
    for ticket in tickets.iter() {
        let labels = labels(ticket);
        for (key, value) in ticket.resolved.ticket.text.body.lines().filter_map(form_line) {
            let counts = seen.entry(key).or_default();
            counts.0 += 1;
            counts.1 += usize::from(labels.contains(&value));
        }
    }
    let tells =
        |counts: &(usize, usize)| counts.1 >= LEAST && counts.1 as f64 >= AGREES * counts.0 as f64;
    let mut keys: Vec<String> =
        seen.into_iter().filter(|(_, counts)| tells(counts)).map(|(key, _)| key).collect();
    keys.sort();
    let why = "its value is the label that is to be told";
    let mut leaks: Vec<Leak> =
        keys.iter().map(|key| Leak::new(format!("form line {key:?}"), why)).collect();
    for ticket in tickets {
        let body = &ticket.resolved.ticket.text.body;
        let found =
            |line: &str| form_line(line).and_then(|(key, _)| keys.iter().position(|k| *k == key));
        let mut hit: Vec<usize> = body.lines().filter_map(found).collect();
        if hit.is_empty() {
            continue;
        }
        let kept: Vec<&str> = body.lines().filter(|line| found(line).is_none()).collect();
        ticket.resolved.ticket.text.body = kept.join("\n");
        hit.sort_unstable();
        hit.dedup();
        for at in hit {
            leaks[at].add(ticket);
        }
    }
    leaks
}

fn form_line(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once(':')?;
    let (key, value) = (key.trim().to_lowercase(), value.trim().to_lowercase());
    let sound = !key.is_empty() && key.chars().count() <= KEY && !value.is_empty();
    sound.then_some((key, value))
}

fn labels(ticket: &HistoryTicket) -> Vec<String> {
    let outcome = &ticket.resolved.outcome;
    let labels = [&outcome.category, &outcome.team];
    labels.into_iter().flatten().map(|label| label.trim().to_lowercase()).collect()
}
