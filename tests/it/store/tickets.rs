//! Tickets and what a desk says about itself.

use deskhand::domain::{
    ClaimId, Draft, ImportId, ImportRecord, ImportState, JobId, LabelField, LineFault, Message,
    Outcome, Taxonomy, Ticket, TicketId, TicketText,
};
use deskhand::store::{
    ActiveBundle, Answer, AuditEntry, ClaimRequest, DeskState, JobKind, Known, NewJob, Store,
    StoreError, StoredTicket, WorkspaceSettings,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    ENCODER, Raw, after, desk, entry, fresh, message, now, outcome, put, source, stored,
    suggestion, suggestions::decision, ticket, yours,
};

pub(super) async fn the_encoder_is_bound_once(store: &dyn Store) {
    store.bind_encoder(ENCODER).await.unwrap();
    store.bind_encoder(ENCODER).await.unwrap();
    let refused = store.bind_encoder("another:1").await;
    assert!(
        matches!(&refused, Err(StoreError::OtherEncoder { written, running })
            if written == ENCODER && running == "another:1"),
        "{refused:?}"
    );
}

pub(super) fn import(state: ImportState) -> ImportRecord {
    ImportRecord {
        id: ImportId::new(fresh()),
        state,
        source: "csv".to_owned(),
        created_at: now(),
        updated_at: now(),
        bytes: 12,
        rows: None,
        done: 0,
        imported: 0,
        unchanged: 0,
        rejected: 1,
        errors: vec![LineFault { line: 7, column: None, reason: "x".to_owned() }],
        warnings: Vec::new(),
        failure: None,
    }
}

pub(super) async fn only_an_import_that_is_being_sent_stalls_and_grows(store: &dyn Store) {
    let [desk, other] = [desk("stalled"), desk("another")];
    let imports = [ImportState::Receiving, ImportState::Queued].map(import);
    let mut tx = store.begin(&desk).await.unwrap();
    for import in &imports {
        tx.put_import(import).await.unwrap();
    }
    tx.put_import_chunk(imports[0].id, 0, b"x").await.unwrap();
    tx.put_import_chunk(imports[1].id, 0, b"x").await.unwrap_err();
    tx.commit().await.unwrap();
    assert_eq!(store.stalled_imports(&desk, now()).await.unwrap(), imports[..1]);
    assert_eq!(store.stalled_imports(&other, now()).await.unwrap(), []);
    let before = now() - SignedDuration::from_micros(1);
    assert_eq!(store.stalled_imports(&desk, before).await.unwrap(), []);
}

/// Whatever a transaction wrote is gone when it is dropped.
pub(super) async fn what_is_not_committed_never_was(store: &dyn Store, raw: &Raw) {
    let desk = desk("dropped");
    let mut known = ticket("known");
    known.source = Some(source("known"));
    let id = stored(store, &desk, &known).await;
    let request = ClaimRequest {
        route: "POST /".to_owned(),
        key: "dropped".to_owned(),
        body_hash: "0".to_owned(),
    };
    let claimed = store.claim(&desk, &request, ClaimId::new(fresh()), now()).await.unwrap();
    let claim = yours(claimed);
    let before = raw.dump().await;
    let mut tx = store.begin(&desk).await.unwrap();
    "changed".clone_into(&mut known.text.subject);
    assert_eq!(put(&mut *tx, &known).await, id);
    put(&mut *tx, &ticket("new")).await;
    tx.set_outcome(id, &outcome("VPN"), Some("hash")).await.unwrap();
    tx.put_entry(ENCODER, id, &entry("x", true, Some([1.0, 0.0]))).await.unwrap();
    let mut made = suggestion(id);
    made.draft = Some(Draft { text: "x".to_owned(), sentences: Vec::new() });
    tx.put_suggestion(&made, 1, now()).await.unwrap();
    tx.put_decision(&decision(id, Some(made.id))).await.unwrap();
    tx.save_taxonomy(&Taxonomy::empty("x"), now()).await.unwrap();
    let upload = import(ImportState::Receiving);
    tx.put_import(&upload).await.unwrap();
    tx.put_import_chunk(upload.id, 0, b"x").await.unwrap();
    tx.enqueue(&job(JobKind::Index)).await.unwrap();
    tx.audit(&audit()).await.unwrap();
    let answer = Answer { status: 200, headers: Vec::new(), body: "{}".to_owned() };
    tx.settle(&claim, &answer).await.unwrap();
    assert_eq!(tx.ticket(id).await.unwrap().unwrap().ticket.text.subject, "changed");
    // Until it is committed nobody else sees it either.
    let seen = store.ticket(&desk, id).await.unwrap().unwrap();
    assert_eq!(seen.ticket.text.subject, "known");
    drop(tx);
    assert_eq!(raw.dump().await, before);
    // The workspace's turn is free again.
    store.begin(&desk).await.unwrap().commit().await.unwrap();
    store.release(&desk, &claim).await.unwrap();
}

pub(super) fn job(kind: JobKind) -> NewJob {
    let subject = "x".to_owned();
    NewJob { id: JobId::new(fresh()), kind, subject, run_at: now(), lease: None }
}

pub(super) fn audit() -> AuditEntry {
    AuditEntry {
        at: now(),
        actor: "anyone".to_owned(),
        action: "test",
        subject: "x".to_owned(),
        detail: json!({"n": 1}),
    }
}

/// Texts in many scripts, a NUL, and instants at the ends of the calendar.
pub(super) async fn a_ticket_comes_back_as_it_was(store: &dyn Store) {
    let desk = desk("round-trip");
    let odd = "Друк 🖨️ 印刷 \u{202e}\"\\'%_\u{1}\r\n<p>";
    let full = Ticket {
        text: TicketText {
            subject: odd.to_owned(),
            body: odd.repeat(5000),
            messages: vec![
                message(odd, odd),
                Message { author: None, at: None, text: String::new() },
            ],
        },
        requester: Some(odd.repeat(300)),
        created_at: Some("-009999-01-02T01:59:59Z".parse().unwrap()),
        source: Some(deskhand::domain::ExternalRef {
            url: Some(format!("https://x/{odd}")),
            ..source(odd)
        }),
    };
    let id = stored(store, &desk, &full).await;
    let mut tx = store.begin(&desk).await.unwrap();
    let resolved = Outcome {
        category: Some(String::new()),
        team: Some(odd.to_owned()),
        priority: None,
        resolution: Some(odd.to_owned()),
        resolved_at: Some("9999-12-30T22:00:00.999999Z".parse().unwrap()),
        handling_minutes: Some(u32::MAX),
    };
    tx.set_outcome(id, &resolved, None).await.unwrap();
    tx.commit().await.unwrap();
    let expected = StoredTicket {
        id,
        ticket: full.clone(),
        language: Some("en".to_owned()),
        received_at: now(),
        outcome: resolved,
    };
    assert_eq!(store.ticket(&desk, id).await.unwrap(), Some(expected.clone()));
    assert_eq!(store.tickets(&desk, None, 10).await.unwrap(), [expected]);
    let found = store.find(&desk, full.source.as_ref().unwrap()).await.unwrap();
    assert_eq!(found, Some(Known { id, import_hash: None }));
    assert_eq!(store.ticket(&desk, TicketId::new(fresh())).await.unwrap(), None);

    // Not every database has a NUL; none may fail over one.
    let mut nul = ticket("a\0b");
    nul.requester = Some("Ann\0".to_owned());
    nul.source = Some(source("n\0ul"));
    nul.text.messages = vec![message("Bo\0b", "c\0d")];
    let id = stored(store, &desk, &nul).await;
    assert_eq!(stored(store, &desk, &nul).await, id);
    let read = store.ticket(&desk, id).await.unwrap().unwrap().ticket;
    assert_eq!(read.text.subject.replace('\0', ""), "ab");
    assert_eq!(store.find(&desk, &source("n\0ul")).await.unwrap().unwrap().id, id);
    let mut tx = store.begin(&desk).await.unwrap();
    assert_eq!(tx.tickets_of("Ann\0").await.unwrap(), [id]);
    assert_eq!(tx.threads_with("Bo\0b").await.unwrap(), [id]);
    let labels = Outcome { category: Some("V\0PN".to_owned()), ..outcome("x\0") };
    tx.set_outcome(id, &labels, None).await.unwrap();
    assert_eq!(tx.relabel(LabelField::Category, "V\0PN", "W\0").await.unwrap(), 1);
    tx.put_entry(ENCODER, id, &entry("a\0b", true, Some([1.0, 0.0]))).await.unwrap();
    let mut made = suggestion(id);
    made.category.label = Some("V\0PN".to_owned());
    tx.put_suggestion(&made, 1, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.user("no\0body").await.unwrap(), None);
}

pub(super) async fn a_source_names_one_ticket(store: &dyn Store) {
    let desk = desk("sources");
    let mut first = ticket("first");
    first.source = Some(deskhand::domain::ExternalRef {
        url: Some("https://x/1".to_owned()),
        ..source("S-1")
    });
    first.requester = Some("Ann".to_owned());
    first.created_at = Some(after(-60));
    let id = stored(store, &desk, &first).await;
    let mut tx = store.begin(&desk).await.unwrap();
    tx.set_outcome(id, &outcome("VPN"), Some("hash")).await.unwrap();
    tx.commit().await.unwrap();
    // The same name: other words, the same ticket. What is not said again stays.
    let mut second = ticket("second");
    second.source = Some(source("S-1"));
    second.text.messages = vec![message("Bob", "me too")];
    let mut tx = store.begin(&desk).await.unwrap();
    let again = tx.put_ticket(TicketId::new(fresh()), &second, "de", after(9)).await.unwrap();
    assert_eq!(again, id);
    tx.commit().await.unwrap();
    let read = store.ticket(&desk, id).await.unwrap().unwrap();
    assert_eq!((&read.ticket.text, read.received_at), (&second.text, now()));
    assert_eq!(read.language.as_deref(), Some("de"));
    assert_eq!(read.ticket.requester, first.requester);
    assert_eq!((read.ticket.created_at, read.ticket.source), (first.created_at, first.source));
    assert_eq!(read.outcome, outcome("VPN"), "the outcome is left alone");
    // Other names, and none at all, are other tickets.
    let mut elsewhere = second.clone();
    elsewhere.source =
        Some(deskhand::domain::ExternalRef { system: "other".to_owned(), ..source("S-1") });
    assert_ne!(stored(store, &desk, &elsewhere).await, id);
    assert_ne!(stored(store, &desk, &ticket("a")).await, stored(store, &desk, &ticket("a")).await);
    assert_eq!(store.counts(&desk).await.unwrap().tickets, 4);
    assert_eq!(store.find(&desk, &source("S-2")).await.unwrap(), None);
}

pub(super) async fn an_import_is_known_by_its_hash_until_the_ticket_changes(store: &dyn Store) {
    let desk = desk("hashes");
    let mut row = ticket("row");
    row.source = Some(source("H-1"));
    let id = stored(store, &desk, &row).await;
    let hash = async || store.find(&desk, &source("H-1")).await.unwrap().unwrap().import_hash;
    assert_eq!(hash().await, None);
    for change in 0..3 {
        let mut tx = store.begin(&desk).await.unwrap();
        tx.set_outcome(id, &outcome("VPN"), Some("hash")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(hash().await.as_deref(), Some("hash"));
        let mut tx = store.begin(&desk).await.unwrap();
        match change {
            0 => drop(put(&mut *tx, &row).await),
            1 => tx.rewrite_ticket(id, &ticket("rewritten"), "fr").await.unwrap(),
            _ => tx.set_outcome(id, &outcome("VPN"), None).await.unwrap(),
        }
        tx.commit().await.unwrap();
        assert_eq!(hash().await, None, "{change}");
    }
    let read = store.ticket(&desk, id).await.unwrap().unwrap();
    assert_eq!(read.ticket.text.subject, "rewritten");
    assert_eq!(read.language.as_deref(), Some("fr"));
    assert_eq!(read.ticket.source, row.source, "its name stays");
}

pub(super) async fn tickets_come_page_by_page_and_by_age(store: &dyn Store) {
    let desk = desk("pages");
    let mut ids = Vec::new();
    let mut tx = store.begin(&desk).await.unwrap();
    for n in 0..7 {
        ids.push(put(&mut *tx, &ticket(&format!("{n}"))).await);
    }
    tx.commit().await.unwrap();
    let (mut read, mut last) = (Vec::new(), None);
    loop {
        let page = store.tickets(&desk, last, 3).await.unwrap();
        let Some(end) = page.last() else { break };
        last = Some(end.id);
        read.extend(page.iter().map(|t| t.id));
    }
    assert_eq!(read, ids);
    assert!(store.tickets(&desk, None, 0).await.unwrap().is_empty());
    // Age counts from what was said last about it: resolved, asked, received.
    let old = |at: Timestamp| Ticket { created_at: Some(at), ..ticket("old") };
    let asked = stored(store, &desk, &old(after(-100))).await;
    let resolved = stored(store, &desk, &old(after(-200))).await;
    let mut tx = store.begin(&desk).await.unwrap();
    let since = Outcome { resolved_at: Some(after(-50)), ..Outcome::default() };
    tx.set_outcome(resolved, &since, None).await.unwrap();
    tx.commit().await.unwrap();
    let before = async |at| store.tickets_before(&desk, at, 100).await.unwrap();
    assert_eq!(before(after(-100)).await, [], "strictly before");
    assert_eq!(before(after(-99)).await, [asked]);
    let mut both = before(now()).await;
    both.sort();
    assert_eq!(both, [asked, resolved]);
    assert_eq!(before(after(1)).await.len(), 9);
    assert_eq!(store.tickets_before(&desk, after(1), 4).await.unwrap().len(), 4);
}

pub(super) async fn labels_are_counted_and_replaced(store: &dyn Store) {
    let desk = desk("labels");
    let mut tx = store.begin(&desk).await.unwrap();
    for (n, category) in ["b", "Ä", "B", "b", "a'; --"].iter().enumerate() {
        let id = put(&mut *tx, &ticket(&n.to_string())).await;
        tx.set_outcome(id, &outcome(category), Some("hash")).await.unwrap();
    }
    put(&mut *tx, &ticket("without")).await;
    let named =
        |n: &[(&str, u64)]| n.iter().map(|(l, n)| ((*l).to_owned(), *n)).collect::<Vec<_>>();
    let in_use = tx.labels_in_use(LabelField::Category).await.unwrap();
    assert_eq!(in_use, named(&[("B", 1), ("a'; --", 1), ("b", 2), ("Ä", 1)]));
    assert_eq!(tx.labels_in_use(LabelField::Priority).await.unwrap(), named(&[("high", 5)]));
    assert_eq!(tx.relabel(LabelField::Category, "b", "B").await.unwrap(), 2);
    assert_eq!(tx.relabel(LabelField::Category, "b", "B").await.unwrap(), 0);
    assert_eq!(tx.relabel(LabelField::Team, "b team", "c").await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = store.begin(&desk).await.unwrap();
    let in_use = tx.labels_in_use(LabelField::Category).await.unwrap();
    assert_eq!(in_use, named(&[("B", 3), ("a'; --", 1), ("Ä", 1)]));
    let teams = tx.labels_in_use(LabelField::Team).await.unwrap();
    assert_eq!(teams.iter().find(|(l, _)| l == "c").unwrap().1, 2);
}

/// Names that a pattern, a document or a query could take for something else.
pub(super) async fn people_are_found_by_their_exact_names(store: &dyn Store) {
    let desk = desk("people");
    let names = [
        "Ann",
        "ann",
        "Ann ",
        "A%",
        "A_n",
        "%",
        "_",
        "",
        "O'Hara",
        "\"Bob\"",
        "\"",
        "\\",
        "a\\b",
        "a\\\\b",
        "\\u0041nn",
        "Ärger",
        "ärger",
        "Ä",
        "ẞß",
        "日本",
        "🖨️",
        "x\ny",
        "\t",
        "\u{7f}",
        "\u{1}",
        "\",\"author\":\"Ann",
        "a@b.example",
        "\u{202e}nnA",
        "</p>",
    ];
    let mut tx = store.begin(&desk).await.unwrap();
    let mut own = Vec::new();
    let mut threads = Vec::new();
    for name in names {
        let mut sent = ticket("sent");
        sent.requester = Some(name.to_owned());
        sent.text.messages = vec![message(name, "and another thing")];
        own.push(put(&mut *tx, &sent).await);
        let mut thread = ticket("thread");
        let nobody = Message { author: None, at: None, text: name.to_owned() };
        thread.text.messages = vec![message("first", "x"), message(name, "me too"), nobody];
        threads.push(put(&mut *tx, &thread).await);
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin(&desk).await.unwrap();
    for (n, name) in names.iter().enumerate() {
        assert_eq!(tx.tickets_of(name).await.unwrap(), [own[n]], "{name:?}");
        let found = tx.threads_with(name).await.unwrap();
        assert!(found.contains(&threads[n]), "{name:?}");
        assert!(!found.contains(&own[n]), "one's own tickets are not other people's: {name:?}");
    }
    assert_eq!(tx.threads_with("first").await.unwrap().len(), threads.len());
    assert!(tx.threads_with("nobody").await.unwrap().is_empty());
    let long = "x%".repeat(100_000);
    assert!(tx.threads_with(&long).await.unwrap().is_empty());
    assert!(tx.tickets_of(&long).await.unwrap().is_empty());
}

/// What one read says of a desk is what the reads of its parts say.
pub(super) async fn a_desks_state_is_the_newest_of_each_part(store: &dyn Store) {
    let desk = desk("state");
    let state = async |name: &str| store.desk_state(&desk, Some(&source(name))).await.unwrap();
    let blank = DeskState {
        settings: WorkspaceSettings::default(),
        taxonomy: None,
        articles: 0,
        ticket: None,
    };
    assert_eq!(state("known").await, blank);
    let mut known = ticket("known");
    known.source = Some(source("known"));
    let id = stored(store, &desk, &known).await;
    let settings = WorkspaceSettings { retention_days: Some(9), ..Default::default() };
    let mut tx = store.begin(&desk).await.unwrap();
    for version in [2, 11] {
        tx.save_taxonomy(&Taxonomy { version, ..Taxonomy::empty("x") }, now()).await.unwrap();
    }
    tx.save_settings(&settings, now()).await.unwrap();
    tx.commit().await.unwrap();
    let expected = DeskState { settings, taxonomy: Some(11), ticket: Some(id), ..blank };
    assert_eq!(state("known").await, expected);
    assert_eq!(state("unknown").await, DeskState { ticket: None, ..expected.clone() });
    let unnamed = store.desk_state(&desk, None).await.unwrap();
    assert_eq!(unnamed, DeskState { ticket: None, ..expected });
}

pub(super) async fn taxonomies_and_settings_are_the_newest(store: &dyn Store) {
    let desk = desk("a-settings");
    assert_eq!(store.taxonomy(&desk).await.unwrap(), None);
    assert_eq!(store.settings(&desk).await.unwrap(), WorkspaceSettings::default());
    assert!(!store.workspaces().await.unwrap().contains(&desk));
    let mut taxonomy = Taxonomy::empty("first");
    for (version, name) in [(1, "first"), (2, "second"), (11, "eleventh")] {
        let mut tx = store.begin(&desk).await.unwrap();
        taxonomy.version = version;
        name.clone_into(&mut taxonomy.name);
        tx.save_taxonomy(&taxonomy, now()).await.unwrap();
        assert_eq!(tx.taxonomy().await.unwrap().as_ref(), Some(&taxonomy));
        tx.commit().await.unwrap();
        assert_eq!(store.taxonomy(&desk).await.unwrap().as_ref(), Some(&taxonomy));
    }
    let mut tx = store.begin(&desk).await.unwrap();
    assert!(tx.save_taxonomy(&taxonomy, now()).await.is_err(), "a version is written once");
    drop(tx);
    for days in [30, 60] {
        let settings = WorkspaceSettings { retention_days: Some(days), ..Default::default() };
        store.save_settings(&desk, &settings, now()).await.unwrap();
        assert_eq!(store.settings(&desk).await.unwrap(), settings);
        // In a transaction: all of it, or nothing.
        let mut tx = store.begin(&desk).await.unwrap();
        let mut changed = tx.settings().await.unwrap();
        assert_eq!(changed, settings);
        changed.bundle = Some(ActiveBundle { id: "b".to_owned(), previous: None });
        changed.policy.target_precision = 0.9;
        tx.save_settings(&changed, now()).await.unwrap();
        assert_eq!(tx.settings().await.unwrap(), changed);
        drop(tx);
        assert_eq!(store.settings(&desk).await.unwrap(), settings);
        let mut tx = store.begin(&desk).await.unwrap();
        tx.save_settings(&changed, now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.settings(&desk).await.unwrap(), changed);
    }
    let other = super::desk("a-settings-only");
    store.save_settings(&other, &WorkspaceSettings::default(), now()).await.unwrap();
    let all = store.workspaces().await.unwrap();
    assert!(all.is_sorted() && all.contains(&desk) && all.contains(&other), "{all:?}");
    assert_eq!(all.iter().filter(|w| **w == desk).count(), 1);
    assert!(all.contains(&super::desk("sources")), "tickets alone make a workspace");
}

pub(super) async fn imports_keep_their_pieces_in_order(store: &dyn Store) {
    let desk = desk("imports");
    let mut record = import(ImportState::Receiving);
    let mut tx = store.begin(&desk).await.unwrap();
    tx.put_import(&record).await.unwrap();
    let bytes = [vec![0, 255, 10, 13], Vec::new(), vec![b'x'; 300_000]];
    for (n, piece) in (0..).zip(&bytes) {
        tx.put_import_chunk(record.id, n, piece).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.import(&desk, record.id).await.unwrap().as_ref(), Some(&record));
    for (n, piece) in (0..).zip(&bytes) {
        assert_eq!(store.import_chunk(record.id, n).await.unwrap().as_ref(), Some(piece));
    }
    assert_eq!(store.import_chunk(record.id, 3).await.unwrap(), None);
    assert_eq!(store.imports(&desk, 9).await.unwrap(), [record.clone()]);
    assert!(store.imports(&super::desk("nobody"), 9).await.unwrap().is_empty());
    let stranger = ImportId::new(fresh());
    assert_eq!(store.import(&desk, stranger).await.unwrap(), None);
    let mut tx = store.begin(&desk).await.unwrap();
    assert!(tx.put_import_chunk(stranger, 0, b"x").await.is_err());
    drop(tx);
    record.state = ImportState::Done;
    record.rows = Some(3);
    record.updated_at = after(9);
    let mut tx = store.begin(&desk).await.unwrap();
    tx.put_import(&record).await.unwrap();
    tx.drop_import_chunks(record.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.import(&desk, record.id).await.unwrap().as_ref(), Some(&record));
    assert_eq!(store.import_chunk(record.id, 0).await.unwrap(), None);
}
