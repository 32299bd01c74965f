//! Suggestions and what people decide about them.

use deskhand::domain::decision::Before;
use deskhand::domain::{
    Action, AgentDecision, Decision, DecisionId, Degraded, Draft, DraftSentence, Effort, Labels,
    Outcome, SentenceKind, Similar, SourceKind, SourceRef, Status, Suggestion, SuggestionId,
    TicketId,
};
use deskhand::store::{Store, StoredDecision, StoredSuggestion, SuggestionFilter, TicketHead};

use super::{
    after, desk, fresh, label, now, outcome, put, source, stored, suggested, suggestion, ticket,
};

/// A draft with one sentence from a ticket.
pub(super) fn draft(text: &str, from: TicketId) -> Draft {
    let sentence = DraftSentence {
        text: text.to_owned(),
        kind: SentenceKind::Source,
        sources: vec![SourceRef { kind: SourceKind::Ticket, id: from.to_string() }],
        fields: Vec::new(),
    };
    let greeting = DraftSentence {
        text: "Hello,".to_owned(),
        kind: SentenceKind::Template,
        sources: Vec::new(),
        fields: Vec::new(),
    };
    Draft { text: format!("Hello, {text}"), sentences: vec![greeting, sentence] }
}

pub(super) fn similar(ticket: TicketId, subject: &str, resolution: &str) -> Similar {
    Similar {
        ticket_id: ticket,
        subject: subject.to_owned(),
        score: 0.987_6,
        category: Some("VPN".to_owned()),
        team: None,
        resolution: Some(resolution.to_owned()),
    }
}

pub(super) fn decision(ticket: TicketId, suggestion: Option<SuggestionId>) -> StoredDecision {
    StoredDecision {
        decision: AgentDecision {
            id: DecisionId::new(fresh()),
            action: if suggestion.is_some() { Action::Edit } else { Action::Resolve },
            by: "Ann".to_owned(),
            at: now(),
            labels: Labels { category: Some("VPN".to_owned()), ..Labels::default() },
            reply: Some("Reboot „it“.".to_owned()),
            effort: Effort { seconds: Some(90), edit_distance: Some(3), reason: None },
        },
        ticket,
        suggestion,
        before: Before { outcome: Outcome::default(), listed: false },
        after: outcome("VPN"),
    }
}

async fn read(store: &dyn Store, name: &str, id: SuggestionId) -> StoredSuggestion {
    store.suggestion(&desk(name), id).await.unwrap().unwrap()
}

pub(super) async fn a_suggestion_comes_back_with_its_draft(store: &dyn Store) {
    let name = "drafts";
    let mut asked = ticket("Drucker „kaputt“");
    asked.requester = Some("Ann".to_owned());
    asked.source = Some(source("D-1"));
    let quoted = stored(store, &desk(name), &ticket("quoted")).await;
    let mut tx = store.begin(&desk(name)).await.unwrap();
    let id = put(&mut *tx, &asked).await;
    let mut full = suggestion(id);
    full.similar = vec![similar(quoted, "a \"b\"", "c"), similar(TicketId::new(fresh()), "", "")];
    full.draft = Some(draft("Starten Sie ihn neu – \"sofort\".", quoted));
    full.degraded = vec![Degraded::Index];
    tx.put_suggestion(&full, 3, now()).await.unwrap();
    let inside = tx.suggestion(full.id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let read = read(store, name, full.id).await;
    assert_eq!(read, inside);
    let expected = StoredSuggestion {
        seq: read.seq,
        suggestion: full.clone(),
        ticket: TicketHead {
            subject: asked.text.subject,
            requester: asked.requester,
            source: asked.source,
        },
        status: Status::Open,
        version: 1,
        created_at: now(),
        decision: None,
    };
    assert_eq!(read, expected);
    assert_eq!(store.counts(&desk(name)).await.unwrap().suggestions, 1);
    assert_eq!(store.suggestion(&desk(name), SuggestionId::new(fresh())).await.unwrap(), None);
    // An id is used once, and what comes with a second use of it is not kept.
    let mut tx = store.begin(&desk(name)).await.unwrap();
    put(&mut *tx, &ticket("lost")).await;
    assert!(tx.put_suggestion(&full, 3, now()).await.is_err());
    drop(tx);
    assert_eq!(store.counts(&desk(name)).await.unwrap().tickets, 2);
}

pub(super) async fn a_newer_suggestion_supersedes_an_open_one(store: &dyn Store) {
    let name = "superseded";
    let first = suggested(store, &desk(name)).await;
    let other = suggested(store, &desk(name)).await;
    let second = suggestion(first.ticket_id);
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.put_suggestion(&second, 3, after(1)).await.unwrap();
    tx.commit().await.unwrap();
    let stands = async |s: &Suggestion| {
        let read = read(store, name, s.id).await;
        (read.status, read.version)
    };
    assert_eq!(stands(&first).await, (Status::Superseded, 2));
    assert_eq!(stands(&second).await, (Status::Open, 1));
    assert_eq!(stands(&other).await, (Status::Open, 1), "other tickets' stay");
    // One that was decided stays so.
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.set_status(second.id, Status::Approved).await.unwrap();
    let third = suggestion(first.ticket_id);
    tx.put_suggestion(&third, 3, after(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stands(&second).await, (Status::Approved, 2));
    // Taken back, it is not open again: a newer one is.
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.set_status(second.id, Status::Open).await.unwrap();
    tx.set_status(other.id, Status::Rejected).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stands(&second).await, (Status::Superseded, 3));
    assert_eq!(stands(&third).await, (Status::Open, 1));
    // The newest one is, also when it is the only one.
    let mut tx = store.begin(&desk(name)).await.unwrap();
    for id in [third.id, other.id] {
        tx.set_status(id, Status::Edited).await.unwrap();
        tx.set_status(id, Status::Open).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(stands(&third).await, (Status::Open, 3));
    assert_eq!(stands(&other).await, (Status::Open, 4));
}

pub(super) async fn decisions_are_in_force_until_undone(store: &dyn Store) {
    let name = "decisions";
    let made = suggested(store, &desk(name)).await;
    let mut tx = store.begin(&desk(name)).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, Some(made.id)).await.unwrap(), None);
    let first = decision(made.ticket_id, Some(made.id));
    tx.put_decision(&first).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, Some(made.id)).await.unwrap().as_ref(), Some(&first));
    assert_eq!(tx.decision(made.ticket_id, None).await.unwrap(), None, "it is no resolution");
    tx.commit().await.unwrap();
    assert_eq!(read(store, name, made.id).await.decision, Some(first.decision.clone()));
    // One at a time.
    let second = decision(made.ticket_id, Some(made.id));
    let mut tx = store.begin(&desk(name)).await.unwrap();
    assert!(tx.put_decision(&second).await.is_err());
    drop(tx);
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.undo(first.decision.id, after(1)).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, Some(made.id)).await.unwrap(), None);
    tx.put_decision(&second).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read(store, name, made.id).await.decision, Some(second.decision.clone()));
    // Resolutions stand by themselves, and the newest counts.
    let (old, new) = (decision(made.ticket_id, None), decision(made.ticket_id, None));
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.put_decision(&old).await.unwrap();
    tx.put_decision(&new).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, None).await.unwrap().as_ref(), Some(&new));
    // What came after a decision can be told, and made to go from and lead to something else.
    let rewritten = StoredDecision {
        before: Before { outcome: outcome("Printing"), listed: true },
        after: outcome("Mail"),
        ..old.clone()
    };
    tx.rewrite_decision(&rewritten).await.unwrap();
    let old = rewritten;
    for (of, since) in
        [(&first, vec![&second, &old, &new]), (&second, vec![&old, &new]), (&new, vec![])]
    {
        let found = tx.decisions_since(made.ticket_id, of.decision.id).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), since);
    }
    tx.undo(new.decision.id, after(2)).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, None).await.unwrap().as_ref(), Some(&old));
    tx.undo(old.decision.id, after(2)).await.unwrap();
    assert_eq!(tx.decision(made.ticket_id, None).await.unwrap(), None);
    let still = tx.decision(made.ticket_id, Some(made.id)).await.unwrap();
    assert_eq!(still.as_ref(), Some(&second));
    tx.undo(second.decision.id, after(3)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read(store, name, made.id).await.decision, None);
}

pub(super) async fn pages_stay_as_they_are_while_rows_arrive(store: &dyn Store) {
    let name = "listed";
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(suggested(store, &desk(name)).await.id);
    }
    made.reverse();
    let mut filter = SuggestionFilter { limit: 3, ..SuggestionFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.suggestions(&desk(name), &filter).await.unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|s| s.suggestion.id));
        // What arrives in between belongs before the first page; what changes stays in its place.
        suggested(store, &desk(name)).await;
        let mut tx = store.begin(&desk(name)).await.unwrap();
        tx.set_status(seen[0], Status::Rejected).await.unwrap();
        tx.commit().await.unwrap();
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(seen, made, "newest first, each once");
    let exactly = SuggestionFilter { limit: 10, ..SuggestionFilter::default() };
    let all = store.suggestions(&desk(name), &exactly).await.unwrap();
    assert_eq!((all.items.len(), all.next), (10, None), "no empty page follows a full one");
    let none = SuggestionFilter { limit: 0, ..SuggestionFilter::default() };
    assert!(store.suggestions(&desk(name), &none).await.unwrap().items.is_empty());
}

pub(super) async fn filters_can_be_combined(store: &dyn Store) {
    let name = "filters";
    let decisions = [Decision::Auto, Decision::Suggest, Decision::Abstain];
    let mut made = Vec::new();
    for n in 0..24 {
        let mut tx = store.begin(&desk(name)).await.unwrap();
        let id = put(&mut *tx, &ticket("x")).await;
        let mut suggestion = suggestion(id);
        let category = ["VPN", "Druck'er", "%"][n % 3];
        suggestion.category = label((n != 5).then_some(category), decisions[n / 2 % 3]);
        suggestion.team.decision.label = Some(["Network", "Desk"][n / 8 % 2].to_owned());
        tx.put_suggestion(&suggestion, 1, now()).await.unwrap();
        let status = Status::ALL[n % 5];
        tx.set_status(suggestion.id, status).await.unwrap();
        tx.commit().await.unwrap();
        made.push((suggestion, status));
    }
    let option = |value: &str| Some(value.to_owned());
    let mut matched = 0;
    for status in [None, Some(Status::Open), Some(Status::Superseded), Some(Status::Rejected)] {
        for category in [None, option("VPN"), option("Druck'er"), option("%"), option("V%")] {
            for team in [None, option("Desk"), option("Network")] {
                for decision in [None, option("auto"), option("abstain")] {
                    for ticket in [None, Some(made[7].0.ticket_id)] {
                        let filter = SuggestionFilter {
                            status,
                            category: category.clone(),
                            team: team.clone(),
                            decision: decision.clone(),
                            ticket,
                            before: None,
                            limit: 100,
                            ..SuggestionFilter::default()
                        };
                        let page = store.suggestions(&desk(name), &filter).await.unwrap();
                        let found: Vec<_> = page.items.iter().map(|s| s.suggestion.id).collect();
                        let wanted = made.iter().rev().filter(|(s, stands)| {
                            let decided = serde_json::to_value(s.category.decision).unwrap();
                            status.is_none_or(|wanted| wanted == *stands)
                                && (category.is_none() || category == s.category.label)
                                && (team.is_none() || team == s.team.decision.label)
                                && decision.as_ref().is_none_or(|d| decided == d.as_str())
                                && ticket.is_none_or(|id| id == s.ticket_id)
                        });
                        let wanted: Vec<_> = wanted.map(|(s, _)| s.id).collect();
                        assert_eq!(found, wanted, "{filter:?}");
                        matched += found.len();
                    }
                }
            }
        }
    }
    assert!(matched > 100);
}
