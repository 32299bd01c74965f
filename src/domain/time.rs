//! Time and randomness come in through [`Clock`] and [`Entropy`], so that tests and replays decide
//! what "now" is.

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> Timestamp;
}

/// Where unguessable bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills the bytes with randomness fit for secrets.
    ///
    /// # Errors
    /// The machine has none to give.
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()>;
}

/// A clock that always says the same, for tests and replays.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
