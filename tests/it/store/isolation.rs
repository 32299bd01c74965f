//! Desks see nothing of each other.

use deskhand::domain::{
    ClaimId, ImportId, ImportRecord, ImportState, LabelField, Status, SuggestionId, Taxonomy,
    TicketId, WorkspaceId,
};
use deskhand::store::{
    Answer, Claim, ClaimRequest, Claimed, EntryRow, Store, StoredDecision, SuggestionFilter,
    WorkspaceSettings,
};

use super::{
    ENCODER, after, desk, entry, fresh, message, now, outcome, put, source, suggestion,
    suggestions::decision, suggestions::draft, suggestions::similar, ticket, tickets::import,
    yours,
};

/// A desk with something of everything.
struct Desk {
    name: WorkspaceId,
    ticket: TicketId,
    suggestion: SuggestionId,
    decision: StoredDecision,
    import: ImportRecord,
    request: ClaimRequest,
    open: Claim,
}

async fn furnish(store: &dyn Store, name: &str) -> Desk {
    let name = desk(name);
    let mut tx = store.begin(&name).await.unwrap();
    let mut asked = ticket("secret");
    asked.requester = Some("Ann".to_owned());
    asked.source = Some(source("same"));
    asked.text.messages = vec![message("Bob", "secret")];
    let id = put(&mut *tx, &asked).await;
    tx.set_outcome(id, &outcome("VPN"), Some("hash")).await.unwrap();
    tx.put_entry(ENCODER, id, &entry("secret", true, Some([1.0, 0.0]))).await.unwrap();
    let mut made = suggestion(id);
    made.draft = Some(draft("secret", id));
    made.similar = vec![similar(id, "secret", "secret")];
    tx.put_suggestion(&made, 1, now()).await.unwrap();
    let decision = decision(id, Some(made.id));
    tx.put_decision(&decision).await.unwrap();
    tx.save_taxonomy(&Taxonomy::empty("secret"), now()).await.unwrap();
    let import = import(ImportState::Receiving);
    tx.put_import(&import).await.unwrap();
    tx.put_import_chunk(import.id, 0, b"secret").await.unwrap();
    tx.commit().await.unwrap();
    let settings = WorkspaceSettings { retention_days: Some(99), ..Default::default() };
    store.save_settings(&name, &settings, now()).await.unwrap();
    let mut claims = Vec::new();
    let request = |key: &str| ClaimRequest {
        route: "POST /x".to_owned(),
        key: key.to_owned(),
        body_hash: "same".to_owned(),
    };
    for key in ["answered", "open"] {
        let id = ClaimId::new(fresh());
        let claimed = store.claim(&name, &request(key), id, now()).await.unwrap();
        claims.push(yours(claimed));
    }
    let mut tx = store.begin(&name).await.unwrap();
    let answer = Answer { status: 200, headers: Vec::new(), body: format!("{{\"id\":\"{id}\"}}") };
    tx.settle(&claims[0], &answer).await.unwrap();
    tx.commit().await.unwrap();
    let open = claims.remove(1);
    let request = request("answered");
    Desk { name, ticket: id, suggestion: made.id, decision, import, request, open }
}

/// All that can be read of a desk.
async fn everything(store: &dyn Store, desk: &Desk) -> String {
    let name = &desk.name;
    let mut tx = store.begin(name).await.unwrap();
    let inside = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        tx.ticket(desk.ticket).await.unwrap(),
        tx.entry(ENCODER, desk.ticket).await.unwrap(),
        tx.suggestion(desk.suggestion).await.unwrap(),
        tx.decision(desk.ticket, Some(desk.suggestion)).await.unwrap(),
        tx.taxonomy().await.unwrap(),
        tx.labels_in_use(LabelField::Category).await.unwrap(),
        tx.tickets_of("Ann").await.unwrap(),
        tx.threads_with("Bob").await.unwrap(),
    );
    drop(tx);
    let filter = SuggestionFilter { limit: 9, ..SuggestionFilter::default() };
    let outside = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        store.desk_state(name, Some(&source("same"))).await.unwrap(),
        store.settings(name).await.unwrap(),
        store.taxonomy(name).await.unwrap(),
        store.find(name, &source("same")).await.unwrap(),
        store.ticket(name, desk.ticket).await.unwrap(),
        store.tickets(name, None, 9).await.unwrap(),
        store.tickets_before(name, after(99), 9).await.unwrap(),
        store.suggestion(name, desk.suggestion).await.unwrap(),
        store.suggestions(name, &filter).await.unwrap(),
        store.entry_changes(name, ENCODER, 0, 9).await.unwrap(),
        store.entry(name, ENCODER, desk.ticket).await.unwrap(),
        store.neighbours(name, ENCODER, &[(desk.ticket, 1.0)]).await.unwrap(),
        store.counts(name).await.unwrap(),
        store.import(name, desk.import.id).await.unwrap(),
        store.import_chunk(desk.import.id, 0).await.unwrap(),
    );
    let claims = format!(
        "{:?} {:?}",
        store.claim(name, &desk.request, ClaimId::new(fresh()), after(1)).await.unwrap(),
        store.claim(name, &of(&desk.open), ClaimId::new(fresh()), after(1)).await.unwrap(),
    );
    format!("{inside} {outside} {claims}")
}

fn of(claim: &Claim) -> ClaimRequest {
    let Claim { route, key, .. } = claim.clone();
    ClaimRequest { route, key, body_hash: "same".to_owned() }
}

pub(super) async fn workspaces_see_nothing_of_each_other(store: &dyn Store) {
    let theirs = furnish(store, "theirs").await;
    let before = everything(store, &theirs).await;
    assert!(
        before.contains("secret") && before.contains("Answered") && before.contains("InFlight")
    );
    let name = desk("ours");

    // Reading, by another desk, with the right ids.
    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.ticket(theirs.ticket).await.unwrap(), None);
    assert_eq!(tx.entry(ENCODER, theirs.ticket).await.unwrap(), None);
    assert_eq!(tx.suggestion(theirs.suggestion).await.unwrap(), None);
    assert_eq!(tx.decision(theirs.ticket, Some(theirs.suggestion)).await.unwrap(), None);
    assert_eq!(tx.taxonomy().await.unwrap(), None);
    for field in LabelField::ALL {
        assert_eq!(tx.labels_in_use(field).await.unwrap(), []);
    }
    assert_eq!(tx.tickets_of("Ann").await.unwrap(), []);
    assert_eq!(tx.threads_with("Bob").await.unwrap(), []);

    // Writing to what is not ours changes nothing of it.
    let changed = ticket("changed");
    tx.rewrite_ticket(theirs.ticket, &changed, "de").await.unwrap();
    tx.set_outcome(theirs.ticket, &outcome("other"), None).await.unwrap();
    assert_eq!(tx.relabel(LabelField::Category, "VPN", "other").await.unwrap(), 0);
    tx.set_status(theirs.suggestion, Status::Rejected).await.unwrap();
    let rewritten = StoredDecision { after: outcome("other"), ..theirs.decision.clone() };
    tx.rewrite_decision(&rewritten).await.unwrap();
    tx.undo(theirs.decision.decision.id, now()).await.unwrap();
    assert_eq!(tx.erase(&[theirs.ticket]).await.unwrap(), 0);
    tx.erase_answers(theirs.ticket).await.unwrap();
    let mine = ImportRecord { source: "ours".to_owned(), ..theirs.import.clone() };
    tx.put_import(&mine).await.unwrap();
    tx.drop_import_chunks(theirs.import.id).await.unwrap();
    let row = entry("ours", true, Some([0.0, 1.0]));
    tx.put_entry(ENCODER, theirs.ticket, &row).await.unwrap();
    tx.save_taxonomy(&Taxonomy::empty("ours"), now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(&name).await.unwrap();
    let answer = Answer { status: 200, headers: Vec::new(), body: "ours".to_owned() };
    assert!(tx.settle(&theirs.open, &answer).await.is_err());
    drop(tx);
    let mut tx = store.begin(&name).await.unwrap();
    assert!(tx.put_ticket(theirs.ticket, &changed, "de", now()).await.is_err(), "ids are unique");
    drop(tx);
    let mut tx = store.begin(&name).await.unwrap();
    assert!(tx.put_import_chunk(theirs.import.id, 1, b"ours").await.is_err());
    drop(tx);
    store.release(&name, &theirs.open).await.unwrap();
    store.save_settings(&name, &WorkspaceSettings::default(), now()).await.unwrap();

    // Nothing of theirs is to be seen through what we wrote.
    assert_eq!(store.settings(&name).await.unwrap(), WorkspaceSettings::default());
    assert_eq!(store.find(&name, &source("same")).await.unwrap(), None);
    let state = store.desk_state(&name, Some(&source("same"))).await.unwrap();
    assert_eq!((state.ticket, state.taxonomy), (None, Some(1)));
    assert_eq!(store.ticket(&name, theirs.ticket).await.unwrap(), None);
    assert!(store.tickets(&name, None, 9).await.unwrap().is_empty());
    assert!(store.tickets_before(&name, after(99), 9).await.unwrap().is_empty());
    assert_eq!(store.suggestion(&name, theirs.suggestion).await.unwrap(), None);
    let filter = SuggestionFilter { limit: 9, ..SuggestionFilter::default() };
    assert!(store.suggestions(&name, &filter).await.unwrap().items.is_empty());
    assert_eq!(store.import(&name, theirs.import.id).await.unwrap(), None);
    assert_eq!(store.import(&name, ImportId::new(fresh())).await.unwrap(), None);
    let shown = store.neighbours(&name, ENCODER, &[(theirs.ticket, 1.0)]).await.unwrap();
    assert!(shown.is_empty(), "an entry alone shows no other desk's ticket");
    let kept: Vec<EntryRow> = store
        .entry(&name, ENCODER, theirs.ticket)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.1)
        .collect();
    assert_eq!(kept, [row]);
    let ours = store.claim(&name, &theirs.request, ClaimId::new(fresh()), after(1)).await.unwrap();
    assert!(matches!(ours, Claimed::Yours(_)), "another desk's key is another key");

    assert_eq!(everything(store, &theirs).await, before);
    // The same name in another desk is another ticket.
    let mut tx = store.begin(&name).await.unwrap();
    let mut same = ticket("ours");
    same.source = Some(source("same"));
    assert_ne!(put(&mut *tx, &same).await, theirs.ticket);
    tx.commit().await.unwrap();
    assert_eq!(everything(store, &theirs).await, before);
}
