//! Runs a target for its time and says how many cases that were.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Whether this is the long run.
pub(crate) fn is_long() -> bool {
    number("DESKHAND_FUZZ_SECONDS").is_some_and(|seconds| seconds > 10)
}

/// Tries cases until the time is up. A failure is made smaller and reported with its seed.
pub(crate) fn fuzz<S: Strategy>(
    target: &str,
    strategy: &S,
    check: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: Debug,
{
    let seconds = number("DESKHAND_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("DESKHAND_FUZZ_SEED");
    let seed =
        seed.unwrap_or_else(|| if is_long() { RandomState::new().hash_one(target) } else { 1 });
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut cases = 0;
    let mut bytes = [0; 32];
    while Instant::now() < until {
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&u64::to_le_bytes(cases));
        let config = Config {
            cases: 32,
            failure_persistence: None,
            max_shrink_iters: 4096,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        if let Err(error) = runner.run(strategy, &check) {
            panic!("{target}, DESKHAND_FUZZ_SEED={seed}, after {cases} cases: {error}");
        }
        cases += 32;
    }
    println!("fuzz {target}: {cases} cases in {seconds} s, DESKHAND_FUZZ_SEED={seed}");
}
