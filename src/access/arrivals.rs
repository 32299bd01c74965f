//! Signing in through a provider of identities.
//!
//! Between going there and coming back, what ties the two together is in the store, under hashes
//! of the state and of a cookie: it can be taken once, by the browser that began, for ten minutes.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{AccessError, Accounts, SignedIn, hash};
use crate::domain::{Scopes, UserId, WorkspaceId};
use crate::identity::{IdentityError, Person, Provider, Returned};
use crate::store::{Arrival, AuditEntry, SignInAttempt, WayIn};

/// For how long somebody may be away at the provider.
pub const ATTEMPT_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// A provider, and what those who come from it get.
pub struct Provided {
    /// Who says who they are.
    pub provider: Provider,
    /// The desk that they work at.
    pub workspace: WorkspaceId,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Beginning {
    /// Where the browser goes.
    pub url: String,
    /// What it keeps meanwhile, out of reach of scripts.
    pub browser: String,
}

/// What a browser brings back.
#[derive(Debug, Clone, Copy)]
pub struct Return<'a> {
    /// What it kept.
    pub browser: &'a str,
    /// What it was given to bring back.
    pub state: &'a str,
    /// The provider's code, or why there is none.
    pub code: Result<&'a str, &'a str>,
    /// Who says that they sent it.
    pub issuer: Option<&'a str>,
}

/// How a sign-in at a provider ended.
#[derive(Debug)]
pub enum Outcome {
    /// A session has begun; and where to go now.
    In(SignedIn, String),
    /// It was not begun by this browser, has been used already, or took too long.
    Stale,
    /// They, or the provider, said no; and where they wanted to go.
    Cancelled(String),
    /// The provider knows them, and gives them no role here; their name.
    NoRole(String),
    /// It could not be completed; and where they wanted to go.
    Failed(IdentityError, String),
}

impl Accounts {
    /// The provider, if there is one.
    pub fn provider(&self) -> Option<&Provider> {
        self.provided.as_ref().map(|provided| &provided.provider)
    }

    /// Begins a sign-in that is to end at `next`; nothing where there is no provider.
    ///
    /// # Errors
    /// The provider cannot be reached, the store failed, or the machine has no randomness.
    pub async fn begin(&self, next: &str) -> Result<Option<Beginning>, AccessError> {
        let Some(provider) = self.provider() else { return Ok(None) };
        let begun = provider.begin().await?;
        let browser = self.random_text()?;
        let ends = self.clock.now().saturating_add(ATTEMPT_LASTS).unwrap_or(Timestamp::MAX);
        let attempt = SignInAttempt {
            state_hash: hash(&begun.state),
            browser_hash: hash(&browser),
            nonce: begun.nonce,
            verifier: begun.verifier,
            next: next.to_owned(),
            expires_at: ends,
        };
        self.store.add_attempt(&attempt).await?;
        Ok(Some(Beginning { url: begun.url, browser }))
    }

    /// Ends a sign-in, in one way or another.
    ///
    /// # Errors
    /// The store failed, or the machine has no randomness.
    pub async fn finish(&self, back: Return<'_>) -> Result<Outcome, AccessError> {
        let Some(Provided { provider, workspace }) = &self.provided else {
            return Ok(Outcome::Stale);
        };
        let (state, browser) = (hash(back.state), hash(back.browser));
        let attempt = self.store.take_attempt(&state, &browser, self.clock.now()).await?;
        let Some(SignInAttempt { nonce, verifier, next, .. }) = attempt else {
            return Ok(Outcome::Stale);
        };
        let code = match back.code {
            Ok(code) => code,
            Err("access_denied") => return Ok(Outcome::Cancelled(next)),
            Err(said) => {
                return Ok(Outcome::Failed(IdentityError::Refused(said.to_owned()), next));
            }
        };
        let returned = Returned { code, issuer: back.issuer, nonce: &nonce, verifier: &verifier };
        match provider.finish(returned).await {
            Ok(person) => self.let_in(person, workspace, next).await,
            Err(error) => Ok(Outcome::Failed(error, next)),
        }
    }

    async fn let_in(
        &self,
        person: Person,
        workspace: &WorkspaceId,
        next: String,
    ) -> Result<Outcome, AccessError> {
        let Person { issuer, subject, name, role } = person;
        // Sessions that somebody still has end when their time is up.
        let Some(role) = role else { return Ok(Outcome::NoRole(name)) };
        let now = self.clock.now();
        let user = crate::store::UserRecord {
            id: UserId::new(self.ids.next()),
            workspace: workspace.clone(),
            name,
            way_in: WayIn::Provider { issuer, subject },
            scopes: Scopes::new(vec![role]),
            created_at: now,
        };
        let Arrival { user, before } = self.store.put_arrival(&user).await?;
        if before.as_ref().is_none_or(|before| before != &user) {
            let action = if before.is_some() { "account.change" } else { "account.create" };
            let mut tx = self.store.begin(&user.workspace).await?;
            tx.audit(&AuditEntry {
                at: now,
                actor: user.name.clone(),
                action,
                subject: user.id.to_string(),
                detail: json!({
                    "scopes": user.scopes.to_string(),
                    "before": before.map(|b| json!({ "name": b.name, "scopes": b.scopes.to_string() })),
                }),
            })
            .await?;
            tx.commit().await?;
        }
        let begun = self.begin_session(user).await?;
        Ok(begun.map_or(Outcome::Stale, |signed_in| Outcome::In(signed_in, next)))
    }
}
