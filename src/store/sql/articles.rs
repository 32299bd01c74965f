//! Knowledge articles, and what became of drafted sentences.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::erasure;
use super::query::{Row, query};
use super::rows::{self, time};
use super::transaction::SqlTransaction;
use super::{SqlStore, places, rounded_up};
use crate::domain::{
    Article, ArticleHead, DecisionId, Passage, SourceKind, SourceRef, SuggestionId, WorkspaceId,
};
use crate::drafts::Votes;
use crate::store::{PassageRow, StoreError};

/// Sentences that are asked for in one statement.
const ASKED: usize = 128;

fn head(row: &Row, fresh_after: Timestamp) -> Result<ArticleHead, StoreError> {
    let updated_at = time(row, "updated_at")?;
    Ok(ArticleHead {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        category: row.try_get("category")?,
        language: row.try_get("language")?,
        updated_at,
        stale: updated_at < fresh_after,
    })
}

impl SqlStore {
    pub(super) async fn read_articles(
        &self,
        workspace: &WorkspaceId,
        fresh_after: Timestamp,
    ) -> Result<Vec<ArticleHead>, StoreError> {
        let found = query(
            "SELECT id, title, category, language, updated_at FROM articles
             WHERE workspace = $1 AND gone = 0 ORDER BY id",
        )
        .bind(workspace.to_string())
        .aside()
        .fetch_all(&self.readers)
        .await?;
        found.iter().map(|row| head(row, fresh_after)).collect()
    }

    pub(super) async fn read_article_hash(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        // One whose parts another encoder has read counts as changed.
        let row = query(
            "SELECT a.hash FROM articles a WHERE a.workspace = $1 AND a.id = $2 AND a.gone = 0
                 AND EXISTS (SELECT 1 FROM passages p WHERE p.workspace = a.workspace
                     AND p.article_id = a.id AND p.encoder = $3)",
        )
        .bind(workspace.to_string())
        .bind(self.dialect.text(id))
        .bind(encoder.to_owned())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn read_passages(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
    ) -> Result<Vec<Passage>, StoreError> {
        let found = query(
            "SELECT a.id, a.title, a.category, a.language, a.updated_at, p.text, p.vector
             FROM passages p JOIN articles a ON a.workspace = p.workspace AND a.id = p.article_id
             WHERE p.workspace = $1 AND p.encoder = $2 AND a.gone = 0 ORDER BY a.id, p.n",
        )
        .bind(workspace.to_string())
        .bind(encoder.to_owned())
        .aside()
        .fetch_all(&self.readers)
        .await?;
        let passage = |row: &Row| {
            Ok(Passage {
                article: head(row, Timestamp::MIN)?,
                text: row.try_get("text")?,
                vector: rows::floats(row.try_get("vector")?),
            })
        };
        found.iter().map(passage).collect()
    }

    pub(super) async fn read_sentence_votes(
        &self,
        workspace: &WorkspaceId,
        sentences: &[u64],
    ) -> Result<HashMap<u64, Votes>, StoreError> {
        let mut votes = HashMap::new();
        for some in sentences.chunks(ASKED) {
            let some = rounded_up(some);
            let sql = format!(
                "SELECT v.sentence AS sentence, CAST(sum(v.kept) AS BIGINT) AS kept, count(*) AS n
                 FROM sentence_votes v JOIN decisions d ON d.id = v.decision_id
                 WHERE v.workspace = $1 AND d.undone_at IS NULL AND v.sentence IN ({})
                 GROUP BY v.sentence",
                places(2, some.len())
            );
            let mut query = query(sql).bind(workspace.to_string());
            for sentence in some {
                query = query.bind(sentence.cast_signed());
            }
            let found = query.fetch_all(&self.readers).await?;
            for row in &found {
                let sentence: i64 = row.try_get("sentence")?;
                let n: i64 = row.try_get("n")?;
                let kept: i64 = row.try_get("kept")?;
                let count = |n: i64| u32::try_from(n).unwrap_or_default();
                let vote = Votes { kept: count(kept), deleted: count(n - kept) };
                votes.insert(sentence.cast_unsigned(), vote);
            }
        }
        Ok(votes)
    }
}

impl SqlTransaction {
    pub(super) async fn write_article(
        &mut self,
        encoder: &str,
        article: &Article,
        hash: &str,
        now: Timestamp,
        passages: &[PassageRow],
    ) -> Result<(), StoreError> {
        let (workspace, dialect) = (self.workspace.to_string(), self.dialect);
        let id = dialect.text(&article.id);
        self.forget_article(&id).await?;
        query(
            "INSERT INTO articles (workspace, id, title, category, language, updated_at, hash, gone)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        )
        .bind(&workspace)
        .bind(&id)
        .bind(dialect.text(&article.title))
        .bind(dialect.maybe_text(article.category.as_deref()))
        .bind(article.language.clone().unwrap_or_default())
        .bind(article.updated_at.unwrap_or(now).as_microsecond())
        .bind(hash)
        .execute(self.connection())
        .await?;
        for (n, passage) in (0i64..).zip(passages) {
            query(
                "INSERT INTO passages (workspace, encoder, article_id, n, text, vector)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(&workspace)
            .bind(encoder)
            .bind(&id)
            .bind(n)
            .bind(dialect.text(&passage.text))
            .bind(rows::bytes(&passage.vector))
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Whether all of these are there, and none erased.
    pub(super) async fn has_articles(
        &mut self,
        ids: &BTreeSet<String>,
    ) -> Result<bool, StoreError> {
        let wanted: Vec<&String> = ids.iter().collect();
        let sql = format!(
            "SELECT count(*) FROM articles WHERE workspace = $1 AND gone = 0 AND id IN ({})",
            places(2, wanted.len().next_power_of_two())
        );
        let mut query = query(sql).bind(self.workspace.to_string());
        for id in rounded_up(&wanted) {
            query = query.bind(self.dialect.text(id));
        }
        let row = query.fetch_one(self.connection()).await?;
        Ok(usize::try_from(row.try_get::<i64>(0)?).is_ok_and(|there| there == wanted.len()))
    }

    /// Deletes an article's rows. Returns whether it was there.
    async fn forget_article(&mut self, id: &str) -> Result<bool, StoreError> {
        let workspace = self.workspace.to_string();
        query("DELETE FROM passages WHERE workspace = $1 AND article_id = $2")
            .bind(&workspace)
            .bind(id)
            .execute(self.connection())
            .await?;
        let there = query("SELECT gone FROM articles WHERE workspace = $1 AND id = $2")
            .bind(&workspace)
            .bind(id)
            .fetch_optional(self.connection())
            .await?;
        query("DELETE FROM articles WHERE workspace = $1 AND id = $2")
            .bind(&workspace)
            .bind(id)
            .execute(self.connection())
            .await?;
        let there = there.map(|row| row.try_get::<i64>(0)).transpose()?;
        Ok(there == Some(0))
    }

    /// Erases an article, and what quotes it.
    pub(super) async fn remove_article(&mut self, id: &str) -> Result<bool, StoreError> {
        let workspace = self.workspace.clone();
        let id = self.dialect.text(id);
        if !self.forget_article(&id).await? {
            return Ok(false);
        }
        // A row under a new number, so that every view hears of it.
        query(
            "INSERT INTO articles (workspace, id, title, category, language, updated_at, hash, gone)
             VALUES ($1, $2, '', NULL, '', 0, '', 1)",
        )
        .bind(workspace.to_string())
        .bind(&id)
        .execute(self.connection())
        .await?;
        let quoting = query(
            "SELECT suggestion_id FROM article_mentions WHERE workspace = $1 AND article_id = $2",
        )
        .bind(workspace.to_string())
        .bind(&id)
        .fetch_all(self.connection())
        .await?;
        for row in &quoting {
            let suggestion = SuggestionId::new(rows::uuid(row, "suggestion_id")?);
            erasure::erase_draft(self.connection(), &workspace, suggestion).await?;
        }
        query("DELETE FROM article_mentions WHERE workspace = $1 AND article_id = $2")
            .bind(workspace.to_string())
            .bind(&id)
            .execute(self.connection())
            .await?;
        // A stored answer names an article as a source, and so written.
        let named = rows::to_json(&SourceRef { kind: SourceKind::Article, id })?;
        let dialect = self.dialect;
        erasure::erase_answers_with(self.connection(), &workspace, dialect, &named).await?;
        Ok(true)
    }

    pub(super) async fn write_sentence_votes(
        &mut self,
        decision: DecisionId,
        votes: &[(u64, bool)],
    ) -> Result<(), StoreError> {
        let workspace = self.workspace.to_string();
        for (sentence, kept) in votes {
            query(
                "INSERT INTO sentence_votes (decision_id, workspace, sentence, kept)
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(&decision.as_bytes()[..])
            .bind(&workspace)
            .bind(sentence.cast_signed())
            .bind(i64::from(*kept))
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Notes which articles a suggestion's draft quotes.
    pub(super) async fn mention_articles(
        &mut self,
        suggestion: SuggestionId,
        ids: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        for id in ids {
            query(
                "INSERT INTO article_mentions (workspace, article_id, suggestion_id)
                 VALUES ($1, $2, $3)",
            )
            .bind(self.workspace.to_string())
            .bind(self.dialect.text(id))
            .bind(&suggestion.as_bytes()[..])
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }
}
