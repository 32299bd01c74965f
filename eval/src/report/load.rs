//! Which exports a command reads, and reading them with a bar.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use deskhand::backtest::report::Loaded;
use deskhand::exports::{ColumnMap, DateOrder, HistoryOptions, Limits};
use deskhand::judge::report::InputFile;
use deskhand::text::Rules;
use deskhand::{model, sample};
use jiff::Timestamp;

/// Which exports, and how they are to be read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Exports {
    /// Exports: JSON lines, CSV, XLSX, XLS or ODS, also .gz; without any, the built-in sample
    #[arg(value_name = "EXPORT")]
    pub(crate) files: Vec<PathBuf>,
    /// Which column holds which field, where the name does not tell
    #[arg(long, value_name = "FIELD=COLUMN,…", default_value = "", hide_default_value = true)]
    pub(crate) map: ColumnMap,
    /// How dates are written where the column does not tell: dmy or mdy
    #[arg(long, value_name = "ORDER")]
    pub(crate) dates: Option<DateOrder>,
    /// The sheet of a workbook, where the first with tickets is not the one
    #[arg(long, value_name = "NAME")]
    pub(crate) sheet: Option<String>,
    /// Use so many of the latest tickets at most
    #[arg(long, value_name = "N", default_value_t = 60_000)]
    pub(crate) latest: usize,
    /// Refuse files with more text than this
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_megabytes: u64,
}

/// Reads all exports. `now` tells dates that cannot be.
pub(crate) fn read(exports: &Exports, now: Timestamp) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    if exports.files.is_empty() {
        loaded.take("the built-in sample history", sample::tickets()?, &sample::paths());
    }
    for file in &exports.files {
        read_file(&mut loaded, file, exports, now).with_context(|| file.display().to_string())?;
    }
    loaded.settle((exports.latest, "--latest"), &Rules::default())?;
    Ok(loaded)
}

fn read_file(loaded: &mut Loaded, file: &Path, exports: &Exports, now: Timestamp) -> Result<()> {
    let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let options = HistoryOptions {
        map: exports.map.clone(),
        dates: exports.dates,
        sheet: exports.sheet.clone(),
        limits: Limits { text: exports.max_megabytes << 20, workbook: exports.max_megabytes << 17 },
    };
    let open = File::open(file)?;
    let bytes = open.metadata()?.len();
    ensure!(!open.metadata()?.is_dir(), "this is a folder; name the files in it");
    let sha256 = model::sha256(file)?;
    let progress = crate::output::bytes(bytes, "Reading");
    let content = progress.wrap_read(BufReader::with_capacity(1 << 20, open));
    loaded.read(InputFile { name, bytes, sha256 }, content, &options, now)?;
    progress.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"nummer,wann\n1,heute\n").unwrap();
        let exports = |file: &Path| Exports {
            files: vec![file.to_path_buf()],
            map: ColumnMap::default(),
            dates: None,
            sheet: None,
            latest: 60_000,
            max_megabytes: 1024,
        };
        let now = "2025-06-01T00:00:00Z".parse().unwrap();
        let said = |file: &Path| format!("{:#}", read(&exports(file), now).err().unwrap());
        let name = file.path().display().to_string();
        assert!(said(file.path()).starts_with(&name), "{}", said(file.path()));
        assert!(said(Path::new("/")).contains("folder"));
    }
}
