//! Accounts.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Arrival, KeyRecord, Membership, Session, SignInAttempt, StoreError, UserRecord};
use crate::domain::{KeyId, WorkspaceId};

/// Accounts: keys, users, sessions. Of the installation, not of a workspace.
#[async_trait]
pub trait Access: Send + Sync {
    /// Whether anybody has, or had, a key or a password: then everybody needs one.
    async fn has_accounts(&self) -> Result<bool, StoreError>;

    /// Adds a key.
    async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError>;

    /// A key by its public part, revoked and expired ones too.
    async fn key(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Ends a key's life. Returns whether there was one.
    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes that a key has been used.
    async fn touch_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError>;

    /// Adds a user with a password, or gives a known one another password and other scopes;
    /// sessions end then. Returns whether that was done: somebody who signs in through a provider
    /// never gets a password.
    async fn put_user(&self, user: &UserRecord) -> Result<bool, StoreError>;

    /// Adds the account of somebody who comes from a provider, or brings the name, the desk and
    /// the scopes of a known one up to date; sessions stay. Who somebody is, issuer and subject
    /// say. Where another account has the name already, a number is put behind it.
    async fn put_arrival(&self, user: &UserRecord) -> Result<Arrival, StoreError>;

    /// Remembers a sign-in that begins at a provider.
    async fn add_attempt(&self, attempt: &SignInAttempt) -> Result<(), StoreError>;

    /// Takes a sign-in that has come back in time, to the browser that began it; nobody can take
    /// it a second time.
    async fn take_attempt(
        &self,
        state_hash: &[u8],
        browser_hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignInAttempt>, StoreError>;

    /// A user by name.
    async fn user(&self, name: &str) -> Result<Option<UserRecord>, StoreError>;

    /// All users by name.
    async fn users(&self) -> Result<Vec<UserRecord>, StoreError>;

    /// Removes a user and ends their sessions. Returns whether there was one.
    async fn remove_user(&self, name: &str) -> Result<bool, StoreError>;

    /// Begins a session, unless the user is gone or has another password by now. Returns whether
    /// it did.
    async fn add_session(
        &self,
        token_hash: &[u8],
        user: &UserRecord,
        csrf: &str,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// A session that has not expired.
    async fn session(
        &self,
        token_hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError>;

    /// Moves a session to another desk that its user may work at.
    async fn move_session(
        &self,
        token_hash: &[u8],
        workspace: &WorkspaceId,
    ) -> Result<(), StoreError>;

    /// Lets a user work at one more desk, or changes what they may do there; their sessions end.
    /// Returns whether there is such a user.
    async fn add_membership(&self, name: &str, member: &Membership) -> Result<bool, StoreError>;

    /// Takes a user from a desk that is not their own. Returns whether they worked there.
    async fn remove_membership(
        &self,
        name: &str,
        workspace: &WorkspaceId,
    ) -> Result<bool, StoreError>;

    /// Every desk that a user may work at, their own first, the others by name.
    async fn memberships(&self, name: &str) -> Result<Vec<Membership>, StoreError>;

    /// Ends a session.
    async fn remove_session(&self, token_hash: &[u8]) -> Result<(), StoreError>;
}
