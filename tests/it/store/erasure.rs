//! What is erased is gone.

use deskhand::domain::ids::hex;
use deskhand::domain::{ClaimId, TicketId, WorkspaceId};
use deskhand::store::{
    Answer, AuditEntry, ClaimRequest, Claimed, EntryRow, Store, SuggestionFilter,
};
use deskhand::text::Terms;

use super::{
    ENCODER, Raw, after, desk, entry, fresh, message, now, outcome, put, source, suggestion,
    suggestions::decision, suggestions::draft, suggestions::similar, ticket, yours,
};

/// A ticket whose every text has the marker, with all that is made of a ticket: suggestions, a
/// draft, decisions, an entry, and another ticket's suggestion that shows and quotes it.
pub(super) async fn leave_traces(
    store: &dyn Store,
    desk: &WorkspaceId,
    marker: &str,
    vector: [f32; 2],
) -> (TicketId, TicketId) {
    let mut tx = store.begin(desk).await.unwrap();
    let mut asked = ticket(marker);
    asked.text.body = format!("<p>{marker}</p>").repeat(20);
    asked.text.messages = vec![message(marker, marker)];
    asked.requester = Some(format!("{marker}@b.example"));
    asked.source = Some(deskhand::domain::ExternalRef {
        url: Some(format!("https://x/{marker}")),
        ..source(marker)
    });
    let id = put(&mut *tx, &asked).await;
    let mut resolved = outcome("VPN");
    resolved.resolution = Some(marker.to_owned());
    tx.set_outcome(id, &resolved, Some("hash")).await.unwrap();
    let row = EntryRow { resolution: Some(marker.to_owned()), ..entry(marker, true, Some(vector)) };
    tx.put_entry(ENCODER, id, &row).await.unwrap();
    tx.put_entry("other:1", id, &row).await.unwrap();
    let other = put(&mut *tx, &ticket("another")).await;
    let mut own = suggestion(id);
    own.similar = vec![similar(other, "another", "x")];
    own.draft = Some(draft(marker, id));
    tx.put_suggestion(&own, 1, now()).await.unwrap();
    // A newer one, so that there are two.
    tx.put_suggestion(&suggestion(id), 1, now()).await.unwrap();
    for about in [Some(own.id), None] {
        let mut made = decision(id, about);
        made.decision.reply = Some(marker.to_owned());
        made.before.outcome.resolution = Some(marker.to_owned());
        made.after.resolution = Some(marker.to_owned());
        tx.put_decision(&made).await.unwrap();
    }
    let mut showing = suggestion(other);
    let kept = similar(other, "kept", "kept");
    showing.similar = vec![kept, similar(id, marker, marker)];
    showing.draft = Some(draft(marker, id));
    tx.put_suggestion(&showing, 1, now()).await.unwrap();
    let mut replied = decision(other, Some(showing.id));
    replied.decision.reply = Some(format!("Dear all, {marker}"));
    tx.put_decision(&replied).await.unwrap();
    // One that quotes it without showing it.
    let mut quoting = suggestion(other);
    quoting.draft = Some(draft(marker, id));
    tx.put_suggestion(&quoting, 1, now()).await.unwrap();
    tx.audit(&AuditEntry {
        at: now(),
        actor: "Ann".to_owned(),
        action: "test",
        subject: id.to_string(),
        detail: serde_json::json!({}),
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (id, other)
}

/// Answers a request whose key is `key` with this body.
async fn answer(store: &dyn Store, desk: &WorkspaceId, key: &str, body: String) -> ClaimRequest {
    let request = ClaimRequest {
        route: "POST /v1/triage".to_owned(),
        key: key.to_owned(),
        body_hash: "hash".to_owned(),
    };
    let claimed = store.claim(desk, &request, ClaimId::new(fresh()), now()).await.unwrap();
    let claim = yours(claimed);
    let mut tx = store.begin(desk).await.unwrap();
    let headers = vec![("location".to_owned(), "/x".to_owned())];
    tx.settle(&claim, &Answer { status: 200, headers, body }).await.unwrap();
    tx.commit().await.unwrap();
    request
}

async fn answered(store: &dyn Store, desk: &WorkspaceId, request: &ClaimRequest) -> Answer {
    let claimed = store.claim(desk, request, ClaimId::new(fresh()), after(60)).await.unwrap();
    let answer = match claimed {
        Claimed::Answered(answer) => Ok(answer),
        other => Err(other),
    };
    answer.unwrap()
}

pub(super) async fn nothing_of_an_erased_ticket_is_left_in_any_table(store: &dyn Store, raw: &Raw) {
    const MARKER: &str = "Xylophonkonzert";
    let name = desk("erasure");
    let bystander = leave_traces(store, &name, "bystander", [0.25, 0.5]).await;
    let (id, other) = leave_traces(store, &name, MARKER, [0.125, 0.75]).await;
    let shown =
        answer(store, &name, "shown", format!("{{\"id\":\"{id}\",\"x\":\"{MARKER}\"}}")).await;
    let kept = answer(store, &name, "kept", format!("{{\"id\":\"{other}\"}}")).await;
    let mut filter = SuggestionFilter { limit: 9, ..SuggestionFilter::default() };
    let mut touched = vec![hex(id.as_bytes())];
    for ticket in [id, other] {
        filter.ticket = Some(ticket);
        let page = store.suggestions(&name, &filter).await.unwrap().items;
        touched.extend(page.iter().map(|s| hex(s.suggestion.id.as_bytes())));
    }
    let before = raw.dump().await;
    let left = |dump: &[String]| -> Vec<String> {
        let bytes = hex(MARKER.as_bytes());
        let vector: Vec<u8> = [0.125f32, 0.75].iter().flat_map(|x| x.to_le_bytes()).collect();
        let vector = hex(&vector);
        let term = hex(&Terms::of(MARKER).to_bytes());
        let tells = |row: &&String| {
            let lower = row.to_lowercase();
            row.contains(MARKER) || [&bytes, &vector, &term].iter().any(|&b| lower.contains(b))
        };
        dump.iter().filter(tells).cloned().collect()
    };
    let (traces, tables) = (left(&before), raw.tables().await);
    let told = tables.iter().filter(|t| traces.iter().any(|row| row.starts_with(&format!("{t}:"))));
    assert_eq!(told.count(), 5, "tickets, entries, suggestions, decisions, receipts");

    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.erase(&[id]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    store.scrub().await.unwrap();
    let dump = raw.dump().await;
    assert_eq!(left(&dump), Vec::<String>::new());
    // Nothing is gone or changed but what is named after it, its suggestions, or those that show it.
    for row in before.iter().filter(|row| left(std::slice::from_ref(*row)).is_empty()) {
        let lower = row.to_lowercase();
        let expected = touched.iter().any(|name| lower.contains(name));
        assert!(expected || dump.contains(row), "gone, or changed: {row}");
    }
    assert_eq!(store.ticket(&name, id).await.unwrap(), None);
    assert!(store.ticket(&name, bystander.0).await.unwrap().is_some());

    // What others said without it stays.
    let page = store.suggestions(&name, &filter).await.unwrap().items;
    assert_eq!(page.len(), 2);
    let showing = &page[1];
    assert_eq!(showing.suggestion.similar.len(), 1);
    assert_eq!(showing.suggestion.similar[0].subject, "kept");
    assert_eq!(showing.suggestion.draft, None);
    let decided = showing.decision.as_ref().unwrap();
    assert_eq!((decided.reply.as_deref(), decided.by.as_str()), (None, "Ann"));
    assert!(page.iter().all(|s| s.version > 1), "they are other versions now");

    // Whoever asks again hears that the answer is gone.
    let gone = answered(store, &name, &shown).await;
    assert_eq!(gone.status, 410);
    let problem: serde_json::Value = serde_json::from_str(&gone.body).unwrap();
    assert_eq!(problem["status"], 410);
    let kind = ("content-type".to_owned(), "application/problem+json".to_owned());
    assert_eq!(gone.headers, [kind]);
    assert_eq!(answered(store, &name, &kept).await.status, 200);
    // A second time is nothing.
    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.erase(&[id]).await.unwrap(), 0);
    tx.commit().await.unwrap();
}

/// However many suggestions there are: the first and the last show them, all others something else.
pub(super) async fn tickets_erased_together_leave_whatever_shows_them(store: &dyn Store) {
    const BETWEEN: usize = 1_100;
    let name = desk("together");
    let mut tx = store.begin(&name).await.unwrap();
    let asking = put(&mut *tx, &ticket("asking")).await;
    let kept = put(&mut *tx, &ticket("kept")).await;
    let one = put(&mut *tx, &ticket("one")).await;
    let two = put(&mut *tx, &ticket("two")).await;
    for n in 0..BETWEEN + 2 {
        let mut showing = suggestion(asking);
        showing.similar = vec![similar(kept, "kept", "kept")];
        if n == 0 || n == BETWEEN + 1 {
            showing.similar.extend([one, two].map(|id| similar(id, "gone", "gone")));
        }
        tx.put_suggestion(&showing, 1, now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let filter = SuggestionFilter { limit: BETWEEN as u32 + 9, ..SuggestionFilter::default() };
    let before = store.suggestions(&name, &filter).await.unwrap().items;
    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.erase(&[one, TicketId::new(fresh()), two]).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let left = store.suggestions(&name, &filter).await.unwrap().items;
    assert_eq!(left.len(), BETWEEN + 2);
    for (n, stored) in left.iter().enumerate() {
        let shown: Vec<_> = stored.suggestion.similar.iter().map(|s| s.ticket_id).collect();
        assert_eq!(shown, [kept], "{n}");
        let changed = n == 0 || n == BETWEEN + 1;
        assert_eq!(stored.version > before[n].version, changed, "{n}");
    }
    // Those that still show another are found again.
    let mut tx = store.begin(&name).await.unwrap();
    assert_eq!(tx.erase(&[kept]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let left = store.suggestions(&name, &filter).await.unwrap().items;
    assert!(left.iter().all(|stored| stored.suggestion.similar.is_empty()));
}

/// Where a person's words are taken out of a ticket that stays.
pub(super) async fn stored_answers_can_be_forgotten_alone(store: &dyn Store) {
    let name = desk("forgetting");
    let (id, other) = (TicketId::new(fresh()), TicketId::new(fresh()));
    let first = answer(store, &name, "first", format!("{{\"id\":\"{id}\"}}")).await;
    let second = answer(store, &name, "second", format!("{{\"id\":\"{other}\"}}")).await;
    let mut tx = store.begin(&name).await.unwrap();
    tx.erase_answers(id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(answered(store, &name, &first).await.status, 410);
    assert_eq!(answered(store, &name, &second).await.status, 200);
}
