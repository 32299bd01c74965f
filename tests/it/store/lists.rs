//! What people look through.

use deskhand::domain::{Status, Suggestion};
use deskhand::store::{AuditEntry, Pending, Store, SuggestionFilter};

use super::suggestions::decision;
use super::{after, desk, now, put, source, suggestion, ticket};

/// A suggestion for a ticket that says this, made at this second.
async fn made(store: &dyn Store, subject: &str, priority: Option<&str>, at: i64) -> Suggestion {
    let mut tx = store.begin(&desk("lists")).await.unwrap();
    let mut asked = ticket(subject);
    asked.source = Some(source(subject));
    let id = put(&mut *tx, &asked).await;
    let mut made = suggestion(id);
    made.priority.label = priority.map(str::to_owned);
    tx.put_suggestion(&made, 1, after(at)).await.unwrap();
    tx.commit().await.unwrap();
    made
}

pub(super) async fn the_queue_is_ordered_filtered_and_counted(store: &dyn Store) {
    let name = desk("lists");
    let low = made(store, "Printer jams 100%_often", Some("low"), 1).await.id;
    let high = made(store, "VPN drops", Some("high"), 2).await.id;
    let none = made(store, "Something \\ else", None, 3).await.id;
    let newer = made(store, "VPN DROPS again", Some("high"), 4).await.id;
    let open = SuggestionFilter {
        status: Some(Status::Open),
        urgency: vec!["low".to_owned(), "high".to_owned()],
        limit: 9,
        ..SuggestionFilter::default()
    };
    let found = async |filter: &SuggestionFilter| {
        let page = store.suggestions(&name, filter).await.unwrap();
        let count = store.count_suggestions(&name, filter).await.unwrap();
        assert!(filter.before.is_some() || count == page.items.len() as u64 || page.next.is_some());
        page.items.iter().map(|s| s.suggestion.id).collect::<Vec<_>>()
    };
    let urgent = [newer, high, low, none];
    assert_eq!(found(&open).await, urgent);
    assert_eq!(
        found(&SuggestionFilter { urgency: Vec::new(), ..open.clone() }).await,
        [newer, none, high, low]
    );
    // One by one, each place found again by its rank and number.
    let mut step = SuggestionFilter { limit: 1, ..open.clone() };
    let mut seen = Vec::new();
    loop {
        let page = store.suggestions(&name, &step).await.unwrap();
        let last = page.items.last().unwrap();
        seen.push(last.suggestion.id);
        step.before_rank = Some(step.rank(last.suggestion.priority.label.as_deref()));
        step.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(seen, urgent);
    for (text, wanted) in [
        ("vpn", vec![newer, high]),
        ("100%_", vec![low]),
        ("%", vec![low]),
        ("_", vec![low]),
        ("\\", vec![none]),
        ("'; --", vec![]),
    ] {
        let filter = SuggestionFilter { text: Some(text.to_owned()), ..open.clone() };
        assert_eq!(found(&filter).await, wanted, "{text}");
    }
    let between = SuggestionFilter { from: Some(after(2)), until: Some(after(4)), ..open.clone() };
    assert_eq!(found(&between).await, [high, none]);
    let high_only = SuggestionFilter { priority: Some("high".to_owned()), ..open.clone() };
    assert_eq!(found(&high_only).await, [newer, high]);
    let mut pending = store.pending(&name).await.unwrap();
    pending.sort_by(|a, b| a.priority.cmp(&b.priority));
    let template = suggestion(deskhand::domain::TicketId::new(super::fresh()));
    let expected =
        [(None, 1), (Some("high"), 2), (Some("low"), 1)].map(|(priority, count)| Pending {
            category: template.category.label.clone(),
            team: template.team.decision.label.clone(),
            priority: priority.map(str::to_owned),
            decision: "abstain".to_owned(),
            count,
        });
    assert_eq!(pending, expected);
    assert!(store.pending(&desk("nobody")).await.unwrap().is_empty());
}

pub(super) async fn what_was_decided_is_listed_by_its_bundle(store: &dyn Store) {
    let name = desk("lists");
    let one = made(store, "decided", None, 5).await;
    let mut tx = store.begin(&name).await.unwrap();
    tx.put_decision(&decision(one.ticket_id, Some(one.id))).await.unwrap();
    tx.set_status(one.id, Status::Edited).await.unwrap();
    tx.commit().await.unwrap();
    let listed = async |bundle: Option<&str>| {
        let found = store.decided(&name, bundle, 9).await.unwrap();
        found.iter().map(|s| (s.suggestion.id, s.decision.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [(one.id, true)]);
    assert_eq!(listed(Some(&one.model.bundle)).await, [(one.id, true)]);
    assert!(listed(Some("another")).await.is_empty());
    assert!(store.decided(&desk("nobody"), None, 9).await.unwrap().is_empty());
}

pub(super) async fn the_audit_trail_goes_back_page_by_page(store: &dyn Store) {
    let name = desk("audited");
    for n in 0..5 {
        let mut tx = store.begin(&name).await.unwrap();
        let entry = AuditEntry {
            at: now(),
            actor: "Ann".to_owned(),
            action: "policy.put",
            subject: format!("step {n}"),
            detail: serde_json::json!({ "n": n }),
        };
        tx.audit(&entry).await.unwrap();
        tx.commit().await.unwrap();
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = store.audit_trail(&name, before, 2).await.unwrap();
        seen.extend(page.items.iter().map(|row| (row.subject.clone(), row.detail["n"].clone())));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|n| (format!("step {n}"), n.into())).collect();
    assert_eq!(seen, expected);
    assert!(store.audit_trail(&desk("nobody"), None, 9).await.unwrap().items.is_empty());
}
