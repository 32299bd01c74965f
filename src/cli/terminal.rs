//! Progress on a terminal. Where there is none, a few plain lines take the bars' place.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::Progress;
use crate::triage::ImportProgress;

const BYTES: &str = "{msg:32!} {wide_bar:.cyan/dim} {bytes:>10}/{total_bytes} {eta:>4}";
const ROWS: &str = "{msg:32!} {wide_bar:.cyan/dim} {pos:>7}/{len} {eta:>4}";

const STEPS: &str = "{msg:32!} {wide_bar:.cyan/dim} {percent:>3} % {eta:>4}";

fn bar(template: &str, total: u64, message: String) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    // A template that did not parse would cost looks, nothing else.
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_message(message)
}

#[expect(clippy::print_stderr, reason = "messages for the person at the terminal")]
pub(super) fn say(message: &str) {
    eprintln!("{message}");
}

/// Shows model downloads.
#[derive(Default)]
pub(super) struct Downloads(Mutex<Option<ProgressBar>>);

impl Downloads {
    fn current(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Downloads {
    fn start(&self, file: &str, bytes: u64, source: &str) {
        say(&format!("Fetching {file} ({:.1} MB) from {source}", bytes as f64 / 1e6));
        if std::io::stderr().is_terminal() {
            let bar = bar(BYTES, bytes, file.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            *self.current() = Some(bar);
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.current() {
            bar.inc(bytes);
        }
    }

    fn finish(&self, file: &str) {
        if let Some(bar) = self.current().take() {
            bar.finish_and_clear();
        }
        say(&format!("{file} is here and verified"));
    }

    fn shows_helpers(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    fn note(&self, message: &str) {
        if let Some(bar) = self.current().take() {
            bar.finish_and_clear();
        }
        say(message);
    }
}

/// Shows work of many small steps.
pub(super) struct Steps(Option<ProgressBar>);

impl Steps {
    pub(super) fn new(total: usize, message: &str) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self(shown.then(|| bar(STEPS, total as u64, message.to_owned())))
    }

    pub(super) fn at(&self, done: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(done as u64);
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows an import.
pub(super) struct Rows {
    bar: Option<ProgressBar>,
    done: AtomicUsize,
    total: usize,
}

impl Rows {
    pub(super) fn new(total: usize, message: &str) -> Self {
        let shown = std::io::stderr().is_terminal();
        let bar = shown.then(|| bar(ROWS, total as u64, message.to_owned()));
        Self { bar, done: AtomicUsize::new(0), total }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// How many rows are dealt with.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }
}

impl ImportProgress for Rows {
    fn advance(&self, rows: usize) {
        let before = self.done.fetch_add(rows, Ordering::Relaxed);
        let done = before + rows;
        match &self.bar {
            Some(bar) => bar.inc(rows as u64),
            // Without a terminal, a line for every tenth part.
            None if before * 10 / self.total != done * 10 / self.total => {
                say(&format!("imported {done} of {}", self.total));
            }
            None => {}
        }
    }
}
