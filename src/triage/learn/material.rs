//! What a bundle is fitted on: labelled tickets from the store, label words from the taxonomy.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::TryLockError;
use std::path::Path;

use futures_util::future::try_join_all;

use crate::classify::ClassWords;
use crate::domain::{LabelField, Labels, Taxonomy, TicketText, WorkspaceId};
use crate::inference::Lane;
use crate::triage::bundles::{BundleFault, marks};
use crate::triage::{Triage, TriageError};

/// Tickets that are read at once.
const BATCH: u32 = 256;
/// Phrases that wait for the encoder at once.
const PHRASES: usize = 64;
/// A field with fewer labelled tickets is left to their vote.
const LEAST: usize = 50;

/// A labelled ticket.
pub(super) struct Row {
    pub(super) labels: Labels,
    pub(super) text: TicketText,
    pub(super) vector: Vec<f32>,
}

/// The labelled tickets of a workspace.
pub(super) struct Material {
    /// The newest.
    pub(super) rows: VecDeque<Row>,
    /// All of them.
    pub(super) labelled: u64,
    /// Marks of all their labels, sorted.
    pub(super) known: Vec<u64>,
}

/// What is to be learned of one field.
pub(super) struct Plan {
    pub(super) field: LabelField,
    pub(super) classes: Vec<String>,
    /// Row and class.
    pub(super) labels: Vec<(usize, usize)>,
    pub(super) words: Vec<ClassWords>,
}

/// Keeps others from fitting at the same time; `None` if somebody does.
pub(super) fn lock(folder: &Path) -> Result<Option<std::fs::File>, TriageError> {
    let failed = |e: std::io::Error| {
        TriageError::from(BundleFault::Fit(format!("{}: {e}", folder.display())))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let file = std::fs::File::create(folder.join(".lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

impl Triage {
    /// Reads the labelled tickets, and keeps the newest `most` of them.
    pub(super) async fn gather(
        &self,
        workspace: &WorkspaceId,
        most: usize,
    ) -> Result<Material, TriageError> {
        let mut material = Material { rows: VecDeque::new(), labelled: 0, known: Vec::new() };
        let mut after = None;
        loop {
            let tickets = self.parts.store.tickets(workspace, after, BATCH).await?;
            let Some(last) = tickets.last() else { break };
            after = Some(last.id);
            for ticket in tickets {
                let labels = ticket.outcome.labels();
                if labels == Labels::default() {
                    continue;
                }
                let entry = self.parts.store.entry(workspace, &self.fingerprint, ticket.id).await?;
                let Some(vector) = entry.filter(|(_, e)| e.listed).and_then(|(_, e)| e.vector)
                else {
                    continue;
                };
                material.labelled += 1;
                material.known.extend(marks(&ticket));
                material.rows.push_back(Row { labels, text: ticket.ticket.text, vector });
                if material.rows.len() > most {
                    material.rows.pop_front();
                }
            }
        }
        material.known.sort_unstable();
        Ok(material)
    }

    /// What can be learned: fields with enough tickets and at least two labels among them.
    pub(super) async fn plans(
        &self,
        material: &Material,
        taxonomy: &Taxonomy,
    ) -> Result<Vec<Plan>, TriageError> {
        let mut plans = Vec::new();
        for field in LabelField::ALL {
            let seen: HashSet<&str> =
                material.rows.iter().filter_map(|row| row.labels.get(field)).collect();
            // A priority's name says nothing of tickets: only one that was seen can be learned.
            let classes: Vec<String> = taxonomy
                .labels(field)
                .filter(|label| field != LabelField::Priority || seen.contains(label))
                .map(str::to_owned)
                .collect();
            let positions: HashMap<&str, usize> =
                classes.iter().enumerate().map(|(at, label)| (label.as_str(), at)).collect();
            let class = |row: &Row| positions.get(row.labels.get(field)?).copied();
            let labelled = material.rows.iter().enumerate();
            let labels: Vec<(usize, usize)> =
                labelled.filter_map(|(at, row)| Some((at, class(row)?))).collect();
            let kinds: HashSet<usize> = labels.iter().map(|(_, class)| *class).collect();
            if labels.len() < LEAST || kinds.len() < 2 {
                continue;
            }
            let words = self.words(field, &classes, taxonomy).await?;
            plans.push(Plan { field, classes, labels, words });
        }
        Ok(plans)
    }

    /// What the taxonomy says of each label; nothing for priorities.
    async fn words(
        &self,
        field: LabelField,
        labels: &[String],
        taxonomy: &Taxonomy,
    ) -> Result<Vec<ClassWords>, TriageError> {
        if field == LabelField::Priority {
            return Ok(Vec::new());
        }
        let mut words = Vec::new();
        for label in labels {
            let mut more = Vec::new();
            match (field, taxonomy.category(label), taxonomy.team(label)) {
                (LabelField::Category, Some(category), _) => {
                    more.push(category.description.clone());
                    more.extend(category.examples.iter().cloned());
                }
                (_, _, Some(team)) => more.push(team.description.clone()),
                _ => {}
            }
            let phrases = ClassWords::phrases(label, more);
            let mut embeddings = Vec::with_capacity(phrases.len());
            for some in phrases.chunks(PHRASES) {
                let embed =
                    |phrase: &String| self.parts.inference.embed(phrase.clone(), Lane::Bulk);
                embeddings.extend(try_join_all(some.iter().map(embed)).await?);
            }
            let wording = self.wording(ClassWords::text(&phrases)).await?;
            let vectors = embeddings.iter().map(|e| &e.vector[..]);
            words.push(ClassWords::new(&phrases, vectors, wording));
        }
        Ok(words)
    }
}
