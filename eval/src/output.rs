//! Standard output for results, standard error for everything else.

use std::io::Write;

use anyhow::Result;
use deskhand::backtest::{Stage, Watch};
use deskhand::triage::ImportProgress;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints a line of a result. A reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// Says something beside the result.
pub(crate) fn note(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{text}")?)
}

/// A bar on standard error; nothing where that is no terminal.
pub(crate) fn bar(total: usize, message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:28!} {wide_bar} {pos:>7}/{len} {eta:>4}");
    let bar = ProgressBar::new(total as u64).with_message(message);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Keeps a bar at the step that is done, of so many.
pub(crate) fn follow(bar: &ProgressBar) -> impl Fn(usize, usize) + Sync {
    |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    }
}

/// An import on a bar.
pub(crate) struct ImportBar(pub(crate) ProgressBar);

impl ImportProgress for ImportBar {
    fn advance(&self, rows: usize) {
        self.0.inc(rows as u64);
    }
}

/// A bar over the bytes of a file.
pub(crate) fn bytes(total: u64, message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:28!} {wide_bar} {bytes:>10}/{total_bytes}");
    let bar = ProgressBar::new(total).with_message(message);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A study on one bar, a stage at a time.
pub(crate) struct Bars(ProgressBar);

impl Default for Bars {
    fn default() -> Self {
        Self(bar(1, "Embedding"))
    }
}

impl Bars {
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Watch for Bars {
    fn begin(&self, stage: Stage, _: Option<&str>) {
        self.0.set_message(stage.name());
        self.0.set_position(0);
        self.0.reset_eta();
    }

    fn advance(&self, done: usize, of: usize) {
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
    }
}
