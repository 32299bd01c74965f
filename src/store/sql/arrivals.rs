//! People who come from a provider of identities.

use jiff::Timestamp;

use super::SqlStore;
use super::access::user;
use super::database::Turn;
use super::query::{Row, query};
use super::rows::time;
use crate::store::{Arrival, SignInAttempt, StoreError, UserRecord, WayIn};

pub(super) async fn put(store: &SqlStore, arriving: &UserRecord) -> Result<Arrival, StoreError> {
    let WayIn::Provider { issuer, subject } = &arriving.way_in else {
        return Err(StoreError::Row("an arrival has an issuer and a subject".to_owned()));
    };
    let (issuer, subject) = (store.dialect.text(issuer), store.dialect.text(subject));
    let mut tx = store.write().await?;
    let known = query("SELECT * FROM users WHERE issuer = $1 AND subject = $2")
        .bind(&issuer)
        .bind(&subject)
        .fetch_optional(&mut tx)
        .await?;
    let before = known.as_ref().map(user).transpose()?;
    let wanted = store.dialect.text(&arriving.name);
    let name = match &before {
        Some(before) if is_numbered(&before.name, &wanted) => before.name.clone(),
        _ => free_name(&mut tx, &wanted).await?,
    };
    let row = query(
        "INSERT INTO users
             (id, workspace, name, password_hash, scopes, created_at, issuer, subject)
         VALUES ($1, $2, $3, '', $4, $5, $6, $7)
         ON CONFLICT (issuer, subject) DO UPDATE SET workspace = excluded.workspace,
             name = excluded.name, scopes = excluded.scopes
         RETURNING *",
    )
    .bind(&arriving.id.as_bytes()[..])
    .bind(arriving.workspace.as_str())
    .bind(name)
    .bind(arriving.scopes.to_string())
    .bind(arriving.created_at.as_microsecond())
    .bind(issuer)
    .bind(subject)
    .fetch_one(&mut tx)
    .await?;
    let user = user(&row)?;
    tx.commit().await?;
    Ok(Arrival { user, before })
}

/// Whether a name is the wanted one, as it is or with a number behind it.
fn is_numbered(name: &str, wanted: &str) -> bool {
    let Some(rest) = name.strip_prefix(wanted) else { return false };
    let number = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    rest.is_empty() || number.is_some_and(|n| n.parse::<u32>().is_ok())
}

/// The wanted name if nobody has it, or else with the first number that makes it another.
async fn free_name(connection: &mut Turn, wanted: &str) -> Result<String, StoreError> {
    let mut name = wanted.to_owned();
    for n in 2_u32.. {
        let taken = query("SELECT 1 FROM users WHERE name = $1").bind(&name);
        if taken.fetch_optional(&mut *connection).await?.is_none() {
            break;
        }
        name = format!("{wanted} ({n})");
    }
    Ok(name)
}

pub(super) async fn add_attempt(
    store: &SqlStore,
    attempt: &SignInAttempt,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO sign_in_attempts
             (state_hash, browser_hash, nonce, verifier, next, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&attempt.state_hash[..])
    .bind(&attempt.browser_hash[..])
    .bind(&attempt.nonce)
    .bind(&attempt.verifier)
    .bind(store.dialect.text(&attempt.next))
    .bind(attempt.expires_at.as_microsecond())
    .execute(&store.writer)
    .await?;
    Ok(())
}

pub(super) async fn take_attempt(
    store: &SqlStore,
    state_hash: &[u8],
    browser_hash: &[u8],
    now: Timestamp,
) -> Result<Option<SignInAttempt>, StoreError> {
    let row = query(
        "DELETE FROM sign_in_attempts
         WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > $3
         RETURNING *",
    )
    .bind(state_hash)
    .bind(browser_hash)
    .bind(now.as_microsecond())
    .fetch_optional(&store.writer)
    .await?;
    let attempt = |row: Row| {
        Ok(SignInAttempt {
            state_hash: row.try_get("state_hash")?,
            browser_hash: row.try_get("browser_hash")?,
            nonce: row.try_get("nonce")?,
            verifier: row.try_get("verifier")?,
            next: row.try_get("next")?,
            expires_at: time(&row, "expires_at")?,
        })
    };
    row.map(attempt).transpose()
}
