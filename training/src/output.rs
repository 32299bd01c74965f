//! Standard output for results, standard error for everything else.

use std::io::Write;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Prints a line of a result. A reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// A bar on standard error with steps a second and the time left; nothing where that is no
/// terminal.
pub(crate) fn bar(total: usize, message: String) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg:28!} {wide_bar} {pos:>6}/{len} {per_sec:>9} {eta:>5}");
    let bar = ProgressBar::new(total as u64).with_message(message);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
