//! The built program, run as users run it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

/// How long a test waits for what takes seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// A run of the program.
pub(crate) struct Program(Command);

/// `deskhand` with these arguments, untouched by the environment's settings, offline unless the
/// test says otherwise.
pub(crate) fn deskhand(arguments: &[&str]) -> Program {
    // A test of a debug build may drive a release build.
    let built = std::env::var_os("DESKHAND_BIN");
    let built = built.unwrap_or_else(|| env!("CARGO_BIN_EXE_deskhand").into());
    let mut command = Command::new(built);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("HF_")) {
        command.env_remove(name);
    }
    // With the weights in the cache no command may open a connection.
    command.env("DESKHAND__MODEL__OFFLINE", "true");
    Program(command)
}

impl Program {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs behind shell commands that prepare its process.
    pub(crate) fn behind(self, commands: &str) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")]).stdin(Stdio::null());
        shell.arg(self.0.get_program()).args(self.0.get_args());
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Self(shell)
    }

    /// Starts with standard error in a file.
    pub(crate) fn logging(mut self, log: std::fs::File) -> Child {
        self.0.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn output(mut self) -> Output {
        self.0.output().unwrap()
    }

    /// Runs with this on standard input.
    pub(crate) fn with_input(mut self, input: &str) -> Output {
        self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.0.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs, expects success, and returns standard output.
    pub(crate) fn success(self) -> String {
        let output = self.output();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs, expects failure, and returns standard error.
    pub(crate) fn failure(self) -> String {
        let output = self.output();
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn spawn(mut self) -> Child {
        self.0.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// A demo on a port of its own, killed when dropped.
pub(crate) struct RunningDemo {
    child: Child,
    log: NamedTempFile,
    /// Known once it is ready.
    pub(crate) address: String,
}

impl RunningDemo {
    /// Starts a demo on this data folder and waits until it says that it is ready.
    pub(crate) async fn start(data: &Path) -> Self {
        let log = NamedTempFile::new().unwrap();
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        let mut program = deskhand(&arguments);
        let child = program.0.stdout(Stdio::null()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let mut demo = Self { child, log, address: String::new() };
        let start = Instant::now();
        while demo.address.is_empty() {
            let said = std::fs::read_to_string(demo.log.path()).unwrap();
            let ended = demo.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "not ready: {ended:?} {said}");
            let address = said.lines().find(|l| l.trim().starts_with("http://"));
            if said.contains("Stop it with Ctrl-C") {
                demo.address = address.unwrap().trim().trim_end_matches('/').to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        demo
    }

    /// What `/readyz` says.
    pub(crate) async fn status(&self) -> Value {
        let answer = reqwest::get(format!("{}/readyz", self.address)).await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// Posts a ticket; an error means that no whole answer came.
    pub(crate) async fn triage(&self, ticket: &Value) -> reqwest::Result<Value> {
        let request = reqwest::Client::new().post(format!("{}/v1/triage", self.address));
        request.json(ticket).send().await?.error_for_status()?.json().await
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit status.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for RunningDemo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
