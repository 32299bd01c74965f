//! Requests to the server: how many at once, how long, how often, and what its refusals mean.

use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use qdrant_client::QdrantError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Code;

use super::QdrantSettings;
use crate::index::IndexError;

/// The first pause before another attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// What a caller is told when our own limit turns it away: requests take milliseconds.
const COME_BACK: Duration = Duration::from_secs(1);
/// How `qdrant-client` begins its message when no connection came about. It has no status code of
/// its own for that, and calls it an internal error.
const NO_CONNECTION: &str = "Failed to connect";

/// Why a request was not answered.
#[derive(Debug)]
pub(super) enum Failure {
    /// The collection is not there.
    Missing(String),
    /// The collection is there already.
    Exists,
    /// The server has too much to do.
    Overloaded { message: String, retry_after: Option<Duration> },
    /// It may work the next moment.
    Transient(String),
    /// It will not work by asking again.
    Refused(String),
}

impl From<QdrantError> for Failure {
    fn from(error: QdrantError) -> Self {
        match error {
            QdrantError::ResourceExhaustedError { status, retry_after_seconds } => {
                let retry_after = Some(Duration::from_secs(retry_after_seconds));
                Self::Overloaded { message: status.message().to_owned(), retry_after }
            }
            QdrantError::ResponseError { status } => {
                // The status alone: metadata may repeat headers, and nothing of them is ours to log.
                let message = format!("{:?}: {}", status.code(), status.message());
                match status.code() {
                    Code::NotFound => Self::Missing(message),
                    Code::AlreadyExists => Self::Exists,
                    Code::ResourceExhausted => Self::Overloaded { message, retry_after: None },
                    Code::Unavailable | Code::DeadlineExceeded => Self::Transient(message),
                    Code::Internal if status.message().starts_with(NO_CONNECTION) => {
                        Self::Transient(message)
                    }
                    // No server sends a cause along: the connection broke on this side.
                    _ if status.source().is_some() => Self::Transient(message),
                    _ => Self::Refused(message),
                }
            }
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<Failure> for IndexError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Overloaded { message, retry_after } => {
                Self::Overloaded { message, retry_after }
            }
            Failure::Missing(message) | Failure::Transient(message) | Failure::Refused(message) => {
                Self::Unavailable(message)
            }
            Failure::Exists => Self::Unavailable("the collection exists already".to_owned()),
        }
    }
}

/// The rules that every request keeps.
pub(super) struct Calls {
    permits: Semaphore,
    timeout: Duration,
    retries: u32,
    pauses: AtomicU64,
}

impl Calls {
    pub(super) fn new(settings: &QdrantSettings) -> Self {
        Self {
            permits: Semaphore::new(settings.concurrency),
            timeout: settings.timeout,
            retries: settings.retries,
            // Processes that lose their server together must not come back in step.
            pauses: AtomicU64::new(u64::from(std::process::id()) << 32),
        }
    }

    /// A place among the requests in flight, at once or not at all: waiting here would hide an
    /// overload from those who can shed it.
    pub(super) fn admit(&self) -> Result<SemaphorePermit<'_>, IndexError> {
        self.permits.try_acquire().map_err(|_| IndexError::Overloaded {
            message: "as many requests to Qdrant are in flight as are allowed".to_owned(),
            retry_after: Some(COME_BACK),
        })
    }

    /// When what begins now has to be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// That the deadline has passed.
    pub(super) fn late(&self) -> Failure {
        Failure::Transient(format!("no answer within {:?}", self.timeout))
    }

    /// Sends a request that may safely arrive twice, and again after a passing failure as long as
    /// attempts and time are left.
    pub(super) async fn run<T, F>(
        &self,
        deadline: Instant,
        request: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let mut attempt = 0;
        loop {
            let failure = match timeout_at(deadline, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Failure::from(error),
                Err(_) => return Err(self.late()),
            };
            let pause = self.pause(attempt);
            let again = matches!(failure, Failure::Transient(_)) && attempt < self.retries;
            if !again || Instant::now() + pause >= deadline {
                return Err(failure);
            }
            tracing::debug!(?failure, attempt, "asking Qdrant again");
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// From half to the whole of a span that doubles with each attempt.
    fn pause(&self, attempt: u32) -> Duration {
        let whole = FIRST_PAUSE * 2u32.saturating_pow(attempt.min(10));
        let drawn = scatter(self.pauses.fetch_add(1, Ordering::Relaxed));
        whole.mul_f64(0.5 + 0.5 * (drawn as f64 / u64::MAX as f64))
    }
}

/// Numbers in a row become numbers all over the place (the finaliser of `SplitMix64`).
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tonic::Status;

    use super::*;

    fn calls(timeout_ms: u64, retries: u32) -> Calls {
        let timeout = Duration::from_millis(timeout_ms);
        Calls::new(&QdrantSettings { timeout, retries, ..QdrantSettings::default() })
    }

    /// How often a request is sent that is answered like this, and how it ends.
    async fn sent(calls: &Calls, answer: impl Fn(u32) -> Result<(), Status>) -> (u32, String) {
        let count = Cell::new(0);
        let outcome = calls
            .run(calls.deadline(), || {
                count.set(count.get() + 1);
                let answer = answer(count.get()).map_err(QdrantError::from);
                async move { answer }
            })
            .await;
        (count.get(), format!("{outcome:?}"))
    }

    #[tokio::test]
    async fn only_passing_failures_are_tried_again() {
        let calls = calls(10_000, 2);
        let (count, _) =
            sent(&calls, |n| (n > 2).then_some(()).ok_or(Status::unavailable(""))).await;
        assert_eq!(count, 3, "the third attempt succeeds");
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let cases = [
            (Status::from_error(Box::new(broken)), 3, "Transient"),
            (Status::unknown("transport error"), 1, "Refused"),
            (Status::unavailable("x"), 3, "Transient"),
            (Status::deadline_exceeded("x"), 3, "Transient"),
            (Status::internal("Failed to connect to http://nowhere"), 3, "Transient"),
            (Status::internal("broken"), 1, "Refused"),
            (Status::invalid_argument("wrong"), 1, "Refused"),
            (Status::unauthenticated("who?"), 1, "Refused"),
            (Status::not_found("gone"), 1, "Missing"),
            (Status::already_exists("there"), 1, "Exists"),
            (Status::resource_exhausted("busy"), 1, "Overloaded"),
        ];
        for (status, times, name) in cases {
            let (count, outcome) = sent(&calls, |_| Err(status.clone())).await;
            assert_eq!(count, times, "{status:?}");
            assert!(outcome.starts_with(&format!("Err({name}")), "{outcome}");
        }
    }

    #[tokio::test]
    async fn attempts_end_with_the_deadline() {
        let calls = calls(120, 1000);
        let start = Instant::now();
        let (count, _) = sent(&calls, |_| Err(Status::unavailable(""))).await;
        assert!((2..6).contains(&count), "{count}");
        assert!(start.elapsed() < Duration::from_secs(2));
        let hanging = || std::future::pending::<Result<(), QdrantError>>();
        let outcome = calls.run(calls.deadline(), hanging).await;
        assert!(matches!(outcome, Err(Failure::Transient(_))));
    }

    #[test]
    fn pauses_grow_and_differ() {
        let calls = calls(1000, 3);
        for attempt in 0..5 {
            let whole = FIRST_PAUSE * 2u32.pow(attempt);
            let pauses: Vec<_> = (0..50).map(|_| calls.pause(attempt)).collect();
            assert!(pauses.iter().all(|p| (whole / 2..=whole).contains(p)));
            assert!(pauses.iter().any(|p| *p != pauses[0]));
        }
    }

    #[test]
    fn the_limit_turns_away_at_once() {
        let settings = QdrantSettings { concurrency: 1, ..QdrantSettings::default() };
        let calls = Calls::new(&settings);
        let first = calls.admit();
        assert!(first.is_ok());
        assert!(matches!(calls.admit(), Err(IndexError::Overloaded { retry_after: Some(_), .. })));
        drop(first);
        assert!(calls.admit().is_ok());
    }
}
