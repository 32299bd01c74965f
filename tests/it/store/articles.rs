//! Articles, and what became of drafted sentences.

use deskhand::domain::{Article, SourceKind, SourceRef, SuggestionId};
use deskhand::drafts::Votes;
use deskhand::store::{PassageRow, Store};
use jiff::Timestamp;

use super::suggestions::{decision, draft};
use super::{ENCODER, after, desk, fresh, now, suggested, suggestion};

fn article(id: &str, title: &str) -> Article {
    Article {
        id: id.to_owned(),
        title: title.to_owned(),
        text: "never kept whole".to_owned(),
        category: Some("VPN".to_owned()),
        language: Some("en".to_owned()),
        updated_at: Some(now()),
    }
}

async fn put(store: &dyn Store, name: &str, article: &Article, hash: &str, texts: &[&str]) {
    let passages: Vec<PassageRow> = texts
        .iter()
        .map(|text| PassageRow { text: (*text).to_owned(), vector: vec![0.5, -1.0] })
        .collect();
    let mut tx = store.begin(&desk(name)).await.unwrap();
    tx.put_article(ENCODER, article, hash, now(), &passages).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) async fn an_article_is_replaced_by_its_id_and_erased_with_what_quotes_it(
    store: &dyn Store,
) {
    let name = "articles";
    let here = desk(name);
    let number = async || store.desk_state(&here, None).await.unwrap().articles;
    assert_eq!(number().await, 0);
    put(store, name, &article("KB-1", "First"), "h1", &["one", "two „x“"]).await;
    let first = number().await;
    put(store, name, &article("KB_2%", "Second"), "h2", &["three"]).await;
    put(store, name, &article("KB-1", "Again"), "h3", &["four"]).await;
    assert!(number().await > first);
    let hash =
        async |id: &str, encoder: &str| store.article_hash(&here, encoder, id).await.unwrap();
    assert_eq!(hash("KB-1", ENCODER).await.as_deref(), Some("h3"));
    assert_eq!(hash("KB-1", "other:0").await, None, "another encoder has to read it again");
    let heads = store.articles(&here, Timestamp::MIN).await.unwrap();
    let shown: Vec<_> = heads.iter().map(|a| (a.id.as_str(), a.title.as_str(), a.stale)).collect();
    assert_eq!(shown, [("KB-1", "Again", false), ("KB_2%", "Second", false)]);
    assert!(store.articles(&here, after(1)).await.unwrap().iter().all(|a| a.stale));
    let passages = store.passages(&here, ENCODER).await.unwrap();
    let texts: Vec<_> = passages.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(texts, ["four", "three"]);
    assert_eq!(passages[0].vector, [0.5, -1.0]);
    assert!(store.passages(&desk("elsewhere"), ENCODER).await.unwrap().is_empty());

    // Two suggestions, one of which quotes the article.
    let (quoting, other) = (suggested(store, &here).await, suggested(store, &here).await);
    let mut quoting = suggestion(quoting.ticket_id);
    let mut quoted = draft("four", quoting.ticket_id);
    quoted.sentences[1].sources =
        vec![SourceRef { kind: SourceKind::Article, id: "KB_2%".to_owned() }];
    quoting.id = SuggestionId::new(fresh());
    quoting.draft = Some(quoted);
    let mut tx = store.begin(&here).await.unwrap();
    tx.put_suggestion(&quoting, 1, now()).await.unwrap();
    let mut made = decision(quoting.ticket_id, Some(quoting.id));
    made.decision.reply = Some("four, as it was drafted".to_owned());
    tx.put_decision(&made).await.unwrap();
    assert!(tx.erase_article("KB_2%").await.unwrap());
    assert!(!tx.erase_article("KB_2%").await.unwrap(), "once");
    tx.commit().await.unwrap();
    let read = store.suggestion(&here, quoting.id).await.unwrap().unwrap();
    assert_eq!(read.suggestion.draft, None);
    assert_eq!(read.decision.unwrap().reply, None);
    assert!(store.suggestion(&here, other.id).await.unwrap().is_some());
    assert_eq!(store.articles(&here, Timestamp::MIN).await.unwrap().len(), 1);
    assert_eq!(store.passages(&here, ENCODER).await.unwrap().len(), 1);
    assert_eq!(hash("KB_2%", ENCODER).await, None);
}

pub(super) async fn votes_count_while_their_decisions_are_in_force(store: &dyn Store) {
    let name = "votes";
    let here = desk(name);
    let key = u64::MAX - 7;
    let (first, second) = (suggested(store, &here).await, suggested(store, &here).await);
    let mut made = Vec::new();
    for (of, kept) in [(&first, true), (&second, false)] {
        let decided = decision(of.ticket_id, Some(of.id));
        let mut tx = store.begin(&here).await.unwrap();
        tx.put_decision(&decided).await.unwrap();
        tx.put_sentence_votes(decided.decision.id, &[(key, kept), (3, true), (3, true)])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        made.push(decided.decision.id);
    }
    let many: Vec<u64> = (10_000..10_250).chain([key, 3]).collect();
    let votes = async || store.sentence_votes(&here, &many).await.unwrap();
    let counted = votes().await;
    assert_eq!(counted.len(), 2);
    assert_eq!(counted[&key], Votes { kept: 1, deleted: 1 });
    assert_eq!(counted[&3], Votes { kept: 2, deleted: 0 });
    assert!(store.sentence_votes(&desk("elsewhere"), &many).await.unwrap().is_empty());
    let mut tx = store.begin(&here).await.unwrap();
    tx.undo(made[1], now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(votes().await[&key], Votes { kept: 1, deleted: 0 });
    let mut tx = store.begin(&here).await.unwrap();
    assert_eq!(tx.erase(&[first.ticket_id]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(votes().await.is_empty(), "they go with their ticket");
}
