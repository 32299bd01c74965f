//! Accounts: keys, users, sessions.

use async_trait::async_trait;
use jiff::Timestamp;

use super::database::Turn;
use super::query::{Row, query};
use super::rows::{maybe_time, micros, time, uuid};
use super::{SqlStore, arrivals};
use crate::domain::{KeyId, Scopes, UserId, WorkspaceId};
use crate::store::{
    Access, Arrival, KeyRecord, Membership, Session, SignInAttempt, StoreError, UserRecord, WayIn,
};

#[async_trait]
impl Access for SqlStore {
    async fn has_accounts(&self) -> Result<bool, StoreError> {
        // Those that have ended count too: a desk that was closed does not open by itself.
        let row = query("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM api_keys)")
            .fetch_one(&self.readers)
            .await?;
        Ok(row.try_get::<i64>(0)? > 0)
    }

    async fn add_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        query(
            "INSERT INTO api_keys
                 (id, workspace, name, secret_hash, scopes, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&key.id.as_bytes()[..])
        .bind(key.workspace.as_str())
        .bind(self.dialect.text(&key.name))
        .bind(&key.secret_hash[..])
        .bind(key.scopes.to_string())
        .bind(key.created_at.as_microsecond())
        .bind(micros(key.expires_at))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn key(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let row = query("SELECT * FROM api_keys WHERE id = $1")
            .bind(&id.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(key).transpose()
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = query("SELECT * FROM api_keys ORDER BY created_at, id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(key).collect()
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        let done =
            query("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                .bind(&id.as_bytes()[..])
                .bind(now.as_microsecond())
                .execute(&self.writer)
                .await?;
        Ok(done == 1)
    }

    async fn touch_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError> {
        query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
            .bind(&id.as_bytes()[..])
            .bind(now.as_microsecond())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn put_user(&self, user: &UserRecord) -> Result<bool, StoreError> {
        let WayIn::Password(password_hash) = &user.way_in else { return Ok(false) };
        let mut tx = self.write().await?;
        let put = query(
            "INSERT INTO users (id, workspace, name, password_hash, scopes, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (name) DO UPDATE SET workspace = excluded.workspace,
                 password_hash = excluded.password_hash, scopes = excluded.scopes
                 WHERE users.subject IS NULL",
        )
        .bind(&user.id.as_bytes()[..])
        .bind(user.workspace.as_str())
        .bind(self.dialect.text(&user.name))
        .bind(password_hash)
        .bind(user.scopes.to_string())
        .bind(user.created_at.as_microsecond())
        .execute(&mut tx)
        .await?;
        if put == 0 {
            return Ok(false);
        }
        end_sessions(&mut tx, &self.dialect.text(&user.name)).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn put_arrival(&self, user: &UserRecord) -> Result<Arrival, StoreError> {
        arrivals::put(self, user).await
    }

    async fn add_attempt(&self, attempt: &SignInAttempt) -> Result<(), StoreError> {
        arrivals::add_attempt(self, attempt).await
    }

    async fn take_attempt(
        &self,
        state_hash: &[u8],
        browser_hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignInAttempt>, StoreError> {
        arrivals::take_attempt(self, state_hash, browser_hash, now).await
    }

    async fn user(&self, name: &str) -> Result<Option<UserRecord>, StoreError> {
        let row = query("SELECT * FROM users WHERE name = $1")
            .bind(self.dialect.text(name))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(user).transpose()
    }

    async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        let rows = query("SELECT * FROM users").fetch_all(&self.readers).await?;
        let mut users: Vec<_> = rows.iter().map(user).collect::<Result<_, StoreError>>()?;
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    async fn remove_user(&self, name: &str) -> Result<bool, StoreError> {
        let done = query("DELETE FROM users WHERE name = $1")
            .bind(self.dialect.text(name))
            .execute(&self.writer)
            .await?;
        Ok(done == 1)
    }

    async fn add_session(
        &self,
        token_hash: &[u8],
        user: &UserRecord,
        csrf: &str,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let password_hash = match &user.way_in {
            WayIn::Password(hash) => hash,
            WayIn::Provider { .. } => "",
        };
        // Whoever changes the password ends the sessions that there are by then: either this one
        // is among them or it waits and meets the new password.
        let begun = query(self.dialect.pick(
            "INSERT INTO sessions (token_hash, user_id, csrf, expires_at)
             SELECT $1, id, $3, $4 FROM users WHERE id = $2 AND password_hash = $5",
            "INSERT INTO sessions (token_hash, user_id, csrf, expires_at)
             SELECT $1, id, $3, $4 FROM users WHERE id = $2 AND password_hash = $5 FOR SHARE",
        ))
        .bind(token_hash)
        .bind(&user.id.as_bytes()[..])
        .bind(csrf)
        .bind(expires_at.as_microsecond())
        .bind(password_hash)
        .execute(&self.writer)
        .await?;
        Ok(begun == 1)
    }

    async fn session(
        &self,
        token_hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row = query(
            "SELECT u.name, coalesce(m.workspace, u.workspace) AS workspace,
                 coalesce(m.scopes, u.scopes) AS scopes, s.csrf, s.expires_at
             FROM sessions s JOIN users u ON u.id = s.user_id
             LEFT JOIN memberships m ON m.user_id = s.user_id AND m.workspace = s.workspace
             WHERE s.token_hash = $1 AND s.expires_at > $2",
        )
        .bind(token_hash)
        .bind(now.as_microsecond())
        .fetch_optional(&self.readers)
        .await?;
        let session = |row: Row| {
            Ok(Session {
                user: row.try_get("name")?,
                workspace: workspace(&row)?,
                scopes: scopes(&row)?,
                csrf: row.try_get("csrf")?,
                expires_at: time(&row, "expires_at")?,
            })
        };
        row.map(session).transpose()
    }

    async fn move_session(
        &self,
        token_hash: &[u8],
        workspace: &WorkspaceId,
    ) -> Result<(), StoreError> {
        query("UPDATE sessions SET workspace = $2 WHERE token_hash = $1")
            .bind(token_hash)
            .bind(workspace.as_str())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn add_membership(&self, name: &str, member: &Membership) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let joined = query(
            "INSERT INTO memberships (user_id, workspace, scopes)
             SELECT id, $2, $3 FROM users WHERE name = $1
             ON CONFLICT (user_id, workspace) DO UPDATE SET scopes = excluded.scopes",
        )
        .bind(self.dialect.text(name))
        .bind(member.workspace.as_str())
        .bind(member.scopes.to_string())
        .execute(&mut tx)
        .await?;
        end_sessions(&mut tx, &self.dialect.text(name)).await?;
        tx.commit().await?;
        Ok(joined == 1)
    }

    async fn remove_membership(
        &self,
        name: &str,
        workspace: &WorkspaceId,
    ) -> Result<bool, StoreError> {
        let left = query(
            "DELETE FROM memberships WHERE workspace = $2
                 AND user_id IN (SELECT id FROM users WHERE name = $1)",
        )
        .bind(self.dialect.text(name))
        .bind(workspace.as_str())
        .execute(&self.writer)
        .await?;
        Ok(left == 1)
    }

    async fn memberships(&self, name: &str) -> Result<Vec<Membership>, StoreError> {
        let rows = query(
            "SELECT m.workspace, m.scopes FROM memberships m
             JOIN users u ON u.id = m.user_id AND u.workspace <> m.workspace WHERE u.name = $1",
        )
        .bind(self.dialect.text(name))
        .fetch_all(&self.readers)
        .await?;
        let member =
            |row: &Row| Ok(Membership { workspace: workspace(row)?, scopes: scopes(row)? });
        let mut others: Vec<_> = rows.iter().map(member).collect::<Result<_, StoreError>>()?;
        others.sort_by(|a, b| a.workspace.cmp(&b.workspace));
        let own = self.user(name).await?;
        let own = own.map(|u| Membership { workspace: u.workspace, scopes: u.scopes });
        Ok(own.into_iter().chain(others).collect())
    }

    async fn remove_session(&self, token_hash: &[u8]) -> Result<(), StoreError> {
        query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// Signs a user out everywhere.
async fn end_sessions(connection: &mut Turn, name: &str) -> Result<(), StoreError> {
    query("DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE name = $1)")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

fn workspace(row: &Row) -> Result<WorkspaceId, StoreError> {
    let name: String = row.try_get("workspace")?;
    WorkspaceId::try_from(name).map_err(|e| StoreError::Row(e.to_string()))
}

fn scopes(row: &Row) -> Result<Scopes, StoreError> {
    let text: String = row.try_get("scopes")?;
    text.parse().map_err(|_| StoreError::Row(format!("scopes {text:?}")))
}

fn key(row: &Row) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        id: KeyId::new(uuid(row, "id")?),
        workspace: workspace(row)?,
        name: row.try_get("name")?,
        secret_hash: row.try_get("secret_hash")?,
        scopes: scopes(row)?,
        created_at: time(row, "created_at")?,
        expires_at: maybe_time(row, "expires_at")?,
        last_used_at: maybe_time(row, "last_used_at")?,
        revoked_at: maybe_time(row, "revoked_at")?,
    })
}

pub(super) fn user(row: &Row) -> Result<UserRecord, StoreError> {
    let subject: Option<String> = row.try_get("subject")?;
    Ok(UserRecord {
        id: UserId::new(uuid(row, "id")?),
        workspace: workspace(row)?,
        name: row.try_get("name")?,
        way_in: match subject {
            Some(subject) => WayIn::Provider { issuer: row.try_get("issuer")?, subject },
            None => WayIn::Password(row.try_get("password_hash")?),
        },
        scopes: scopes(row)?,
        created_at: time(row, "created_at")?,
    })
}
