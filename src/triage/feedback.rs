//! People's decisions, as memory: what was decided is searchable, and votes, before its request
//! ends; what was taken back is not.

use jiff::Timestamp;
use serde_json::json;

use super::{Caller, Receipt, Triage, TriageError};
use crate::domain::decision::Before;
use crate::domain::{
    Action, AgentDecision, DecisionId, Degraded, Effort, Labels, Message, Outcome, RejectReason,
    Status, Suggestion, SuggestionId, Taxonomy, TicketId, WorkspaceId,
};
use crate::drafts;
use crate::inference::Lane;
use crate::store::{
    AuditEntry, EntryRow, StoreError, StoredDecision, StoredSuggestion, StoredTicket,
    SuggestionFilter, Transaction,
};

/// Messages that a thread may have.
const MAX_MESSAGES: usize = 1000;
/// How often a message is tried again because the ticket changed while it was being read.
const ATTEMPTS: usize = 3;

/// What an agent makes of a suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is done with it.
    pub action: Action,
    /// Labels in place of the suggested ones.
    pub labels: Labels,
    /// The reply in place of the draft.
    pub reply: Option<String>,
    /// Why it is rejected.
    pub reason: Option<RejectReason>,
}

/// How a ticket was resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// In the technician's words.
    pub text: String,
    /// Labels that turned out to be right; others stay.
    pub labels: Labels,
    /// When, if not now.
    pub resolved_at: Option<Timestamp>,
    /// Working time that it took.
    pub handling_minutes: Option<u32>,
}

impl Triage {
    /// Decides about a suggestion. Unless it is rejected, its ticket votes from now on.
    ///
    /// # Errors
    /// There is no such suggestion, it was decided or superseded already, is another version than
    /// `expected`, or a label is not in the taxonomy.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: SuggestionId,
        verdict: Verdict,
        expected: Option<i64>,
        receipt: Receipt<'_, StoredSuggestion>,
    ) -> Result<(StoredSuggestion, Vec<Degraded>), TriageError> {
        let workspace = &caller.workspace;
        let taxonomy = self.taxonomy(workspace).await?;
        let mut tx = self.parts.store.begin(workspace).await?;
        let stored = tx.suggestion(id).await?.ok_or(TriageError::NotFound("suggestion"))?;
        check_version(&stored, expected)?;
        match stored.status {
            Status::Open => {}
            Status::Superseded => return Err(TriageError::Superseded),
            status => return Err(TriageError::AlreadyDecided { status }),
        }
        let labels = decided_labels(&verdict, &stored.suggestion, &taxonomy)?;
        let (effort, votes) = judged(&verdict, &stored, self.parts.clock.now());
        let reply = match verdict.action {
            // The draft was for what the ticket is not.
            Action::Reject | Action::Reroute => None,
            _ => verdict.reply.or_else(|| stored.suggestion.draft.as_ref().map(|d| d.text.clone())),
        };
        let ticket_id = stored.suggestion.ticket_id;
        let ticket = tx.ticket(ticket_id).await?.ok_or(TriageError::NotFound("ticket"))?;
        let entry = self.entry(&mut *tx, ticket_id).await?;
        let rejected = verdict.action == Action::Reject;
        let after = if rejected {
            ticket.outcome.clone()
        } else {
            let Labels { category, team, priority } = labels.clone();
            Outcome { category, team, priority, ..ticket.outcome.clone() }
        };
        let decision = AgentDecision {
            id: DecisionId::new(self.parts.ids.next()),
            action: verdict.action,
            by: caller.actor.clone(),
            at: self.parts.clock.now(),
            labels: if rejected { Labels::default() } else { labels },
            reply,
            effort,
        };
        let change = Change { ticket, entry, after };
        let promise = self.change(&mut *tx, &decision, Some(id), change, !rejected).await?;
        tx.put_sentence_votes(decision.id, &votes).await?;
        tx.set_status(id, verdict.action.into()).await?;
        tx.audit(&audit(&decision, "suggestion", &id.to_string())).await?;
        let decided = tx.suggestion(id).await?.ok_or(TriageError::NotFound("suggestion"))?;
        receipt.settle(&mut *tx, &decided).await?;
        tx.commit().await?;
        Ok((decided, self.kept(caller, promise).await))
    }

    /// Takes the decision about a suggestion back: what it changed, and nobody has changed since,
    /// is as it was before.
    ///
    /// # Errors
    /// There is no such suggestion, no decision in force, or it is another version than
    /// `expected`.
    pub async fn undo(
        &self,
        caller: &Caller,
        id: SuggestionId,
        expected: Option<i64>,
        receipt: Receipt<'_, StoredSuggestion>,
    ) -> Result<(StoredSuggestion, Vec<Degraded>), TriageError> {
        let overtaken = self.overtaken(&caller.workspace, id).await?;
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        let stored = tx.suggestion(id).await?.ok_or(TriageError::NotFound("suggestion"))?;
        check_version(&stored, expected)?;
        let ticket = stored.suggestion.ticket_id;
        let decision = tx.decision(ticket, Some(id)).await?.ok_or(TriageError::NothingToUndo)?;
        let promise = self.take_back(&mut *tx, caller, decision, &id.to_string()).await?;
        tx.set_status(id, if overtaken { Status::Superseded } else { Status::Open }).await?;
        let undone = tx.suggestion(id).await?.ok_or(TriageError::NotFound("suggestion"))?;
        receipt.settle(&mut *tx, &undone).await?;
        tx.commit().await?;
        Ok((undone, self.kept(caller, promise).await))
    }

    /// Whether the ticket has a newer suggestion than this one.
    async fn overtaken(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
    ) -> Result<bool, StoreError> {
        let store = &self.parts.store;
        let Some(stored) = store.suggestion(workspace, id).await? else { return Ok(false) };
        let ticket = Some(stored.suggestion.ticket_id);
        let newest = SuggestionFilter { ticket, limit: 1, ..SuggestionFilter::default() };
        let newest = store.suggestions(workspace, &newest).await?;
        Ok(newest.items.first().is_some_and(|newest| newest.suggestion.id != id))
    }

    /// Says how a ticket was resolved. It can be found, and quoted, from now on.
    ///
    /// # Errors
    /// There is no such ticket, or a label is not in the taxonomy.
    pub async fn resolve(
        &self,
        caller: &Caller,
        id: TicketId,
        resolution: Resolution,
        receipt: Receipt<'_, StoredTicket>,
    ) -> Result<(StoredTicket, Vec<Degraded>), TriageError> {
        let workspace = &caller.workspace;
        let taxonomy = self.taxonomy(workspace).await?;
        check_labels(&resolution.labels, &taxonomy)?;
        let shown = self.redact(workspace, &resolution.text).await?;
        let mut tx = self.parts.store.begin(workspace).await?;
        let ticket = tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        let entry = self.entry(&mut *tx, id).await?;
        let now = self.parts.clock.now();
        let Labels { category, team, priority } = resolution.labels.or(ticket.outcome.labels());
        let after = Outcome {
            category,
            team,
            priority,
            resolution: Some(resolution.text),
            resolved_at: Some(resolution.resolved_at.unwrap_or(now)),
            handling_minutes: resolution.handling_minutes.or(ticket.outcome.handling_minutes),
        };
        let decision = AgentDecision {
            id: DecisionId::new(self.parts.ids.next()),
            action: Action::Resolve,
            by: caller.actor.clone(),
            at: now,
            labels: after.labels(),
            reply: None,
            effort: Effort::default(),
        };
        let entry = EntryRow { resolution: Some(shown), ..entry };
        let change = Change { ticket, entry, after };
        let promise = self.change(&mut *tx, &decision, None, change, true).await?;
        tx.audit(&audit(&decision, "ticket", &id.to_string())).await?;
        let resolved = tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        receipt.settle(&mut *tx, &resolved).await?;
        tx.commit().await?;
        Ok((resolved, self.kept(caller, promise).await))
    }

    /// Takes a ticket's resolution back.
    ///
    /// # Errors
    /// There is no such ticket, or it was not resolved here.
    pub async fn reopen(
        &self,
        caller: &Caller,
        id: TicketId,
        receipt: Receipt<'_, StoredTicket>,
    ) -> Result<(StoredTicket, Vec<Degraded>), TriageError> {
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        let decision = tx.decision(id, None).await?.ok_or(TriageError::NothingToUndo)?;
        let promise = self.take_back(&mut *tx, caller, decision, &id.to_string()).await?;
        let reopened = tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        receipt.settle(&mut *tx, &reopened).await?;
        tx.commit().await?;
        Ok((reopened, self.kept(caller, promise).await))
    }

    /// Adds a message to a ticket's thread and answers the ticket anew.
    ///
    /// # Errors
    /// There is no such ticket, its thread is full, or the encoder or the store failed.
    pub async fn add_message(
        &self,
        caller: &Caller,
        id: TicketId,
        message: Message,
        receipt: Receipt<'_, Suggestion>,
    ) -> Result<Suggestion, TriageError> {
        let workspace = &caller.workspace;
        for _ in 0..ATTEMPTS {
            let known = self.parts.store.ticket(workspace, id).await?;
            let known = known.ok_or(TriageError::NotFound("ticket"))?.ticket;
            let mut ticket = known.clone();
            if ticket.text.messages.len() >= MAX_MESSAGES {
                return Err(TriageError::ThreadFull(MAX_MESSAGES));
            }
            ticket.text.messages.push(message.clone());
            let assessment = self.assess(workspace, &ticket, Some(id), Lane::Interactive).await?;
            let mut tx = self.parts.store.begin(workspace).await?;
            let now = tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?.ticket;
            if now != known {
                continue;
            }
            let super::Assessment {
                mut suggestion, vector, terms, subject, taxonomy_version, ..
            } = assessment;
            tx.rewrite_ticket(id, &ticket, &suggestion.language).await?;
            let entry = self.entry_to_rewrite(&mut *tx, id).await?;
            let entry = EntryRow { vector, terms: Some(terms), subject, ..entry };
            let promise = self.put_entry(&mut *tx, id, &entry, entry.listed).await?;
            self.leave_erased_out(&mut *tx, &mut suggestion).await?;
            let at = self.parts.clock.now();
            tx.put_suggestion(&suggestion, taxonomy_version, at).await?;
            receipt.settle(&mut *tx, &suggestion).await?;
            tx.commit().await?;
            super::degrade(&mut suggestion, self.keep(workspace, promise).await);
            return Ok(suggestion);
        }
        Err(TriageError::Contended)
    }

    /// Writes what a decision changes: outcome, entry, and how both were before.
    async fn change(
        &self,
        tx: &mut dyn Transaction,
        decision: &AgentDecision,
        suggestion: Option<SuggestionId>,
        change: Change,
        list: bool,
    ) -> Result<Option<super::jobs::Promise>, TriageError> {
        let Change { ticket, entry, after } = change;
        let listed = entry.listed;
        tx.put_decision(&StoredDecision {
            decision: decision.clone(),
            ticket: ticket.id,
            suggestion,
            before: Before { outcome: ticket.outcome, listed },
            after: after.clone(),
        })
        .await?;
        if !list {
            return Ok(None);
        }
        tx.set_outcome(ticket.id, &after, None).await?;
        Ok(self.put_entry(tx, ticket.id, &EntryRow { listed: true, ..entry }, listed).await?)
    }

    async fn take_back(
        &self,
        tx: &mut dyn Transaction,
        caller: &Caller,
        stored: StoredDecision,
        subject: &str,
    ) -> Result<Option<super::jobs::Promise>, TriageError> {
        let StoredDecision { decision, ticket: id, before, after, .. } = stored;
        let now = self.parts.clock.now();
        tx.undo(decision.id, now).await?;
        tx.audit(&AuditEntry {
            at: now,
            actor: caller.actor.clone(),
            action: "decision.undo",
            subject: subject.to_owned(),
            detail: json!({ "decision": decision.id, "action": decision.action }),
        })
        .await?;
        if decision.action == Action::Reject {
            return Ok(None);
        }
        let ticket = tx.ticket(id).await?.ok_or(TriageError::NotFound("ticket"))?;
        let mut since = tx.decisions_since(id, decision.id).await?;
        let later = since.iter_mut().map(|later| (&mut later.before, &mut later.after));
        let restored = before.restored(&after, later, &ticket.outcome);
        for later in &since {
            tx.rewrite_decision(later).await?;
        }
        let mut entry = self.entry(tx, id).await?;
        let was_listed = entry.listed;
        // One that was listed for an outcome which others have taken back since has none left.
        let listed_as_it_came = before.listed && before.outcome.is_empty();
        entry.listed = listed_as_it_came || !restored.is_empty();
        if restored.resolution != ticket.outcome.resolution {
            entry.resolution = match &restored.resolution {
                Some(text) => Some(self.redact(&caller.workspace, text).await?),
                None => None,
            };
        }
        tx.set_outcome(id, &restored, None).await?;
        Ok(self.put_entry(tx, id, &entry, was_listed).await?)
    }

    /// Keeps a promise and says what the answer has to do without if that failed.
    async fn kept(&self, caller: &Caller, promise: Option<super::jobs::Promise>) -> Vec<Degraded> {
        self.learning.look_again();
        let kept = self.keep(&caller.workspace, promise).await;
        if kept { Vec::new() } else { vec![Degraded::Index] }
    }
}

/// What a decision changes, and what it finds.
struct Change {
    ticket: StoredTicket,
    entry: EntryRow,
    after: Outcome,
}

/// What a verdict cost, and what it says about the draft's sentences.
fn judged(
    verdict: &Verdict,
    stored: &StoredSuggestion,
    now: Timestamp,
) -> (Effort, Vec<(u64, bool)>) {
    let seconds = now.as_second() - stored.created_at.as_second();
    let draft = stored.suggestion.draft.as_ref();
    let approved = match verdict.action {
        Action::Approve | Action::Edit => {
            draft.map(|d| (d, verdict.reply.as_deref().unwrap_or(&d.text)))
        }
        _ => None,
    };
    let votes = match (approved, draft) {
        (Some((draft, reply)), _) => drafts::kept_sentences(draft, reply),
        (None, Some(draft)) if verdict.reason.is_some_and(RejectReason::is_about_the_draft) => {
            drafts::kept_sentences(draft, "")
        }
        _ => Vec::new(),
    };
    let effort = Effort {
        seconds: u64::try_from(seconds).ok(),
        edit_distance: approved.map(|(draft, reply)| drafts::edit_distance(&draft.text, reply)),
        reason: verdict.reason,
    };
    (effort, votes)
}

fn check_version(stored: &StoredSuggestion, expected: Option<i64>) -> Result<(), TriageError> {
    match expected {
        Some(expected) if expected != stored.version => {
            Err(TriageError::Stale { expected, current: stored.version })
        }
        _ => Ok(()),
    }
}

fn check_labels(labels: &Labels, taxonomy: &Taxonomy) -> Result<(), TriageError> {
    match labels.unknown_to(taxonomy) {
        Some((field, label)) => Err(TriageError::UnknownLabel { field, label: label.to_owned() }),
        None => Ok(()),
    }
}

/// The labels that a verdict gives the ticket.
fn decided_labels(
    verdict: &Verdict,
    suggestion: &Suggestion,
    taxonomy: &Taxonomy,
) -> Result<Labels, TriageError> {
    let suggested = Labels {
        category: suggestion.category.label.clone(),
        team: suggestion.team.decision.label.clone(),
        priority: suggestion.priority.label.clone(),
    };
    let given = verdict.labels.clone();
    let nothing = given == Labels::default();
    let labels = match verdict.action {
        Action::Approve | Action::Reject | Action::Resolve => suggested.clone(),
        Action::Edit if nothing && verdict.reply.is_none() => {
            return Err(TriageError::NoChange("an edit needs a reply or a label"));
        }
        Action::Reroute if nothing => {
            return Err(TriageError::NoChange("a reroute needs a category, a team or a priority"));
        }
        Action::Edit => given.or(suggested.clone()),
        Action::Reroute => {
            // Another category brings its own team, unless the agent names one.
            let owner = given.category.as_deref().and_then(|c| taxonomy.category(c)?.team.clone());
            let team = given.team.clone().or(owner);
            Labels { team, ..given }.or(suggested.clone())
        }
    };
    let draft = suggestion.draft.as_ref().map(|d| &d.text);
    let same_reply = verdict.reply.is_none() || verdict.reply.as_ref() == draft;
    if matches!(verdict.action, Action::Edit | Action::Reroute) && same_reply && labels == suggested
    {
        return Err(TriageError::NoChange("this is what was suggested; approve it instead"));
    }
    if verdict.action != Action::Reject {
        check_labels(&labels, taxonomy)?;
    }
    Ok(labels)
}

fn audit(decision: &AgentDecision, kind: &'static str, subject: &str) -> AuditEntry {
    AuditEntry {
        at: decision.at,
        actor: decision.by.clone(),
        action: match (kind, decision.action) {
            ("ticket", _) => "ticket.resolve",
            (_, Action::Approve) => "suggestion.approve",
            (_, Action::Edit) => "suggestion.edit",
            (_, Action::Reroute) => "suggestion.reroute",
            (_, Action::Reject | Action::Resolve) => "suggestion.reject",
        },
        subject: subject.to_owned(),
        detail: json!({ "decision": decision.id, "labels": decision.labels }),
    }
}
