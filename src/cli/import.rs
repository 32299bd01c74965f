//! `deskhand import`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::Common;
use super::terminal::{Downloads, Rows, say};
use crate::app::{self, App};
use crate::domain::{Taxonomy, WorkspaceId};
use crate::exports::{self, ColumnMap, Options, RowFault};

/// Faulty rows that are listed; the rest is counted.
const SHOWN_FAULTS: usize = 20;

/// Import resolved tickets from an export (JSON lines or CSV).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  deskhand import tickets.jsonl\n  \
    deskhand import jira.csv --system jira\n  \
    deskhand import export.csv --map subject=Titel,team=\"Assigned to\"\n\n\
    Fields: id, subject, body, messages, requester, created_at, resolved_at, category, team,\n\
    priority, resolution, handling_minutes, url. The columns of common systems are recognised.\n\
    A faulty row is reported and left out; a time that cannot be read is reported and skipped. Importing a file again changes nothing.")]
pub(super) struct ImportArgs {
    /// The export
    file: PathBuf,
    /// Which column holds which field, where the name does not tell
    #[arg(long, value_name = "FIELD=COLUMN,…", default_value = "", hide_default_value = true)]
    map: ColumnMap,
    /// The ticketing system that the ids belong to
    #[arg(long, value_name = "NAME", default_value = "import")]
    system: String,
    /// The desk that it belongs to
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
    workspace: WorkspaceId,
    /// Labels with descriptions for a new desk (TOML); without it they come from the tickets
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
}

pub(super) async fn run(common: &Common, args: ImportArgs) -> Result<()> {
    let config = common.quiet_config()?;
    let taxonomy = args.taxonomy.map(|path| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
        Taxonomy::from_toml(&text).context(name)
    });
    let taxonomy = taxonomy.transpose()?;
    let name = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| name.clone())?;
    let options = Options { map: args.map, system: args.system };
    let export = exports::read(&bytes, &options).with_context(|| name.clone())?;
    let columns: Vec<String> =
        export.columns.iter().map(|(field, column)| format!("{field} ← {column}")).collect();
    say(&format!("{name}: {} rows; {}", export.rows.len(), columns.join(", ")));
    if !export.unused.is_empty() {
        say(&format!("columns left alone: {}", export.unused.join(", ")));
    }
    let workspace = args.workspace;
    let store = app::store(&config).await?;
    let app = App::open(&config, store, &Downloads::default()).await?;
    if taxonomy.is_some() && app.triage.store().taxonomy(&workspace).await?.is_some() {
        app.close(Duration::from_secs(5)).await;
        anyhow::bail!("this desk has labels already; --taxonomy is for a new one");
    }
    let rows = Rows::new(export.rows.len(), "Importing");
    let imported = app.triage.import(&workspace, &export.rows, taxonomy, &rows).await;
    rows.finish();
    app.close(Duration::from_secs(5)).await;
    let report = imported?;
    let left_out = report.left_out.iter().map(|(position, why)| RowFault {
        line: export.lines.get(*position).copied().unwrap_or_default(),
        column: None,
        reason: why.to_string(),
    });
    let mut faults: Vec<RowFault> = export.faults.iter().cloned().chain(left_out).collect();
    faults.sort_by_key(|fault| fault.line);
    list(&name, "left out", &faults);
    list(&name, "taken without that field", &export.warnings);
    super::print(&format!(
        "{} imported, {} unchanged, {} left out",
        report.imported,
        report.unchanged,
        faults.len()
    ))?;
    anyhow::ensure!(
        !export.rows.is_empty() || export.faults.is_empty(),
        "no row of {name} could be read"
    );
    Ok(())
}

/// Tells of faults, the first of them one by one.
fn list(name: &str, consequence: &str, faults: &[RowFault]) {
    for fault in faults.iter().take(SHOWN_FAULTS) {
        say(&format!("{name}: {fault} ({consequence})"));
    }
    if faults.len() > SHOWN_FAULTS {
        say(&format!("… and {} more ({consequence})", faults.len() - SHOWN_FAULTS));
    }
}
