//! Logins of people.

use domain::{OverseerId, SessionId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{Scope, StoreError};

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub overseer: OverseerId,
    /// The program that logged in, as it named itself.
    pub user_agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Stores a login.
pub async fn insert(tx: &mut impl Scope, session: &Session, token_hash: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO sessions (id, overseer_id, token_hash, user_agent, created_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        "#,
        session.id.uuid(),
        session.overseer.uuid(),
        &token_hash[..],
        session.user_agent,
        session.created_at.to_sqlx() as _,
        session.seen_at.to_sqlx() as _,
        session.expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a session", source))?;
    Ok(())
}

/// The session of a cookie that is in force and whose person is not blocked.
pub async fn find(pool: &PgPool, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            s.id,
            s.overseer_id,
            s.user_agent,
            s.created_at AS "created_at: jiff_sqlx::Timestamp",
            s.seen_at AS "seen_at: jiff_sqlx::Timestamp",
            s.expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM sessions AS s
        JOIN overseers AS o ON o.id = s.overseer_id
        WHERE s.token_hash = $1 AND s.expires_at > $2 AND o.blocked_at IS NULL AND o.deleted_at IS NULL
        "#,
        &token_hash[..],
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a session", source))?;
    Ok(row.map(|row| Session {
        id: SessionId::of_uuid(row.id),
        overseer: OverseerId::of_uuid(row.overseer_id),
        user_agent: row.user_agent,
        created_at: row.created_at.to_jiff(),
        seen_at: row.seen_at.to_jiff(),
        expires_at: row.expires_at.to_jiff(),
    }))
}

/// Remembers that a session was used.
pub async fn see(pool: &PgPool, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2",
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("remember that a session was used", source))?;
    Ok(())
}

/// A person's sessions that are in force, the newest first.
pub async fn list(pool: &PgPool, overseer: OverseerId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            user_agent,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            seen_at AS "seen_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM sessions
        WHERE overseer_id = $1 AND expires_at > $2
        ORDER BY created_at DESC, id DESC
        "#,
        overseer.uuid(),
        now.to_sqlx() as _,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read a person's sessions", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Session {
            id: SessionId::of_uuid(row.id),
            overseer,
            user_agent: row.user_agent,
            created_at: row.created_at.to_jiff(),
            seen_at: row.seen_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
        })
        .collect())
}

/// Ends a session of a person; false if there is none of this id.
pub async fn delete(tx: &mut impl Scope, overseer: OverseerId, id: SessionId) -> Result<bool, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM sessions WHERE id = $1 AND overseer_id = $2",
        id.uuid(),
        overseer.uuid(),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("end a session", source))?;
    Ok(gone.rows_affected() == 1)
}

/// Ends a person's sessions, all but one if one is kept.
pub async fn delete_others(
    tx: &mut impl Scope,
    overseer: OverseerId,
    kept: Option<SessionId>,
) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM sessions WHERE overseer_id = $1 AND id IS DISTINCT FROM $2",
        overseer.uuid(),
        kept.map(|id| id.uuid()),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("end a person's sessions", source))?;
    Ok(gone.rows_affected())
}

/// Forgets what has ended.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget ended sessions", source))?;
    Ok(gone.rows_affected())
}
