//! Knowledge articles: taking them in, listing them, erasing them.

use futures_util::future::try_join_all;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Caller, Receipt, Triage, TriageError, drafting};
use crate::domain::ids::hex;
use crate::domain::{Article, ArticleHead, WorkspaceId};
use crate::drafts::{Part, passages};
use crate::inference::Lane;
use crate::store::{AuditEntry, PassageRow};
use crate::text;

/// What an import of articles did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArticleReport {
    /// Written, new or changed.
    pub imported: usize,
    /// There already, word for word.
    pub unchanged: usize,
    /// Without any words.
    pub empty: usize,
}

impl Triage {
    /// Takes articles in: each is quoted from the next draft on. One with a known id takes that
    /// one's place; the same one again changes nothing.
    ///
    /// # Errors
    /// The encoder or the store failed; articles before that are in.
    pub async fn import_articles(
        &self,
        caller: &Caller,
        articles: Vec<Article>,
    ) -> Result<ArticleReport, TriageError> {
        let workspace = &caller.workspace;
        let mut report = ArticleReport::default();
        for article in articles {
            // `Debug` prints every field, so none can be forgotten.
            let hash = hex(&Sha256::digest(format!("{article:?}")));
            let known = self.parts.store.article_hash(workspace, &self.fingerprint, &article.id);
            if known.await?.as_ref() == Some(&hash) {
                report.unchanged += 1;
                continue;
            }
            let (article, rows) = self.read_article(workspace, article).await?;
            if rows.is_empty() {
                report.empty += 1;
                continue;
            }
            let now = self.parts.clock.now();
            let mut tx = self.parts.store.begin(workspace).await?;
            tx.put_article(&self.fingerprint, &article, &hash, now, &rows).await?;
            tx.audit(&AuditEntry {
                at: now,
                actor: caller.actor.clone(),
                action: "article.import",
                subject: article.id.clone(),
                detail: json!({ "passages": rows.len() }),
            })
            .await?;
            tx.commit().await?;
            report.imported += 1;
        }
        Ok(report)
    }

    /// Redacts an article, tells its language, cuts it into parts and embeds them.
    async fn read_article(
        &self,
        workspace: &WorkspaceId,
        article: Article,
    ) -> Result<(Article, Vec<PassageRow>), TriageError> {
        let title = self.redact(workspace, &article.title).await?;
        let body = self.redact(workspace, &article.text).await?;
        let parts = passages(&body);
        let detected = text::detect(&body);
        let language = article.language.unwrap_or_else(|| detected.to_owned());
        let embed = |part: &Part| {
            let read = format!("{title}\n{}\n{}", part.heading, part.text);
            self.parts.inference.embed(read, Lane::Bulk)
        };
        let vectors = try_join_all(parts.iter().map(embed)).await?;
        let rows = parts.into_iter().zip(vectors);
        let rows = rows.map(|(part, e)| PassageRow { text: part.text, vector: e.vector }).collect();
        Ok((Article { title, text: body, language: Some(language), ..article }, rows))
    }

    /// The desk's articles by id.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn articles(&self, workspace: &WorkspaceId) -> Result<Vec<ArticleHead>, TriageError> {
        let settings = self.parts.store.settings(workspace).await?.drafts;
        let fresh_after = drafting::fresh_after(self.parts.clock.now(), &settings);
        Ok(self.parts.store.articles(workspace, fresh_after).await?)
    }

    /// Erases an article, with the drafts and stored answers that quote it.
    ///
    /// # Errors
    /// There is no such article, or the store failed.
    pub async fn erase_article(
        &self,
        caller: &Caller,
        id: &str,
        receipt: Receipt<'_, ()>,
    ) -> Result<(), TriageError> {
        let mut tx = self.parts.store.begin(&caller.workspace).await?;
        if !tx.erase_article(id).await? {
            return Err(TriageError::NotFound("article"));
        }
        tx.audit(&AuditEntry {
            at: self.parts.clock.now(),
            actor: caller.actor.clone(),
            action: "article.erase",
            subject: id.to_owned(),
            detail: json!({}),
        })
        .await?;
        receipt.settle(&mut *tx, &()).await?;
        tx.commit().await?;
        self.forget();
        self.scrub().await;
        Ok(())
    }
}
