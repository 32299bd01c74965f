//! What every index must do: find what brute force finds. Each implementation runs the same story,
//! the Qdrant one on the test server, and on a real one where `DESKHAND_TEST_QDRANT_URL` (and
//! `DESKHAND_TEST_QDRANT_API_KEY`) name it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use deskhand::domain::{Neighbour, Outcome, Ranking, TicketId, WorkspaceId};
use deskhand::index::{
    EmbeddedIndex, Entry, ExternalIndex, LEXICAL_WEIGHT, QdrantIndex, QdrantSettings, TicketIndex,
};
use deskhand::store::{EntryRow, SqlStore, Store};
use deskhand::text::Terms;
use futures_util::FutureExt;
use jiff::Timestamp;
use qdrant_client::qdrant::{PointStruct, UpsertPointsBuilder};
use qdrant_client::{Payload, Qdrant};
use tempfile::TempDir;
use uuid::Uuid;

use crate::qdrant::{client, connect, patient};
use crate::support::{resolved, test_qdrant};

pub(crate) const ENCODER: &str = "test:0";
pub(crate) const DIMENSIONS: usize = 16;
const CLOSE: f32 = 1e-4;

/// An index, and how it comes by its tickets.
#[async_trait]
trait Harness: Sync {
    fn index(&self) -> &dyn TicketIndex;
    async fn put(&self, workspace: &WorkspaceId, entries: &[Entry]);
    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]);
}

struct Embedded {
    _folder: TempDir,
    store: Arc<dyn Store>,
    index: EmbeddedIndex,
}

impl Embedded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqlStore::open_folder(folder.path()).await.unwrap());
        let index = EmbeddedIndex::new(Arc::clone(&store), ENCODER.to_owned(), DIMENSIONS);
        Self { _folder: folder, store, index }
    }
}

#[async_trait]
impl Harness for Embedded {
    fn index(&self) -> &dyn TicketIndex {
        &self.index
    }

    async fn put(&self, workspace: &WorkspaceId, entries: &[Entry]) {
        let mut tx = self.store.begin(workspace).await.unwrap();
        for entry in entries {
            let named = resolved(&entry.ticket_id.to_string(), &entry.subject, "", "");
            let language = entry.language.as_deref().unwrap();
            let now = Timestamp::UNIX_EPOCH;
            let id = tx.put_ticket(entry.ticket_id, &named.ticket, language, now).await.unwrap();
            tx.set_outcome(id, &entry.outcome, None).await.unwrap();
            let row = EntryRow {
                listed: true,
                vector: Some(entry.vector.clone()),
                terms: Some(Terms::of(&entry.subject)),
                subject: entry.subject.clone(),
                resolution: entry.outcome.resolution.clone(),
            };
            tx.put_entry(ENCODER, id, &row).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]) {
        let mut tx = self.store.begin(workspace).await.unwrap();
        tx.erase(ids).await.unwrap();
        tx.commit().await.unwrap();
    }
}

struct External(QdrantIndex);

#[async_trait]
impl Harness for External {
    fn index(&self) -> &dyn TicketIndex {
        &self.0
    }

    async fn put(&self, workspace: &WorkspaceId, entries: &[Entry]) {
        self.0.upsert(workspace, entries).await.unwrap();
    }

    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]) {
        self.0.remove(workspace, ids).await.unwrap();
    }
}

#[tokio::test]
async fn the_embedded_index_finds_what_brute_force_finds() {
    conformance(&Embedded::new().await).await;
}

#[tokio::test]
async fn qdrant_finds_what_brute_force_finds() {
    let server = test_qdrant(&[]);
    let qdrant = External(connect(&server, patient()));
    conformance(&qdrant).await;
    qdrant_alone(&qdrant.0, &client(&server.url(), None)).await;
}

#[tokio::test]
async fn a_real_qdrant_finds_what_brute_force_finds() {
    let Ok(url) = std::env::var("DESKHAND_TEST_QDRANT_URL") else { return };
    let api_key = std::env::var("DESKHAND_TEST_QDRANT_API_KEY").ok();
    let raw = client(&url, api_key.as_deref());
    let settings = QdrantSettings { url, api_key, ..patient() };
    let run = RandomState::new().build_hasher().finish();
    let qdrant =
        External(QdrantIndex::connect(&settings, &format!("test:{run:x}"), DIMENSIONS).unwrap());
    let story = async {
        conformance(&qdrant).await;
        qdrant_alone(&qdrant.0, &raw).await;
    };
    let outcome = AssertUnwindSafe(story).catch_unwind().await;
    raw.delete_collection(qdrant.0.collection()).await.unwrap();
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

/// What is in an index, and what must be found in it.
struct Story<'a> {
    harness: &'a dyn Harness,
    truth: HashMap<WorkspaceId, BTreeMap<TicketId, Entry>>,
}

impl Story<'_> {
    async fn put(&mut self, workspace: &WorkspaceId, entries: &[Entry]) {
        self.harness.put(workspace, entries).await;
        let known = self.truth.entry(workspace.clone()).or_default();
        known.extend(entries.iter().map(|e| (e.ticket_id, e.clone())));
    }

    async fn remove(&mut self, workspace: &WorkspaceId, ids: &[TicketId]) {
        self.harness.remove(workspace, ids).await;
        let known = self.truth.entry(workspace.clone()).or_default();
        known.retain(|id, _| !ids.contains(id));
    }

    /// Searches, compares with brute force, and returns what was found.
    async fn check(
        &self,
        workspace: &WorkspaceId,
        query: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Vec<TicketId> {
        let found = self.harness.index().search(workspace, query, k, exclude).await.unwrap();
        let none = BTreeMap::new();
        let known = self.truth.get(workspace).unwrap_or(&none);
        let others = known.values().filter(|e| Some(e.ticket_id) != exclude);
        let mut best: Vec<f32> = others.map(|e| dot(query, &e.vector)).collect();
        best.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(found.len(), best.len().min(k));
        for (neighbour, best) in found.iter().zip(best) {
            assert!((neighbour.score - best).abs() < CLOSE, "{neighbour:?}, not {best}");
            let entry = &known[&neighbour.ticket_id];
            assert!((neighbour.score - dot(query, &entry.vector)).abs() < CLOSE);
            assert_eq!(neighbour.subject, entry.subject);
            assert_eq!(neighbour.outcome, entry.outcome);
            assert_eq!(neighbour.language, entry.language);
        }
        let rank = |n: &Neighbour| (-n.score, n.ticket_id);
        assert!(found.is_sorted_by(|a, b| rank(a) < rank(b)), "best first, equals by id");
        found.iter().map(|n| n.ticket_id).collect()
    }

    /// Searches by vector and words, compares with brute force over the words of the subjects, and
    /// returns what was found. An index without words finds what it finds by vector.
    async fn similar(
        &self,
        workspace: &WorkspaceId,
        query: &[f32],
        words: &str,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Vec<TicketId> {
        let index = self.harness.index();
        let terms = Terms::of(words);
        let found = index.similar(workspace, query, &terms, k, exclude).await.unwrap();
        if index.ranking() == Ranking::Vector {
            assert_eq!(found, index.search(workspace, query, k, exclude).await.unwrap());
            return found.iter().map(|n| n.ticket_id).collect();
        }
        let known = &self.truth[workspace];
        let score = |e: &Entry| dot(query, &e.vector) + LEXICAL_WEIGHT * bm25(known, e, words);
        let others = known.values().filter(|e| Some(e.ticket_id) != exclude);
        let mut best: Vec<f32> = others.map(score).collect();
        best.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(found.len(), best.len().min(k));
        for (neighbour, best) in found.iter().zip(best) {
            let entry = &known[&neighbour.ticket_id];
            assert!((score(entry) - best).abs() < CLOSE, "{neighbour:?}, not {best}");
            assert!((neighbour.score - dot(query, &entry.vector)).abs() < CLOSE, "a cosine");
            assert_eq!(neighbour.subject, entry.subject);
        }
        found.iter().map(|n| n.ticket_id).collect()
    }

    async fn counts(&self) {
        for (workspace, known) in &self.truth {
            let count = self.harness.index().count(workspace).await.unwrap();
            assert_eq!(count, known.len() as u64, "{workspace}");
        }
    }
}

async fn conformance(harness: &dyn Harness) {
    let mut story = Story { harness, truth: HashMap::new() };
    nothing_is_found_in_nothing(&mut story).await;
    the_nearest_are_found(&mut story).await;
    equals_come_by_id(&mut story).await;
    words_count_beside_vectors(&mut story).await;
    a_second_put_replaces(&mut story).await;
    removal_is_for_ones_own(&mut story).await;
}

async fn nothing_is_found_in_nothing(story: &mut Story<'_>) {
    let empty = workspace("empty");
    story.truth.insert(empty.clone(), BTreeMap::new());
    story.check(&empty, &unit(1), 5, None).await;
    story.check(&empty, &unit(1), 0, None).await;
    story.counts().await;
    story.put(&empty, &[]).await;
    story.remove(&empty, &[id(1)]).await;
    story.counts().await;
}

async fn the_nearest_are_found(story: &mut Story<'_>) {
    // More than fit into one request, few, and one.
    for (name, ids) in [("large", 1000..1600), ("small", 2000..2040), ("single", 3000..3001)] {
        let entries: Vec<_> = ids.map(|n| entry(n, unit(n))).collect();
        story.put(&workspace(name), &entries).await;
    }
    story.counts().await;
    for name in ["large", "small", "single", "empty"] {
        let workspace = workspace(name);
        for query in 0..5 {
            for k in [0, 1, 5, 20, 700] {
                story.check(&workspace, &unit(query), k, None).await;
            }
        }
        // A ticket's own vector finds it first, unless it is left out.
        for n in [1000, 2005, 3000] {
            let found = story.check(&workspace, &unit(n), 3, None).await;
            let own = story.truth[&workspace].contains_key(&id(n));
            assert_eq!(found.first() == Some(&id(n)), own);
            let others = story.check(&workspace, &unit(n), 3, Some(id(n))).await;
            assert!(!others.contains(&id(n)));
        }
    }
}

async fn equals_come_by_id(story: &mut Story<'_>) {
    let equals = workspace("equals");
    let ids = [8, 3, 11, 1, 6, 10, 4, 2, 9, 5, 12, 7].map(|n| 4000 + n);
    for n in ids {
        story.put(&equals, &[entry(n, unit(77))]).await;
    }
    story.put(&equals, &[entry(4100, unit(78))]).await;
    for k in [1, 3, 12, 13] {
        let found = story.check(&equals, &unit(77), k, None).await;
        let expected: Vec<_> = (4001..4001 + k.min(12)).map(|n| id(n as u128)).collect();
        assert_eq!(found[..k.min(12)], expected);
    }
    let found = story.check(&equals, &unit(77), 3, Some(id(4002))).await;
    assert_eq!(found, [id(4001), id(4003), id(4004)]);
}

async fn words_count_beside_vectors(story: &mut Story<'_>) {
    let desk = workspace("words");
    let named =
        |n: u128, subject: &str| Entry { subject: subject.to_owned(), ..entry(n, unit(n % 3)) };
    let subjects =
        ["printer jams", "printer 0x80040115", "mail 0x80040115 mail", "印刷機の故障", ""];
    let entries: Vec<_> =
        (5000..5030).map(|n| named(n, subjects[n as usize % subjects.len()])).collect();
    story.put(&desk, &entries).await;
    story.put(&desk, &[named(5100, "the badge reader")]).await;
    let by_words = story.harness.index().ranking() == Ranking::VectorAndWords;
    let words = ["", "code 0x80040115", "印刷機", "badge", "printer printer jams the mail"];
    for words in words {
        for query in 0..3 {
            for k in [0, 1, 7, 40] {
                story.similar(&desk, &unit(query), words, k, None).await;
                story.similar(&desk, &unit(query), words, k, Some(id(5001))).await;
            }
        }
    }
    // All with this vector are equal but for the words, and the badge comes last by id.
    let own = unit(5100 % 3);
    assert_eq!(story.similar(&desk, &own, "badge", 1, None).await == [id(5100)], by_words);
    assert_ne!(story.similar(&desk, &own, "badge", 1, Some(id(5100))).await, [id(5100)]);
    // Another desk's words do not count, nor do those that are no more.
    story.put(&workspace("other-words"), &[named(5200, "badge badge badge")]).await;
    story.similar(&desk, &own, "badge", 40, None).await;
    let other = story.similar(&workspace("other-words"), &own, "badge", 40, None).await;
    assert_eq!(other, [id(5200)]);
    story.put(&desk, &[named(5100, "the door")]).await;
    assert_ne!(story.similar(&desk, &own, "badge", 1, None).await, [id(5100)]);
    story.remove(&desk, &[id(5001), id(5004), id(5100)]).await;
    story.similar(&desk, &own, "door code 0x80040115", 40, None).await;
}

/// BM25 as the books have it, over the words of the subjects; words of more than half of them do
/// not count, nor do subjects without any.
fn bm25(known: &BTreeMap<TicketId, Entry>, entry: &Entry, words: &str) -> f32 {
    let counts = |text: &str| Terms::of(text).iter().collect::<BTreeMap<u32, u32>>();
    let texts: Vec<_> = known.values().map(|e| counts(&e.subject)).collect();
    let length = |text: &BTreeMap<u32, u32>| f64::from(text.values().sum::<u32>());
    let n = texts.iter().filter(|text| !text.is_empty()).count() as f64;
    let average = texts.iter().map(length).sum::<f64>() / n;
    let own = counts(&entry.subject);
    let mut score = 0.0;
    for term in counts(words).keys() {
        let df = texts.iter().filter(|text| text.contains_key(term)).count() as f64;
        let Some(&tf) = own.get(term).filter(|_| 2.0 * df <= n) else { continue };
        let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
        let norm = 1.2 * (0.25 + 0.75 * length(&own) / average);
        score += idf * f64::from(tf) * 2.2 / (f64::from(tf) + norm);
    }
    score as f32
}

async fn a_second_put_replaces(story: &mut Story<'_>) {
    let small = workspace("small");
    let changed = Entry {
        subject: "Друк не працює 🖨️ \u{202e}\"\\\0 ‘日本語’".to_owned(),
        outcome: Outcome {
            category: Some("Друк / 印刷".to_owned()),
            team: None,
            priority: Some(String::new()),
            resolution: Some("Zeile 1\nZeile 2\tβ".to_owned()),
            resolved_at: Some("2024-02-29T12:34:56.789012Z".parse().unwrap()),
            handling_minutes: Some(u32::MAX),
        },
        language: Some("uk".to_owned()),
        ..entry(2005, unit(5000))
    };
    let bare = Entry { outcome: Outcome::default(), ..entry(2006, unit(5001)) };
    story.put(&small, &[changed, bare]).await;
    story.counts().await;
    for n in [5000, 5001] {
        let found = story.check(&small, &unit(n), 2, None).await;
        assert_eq!(found[0], id(n - 2995));
    }
    story.check(&small, &unit(2005), 40, None).await;
}

async fn removal_is_for_ones_own(story: &mut Story<'_>) {
    let (large, small) = (workspace("large"), workspace("small"));
    // Somebody else's ids, and one that nobody has: without effect.
    story.harness.remove(&large, &[id(2000), id(2001), id(3000), id(9999)]).await;
    story.counts().await;
    story.check(&small, &unit(2000), 40, None).await;
    let third: Vec<_> = (1000..1600).step_by(3).map(id).collect();
    story.remove(&large, &third).await;
    story.counts().await;
    for query in 1000..1010 {
        story.check(&large, &unit(query), 500, None).await;
    }
    // What was removed may come back.
    story.put(&large, &[entry(1003, unit(1))]).await;
    story.counts().await;
    assert_eq!(story.check(&large, &unit(1), 1, None).await, [id(1003)]);
}

/// What only an external index does, after the story.
async fn qdrant_alone(qdrant: &QdrantIndex, raw: &Qdrant) {
    let (large, small) = (workspace("large"), workspace("small"));
    let kept = (1000..1600).filter(|n| n % 3 != 1 || *n == 1003);
    let expected: Vec<_> = kept.map(id).collect();
    for limit in [7, 401, 5000] {
        let mut ids: Vec<TicketId> = Vec::new();
        loop {
            let page = qdrant.ids(&large, ids.last().copied(), limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            ids.extend(page);
        }
        assert_eq!(ids, expected);
    }
    assert_eq!(qdrant.ids(&large, None, 0).await.unwrap(), []);
    assert_eq!(qdrant.ids(&large, Some(id(u128::MAX)), 5).await.unwrap(), []);
    assert_eq!(qdrant.ids(&workspace("empty"), None, 5).await.unwrap(), []);
    // An id in two workspaces must not happen; if it does, nobody loses a ticket.
    qdrant.upsert(&small, &[entry(1001, unit(9))]).await.unwrap();
    assert_eq!(qdrant.count(&large).await.unwrap(), expected.len() as u64);
    assert_eq!(qdrant.count(&small).await.unwrap(), 40);
    // Points that something else has written are passed over.
    let mut strange = Payload::new();
    strange.insert("workspace", "strange");
    let uuid = Uuid::from_u128(6000).to_string();
    let points = vec![
        PointStruct::new(uuid, unit(1), strange.clone()),
        PointStruct::new(6, unit(1), strange),
    ];
    let request = UpsertPointsBuilder::new(qdrant.collection(), points).wait(true);
    raw.upsert_points(request).await.unwrap();
    let strange = workspace("strange");
    qdrant.upsert(&strange, &[entry(6001, unit(2))]).await.unwrap();
    let found = qdrant.search(&strange, &unit(1), 5, None).await.unwrap();
    assert_eq!(found.iter().map(|n| n.ticket_id).collect::<Vec<_>>(), [id(6001)]);
    assert_eq!(qdrant.ids(&strange, None, 9).await.unwrap(), [id(6000), id(6001)]);
}

fn workspace(name: &str) -> WorkspaceId {
    name.to_owned().try_into().unwrap()
}

fn id(n: u128) -> TicketId {
    TicketId::new(Uuid::from_u128(n))
}

pub(crate) fn entry(n: u128, vector: Vec<f32>) -> Entry {
    Entry {
        ticket_id: id(n),
        vector,
        subject: format!("subject {n}"),
        outcome: resolved("", "", &format!("category {}", n % 7), "Rebooted.").outcome,
        language: Some("en".to_owned()),
    }
}

/// A vector of length 1 in a direction that only the number decides.
pub(crate) fn unit(seed: u128) -> Vec<f32> {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let vector: Vec<f32> = (0..DIMENSIONS).map(|_| next()).collect();
    let length = dot(&vector, &vector).sqrt();
    vector.iter().map(|x| x / length).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
