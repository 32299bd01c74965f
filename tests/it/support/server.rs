//! `deskhand serve`, as it is run where things go wrong.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::program::{Program, deskhand};

/// How long a test waits for what takes seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// The server over a data folder, on a port of its own, without a limit on requests.
pub(crate) fn serve(data: &Path) -> Program {
    deskhand(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
        .env("DESKHAND__LOG__FORMAT", "json")
        .env("DESKHAND__LOG__LEVEL", "warn,deskhand::cli=info")
        .env("DESKHAND__SERVER__REQUESTS_PER_MINUTE", "0")
}

/// A running server, killed when dropped.
pub(crate) struct Serving {
    child: Child,
    log: NamedTempFile,
    /// Known once it is ready.
    pub(crate) address: String,
}

impl Serving {
    /// Starts it and does not wait.
    pub(crate) fn launch(program: Program) -> Self {
        let log = NamedTempFile::new().unwrap();
        let child = program.logging(log.reopen().unwrap());
        Self { child, log, address: String::new() }
    }

    /// Starts it and waits until it can answer.
    pub(crate) async fn start(program: Program) -> Self {
        let mut server = Self::launch(program);
        server.ready().await;
        server
    }

    /// Waits until it can answer. Returns how long that took.
    pub(crate) async fn ready(&mut self) -> Duration {
        let start = Instant::now();
        loop {
            let said = self.said();
            let ready = said.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
            let mut ready = ready.filter(|line| line["fields"]["message"] == "ready");
            if let Some(line) = ready.next() {
                line["fields"]["address"].as_str().unwrap().clone_into(&mut self.address);
                return start.elapsed();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "not ready: {ended:?} {said}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Everything that it logged.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// SIGKILL: no chance to tidy up. It must not have panicked before.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.never_panicked();
    }

    /// SIGTERM, without waiting.
    pub(crate) fn signal(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end. Returns how it ended and what it logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.never_panicked();
                return (status, self.said());
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, and a clean end.
    pub(crate) async fn terminate(self) -> String {
        self.signal();
        let (status, said) = self.ended().await;
        assert!(status.success(), "{status}: {said}");
        said
    }

    fn never_panicked(&self) {
        let said = self.said();
        assert!(!said.contains("panic"), "{said}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
