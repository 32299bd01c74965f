//! The test server as a process. Also used by its own tests, in `tests/qdrant/tests`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A vector server with a storage folder of its own; killed when dropped.
pub(crate) struct TestQdrant {
    binary: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    address: String,
    child: Option<Child>,
}

impl TestQdrant {
    /// Starts a server, with these arguments besides those that it needs.
    pub(crate) fn start(binary: &Path, arguments: &[&str]) -> Self {
        let mut server = Self {
            binary: binary.to_owned(),
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            folder: tempfile::tempdir().unwrap(),
            address: "127.0.0.1:0".to_owned(),
            child: None,
        };
        server.up();
        server
    }

    /// Where it listens, also after it was down.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it again on the same port, with what it has stored.
    pub(crate) fn up(&mut self) {
        let mut child = Command::new(&self.binary)
            .args(["--listen", &self.address, "--storage"])
            .arg(self.folder.path().join("storage"))
            .arg("--refuse-file")
            .arg(self.folder.path().join("refuse"))
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.child = Some(child);
        line.trim().clone_into(&mut self.address);
        assert!(self.address.starts_with("127.0.0.1:"), "{line:?}");
    }

    /// Ends it with SIGTERM, which it must obey.
    pub(crate) fn down(&mut self) {
        let mut child = self.child.take().unwrap();
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Makes every call fail as told, or none; `--help` knows the orders.
    pub(crate) fn refuse(&self, order: Option<&str>) {
        let path = self.folder.path().join("refuse");
        let Some(order) = order else { return std::fs::remove_file(path).unwrap() };
        let draft = path.with_extension("draft");
        std::fs::write(&draft, order).unwrap();
        std::fs::rename(draft, path).unwrap();
    }

    /// Loses everything that it has stored; it must be down.
    pub(crate) fn wipe(&self) {
        assert!(self.child.is_none());
        std::fs::remove_dir_all(self.folder.path().join("storage")).unwrap();
    }
}

impl Drop for TestQdrant {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
