//! Clients that insist: a request that failed or was cut off is sent again under its key until it
//! is acknowledged. A few are given up, as clients that crash themselves do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deskhand::domain::Suggestion;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::dice::Dice;

/// The system that all tickets of the clients come from.
pub(super) const SYSTEM: &str = "fault";

const WORDS: [&str; 40] = [
    "printer",
    "toner",
    "laptop",
    "battery",
    "monitor",
    "flickers",
    "keyboard",
    "mouse",
    "dock",
    "headset",
    "vpn",
    "gateway",
    "wifi",
    "roaming",
    "password",
    "expired",
    "mailbox",
    "calendar",
    "outlook",
    "teams",
    "meeting",
    "camera",
    "badge",
    "door",
    "invoice",
    "portal",
    "timeout",
    "backup",
    "restore",
    "folder",
    "permission",
    "license",
    "install",
    "update",
    "reboot",
    "slow",
    "crash",
    "certificate",
    "proxy",
    "phone",
];

/// Counts over all clients.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) requests: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) replays: AtomicU64,
    pub(super) cut_off: AtomicU64,
    pub(super) given_up: AtomicU64,
    answers: Mutex<Vec<Suggestion>>,
}

impl Tally {
    /// Reads some acknowledged suggestions back. Says what is wrong with the first that differs.
    pub(super) async fn spot_check(&self, address: &str, dice: &mut Dice) -> Option<String> {
        let all = self.answers.lock().unwrap().clone();
        for _ in 0..10.min(all.len()) {
            let known = &all[dice.below(all.len() as u64) as usize];
            let url = format!("{address}/v1/suggestions/{}", known.id);
            let answer = reqwest::get(url).await.unwrap();
            let status = answer.status();
            let body = answer.text().await.unwrap();
            let stored = serde_json::from_str::<Suggestion>(&body).ok();
            if stored.as_ref() != Some(known) {
                return Some(format!("{status} {body}, acknowledged was {known:?}"));
            }
        }
        None
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Waiting,
    Acknowledged,
    /// Never acknowledged; it may have been done, once.
    GivenUp,
}

/// A ticket as its client knows it.
#[derive(Debug)]
pub(super) struct Mine {
    pub(super) source: String,
    pub(super) subject: String,
    pub(super) body: String,
    /// The batch that it was sent in.
    pub(super) batch: Option<u64>,
    pub(super) created: Sent,
    pub(super) messages: Vec<(String, Sent)>,
    /// Those that were acknowledged, in their order.
    pub(super) suggestions: Vec<Suggestion>,
    /// Decisions about them, by position: the action, and the answer once there is one.
    pub(super) decisions: Vec<(usize, &'static str, Option<Value>)>,
    /// No request about it is under way or uncertain.
    free: bool,
}

impl Mine {
    /// Whether something about it was given up.
    pub(super) fn uncertain(&self) -> bool {
        !self.free
    }
}

/// What a request is about: positions among the client's tickets.
#[derive(Debug, Clone)]
enum About {
    Tickets(Vec<usize>),
    Message(usize),
    Decision(usize),
}

#[derive(Debug, Clone)]
struct Op {
    key: String,
    path: String,
    body: String,
    if_match: Option<&'static str>,
    about: About,
    due: Instant,
    /// It has been acknowledged with this before; the answer must be the same.
    expected: Option<String>,
}

struct Reply {
    status: u16,
    replayed: bool,
    retry_after: Option<u64>,
    body: String,
}

pub(super) struct Client {
    n: u64,
    dice: Dice,
    http: reqwest::Client,
    tally: Arc<Tally>,
    tickets: Vec<Mine>,
    pending: Vec<Op>,
    made: u64,
}

impl Client {
    pub(super) fn new(n: u64, seed: u64, tally: Arc<Tally>) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(40)).build().unwrap();
        let dice = Dice::new(seed, n);
        Self { n, dice, http, tally, tickets: Vec::new(), pending: Vec::new(), made: 0 }
    }

    /// Sends until it is told to stop and nothing waits any longer. Returns what it knows.
    pub(super) async fn run(
        mut self,
        addresses: watch::Receiver<Option<String>>,
        stopping: watch::Receiver<bool>,
    ) -> Vec<Mine> {
        loop {
            let address = addresses.borrow().clone();
            let stop = *stopping.borrow();
            if stop && self.pending.is_empty() {
                return self.tickets;
            }
            let Some(address) = address else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let now = Instant::now();
            if let Some(at) = self.pending.iter().position(|op| op.due <= now) {
                let op = self.pending.swap_remove(at);
                self.send(&address, op).await;
            } else if stop || self.pending.len() >= 6 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            } else {
                let op = self.invent();
                self.send(&address, op).await;
            }
        }
    }

    fn words(&mut self, n: usize) -> String {
        (0..n).map(|_| self.dice.pick(&WORDS)).collect::<Vec<_>>().join(" ")
    }

    fn op(&mut self, path: String, body: &Value, about: About) -> Op {
        self.made += 1;
        Op {
            key: format!("key-{}-{}", self.n, self.made),
            path,
            body: body.to_string(),
            if_match: None,
            about,
            due: Instant::now(),
            expected: None,
        }
    }

    fn invent(&mut self) -> Op {
        let free = |mine: &Mine| mine.free && !mine.suggestions.is_empty();
        let free: Vec<usize> =
            (0..self.tickets.len()).filter(|&at| free(&self.tickets[at])).collect();
        let kind = self.dice.below(100);
        if !free.is_empty() && kind < 40 {
            let at = free[self.dice.below(free.len() as u64) as usize];
            let newest = self.tickets[at].suggestions.len() - 1;
            let decided = self.tickets[at].decisions.iter().any(|d| d.0 == newest);
            return if kind < 20 && !decided { self.decide(at) } else { self.write(at) };
        }
        if kind >= 90 {
            let n = 2 + self.dice.below(3);
            let batch = Some(self.made);
            let (at, tickets): (Vec<_>, Vec<_>) = (0..n).map(|_| self.ticket(batch)).unzip();
            let body = json!({ "tickets": tickets });
            return self.op("/v1/triage/batch".to_owned(), &body, About::Tickets(at));
        }
        let (at, ticket) = self.ticket(None);
        self.op("/v1/triage".to_owned(), &ticket, About::Tickets(vec![at]))
    }

    /// A new ticket under a name of its own.
    fn ticket(&mut self, batch: Option<u64>) -> (usize, Value) {
        let source = format!("c{}-{}", self.n, self.tickets.len());
        let (subject, body) = (self.words(4), self.words(12));
        let ticket = json!({"subject": subject, "body": body, "requester": format!("client {}", self.n),
            "source": {"system": SYSTEM, "id": source}});
        self.tickets.push(Mine {
            source,
            subject,
            body,
            batch,
            created: Sent::Waiting,
            messages: Vec::new(),
            suggestions: Vec::new(),
            decisions: Vec::new(),
            free: false,
        });
        (self.tickets.len() - 1, ticket)
    }

    fn write(&mut self, at: usize) -> Op {
        let text = format!("{} {}-{}", self.words(5), self.n, self.made);
        let ticket = self.tickets[at].suggestions[0].ticket_id;
        self.tickets[at].messages.push((text.clone(), Sent::Waiting));
        self.tickets[at].free = false;
        let path = format!("/v1/tickets/{ticket}/messages");
        self.op(path, &json!({"text": text, "author": "client"}), About::Message(at))
    }

    fn decide(&mut self, at: usize) -> Op {
        let newest = self.tickets[at].suggestions.len() - 1;
        let id = self.tickets[at].suggestions[newest].id;
        let action = self.dice.pick(&["approve", "approve", "edit", "reject"]);
        let mut body = json!({ "action": action });
        if action == "edit" {
            body["reply"] = json!(self.words(8));
        }
        self.tickets[at].decisions.push((newest, action, None));
        self.tickets[at].free = false;
        let path = format!("/v1/suggestions/{id}/decision");
        let mut op = self.op(path, &body, About::Decision(at));
        op.if_match = self.dice.one_in(2).then_some("\"1\"");
        op
    }

    async fn send(&mut self, address: &str, op: Op) {
        let reply = if self.dice.one_in(25) {
            // Sent twice at once, as impatient clients do.
            let (one, other) = tokio::join!(self.post(address, &op), self.post(address, &op));
            if let (Ok(one), Ok(other)) = (&one, &other)
                && one.status == 200
                && other.status == 200
            {
                assert_eq!(one.body, other.body, "{op:?}");
                assert!(one.replayed || other.replayed, "{op:?} was done twice");
            }
            if one.as_ref().is_ok_and(|r| r.status == 200) { one } else { other }
        } else {
            self.post(address, &op).await
        };
        match reply {
            Err(_) => self.cut_off(op),
            Ok(reply) => self.answered(op, reply),
        }
    }

    async fn post(&self, address: &str, op: &Op) -> reqwest::Result<Reply> {
        self.tally.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = self
            .http
            .post(format!("{address}{}", op.path))
            .header("content-type", "application/json")
            .header("idempotency-key", &op.key)
            .body(op.body.clone());
        if let Some(etag) = op.if_match {
            request = request.header("if-match", etag);
        }
        let response = request.send().await?;
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        Ok(Reply {
            status: response.status().as_u16(),
            replayed: header("idempotency-replayed").is_some(),
            retry_after: header("retry-after").and_then(|s| s.parse().ok()),
            body: response.text().await?,
        })
    }

    /// No whole answer came: it was done, or it was not.
    fn cut_off(&mut self, op: Op) {
        self.tally.cut_off.fetch_add(1, Ordering::Relaxed);
        if op.expected.is_none() && self.dice.one_in(30) {
            self.tally.given_up.fetch_add(1, Ordering::Relaxed);
            match op.about {
                About::Tickets(all) => {
                    for at in all {
                        self.tickets[at].created = Sent::GivenUp;
                    }
                }
                About::Message(at) => {
                    self.tickets[at].messages.last_mut().unwrap().1 = Sent::GivenUp;
                }
                About::Decision(_) => {}
            }
            return;
        }
        self.later(op, Duration::ZERO);
    }

    fn later(&mut self, mut op: Op, pause: Duration) {
        op.due = Instant::now() + pause;
        self.pending.push(op);
    }

    fn answered(&mut self, op: Op, reply: Reply) {
        if reply.status != 200 {
            let problem: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            let again = matches!(
                (reply.status, problem["code"].as_str()),
                (503, _) | (409, Some("request_in_flight"))
            );
            assert!(again, "{op:?} was answered with {} {}", reply.status, reply.body);
            assert!(reply.retry_after.is_some(), "{} {}", reply.status, reply.body);
            let pause = Duration::from_secs(reply.retry_after.unwrap_or(1));
            return self.later(op, pause);
        }
        if reply.replayed {
            self.tally.replays.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(expected) = &op.expected {
            assert_eq!(&reply.body, expected, "{op:?}");
            assert!(reply.replayed, "{op:?} was done twice");
            return;
        }
        self.tally.acknowledged.fetch_add(1, Ordering::Relaxed);
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        self.acknowledge(&op.about, &answer);
        if self.dice.one_in(20) {
            let pause = Duration::from_millis(self.dice.below(3000));
            self.later(Op { expected: Some(reply.body), ..op }, pause);
        }
    }

    fn acknowledge(&mut self, about: &About, answer: &Value) {
        let suggestion = |value: &Value| -> Suggestion {
            let read = serde_json::from_value(value.clone());
            read.unwrap_or_else(|e| panic!("{e}: {answer}"))
        };
        match about {
            About::Tickets(all) => {
                for (i, &at) in all.iter().enumerate() {
                    let single = answer["results"].is_null();
                    let one = if single { answer } else { &answer["results"][i]["suggestion"] };
                    let mine = &mut self.tickets[at];
                    assert!(mine.suggestions.is_empty());
                    mine.suggestions.push(suggestion(one));
                    mine.created = Sent::Acknowledged;
                    mine.free = true;
                }
            }
            &About::Message(at) => {
                let new = suggestion(answer);
                let mine = &mut self.tickets[at];
                assert_eq!(new.ticket_id, mine.suggestions[0].ticket_id);
                mine.suggestions.push(new);
                mine.messages.last_mut().unwrap().1 = Sent::Acknowledged;
                mine.free = true;
            }
            &About::Decision(at) => {
                let mine = &mut self.tickets[at];
                mine.decisions.last_mut().unwrap().2 = Some(answer.clone());
                mine.free = true;
                return;
            }
        }
        let new: Vec<Suggestion> = match about {
            About::Tickets(all) => {
                all.iter().map(|&at| self.tickets[at].suggestions[0].clone()).collect()
            }
            &About::Message(at) | &About::Decision(at) => {
                self.tickets[at].suggestions.last().cloned().into_iter().collect()
            }
        };
        self.tally.answers.lock().unwrap().extend(new);
    }
}
