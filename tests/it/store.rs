//! What every store must do. Each implementation runs the same story.

use std::sync::Arc;

use deskhand::domain::{
    Decision, ExternalRef, LabelDecision, ModelVersions, Reason, Regime, Suggestion, SuggestionId,
    Taxonomy, TeamDecision, Ticket, TicketId, TicketText, Timings, WorkspaceId,
};
use deskhand::store::{ImportRow, SqliteStore, Store, StoreError, TriageRecord};
use jiff::Timestamp;
use uuid::Uuid;

use crate::support::resolved;

const ENCODER: &str = "test:0";

#[tokio::test]
async fn sqlite_keeps_the_stores_promises() {
    let folder = tempfile::tempdir().unwrap();
    conformance(Arc::new(SqliteStore::open(folder.path()).await.unwrap())).await;
}

async fn conformance(store: Arc<dyn Store>) {
    encoder_is_bound_once(&*store).await;
    taxonomies_are_versioned(&*store).await;
    imports_are_found_and_followed(&*store).await;
    a_record_is_ticket_and_suggestion_together(&*store).await;
    workspaces_see_nothing_of_each_other(&*store).await;
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn main() -> WorkspaceId {
    WorkspaceId::main()
}

fn other() -> WorkspaceId {
    "other".to_owned().try_into().unwrap()
}

fn ticket_id(n: u128) -> TicketId {
    TicketId::new(Uuid::from_u128(n))
}

fn row(n: u128, vector: [f32; 2]) -> ImportRow {
    ImportRow {
        new_id: ticket_id(n),
        resolved: resolved(&format!("S-{n}"), &format!("subject {n}"), "VPN", "Rebooted."),
        import_hash: format!("hash {n}"),
        language: "en".to_owned(),
        vector: vector.to_vec(),
    }
}

fn record(source: Option<&str>, n: u128) -> TriageRecord {
    let decision = LabelDecision {
        label: Some("VPN".to_owned()),
        probability: 0.5,
        decision: Decision::Abstain,
        reason: Some(Reason::Novel),
        regime: Regime::Described,
        alternatives: Vec::new(),
    };
    let ticket = Ticket {
        text: TicketText { subject: format!("new {n}"), ..TicketText::default() },
        requester: None,
        created_at: None,
        source: source.map(|id| ExternalRef {
            system: "test".to_owned(),
            id: id.to_owned(),
            url: None,
        }),
    };
    let suggestion = Suggestion {
        id: SuggestionId::new(Uuid::from_u128(n)),
        ticket_id: ticket_id(n),
        category: decision.clone(),
        team: TeamDecision { decision: decision.clone(), department: None },
        priority: decision,
        similar: Vec::new(),
        draft: None,
        draft_reason: None,
        language: "en".to_owned(),
        degraded: Vec::new(),
        model: ModelVersions {
            bundle: "b".to_owned(),
            encoder: ENCODER.to_owned(),
            policy: "p".to_owned(),
        },
        timings_ms: Timings::default(),
    };
    TriageRecord { ticket, language: "en".to_owned(), vector: Some(vec![0.0, 1.0]), suggestion }
}

async fn encoder_is_bound_once(store: &dyn Store) {
    store.bind_encoder(ENCODER).await.unwrap();
    store.bind_encoder(ENCODER).await.unwrap();
    let refused = store.bind_encoder("another:1").await;
    assert!(matches!(refused, Err(StoreError::OtherEncoder { .. })), "{refused:?}");
}

async fn taxonomies_are_versioned(store: &dyn Store) {
    assert_eq!(store.taxonomy(&main()).await.unwrap(), None);
    let mut taxonomy = Taxonomy::empty("first");
    store.save_taxonomy(&main(), &taxonomy, now()).await.unwrap();
    taxonomy.version = 2;
    "second".clone_into(&mut taxonomy.name);
    store.save_taxonomy(&main(), &taxonomy, now()).await.unwrap();
    assert_eq!(store.taxonomy(&main()).await.unwrap(), Some(taxonomy));
}

async fn imports_are_found_and_followed(store: &dyn Store) {
    let rows = [row(1, [1.0, 0.0]), row(2, [0.0, 1.0])];
    store.import(&main(), ENCODER, &rows, now()).await.unwrap();
    let source = rows[0].resolved.ticket.source.clone().unwrap();
    let known = store.find(&main(), &source).await.unwrap().unwrap();
    assert_eq!((known.id, known.import_hash.as_deref()), (ticket_id(1), Some("hash 1")));
    let changes = store.vector_changes(&main(), ENCODER, 0, 100).await.unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0].vector.as_deref(), Some(&[1.0, 0.0][..]));
    assert!(changes[0].seq < changes[1].seq);
    let last = changes[1].seq;
    assert!(store.vector_changes(&main(), ENCODER, last, 100).await.unwrap().is_empty());
    assert!(store.vector_changes(&main(), "another:1", 0, 100).await.unwrap().is_empty());
    // A changed row keeps its id and comes again under a higher number.
    let changed = ImportRow { import_hash: "hash 1b".to_owned(), ..row(9, [0.5, 0.5]) };
    let changed = ImportRow { resolved: rows[0].resolved.clone(), ..changed };
    store.import(&main(), ENCODER, &[changed], now()).await.unwrap();
    let after = store.vector_changes(&main(), ENCODER, last, 100).await.unwrap();
    assert_eq!((after.len(), after[0].ticket_id), (1, ticket_id(1)));
    let missing = ticket_id(77);
    let found = [(ticket_id(2), 0.9), (missing, 0.8), (ticket_id(1), 0.7)];
    let neighbours = store.neighbours(&main(), &found).await.unwrap();
    let ids: Vec<_> = neighbours.iter().map(|n| (n.ticket_id, n.score)).collect();
    assert_eq!(ids, [(ticket_id(2), 0.9), (ticket_id(1), 0.7)]);
    assert_eq!(neighbours[0].outcome, rows[1].resolved.outcome);
    assert_eq!(neighbours[0].language.as_deref(), Some("en"));
}

async fn a_record_is_ticket_and_suggestion_together(store: &dyn Store) {
    let before = store.counts(&main()).await.unwrap();
    let stored = store.record(&main(), ENCODER, record(None, 20), now()).await.unwrap();
    assert_eq!(stored.ticket_id, ticket_id(20));
    assert_eq!(store.suggestion(&main(), stored.id).await.unwrap(), Some(stored));
    // A known source keeps its ticket, whatever id the answer came with, and its new vector counts.
    let last = store.vector_changes(&main(), ENCODER, 0, 100).await.unwrap().last().unwrap().seq;
    let again = store.record(&main(), ENCODER, record(Some("S-2"), 21), now()).await.unwrap();
    assert_eq!(again.ticket_id, ticket_id(2));
    let after = store.vector_changes(&main(), ENCODER, last, 100).await.unwrap();
    assert_eq!(after.iter().map(|c| c.ticket_id).collect::<Vec<_>>(), [ticket_id(2)]);
    // A suggestion's id can't be used twice; then nothing of the record is kept.
    let twice = store.record(&main(), ENCODER, record(Some("fresh"), 21), now()).await;
    assert!(twice.is_err());
    let fresh = ExternalRef { system: "test".to_owned(), id: "fresh".to_owned(), url: None };
    assert_eq!(store.find(&main(), &fresh).await.unwrap(), None);
    let counts = store.counts(&main()).await.unwrap();
    assert_eq!(counts.tickets, before.tickets + 1);
    assert_eq!(counts.searchable, before.searchable);
    assert_eq!(counts.suggestions, before.suggestions + 2);
}

async fn workspaces_see_nothing_of_each_other(store: &dyn Store) {
    let source = ExternalRef { system: "test".to_owned(), id: "S-1".to_owned(), url: None };
    assert_eq!(store.find(&other(), &source).await.unwrap(), None);
    assert_eq!(store.taxonomy(&other()).await.unwrap(), None);
    assert!(store.vector_changes(&other(), ENCODER, 0, 100).await.unwrap().is_empty());
    assert!(store.neighbours(&other(), &[(ticket_id(1), 1.0)]).await.unwrap().is_empty());
    let id = SuggestionId::new(Uuid::from_u128(20));
    assert_eq!(store.suggestion(&other(), id).await.unwrap(), None);
    // The same name in another desk is another ticket.
    let theirs = store.record(&other(), ENCODER, record(Some("S-1"), 30), now()).await.unwrap();
    assert_eq!(theirs.ticket_id, ticket_id(30));
    assert_eq!(store.counts(&other()).await.unwrap().tickets, 1);
}
