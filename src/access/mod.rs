//! Who may come in: API keys, users with passwords or from a provider, and their sessions.
//!
//! A key is `dh_`, its public id, and 32 random bytes; the store has a hash of the latter, so a
//! key is shown once. Passwords are hashed with argon2id. While nobody has a key or a password, an
//! installation that only this computer can reach is open.

mod arrivals;

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::domain::{Clock, Entropy, IdSource, KeyId, Scope, Scopes, UserId, WorkspaceId};
use crate::identity::IdentityError;
use crate::store::{KeyRecord, Membership, Session, Store, StoreError, UserRecord, WayIn};

pub use arrivals::{ATTEMPT_LASTS, Beginning, Outcome, Provided, Return};

/// How long a session lasts.
pub const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(12);
/// A password's shortest length in characters.
pub const MIN_PASSWORD: usize = 10;
/// A password's longest length in bytes: hashing more would only cost.
const MAX_PASSWORD: usize = 1024;
const KEY_PREFIX: &str = "dh_";
/// Sign-ins that are checked at once: each takes 19 MB and some twenty milliseconds.
const SIGN_INS: usize = 2;
/// How often a key's last use is written down.
const TOUCH_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Why an account could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A password that is too short or too long.
    #[error("a password has at least {MIN_PASSWORD} characters and at most {MAX_PASSWORD} bytes")]
    Password,
    /// A password for somebody who signs in through a provider.
    #[error("they sign in through the provider, which gives them their name and role")]
    NoPassword,
    /// The provider cannot be reached, or what it says does not hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The machine gave no randomness, or hashing failed.
    #[error("secrets could not be made: {0}")]
    Secret(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whose desk they work at.
    pub workspace: WorkspaceId,
    /// A key's or a user's name, or `anyone` where nobody needs one.
    pub name: String,
    /// What they may do.
    pub scopes: Scopes,
    /// What tells them apart for rate limits.
    pub id: String,
}

/// The installation's accounts.
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    entropy: Arc<dyn Entropy>,
    turns: Semaphore,
    provided: Option<Provided>,
    passwords: bool,
}

/// A session that has just begun.
#[derive(Debug)]
pub struct SignedIn {
    /// What the browser keeps, out of reach of scripts.
    pub token: String,
    /// Whose session it is.
    pub session: Session,
}

impl Accounts {
    /// The accounts in a store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let turns = Semaphore::new(SIGN_INS);
        Self { store, clock, ids, entropy, turns, provided: None, passwords: true }
    }

    /// The same where people come from a provider as well; `passwords` says whether others than
    /// admins may still sign in with one.
    #[must_use]
    pub fn provided(self, provided: Provided, passwords: bool) -> Self {
        Self { provided: Some(provided), passwords, ..self }
    }

    /// Whether anybody may sign in with a password, not admins only.
    pub fn passwords(&self) -> bool {
        self.passwords
    }

    /// Whether anybody has, or had, a key or a password, or comes from a provider: then everybody
    /// needs one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn required(&self) -> Result<bool, AccessError> {
        Ok(self.provided.is_some() || self.store.has_accounts().await?)
    }

    /// Makes a key. Returns its record and its text, which is shown once and kept nowhere.
    ///
    /// # Errors
    /// The store failed, or the machine has no randomness.
    pub async fn create_key(
        &self,
        workspace: WorkspaceId,
        name: String,
        scopes: Vec<Scope>,
        lasts: Option<SignedDuration>,
    ) -> Result<(KeyRecord, String), AccessError> {
        let secret = self.random_text()?;
        let id = self.ids.next();
        let now = self.clock.now();
        let record = KeyRecord {
            id: KeyId::new(id),
            workspace,
            name,
            secret_hash: hash(&secret),
            scopes: Scopes::new(scopes),
            created_at: now,
            expires_at: lasts.map(|lasts| now.saturating_add(lasts).unwrap_or(Timestamp::MAX)),
            last_used_at: None,
            revoked_at: None,
        };
        self.store.add_key(&record).await?;
        Ok((record, format!("{KEY_PREFIX}{}_{secret}", id.simple())))
    }

    /// Whom a key lets in; nobody if it is unknown, wrong, expired or revoked.
    ///
    /// # Errors
    /// The store failed.
    pub async fn with_key(&self, text: &str) -> Result<Option<Principal>, AccessError> {
        let parts = text.strip_prefix(KEY_PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else { return Ok(None) };
        let Ok(id) = Uuid::try_parse(id) else { return Ok(None) };
        let Some(key) = self.store.key(KeyId::new(id)).await? else { return Ok(None) };
        let right: bool = hash(secret).ct_eq(&key.secret_hash).into();
        let now = self.clock.now();
        let alive = key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now);
        if !right || !alive {
            return Ok(None);
        }
        let fresh = |used: Timestamp| used <= now && now.duration_since(used) < TOUCH_AFTER;
        if !key.last_used_at.is_some_and(fresh) {
            // Not worth failing a request for.
            if let Err(error) = self.store.touch_key(key.id, now).await {
                tracing::warn!(%error, "a key's last use could not be noted");
            }
        }
        let KeyRecord { id, workspace, name, scopes, .. } = key;
        Ok(Some(Principal { workspace, name, scopes, id: id.to_string() }))
    }

    /// Adds a user, or changes one's password and scopes.
    ///
    /// # Errors
    /// The password is too short or too long, the user signs in through a provider, the store
    /// failed, or hashing did.
    pub async fn put_user(
        &self,
        workspace: WorkspaceId,
        name: String,
        password: &str,
        scopes: Vec<Scope>,
    ) -> Result<(), AccessError> {
        if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
            return Err(AccessError::Password);
        }
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt).map_err(|e| AccessError::Secret(e.to_string()))?;
        let password_hash = Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|e| AccessError::Secret(e.to_string()))?
            .to_string();
        let user = UserRecord {
            id: UserId::new(self.ids.next()),
            workspace,
            name,
            way_in: WayIn::Password(password_hash),
            scopes: Scopes::new(scopes),
            created_at: self.clock.now(),
        };
        if self.store.put_user(&user).await? { Ok(()) } else { Err(AccessError::NoPassword) }
    }

    /// Begins a session if name and password fit. An unknown name takes as long as a wrong
    /// password, and so does somebody who has none or may not use it.
    ///
    /// # Errors
    /// The store failed, or hashing did.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
    ) -> Result<Option<SignedIn>, AccessError> {
        const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let failed = |e: String| AccessError::Secret(e);
        if password.len() > MAX_PASSWORD {
            return Ok(None);
        }
        let user = self.store.user(name).await?;
        let user = user.filter(|user| self.passwords || user.scopes.allow(Scope::Admin));
        let known = match user.as_ref().map(|user| &user.way_in) {
            Some(WayIn::Password(hash)) => hash.clone(),
            Some(WayIn::Provider { .. }) | None => NOBODY.to_owned(),
        };
        let given = password.to_owned();
        let _turn = self.turns.acquire().await.map_err(|e| failed(e.to_string()))?;
        let check = tokio::task::spawn_blocking(move || {
            Argon2::default().verify_password(given.as_bytes(), known.as_str()).is_ok()
        });
        let fits = check.await.map_err(|e| failed(e.to_string()))?;
        match user.filter(|_| fits) {
            Some(user) => self.begin_session(user).await,
            None => Ok(None),
        }
    }

    /// A new session, whatever the browser had before; none if the user is gone by now, or their
    /// password another.
    async fn begin_session(&self, user: UserRecord) -> Result<Option<SignedIn>, AccessError> {
        let (token, csrf) = (self.random_text()?, self.random_text()?);
        let now = self.clock.now();
        let expires_at = now.saturating_add(SESSION_LASTS).unwrap_or(Timestamp::MAX);
        if !self.store.add_session(&hash(&token), &user, &csrf, expires_at).await? {
            return Ok(None);
        }
        let UserRecord { name, workspace, scopes, .. } = user;
        let session = Session { user: name, workspace, scopes, csrf, expires_at };
        Ok(Some(SignedIn { token, session }))
    }

    /// The session that a browser's token belongs to.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, AccessError> {
        Ok(self.store.session(&hash(token), self.clock.now()).await?)
    }

    /// Every desk that a user may work at, their own first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn desks(&self, user: &str) -> Result<Vec<Membership>, AccessError> {
        Ok(self.store.memberships(user).await?)
    }

    /// Whether a user comes from a provider.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_provided(&self, user: &str) -> Result<bool, AccessError> {
        let user = self.store.user(user).await?;
        Ok(user.is_some_and(|user| matches!(user.way_in, WayIn::Provider { .. })))
    }

    /// Moves a session to another desk. Returns whether its user may work there.
    ///
    /// # Errors
    /// The store failed.
    pub async fn switch(&self, token: &str, workspace: &WorkspaceId) -> Result<bool, AccessError> {
        let Some(session) = self.session(token).await? else { return Ok(false) };
        let desks = self.desks(&session.user).await?;
        if !desks.iter().any(|desk| desk.workspace == *workspace) {
            return Ok(false);
        }
        self.store.move_session(&hash(token), workspace).await?;
        Ok(true)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, token: &str) -> Result<(), AccessError> {
        Ok(self.store.remove_session(&hash(token)).await?)
    }

    fn random_text(&self) -> Result<String, AccessError> {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes).map_err(|e| AccessError::Secret(e.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl Principal {
    /// Whoever reaches an installation where nobody has a key or a password.
    pub fn anyone() -> Self {
        Self {
            workspace: WorkspaceId::main(),
            name: "anyone".to_owned(),
            scopes: Scopes::new(vec![Scope::Admin]),
            id: "anyone".to_owned(),
        }
    }
}

impl From<Session> for Principal {
    fn from(session: Session) -> Self {
        let Session { user, workspace, scopes, .. } = session;
        Self { workspace, id: format!("user:{user}"), name: user, scopes }
    }
}

/// Secrets are 256 random bits, so one round of a plain hash is enough.
fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// Whether two secrets are the same, in a time that tells nothing about where they differ.
pub fn same_secret(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
