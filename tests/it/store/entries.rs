//! What the index is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deskhand::domain::{TicketId, WorkspaceId};
use deskhand::store::{EntryChange, EntryRow, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::task::JoinSet;

use super::{ENCODER, desk, entry, fresh, outcome, put, stored, ticket};

async fn changes(store: &dyn Store, desk: &WorkspaceId, after: i64) -> Vec<EntryChange> {
    store.entry_changes(desk, ENCODER, after, 1000).await.unwrap()
}

pub(super) async fn every_change_has_a_higher_number(store: &dyn Store) {
    let desk = desk("entries");
    let mut tx = store.begin(&desk).await.unwrap();
    let (a, b) = (put(&mut *tx, &ticket("a")).await, put(&mut *tx, &ticket("b")).await);
    assert_eq!(tx.entry(ENCODER, a).await.unwrap(), None);
    let odd = [f32::MIN_POSITIVE, -0.0];
    tx.put_entry(ENCODER, a, &entry("a", true, Some(odd))).await.unwrap();
    tx.put_entry(ENCODER, b, &entry("b", false, Some([0.0, 1.0]))).await.unwrap();
    assert_eq!(tx.entry(ENCODER, a).await.unwrap(), Some(entry("a", true, Some(odd))));
    tx.commit().await.unwrap();
    let first = changes(store, &desk, 0).await;
    let seen: Vec<_> = first.iter().map(|c| (c.ticket_id, c.vector.clone())).collect();
    assert_eq!(seen, [(a, Some(odd.to_vec())), (b, None)], "an unlisted one is not to be found");
    assert_eq!(Some(&first[0].terms), entry("a", true, Some(odd)).terms.as_ref());
    assert!(0 < first[0].seq && first[0].seq < first[1].seq);
    let last = first[1].seq;
    assert!(changes(store, &desk, last).await.is_empty());
    assert_eq!(changes(store, &desk, first[0].seq).await, first[1..]);
    assert_eq!(store.entry_changes(&desk, ENCODER, 0, 1).await.unwrap(), first[..1]);
    assert!(store.entry_changes(&desk, "another:1", 0, 9).await.unwrap().is_empty());
    let (seq, kept) = store.entry(&desk, ENCODER, b).await.unwrap().unwrap();
    assert_eq!((seq, kept), (last, entry("b", false, Some([0.0, 1.0]))), "but its vector is kept");
    assert_eq!(store.entry(&desk, "another:1", b).await.unwrap(), None);
    assert_eq!(store.entry(&desk, ENCODER, TicketId::new(fresh())).await.unwrap(), None);
    // Written again, listed, and then to be found no longer: each time under a new number.
    let mut last = last;
    let none = EntryRow { resolution: None, ..entry("", true, None) };
    for (row, vector) in [
        (entry("b", true, Some([0.5, 0.5])), Some(vec![0.5, 0.5])),
        (entry("b", true, Some([0.5, 0.5])), Some(vec![0.5, 0.5])),
        (none, None),
        (entry("b", true, Some([1.0, 0.0])), Some(vec![1.0, 0.0])),
    ] {
        let mut tx = store.begin(&desk).await.unwrap();
        tx.put_entry(ENCODER, b, &row).await.unwrap();
        tx.commit().await.unwrap();
        let next = changes(store, &desk, last).await;
        assert_eq!(next.len(), 1, "the older steps of one ticket are gone");
        assert_eq!((next[0].ticket_id, next[0].vector.clone()), (b, vector));
        let kept = store.entry(&desk, ENCODER, b).await.unwrap().unwrap().1;
        assert_eq!(kept.listed, row.vector.is_some(), "nothing is listed without a vector");
        last = next[0].seq;
    }
    // An erased ticket leaves a step behind that says so.
    let mut tx = store.begin(&desk).await.unwrap();
    assert_eq!(tx.erase(&[b, b]).await.unwrap(), 1);
    assert_eq!(tx.erase(&[b]).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let next = changes(store, &desk, last).await;
    assert_eq!(next.len(), 1);
    assert_eq!((next[0].ticket_id, next[0].vector.clone()), (b, None));
    assert!(next[0].terms.is_empty(), "not a word is left");
    assert_eq!(store.entry(&desk, ENCODER, b).await.unwrap().unwrap().1.terms, None);
    assert_eq!(store.counts(&desk).await.unwrap().searchable, 1);
}

pub(super) async fn neighbours_are_shown_in_the_order_found(store: &dyn Store) {
    let desk = desk("neighbours");
    let mut ids = Vec::new();
    let mut tx = store.begin(&desk).await.unwrap();
    for n in 0..4 {
        let id = put(&mut *tx, &ticket(&format!("raw {n}"))).await;
        tx.set_outcome(id, &outcome(&format!("c{n}")), None).await.unwrap();
        let shown = EntryRow {
            resolution: Some("[redacted]".to_owned()),
            ..entry(&format!("shown {n}"), n != 3, Some([1.0, 0.0]))
        };
        tx.put_entry(ENCODER, id, &shown).await.unwrap();
        ids.push(id);
    }
    tx.commit().await.unwrap();
    let found =
        [(ids[2], 0.9), (TicketId::new(fresh()), 0.8), (ids[0], 0.7), (ids[3], 0.6), (ids[1], 0.5)];
    let shown = store.neighbours(&desk, ENCODER, &found).await.unwrap();
    let order: Vec<_> = shown.iter().map(|n| (n.ticket_id, n.score)).collect();
    assert_eq!(order, [(ids[2], 0.9), (ids[0], 0.7), (ids[1], 0.5)]);
    assert_eq!(shown[0].subject, "shown 2", "what the index may show, not what was written");
    let expected =
        deskhand::domain::Outcome { resolution: Some("[redacted]".to_owned()), ..outcome("c2") };
    assert_eq!((&shown[0].outcome, shown[0].language.as_deref()), (&expected, Some("en")));
    assert!(store.neighbours(&desk, "another:1", &found).await.unwrap().is_empty());
    assert!(store.neighbours(&desk, ENCODER, &[]).await.unwrap().is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Put { ticket: usize, listed: bool, vector: Option<i8> },
    Erase { ticket: usize },
    Read { limit: u32 },
}

/// A view that follows in pieces of any size, while tickets come, change and go in transactions of
/// any size, some of which are given up, has in the end what a map has.
pub(super) async fn entries_agree_with_a_model_after_any_steps(store: &dyn Store) {
    let step = prop_oneof![
        6 => (0usize..6, any::<bool>(), proptest::option::of(any::<i8>()))
            .prop_map(|(ticket, listed, vector)| Step::Put { ticket, listed, vector }),
        1 => (0usize..6).prop_map(|ticket| Step::Erase { ticket }),
        2 => (1u32..4).prop_map(|limit| Step::Read { limit }),
    ];
    let round = (proptest::collection::vec(step, 1..6), prop::bool::weighted(0.8));
    let rounds = proptest::collection::vec(round, 1..12);
    let mut runner = TestRunner::deterministic();
    for case in 0..12 {
        let rounds = rounds.new_tree(&mut runner).unwrap().current();
        let desk = desk(&format!("model-{case}"));
        let mut tickets = Vec::new();
        for n in 0..6 {
            tickets.push(stored(store, &desk, &ticket(&n.to_string())).await);
        }
        let mut model: HashMap<TicketId, Option<Vec<f32>>> = HashMap::new();
        let mut view: HashMap<TicketId, Option<Vec<f32>>> = HashMap::new();
        let mut seq = 0;
        for (steps, commit) in &rounds {
            let mut next = model.clone();
            let mut tx = store.begin(&desk).await.unwrap();
            for step in steps {
                match *step {
                    Step::Put { ticket, listed, vector } => {
                        let vector = vector.map(|v| [f32::from(v), 1.0]);
                        let row = entry("x", listed, vector);
                        tx.put_entry(ENCODER, tickets[ticket], &row).await.unwrap();
                        next.insert(tickets[ticket], vector.filter(|_| listed).map(Vec::from));
                    }
                    Step::Erase { ticket } => {
                        tx.erase(&tickets[ticket..=ticket]).await.unwrap();
                        next.entry(tickets[ticket]).and_modify(|vector| *vector = None);
                    }
                    Step::Read { limit } => {
                        let some = store.entry_changes(&desk, ENCODER, seq, limit).await.unwrap();
                        follow(&mut view, &mut seq, some);
                    }
                }
            }
            if *commit {
                tx.commit().await.unwrap();
                model = next;
            }
        }
        let rest = changes(store, &desk, seq).await;
        follow(&mut view, &mut seq, rest);
        assert_eq!(view, model, "{rounds:?}");
    }
}

fn follow(
    view: &mut HashMap<TicketId, Option<Vec<f32>>>,
    seq: &mut i64,
    changes: Vec<EntryChange>,
) {
    for change in changes {
        assert!(change.seq > *seq);
        *seq = change.seq;
        view.insert(change.ticket_id, change.vector);
    }
}

pub(super) async fn two_transactions_take_turns(store: &Arc<dyn Store>) {
    let desk = desk("turns");
    let mut first = store.begin(&desk).await.unwrap();
    let id = put(&mut *first, &ticket("first")).await;
    let mut waiting = JoinSet::new();
    let (other, theirs) = (Arc::clone(store), desk.clone());
    waiting.spawn(async move {
        let mut second = other.begin(&theirs).await.unwrap();
        let seen = second.ticket(id).await.unwrap().is_some();
        second.commit().await.unwrap();
        seen
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(waiting.try_join_next().is_none(), "the second waits for the first");
    // Reading goes on meanwhile.
    assert_eq!(store.ticket(&desk, id).await.unwrap(), None);
    first.commit().await.unwrap();
    assert!(waiting.join_next().await.unwrap().unwrap(), "and sees what it wrote");
}

/// Sequence numbers are given before a commit and seen after it: without turns, a follower passes
/// over the number of whoever commits late.
pub(super) async fn a_follower_misses_nothing_that_many_write(store: &Arc<dyn Store>) {
    const WRITERS: usize = 12;
    const EACH: usize = 15;
    let desk = desk("followed");
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (store, desk) = (Arc::clone(store), desk.clone());
        writers.spawn(async move {
            let mut written = BTreeMap::new();
            for m in 0..EACH {
                let mut tx = store.begin(&desk).await.unwrap();
                let id = put(&mut *tx, &ticket("x")).await;
                let vector = [n as f32, m as f32];
                tx.put_entry(ENCODER, id, &entry("x", true, Some(vector))).await.unwrap();
                if m % 4 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                tx.commit().await.unwrap();
                written.insert(id, vector.to_vec());
            }
            written
        });
    }
    let (mut seen, mut seq, mut written) = (BTreeMap::new(), 0, BTreeMap::new());
    let mut read = async |seen: &mut BTreeMap<_, _>| {
        for change in changes(&**store, &desk, seq).await {
            assert!(change.seq > seq);
            seq = change.seq;
            seen.insert(change.ticket_id, change.vector.unwrap());
        }
    };
    while !writers.is_empty() {
        read(&mut seen).await;
        while let Some(done) = writers.try_join_next() {
            written.extend(done.unwrap());
        }
    }
    read(&mut seen).await;
    assert_eq!(written.len(), WRITERS * EACH);
    let missed: Vec<_> = written.iter().filter(|(id, _)| !seen.contains_key(id)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(seen == written);
}

pub(super) async fn another_encoder_takes_over_when_it_is_bound(store: &dyn Store) {
    let desk = desk("rebound");
    let mut tx = store.begin(&desk).await.unwrap();
    let id = put(&mut *tx, &ticket("a")).await;
    tx.put_entry(ENCODER, id, &entry("old", true, Some([1.0, 0.0]))).await.unwrap();
    tx.put_entry("next:1", id, &entry("new", true, Some([0.0, 1.0]))).await.unwrap();
    tx.commit().await.unwrap();
    // While both are there, only what the bound one wrote can be found.
    assert_eq!(store.counts(&desk).await.unwrap().searchable, 1);
    store.rebind_encoder("next:1").await.unwrap();
    assert_eq!(store.entry(&desk, ENCODER, id).await.unwrap(), None);
    let kept = store.entry(&desk, "next:1", id).await.unwrap().unwrap().1;
    assert_eq!(kept.subject, "new");
    assert!(store.bind_encoder(ENCODER).await.is_err());
    store.bind_encoder("next:1").await.unwrap();
    store.rebind_encoder(ENCODER).await.unwrap();
    store.bind_encoder(ENCODER).await.unwrap();
    assert_eq!(store.counts(&desk).await.unwrap().searchable, 0);
}
