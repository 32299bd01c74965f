//! What every store must do. SQLite and PostgreSQL run the same story, each on a fresh database;
//! what only one of them can get wrong stands in `store/sqlite.rs` and `store/postgres.rs`.

mod access;
mod arrivals;
mod articles;
mod entries;
mod erasure;
mod isolation;
mod lists;
mod postgres;
mod reports;
mod sqlite;
mod suggestions;
mod tickets;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deskhand::domain::{
    Alternative, Decision, ExternalRef, LabelDecision, Message, ModelVersions, Outcome, Reason,
    Regime, Suggestion, SuggestionId, Support, TeamDecision, Ticket, TicketId, TicketText, Timings,
    WorkspaceId,
};
use deskhand::store::{Claim, Claimed, Dialect, EntryRow, SqlStore, Store, Transaction};
use deskhand::text::Terms;
use jiff::{SignedDuration, Timestamp};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe};
use uuid::Uuid;

use crate::support::TestDatabase;

const ENCODER: &str = "test:0";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_stores_promises() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open_folder(folder.path()).await.unwrap();
    let raw = sqlite::raw(folder.path()).await;
    conformance(Arc::new(store), &raw).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_stores_promises() {
    let database = TestDatabase::new().await;
    let store = SqlStore::connect(database.url()).await.unwrap();
    let raw = Raw::connect(database.url(), Dialect::Postgres).await;
    conformance(Arc::new(store), &raw).await;
}

async fn conformance(store: Arc<dyn Store>, raw: &Raw) {
    tickets::the_encoder_is_bound_once(&*store).await;
    tickets::what_is_not_committed_never_was(&*store, raw).await;
    tickets::a_ticket_comes_back_as_it_was(&*store).await;
    tickets::a_source_names_one_ticket(&*store).await;
    tickets::an_import_is_known_by_its_hash_until_the_ticket_changes(&*store).await;
    tickets::only_an_import_that_is_being_sent_stalls_and_grows(&*store).await;
    tickets::tickets_come_page_by_page_and_by_age(&*store).await;
    tickets::labels_are_counted_and_replaced(&*store).await;
    tickets::people_are_found_by_their_exact_names(&*store).await;
    tickets::taxonomies_and_settings_are_the_newest(&*store).await;
    tickets::a_desks_state_is_the_newest_of_each_part(&*store).await;
    tickets::imports_keep_their_pieces_in_order(&*store).await;
    entries::every_change_has_a_higher_number(&*store).await;
    entries::neighbours_are_shown_in_the_order_found(&*store).await;
    entries::entries_agree_with_a_model_after_any_steps(&*store).await;
    entries::two_transactions_take_turns(&store).await;
    entries::a_follower_misses_nothing_that_many_write(&store).await;
    entries::another_encoder_takes_over_when_it_is_bound(&*store).await;
    suggestions::a_suggestion_comes_back_with_its_draft(&*store).await;
    suggestions::a_newer_suggestion_supersedes_an_open_one(&*store).await;
    suggestions::decisions_are_in_force_until_undone(&*store).await;
    suggestions::pages_stay_as_they_are_while_rows_arrive(&*store).await;
    suggestions::filters_can_be_combined(&*store).await;
    lists::the_queue_is_ordered_filtered_and_counted(&*store).await;
    lists::what_was_decided_is_listed_by_its_bundle(&*store).await;
    lists::the_audit_trail_goes_back_page_by_page(&*store).await;
    reports::a_report_is_written_while_it_is_open_and_kept_until_it_goes(&*store).await;
    articles::an_article_is_replaced_by_its_id_and_erased_with_what_quotes_it(&*store).await;
    articles::votes_count_while_their_decisions_are_in_force(&*store).await;
    isolation::workspaces_see_nothing_of_each_other(&*store).await;
    erasure::nothing_of_an_erased_ticket_is_left_in_any_table(&*store, raw).await;
    erasure::tickets_erased_together_leave_whatever_shows_them(&*store).await;
    erasure::stored_answers_can_be_forgotten_alone(&*store).await;
    work::a_request_is_claimed_and_answered_once(&*store).await;
    work::a_claim_that_was_taken_over_leaves_nothing_behind(&*store).await;
    work::answers_end_after_a_day_and_clocks_may_step_back(&*store).await;
    work::many_claim_one_request_and_one_gets_it(&store).await;
    work::jobs_are_leased_in_order_and_to_one(&*store).await;
    work::a_clock_that_steps_back_frees_jobs_but_lends_none_twice(&*store).await;
    work::workers_never_share_a_job(&store).await;
    work::giving_up_in_the_middle_frees_the_store(&store).await;
    access::keys_open_until_they_are_revoked(&*store).await;
    access::users_and_their_sessions_come_and_go(&*store).await;
    access::a_user_works_at_the_desks_they_joined(&*store).await;
    arrivals::who_comes_from_a_provider_is_known_by_its_name_for_them(&*store).await;
    arrivals::a_sign_in_comes_back_once_to_its_browser_and_in_time(&store).await;
    store.close().await;
}

/// The database behind a store, seen without it.
struct Raw {
    pool: AnyPool,
    dialect: Dialect,
}

impl Raw {
    async fn connect(url: &str, dialect: Dialect) -> Self {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(2).connect(url).await.unwrap();
        Self { pool, dialect }
    }

    async fn texts(&self, sql: String) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    async fn tables(&self) -> Vec<String> {
        let sql = match self.dialect {
            Dialect::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Dialect::Postgres => {
                "SELECT table_name::text FROM information_schema.tables
                 WHERE table_schema = 'public'"
            }
        };
        let tables = self.texts(sql.to_owned()).await;
        assert!(tables.len() > 10, "{tables:?}");
        tables
    }

    /// Every row of every table as text, sorted; bytes in hexadecimal.
    async fn dump(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in self.tables().await {
            let row = match self.dialect {
                Dialect::Sqlite => {
                    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                    let columns = self.texts(columns).await;
                    let quoted: Vec<_> = columns.iter().map(|c| format!("quote({c})")).collect();
                    quoted.join(" || ',' || ")
                }
                Dialect::Postgres => format!("{table}::text"),
            };
            let found = self.texts(format!("SELECT {row} FROM {table}")).await;
            rows.extend(found.into_iter().map(|row| format!("{table}: {row}")));
        }
        rows.sort();
        rows
    }
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05.678901Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// A workspace that no other story uses.
fn desk(name: &str) -> WorkspaceId {
    name.to_owned().try_into().unwrap()
}

/// An id that was never given before; later ones are greater.
fn fresh() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) | 0x0192 << 112)
}

fn ticket(subject: &str) -> Ticket {
    Ticket {
        text: TicketText { subject: subject.to_owned(), ..TicketText::default() },
        requester: None,
        created_at: None,
        source: None,
    }
}

fn source(id: &str) -> ExternalRef {
    ExternalRef { system: "test".to_owned(), id: id.to_owned(), url: None }
}

fn message(author: &str, text: &str) -> Message {
    Message { author: Some(author.to_owned()), at: Some(now()), text: text.to_owned() }
}

fn outcome(category: &str) -> Outcome {
    Outcome {
        category: Some(category.to_owned()),
        team: Some(format!("{category} team")),
        priority: Some("high".to_owned()),
        resolution: Some("Rebooted.".to_owned()),
        resolved_at: Some(now()),
        handling_minutes: Some(7),
    }
}

fn entry(subject: &str, listed: bool, vector: Option<[f32; 2]>) -> EntryRow {
    EntryRow {
        listed,
        vector: vector.map(Vec::from),
        terms: Some(Terms::of(&format!("{subject} does not print"))),
        subject: subject.to_owned(),
        resolution: Some("Rebooted.".to_owned()),
    }
}

fn label(label: Option<&str>, decision: Decision) -> LabelDecision {
    LabelDecision {
        label: label.map(str::to_owned),
        probability: 0.123_456_79,
        decision,
        reason: Some(Reason::Novel),
        regime: Regime::Described,
        support: Some(Support { same: 3, of: 20 }),
        alternatives: vec![Alternative { label: "Printing".to_owned(), probability: 0.1 }],
    }
}

fn suggestion(ticket: TicketId) -> Suggestion {
    let team = label(Some("Network"), Decision::Suggest);
    Suggestion {
        id: SuggestionId::new(fresh()),
        ticket_id: ticket,
        category: label(Some("VPN"), Decision::Abstain),
        team: TeamDecision { decision: team, department: Some("IT".to_owned()) },
        priority: label(None, Decision::Abstain),
        similar: Vec::new(),
        draft: None,
        draft_reason: None,
        draft_question: None,
        language: "en".to_owned(),
        degraded: Vec::new(),
        model: ModelVersions {
            bundle: "b".to_owned(),
            encoder: ENCODER.to_owned(),
            policy: "p".to_owned(),
        },
        timings_ms: Timings { total: 12.34, ..Timings::default() },
    }
}

/// The claim that was given; the test fails with what was said instead.
fn yours(claimed: Claimed) -> Claim {
    let claim = match claimed {
        Claimed::Yours(claim) => Ok(claim),
        other => Err(other),
    };
    claim.unwrap()
}

async fn put(tx: &mut dyn Transaction, ticket: &Ticket) -> TicketId {
    tx.put_ticket(TicketId::new(fresh()), ticket, "en", now()).await.unwrap()
}

/// A stored ticket, by itself.
async fn stored(store: &dyn Store, desk: &WorkspaceId, ticket: &Ticket) -> TicketId {
    let mut tx = store.begin(desk).await.unwrap();
    let id = put(&mut *tx, ticket).await;
    tx.commit().await.unwrap();
    id
}

/// A stored suggestion for a new ticket.
async fn suggested(store: &dyn Store, desk: &WorkspaceId) -> Suggestion {
    let mut tx = store.begin(desk).await.unwrap();
    let id = put(&mut *tx, &ticket("suggested")).await;
    let suggestion = suggestion(id);
    tx.put_suggestion(&suggestion, 3, now()).await.unwrap();
    tx.commit().await.unwrap();
    suggestion
}
