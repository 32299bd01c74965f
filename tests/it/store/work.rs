//! Claims on requests, and promised work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use deskhand::domain::{ClaimId, JobId, WorkspaceId};
use deskhand::store::{
    Answer, Claim, ClaimRequest, Claimed, Job, JobKind, NewJob, Store, StoreError,
};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{after, desk, fresh, now, put, stored, ticket, tickets::job, yours};

fn request(key: &str, body: &str) -> ClaimRequest {
    let route = "POST /v1/triage".to_owned();
    ClaimRequest { route, key: key.to_owned(), body_hash: body.to_owned() }
}

async fn claim(
    store: &dyn Store,
    name: &WorkspaceId,
    request: &ClaimRequest,
    at: Timestamp,
) -> Claimed {
    store.claim(name, request, ClaimId::new(fresh()), at).await.unwrap()
}

fn body(text: &str) -> Answer {
    let headers = vec![("etag".to_owned(), "\"1\"".to_owned()), ("x".to_owned(), String::new())];
    Answer { status: 201, headers, body: text.to_owned() }
}

async fn settle(
    store: &dyn Store,
    name: &WorkspaceId,
    claim: &Claim,
    text: &str,
) -> Result<(), StoreError> {
    let mut tx = store.begin(name).await?;
    put(&mut *tx, &ticket(text)).await;
    tx.settle(claim, &body(text)).await?;
    tx.commit().await
}

pub(super) async fn a_request_is_claimed_and_answered_once(store: &dyn Store) {
    let name = desk("claims");
    let (asked, other) = (request("k", "1"), request("k", "2"));
    let held = yours(claim(store, &name, &asked, now()).await);
    assert_eq!(claim(store, &name, &asked, after(1)).await, Claimed::InFlight);
    assert_eq!(claim(store, &name, &other, after(1)).await, Claimed::OtherBody);
    let elsewhere = ClaimRequest { route: "PUT /".to_owned(), ..asked.clone() };
    let elsewhere = yours(claim(store, &name, &elsewhere, after(1)).await);
    // Given back, it is free at once; only by whoever has it.
    store.release(&name, &Claim { id: ClaimId::new(fresh()), ..held.clone() }).await.unwrap();
    assert_eq!(claim(store, &name, &asked, after(2)).await, Claimed::InFlight);
    store.release(&name, &held).await.unwrap();
    store.release(&name, &held).await.unwrap();
    let held = yours(claim(store, &name, &other, after(2)).await);
    assert_eq!(claim(store, &name, &asked, after(2)).await, Claimed::OtherBody);
    let odd = "{\"a\": 1.0,\n \"ü\":\"\\u0000 %_'\"} ";
    settle(store, &name, &held, odd).await.unwrap();
    for at in [now(), after(3), after(3600)] {
        let again = claim(store, &name, &other, at).await;
        assert_eq!(again, Claimed::Answered(body(odd)), "byte for byte");
    }
    assert_eq!(claim(store, &name, &asked, after(4)).await, Claimed::OtherBody);
    // An answer is not given back, nor given twice.
    store.release(&name, &held).await.unwrap();
    assert_eq!(claim(store, &name, &other, after(5)).await, Claimed::Answered(body(odd)));
    let twice = settle(store, &name, &held, "again").await;
    assert!(matches!(twice, Err(StoreError::ClaimLost)), "{twice:?}");
    store.release(&name, &elsewhere).await.unwrap();
}

pub(super) async fn a_claim_that_was_taken_over_leaves_nothing_behind(store: &dyn Store) {
    let name = desk("taken-over");
    let asked = request("k", "1");
    let slow = yours(claim(store, &name, &asked, now()).await);
    assert_eq!(claim(store, &name, &asked, after(4)).await, Claimed::InFlight);
    let quick = yours(claim(store, &name, &asked, after(5)).await);
    assert_eq!(claim(store, &name, &asked, after(9)).await, Claimed::InFlight);
    let lost = settle(store, &name, &slow, "slow").await;
    assert!(matches!(lost, Err(StoreError::ClaimLost)), "{lost:?}");
    store.release(&name, &slow).await.unwrap();
    assert_eq!(store.counts(&name).await.unwrap().tickets, 0);
    assert_eq!(claim(store, &name, &asked, after(9)).await, Claimed::InFlight);
    settle(store, &name, &quick, "quick").await.unwrap();
    assert_eq!(store.counts(&name).await.unwrap().tickets, 1);
    assert_eq!(claim(store, &name, &asked, after(10)).await, Claimed::Answered(body("quick")));
    // One that was given back or swept away is lost as well.
    let asked = request("k2", "1");
    let held = yours(claim(store, &name, &asked, now()).await);
    store.release(&name, &held).await.unwrap();
    let lost = settle(store, &name, &held, "released").await;
    assert!(matches!(lost, Err(StoreError::ClaimLost)), "{lost:?}");
    assert_eq!(store.counts(&name).await.unwrap().tickets, 1);
}

pub(super) async fn answers_end_after_a_day_and_clocks_may_step_back(store: &dyn Store) {
    const DAY: i64 = 24 * 3600;
    let name = desk("clocks");
    let (first, second) = (request("a", "1"), request("b", "1"));
    for asked in [&first, &second] {
        let held = yours(claim(store, &name, asked, now()).await);
        settle(store, &name, &held, "x").await.unwrap();
    }
    assert_eq!(claim(store, &name, &first, after(DAY - 1)).await, Claimed::Answered(body("x")));
    // Expired, the key is free for anything.
    let held = yours(claim(store, &name, &request("a", "2"), after(DAY)).await);
    settle(store, &name, &held, "y").await.unwrap();
    store.sweep(after(DAY - 1)).await.unwrap();
    assert_eq!(claim(store, &name, &second, after(DAY - 1)).await, Claimed::Answered(body("x")));
    store.sweep(after(DAY)).await.unwrap();
    let swept = claim(store, &name, &request("b", "other body"), after(1)).await;
    let swept = yours(swept);
    store.release(&name, &swept).await.unwrap();
    let kept = claim(store, &name, &request("a", "2"), after(DAY)).await;
    assert_eq!(kept, Claimed::Answered(body("y")), "what has not expired stays");
    // A claim from the future does not lock its key for as long as the clock went back.
    let asked = request("c", "1");
    let future = yours(claim(store, &name, &asked, after(3600)).await);
    let held = yours(claim(store, &name, &asked, now()).await);
    let lost = settle(store, &name, &future, "future").await;
    assert!(matches!(lost, Err(StoreError::ClaimLost)), "{lost:?}");
    // Another replica's clock, a little ahead, does not make its claim an old one.
    assert_eq!(claim(store, &name, &asked, after(-1)).await, Claimed::InFlight);
    settle(store, &name, &held, "held").await.unwrap();
}

pub(super) async fn many_claim_one_request_and_one_gets_it(store: &Arc<dyn Store>) {
    let name = desk("claimed-by-many");
    let mut claims = JoinSet::new();
    for _ in 0..12 {
        let (store, name) = (Arc::clone(store), name.clone());
        claims.spawn(async move {
            matches!(claim(&*store, &name, &request("k", "1"), now()).await, Claimed::Yours(_))
        });
    }
    let got = claims.join_all().await;
    assert_eq!(got.iter().filter(|yours| **yours).count(), 1);
}

async fn enqueue(store: &dyn Store, jobs: &[NewJob]) {
    let mut tx = store.begin(&desk("jobs")).await.unwrap();
    for job in jobs {
        tx.enqueue(job).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn lease(store: &dyn Store, at: i64) -> (ClaimId, Option<Job>) {
    let id = ClaimId::new(fresh());
    (id, store.lease_job(id, after(at), after(at + 30)).await.unwrap())
}

async fn leased(store: &dyn Store, at: i64) -> (ClaimId, Job) {
    let (id, job) = lease(store, at).await;
    (id, job.unwrap())
}

pub(super) async fn jobs_are_leased_in_order_and_to_one(store: &dyn Store) {
    assert_eq!(store.pending_jobs().await.unwrap(), 0);
    assert_eq!(lease(store, 0).await.1, None);
    let due = |kind, at: i64| NewJob { run_at: after(at), ..job(kind) };
    let jobs = [due(JobKind::Reindex, 2), due(JobKind::Index, 1), due(JobKind::Import, 3)];
    enqueue(store, &jobs).await;
    assert_eq!(store.pending_jobs().await.unwrap(), 3);
    assert_eq!(lease(store, 0).await.1, None, "not due");
    let (first, got) = leased(store, 10).await;
    let expected = Job {
        id: jobs[1].id,
        workspace: desk("jobs"),
        kind: JobKind::Index,
        subject: "x".to_owned(),
        attempts: 1,
    };
    assert_eq!(got, expected, "the one that has been due for longest");
    assert_eq!(leased(store, 10).await.1.id, jobs[0].id);
    let (third, got) = leased(store, 10).await;
    assert_eq!(got.id, jobs[2].id);
    assert_eq!(lease(store, 10).await.1, None);
    // Kept for longer by whoever has it, taken over when the lease has run out.
    assert!(store.extend_lease(jobs[1].id, first, after(80)).await.unwrap());
    assert!(!store.extend_lease(jobs[1].id, third, after(80)).await.unwrap());
    assert_eq!(lease(store, 39).await.1, None);
    let (second, got) = leased(store, 40).await;
    assert_eq!((got.id, got.attempts), (jobs[0].id, 2));
    // Put back for later, with what went wrong, by whoever has it.
    store.retry_job(jobs[0].id, first, "not yours", after(50)).await.unwrap();
    assert_eq!(leased(store, 40).await.1.id, jobs[2].id);
    assert_eq!(lease(store, 69).await.1, None);
    store.retry_job(jobs[0].id, second, "disk \0 full", after(75)).await.unwrap();
    assert!(!store.extend_lease(jobs[0].id, second, after(99)).await.unwrap());
    let (third, got) = leased(store, 74).await;
    assert_eq!(got.id, jobs[2].id);
    let (fourth, got) = leased(store, 75).await;
    assert_eq!((got.id, got.attempts), (jobs[0].id, 3));
    // Done, by whoever has it.
    store.finish_job(jobs[0].id, first).await.unwrap();
    assert_eq!(store.pending_jobs().await.unwrap(), 3);
    store.finish_job(jobs[0].id, fourth).await.unwrap();
    store.finish_job(jobs[2].id, third).await.unwrap();
    store.finish_job(jobs[1].id, first).await.unwrap();
    assert_eq!(store.pending_jobs().await.unwrap(), 0);
    // One that its promiser works on from the start is left alone until its lease ends.
    let held = ClaimId::new(fresh());
    let promised = NewJob { lease: Some((held, after(30))), ..job(JobKind::Index) };
    enqueue(store, std::slice::from_ref(&promised)).await;
    assert_eq!(lease(store, 29).await.1, None);
    assert!(store.extend_lease(promised.id, held, after(31)).await.unwrap());
    let (id, got) = leased(store, 31).await;
    assert_eq!(got.id, promised.id);
    store.finish_job(promised.id, held).await.unwrap();
    assert_eq!(store.pending_jobs().await.unwrap(), 1);
    store.finish_job(promised.id, id).await.unwrap();
}

pub(super) async fn a_clock_that_steps_back_frees_jobs_but_lends_none_twice(store: &dyn Store) {
    let job = NewJob { run_at: after(-9999), ..job(JobKind::Index) };
    enqueue(store, std::slice::from_ref(&job)).await;
    leased(store, 0).await;
    // Another worker has read the clock a moment earlier, or its clock is a little behind.
    for behind in [0, -1, -29] {
        assert_eq!(lease(store, behind).await.1, None, "{behind}");
    }
    // An hour back it was someone who will not come back in time.
    let (id, _) = leased(store, -3600).await;
    store.finish_job(job.id, id).await.unwrap();
}

pub(super) async fn workers_never_share_a_job(store: &Arc<dyn Store>) {
    const JOBS: usize = 60;
    let jobs: Vec<_> = (0..JOBS).map(|_| job(JobKind::Index)).collect();
    enqueue(&**store, &jobs).await;
    // Every worker reads the clock a moment before it asks, so that their times are out of order.
    let clock = Arc::new(AtomicI64::new(now().as_microsecond()));
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let (store, clock) = (Arc::clone(store), Arc::clone(&clock));
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let at = clock.fetch_add(1, Ordering::Relaxed);
                let at = Timestamp::from_microsecond(at).unwrap();
                let until = at + jiff::SignedDuration::from_secs(30);
                let id = ClaimId::new(fresh());
                let Some(job) = store.lease_job(id, at, until).await.unwrap() else { break };
                assert_eq!(job.attempts, 1);
                tokio::time::sleep(Duration::from_millis(1)).await;
                if done.len() % 2 == 0 {
                    store.finish_job(job.id, id).await.unwrap();
                }
                done.push((job.id, id));
            }
            done
        });
    }
    let done: Vec<(JobId, ClaimId)> = workers.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<JobId> = done.iter().map(|(id, _)| *id).collect();
    assert_eq!((done.len(), distinct.len()), (JOBS, JOBS));
    for (job, lease) in done {
        store.finish_job(job, lease).await.unwrap();
    }
    assert_eq!(store.pending_jobs().await.unwrap(), 0);
}

/// A caller who goes away leaves no transaction open, wherever it was.
pub(super) async fn giving_up_in_the_middle_frees_the_store(store: &Arc<dyn Store>) {
    let name = desk("given-up");
    let mut committed = 0;
    for n in 0..60u64 {
        let work = async {
            let mut tx = store.begin(&name).await.unwrap();
            put(&mut *tx, &ticket("x")).await;
            put(&mut *tx, &ticket("y")).await;
            tx.commit().await.unwrap();
        };
        let patience = Duration::from_micros(n * 60);
        committed += u64::from(tokio::time::timeout(patience, work).await.is_ok());
    }
    stored(&**store, &name, &ticket("last")).await;
    let tickets = store.counts(&name).await.unwrap().tickets;
    assert!(tickets > 2 * committed && tickets % 2 == 1, "{tickets}, {committed} seen to commit");
}
