//! `deskhand articles`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;

use super::Common;
use super::terminal::{Downloads, say};
use crate::app::{self, App};
use crate::domain::{Article, WorkspaceId};
use crate::exports::read_articles;
use crate::triage::{Caller, Receipt};

/// Import, list and erase the knowledge articles that drafts quote.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  deskhand articles import kb/\n  \
    deskhand articles import reset.md dock.html export.csv\n  deskhand articles list\n  \
    deskhand articles erase KB-03\n\n\
    Markdown may begin with lines of `id:`, `title:`, `category:`, `language:` and `updated:`\n\
    between two lines of ---; a table has them as columns beside `body`. An article with a known\n\
    id takes that one's place; importing a file again changes nothing.")]
pub(super) enum ArticlesCommand {
    /// Import articles: Markdown, HTML or CSV files, or folders of them
    Import {
        /// Files and folders
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The desk that they belong to
        #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
    /// List a desk's articles; stale ones are marked
    List {
        /// The desk
        #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
    /// Erase an article, and the drafts that quote it
    Erase {
        /// Its id
        id: String,
        /// The desk
        #[arg(long, value_name = "NAME", default_value = "main", value_parser = super::workspace)]
        workspace: WorkspaceId,
    },
}

pub(super) async fn run(common: &Common, command: ArticlesCommand) -> Result<()> {
    let config = common.quiet_config()?;
    let read = match &command {
        ArticlesCommand::Import { files, .. } => read(files)?,
        _ => Vec::new(),
    };
    let store = app::store(&config).await?;
    let app = App::open(&config, store, &Downloads::default()).await?;
    let done = act(&app, command, read).await;
    app.close(Duration::from_secs(5)).await;
    done
}

async fn act(app: &App, command: ArticlesCommand, articles: Vec<Article>) -> Result<()> {
    let caller = |workspace: WorkspaceId| Caller { workspace, actor: "command line".to_owned() };
    match command {
        ArticlesCommand::Import { workspace, .. } => {
            let report = app.triage.import_articles(&caller(workspace), articles).await?;
            super::print(&format!(
                "{} imported, {} unchanged, {} empty",
                report.imported, report.unchanged, report.empty
            ))
        }
        ArticlesCommand::List { workspace } => {
            for article in app.triage.articles(&workspace).await? {
                let stale = if article.stale { "  STALE" } else { "" };
                let day: String = article.updated_at.to_string().chars().take(10).collect();
                super::print(&format!("{}  {day}  {}{stale}", article.id, article.title))?;
            }
            Ok(())
        }
        ArticlesCommand::Erase { id, workspace } => {
            let caller = caller(workspace);
            app.triage.erase_article(&caller, &id, Receipt::none()).await?;
            super::print(&format!("{id} is gone"))
        }
    }
}

/// Reads every file, and those in folders that end as articles do.
fn read(files: &[PathBuf]) -> Result<Vec<Article>> {
    let mut paths = Vec::new();
    for file in files {
        if file.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(file)
                .with_context(|| file.display().to_string())?
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<_>>()?;
            inside.retain(|p| {
                let ending = p.extension().and_then(|e| e.to_str()).unwrap_or_default();
                ["md", "markdown", "html", "htm", "csv"].contains(&ending)
            });
            inside.sort();
            paths.extend(inside);
        } else {
            paths.push(file.clone());
        }
    }
    let mut articles = Vec::new();
    for path in &paths {
        articles.extend(read_one(path)?);
    }
    Ok(articles)
}

fn read_one(path: &Path) -> Result<Vec<Article>> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| shown.clone())?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let read = read_articles(name, &bytes).with_context(|| shown.clone())?;
    for fault in &read.faults {
        say(&format!("{shown}: {fault} (left out)"));
    }
    Ok(read.articles)
}
