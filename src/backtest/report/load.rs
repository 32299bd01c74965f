//! From exports to tickets that may be judged, with a note of everything that was left out.

use std::collections::HashMap;
use std::io::Read;

use jiff::Timestamp;

use super::ReportError;
use crate::backtest::Prepared;
use crate::domain::{ResolvedTicket, TicketText};
use crate::exports::{self, ExportError, HistoryOptions, HistoryTicket, LabelledTicket};
use crate::judge::report::{Data, Dropped, InputFile, LeftOut};
use crate::text::{Rules, clean, detect};

/// Fewer tickets are no history.
const LEAST: usize = 20;
/// From so many on a label field is worth judging.
const LEAST_LABELLED: usize = 20;
/// Languages that are listed.
const LANGUAGES: usize = 8;

/// Tickets to judge.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The tickets.
    pub tickets: Vec<HistoryTicket>,
    /// What each is called: its id, or its line where the export has no ids.
    pub ids: Vec<String>,
    /// Redacted subjects, or the beginnings of bodies.
    pub subjects: Vec<String>,
    /// What was read, and what was left out.
    pub data: Data,
    /// What a reader must know.
    pub warnings: Vec<String>,
    /// The files.
    pub files: Vec<InputFile>,
    /// What the history is called.
    pub title: String,
}

impl Loaded {
    /// Takes in a history that is read already. `paths` holds the teams that a ticket went through,
    /// by its id.
    pub fn take(
        &mut self,
        title: &str,
        tickets: Vec<ResolvedTicket>,
        paths: &HashMap<String, Vec<String>>,
    ) {
        title.clone_into(&mut self.title);
        for (at, resolved) in tickets.into_iter().enumerate() {
            let id = resolved.ticket.source.as_ref().map_or("", |s| s.id.as_str());
            self.tickets.push(HistoryTicket {
                line: at as u64 + 1,
                path: paths.get(id).cloned().unwrap_or_default(),
                thread: None,
                handovers: None,
                split: None,
                in_scope: true,
                resolved,
            });
        }
    }

    /// Reads an export. `now` tells dates that cannot be.
    ///
    /// # Errors
    /// The file as a whole makes no sense, is too large, or breaks off.
    pub fn read(
        &mut self,
        file: InputFile,
        content: impl Read,
        options: &HistoryOptions,
        now: Timestamp,
    ) -> Result<(), ExportError> {
        let mut history = exports::read_history(content, options)?;
        let name = &file.name;
        let (future, example) = history.forget_the_future(now);
        if future > 0 {
            self.warnings.push(format!(
                "{future} tickets of {name} have a date in the future (for example {}); they are \
                 treated as undated. Are day and month mixed up? --dates dmy or mdy says which",
                example.unwrap_or_default()
            ));
        }
        self.notes(name, &history);
        if !self.title.is_empty() {
            self.title.push_str(", ");
        }
        self.title.push_str(name);
        self.files.push(file);
        for (field, column) in &history.columns {
            let pair = (field.name().to_owned(), column.clone());
            if !self.data.columns.contains(&pair) {
                self.data.columns.push(pair);
            }
        }
        for late in history.late {
            let left = LeftOut { column: late.column, why: late.why };
            if !self.data.left_out.contains(&left) {
                self.data.left_out.push(left);
            }
        }
        if self.data.system.is_none() {
            self.data.system = history.system.map(|s| s.to_string());
        }
        self.tickets.extend(history.tickets);
        Ok(())
    }

    /// All is read: keeps the latest, takes out what gives answers away, and says what there is.
    /// `latest` says how many tickets are kept at most, and what sets that; subjects are redacted by
    /// `rules`.
    ///
    /// # Errors
    /// There are too few tickets to judge anything.
    pub fn settle(&mut self, latest: (usize, &str), rules: &Rules) -> Result<(), ReportError> {
        self.latest(latest);
        self.strip();
        self.describe(rules);
        if self.tickets.len() < LEAST {
            return Err(ReportError::Unfit(format!(
                "there are {} tickets with text; at least {LEAST} are needed to judge anything, \
                 and some hundred before the figures mean much: export a longer time",
                self.tickets.len()
            )));
        }
        Ok(())
    }

    /// What a reader must know of a file.
    fn notes(&mut self, name: &str, history: &exports::History) {
        if history.faults.count > 0 {
            self.data.dropped.push(Dropped {
                what: format!("rows of {name}"),
                count: history.faults.count,
                why: "they make no ticket".to_owned(),
                examples: history.faults.first.iter().take(3).map(ToString::to_string).collect(),
            });
        }
        if history.warnings.count > 0 {
            self.data.dropped.push(Dropped {
                what: format!("times in {name}"),
                count: history.warnings.count,
                why: "they cannot be read; the tickets are kept".to_owned(),
                examples: history.warnings.first.iter().take(3).map(ToString::to_string).collect(),
            });
        }
        if history.ambiguous_dates > 0 {
            self.warnings.push(format!(
                "in {name}, {} dates may be in either of two months; say --dates dmy or mdy, or the \
                 order in time is not used",
                history.ambiguous_dates
            ));
        }
        if history.undecodable > 0 {
            self.warnings.push(format!(
                "{name} was read as {}, and {} characters make no sense in it; save it as UTF-8 if \
                 words look wrong",
                history.encoding, history.undecodable
            ));
        } else if !matches!(history.encoding.as_str(), "UTF-8" | "workbook" | "") {
            self.warnings.push(format!(
                "{name} was read as {}, by what its bytes look like; save it as UTF-8 if words look \
                 wrong",
                history.encoding
            ));
        }
    }

    fn latest(&mut self, (most, set_by): (usize, &str)) {
        if self.tickets.len() <= most {
            return;
        }
        let all = self.tickets.len();
        // Undated tickets are taken to be as old as their place in the file.
        let mut order: Vec<usize> = (0..all).collect();
        order.sort_by_key(|at| (self.tickets[*at].resolved.ticket.created_at, *at));
        let mut keep = vec![false; all];
        for at in order.into_iter().rev().take(most) {
            keep[at] = true;
        }
        let mut kept = keep.iter();
        self.tickets.retain(|_| kept.next().is_some_and(|k| *k));
        self.warnings
            .push(format!("the latest {most} of {all} tickets were used; {set_by} changes that"));
    }

    /// Takes out what gives answers away, and drops what is then nothing.
    fn strip(&mut self) {
        for leak in exports::strip_leaks(&mut self.tickets) {
            self.data.dropped.push(Dropped {
                what: leak.what,
                count: leak.tickets,
                why: leak.why,
                examples: leak.examples,
            });
        }
        let before = self.tickets.len();
        let mut examples = Vec::new();
        self.tickets.retain(|ticket| {
            let text = &ticket.resolved.ticket.text;
            let empty = clean(text).text.trim().is_empty();
            if empty && examples.len() < 3 {
                examples.push(format!("line {}", ticket.line));
            }
            !empty
        });
        if before > self.tickets.len() {
            self.data.dropped.push(Dropped {
                what: "tickets without words".to_owned(),
                count: before - self.tickets.len(),
                why: "nothing is left of them once quotes, signatures and agents' notes are off"
                    .to_owned(),
                examples,
            });
        }
        let before = self.tickets.len();
        self.tickets.retain(|ticket| ticket.in_scope);
        if before > self.tickets.len() {
            self.data.dropped.push(Dropped {
                what: "tickets out of scope".to_owned(),
                count: before - self.tickets.len(),
                why: "the data say that they are of none of the labels".to_owned(),
                examples: Vec::new(),
            });
        }
    }

    fn describe(&mut self, rules: &Rules) {
        let named =
            self.data.columns.iter().any(|(field, _)| field == "id") || self.files.is_empty();
        for ticket in &self.tickets {
            let source = ticket.resolved.ticket.source.as_ref().filter(|_| named);
            self.ids.push(source.map_or_else(|| format!("line {}", ticket.line), |s| s.id.clone()));
            self.subjects.push(subject(&ticket.resolved, rules));
        }
        let times: Vec<Timestamp> =
            self.tickets.iter().filter_map(|t| t.resolved.ticket.created_at).collect();
        let day = |t: &Timestamp| t.strftime("%Y-%m-%d").to_string();
        self.data.tickets = self.tickets.len();
        self.data.from = times.iter().min().map(day);
        self.data.to = times.iter().max().map(day);
        if times.len() * 2 <= self.tickets.len() {
            self.warnings.push(
                "most tickets have no date, so that a part by chance is judged instead of the \
                 latest; drift is not seen, and figures may flatter. Export the creation date, or \
                 name its column: --map created_at=COLUMN"
                    .to_owned(),
            );
        }
    }

    /// What only embedded tickets tell: languages, near-duplicates, threads. Tickets of a thread get
    /// one group.
    pub fn group(&mut self, prepared: &mut Prepared) {
        let mut languages: HashMap<&str, usize> = HashMap::new();
        for text in &prepared.texts {
            *languages.entry(detect(text)).or_default() += 1;
        }
        let mut languages: Vec<(String, usize)> =
            languages.into_iter().map(|(l, n)| (l.to_owned(), n)).collect();
        languages.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        languages.truncate(LANGUAGES);
        self.data.languages = languages;
        self.data.near_duplicates =
            prepared.groups.iter().enumerate().filter(|(row, group)| row != *group).count();
        let place: HashMap<&str, usize> =
            self.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        let mut joins = Vec::new();
        for (row, ticket) in self.tickets.iter().enumerate() {
            let Some(thread) = ticket.thread.as_deref() else { continue };
            let other = place.get(thread).copied().filter(|other| *other != row);
            let other = other.or_else(|| first_of.get(thread).copied());
            first_of.entry(thread).or_insert(row);
            if let Some(other) = other {
                joins.push((row, other));
            }
        }
        self.data.same_thread = joins.len();
        prepared.join(&joins);
    }

    /// As the rules of division read tickets.
    pub fn labelled(&self, rows: &[usize]) -> Vec<LabelledTicket> {
        let labelled = |row: &usize| {
            let ticket = &self.tickets[*row];
            LabelledTicket {
                line: ticket.line,
                split: ticket.split.clone(),
                created_at: ticket.resolved.ticket.created_at,
                ..LabelledTicket::default()
            }
        };
        rows.iter().map(labelled).collect()
    }

    /// Whether the history says of any ticket which teams it went through.
    pub fn tells_paths(&self) -> bool {
        self.tickets.iter().any(|ticket| !ticket.path.is_empty())
    }

    /// What the tickets say.
    pub fn texts(&self) -> Vec<&TicketText> {
        self.tickets.iter().map(|t| &t.resolved.ticket.text).collect()
    }

    /// When each of some tickets was asked.
    pub fn times(&self, rows: &[usize]) -> Vec<Option<Timestamp>> {
        rows.iter().map(|row| self.tickets[*row].resolved.ticket.created_at).collect()
    }

    /// The field's label of a ticket.
    pub fn label(&self, row: usize, field: &str) -> Option<&str> {
        let outcome = &self.tickets[row].resolved.outcome;
        let label = match field {
            "category" => &outcome.category,
            "team" => &outcome.team,
            "priority" => &outcome.priority,
            _ => &None,
        };
        label.as_deref().map(str::trim).filter(|label| !label.is_empty())
    }
}

/// What a ticket is shown by: its redacted subject, or the beginning of its words.
fn subject(ticket: &ResolvedTicket, rules: &Rules) -> String {
    let text = &ticket.ticket.text;
    let shown =
        if text.subject.trim().is_empty() { clean(text).text } else { text.subject.clone() };
    let shown: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = shown.chars().take(160).collect();
    rules.redact(&shown).into_owned()
}

/// A field's tickets with a label, numbered.
#[derive(Debug, Clone)]
pub struct Labels {
    /// `category`, `team` or `priority`.
    pub field: String,
    /// Tickets that have a label.
    pub rows: Vec<usize>,
    /// The label of each, by its number.
    pub given: Vec<usize>,
    /// The labels, by number.
    pub names: Vec<String>,
}

impl Labels {
    /// The tickets that have a label of this field.
    pub fn of(loaded: &Loaded, field: &str) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut labels =
            Self { field: field.to_owned(), rows: vec![], given: vec![], names: vec![] };
        for row in 0..loaded.tickets.len() {
            let Some(label) = loaded.label(row, field) else { continue };
            let next = numbers.len();
            let number = *numbers.entry(label).or_insert_with(|| {
                labels.names.push(label.to_owned());
                next
            });
            labels.rows.push(row);
            labels.given.push(number);
        }
        labels
    }

    /// Why it cannot be judged, if so.
    pub fn fault(&self) -> Option<String> {
        let field = &self.field;
        match (self.rows.len(), self.names.as_slice()) {
            (0, _) => {
                Some(format!("no ticket has a {field}; name its column: --map {field}=COLUMN"))
            }
            (_, [only]) => Some(format!(
                "every ticket has the {field} {only:?}, so there is nothing to tell; is another \
                 column meant? --map {field}=COLUMN"
            )),
            (n, _) if n < LEAST_LABELLED => Some(format!(
                "only {n} tickets have a {field}; at least {LEAST_LABELLED} are needed"
            )),
            (n, names) if names.len() * 2 > n => Some(format!(
                "{} different values for {n} tickets are no {field}; is another column meant? \
                 --map {field}=COLUMN",
                names.len()
            )),
            _ => None,
        }
    }
}

/// The fields that were asked for, or that there are. Those that cannot be judged are said so.
///
/// # Errors
/// A field is asked for that there is not, or none can be judged.
pub fn fields(loaded: &mut Loaded, asked: &[String]) -> Result<Vec<Labels>, ReportError> {
    let known = ["category", "team", "priority"];
    if let Some(other) = asked.iter().find(|f| !known.contains(&f.as_str())) {
        return Err(ReportError::Unfit(format!(
            "--label {other}: there are category, team and priority; name the column that holds it, \
             for example --map category={other}"
        )));
    }
    let wanted: Vec<&str> = if asked.is_empty() {
        known[..2].to_vec()
    } else {
        asked.iter().map(String::as_str).collect()
    };
    let (mut fields, mut faults) = (Vec::new(), Vec::new());
    for field in wanted {
        let labels = Labels::of(loaded, field);
        match labels.fault() {
            None => fields.push(labels),
            Some(fault) => faults.push((labels.rows.is_empty(), fault)),
        }
    }
    if fields.is_empty() {
        let said: Vec<String> = faults.into_iter().map(|(_, fault)| fault).collect();
        return Err(ReportError::Unfit(format!("there is nothing to judge: {}", said.join("; "))));
    }
    // That one of two usual fields is not in an export is no warning.
    let told = faults.into_iter().filter(|(absent, _)| !absent || !asked.is_empty());
    loaded.warnings.extend(told.map(|(_, fault)| fault));
    Ok(fields)
}
