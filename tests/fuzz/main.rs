//! Adversarial input for everything that reads what others wrote: no panic, the target's own
//! promises kept, and work that grows no faster than the input.
//!
//! `DESKHAND_FUZZ_SECONDS` is the time for each target, 2 unless said otherwise; `make check-long`
//! gives each 150. `DESKHAND_FUZZ_SEED` repeats a run; without one, a short run always tries the
//! same cases and a long one others each time.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "whatever panics is a failed test"
)]
#![expect(clippy::print_stdout, reason = "how many cases there were")]

mod counting;
mod growth;
mod hostile;
mod http;
mod imports;
mod runner;
mod settings;
mod text;
