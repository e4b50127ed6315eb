//! Refresh tokens.

use domain::GrantId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{Scope, StoreError};

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The authorization.
    pub grant: GrantId,
    /// Whose it is.
    pub client_id: String,
    /// The key that a client without a proof of its own must show.
    pub dpop_jkt: Option<String>,
    /// Its end.
    pub expires_at: Timestamp,
    /// Whether another took its place.
    pub spent: bool,
}

/// Stores a token.
pub async fn insert(
    tx: &mut impl Scope,
    hash: &[u8; 32],
    token: &RefreshToken,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO oauth_refresh_tokens (hash, grant_id, client_id, dpop_jkt, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        "#,
        &hash[..],
        token.grant.uuid(),
        token.client_id,
        token.dpop_jkt,
        now.to_sqlx() as _,
        token.expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a refresh token", source))?;
    Ok(())
}

/// A token, whatever became of it.
pub async fn find(pool: &PgPool, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            grant_id,
            client_id,
            dpop_jkt,
            expires_at AS "expires_at: jiff_sqlx::Timestamp",
            spent_at IS NOT NULL AS "spent!"
        FROM oauth_refresh_tokens
        WHERE hash = $1
        "#,
        &hash[..],
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a refresh token", source))?;
    Ok(row.map(|row| RefreshToken {
        grant: GrantId::of_uuid(row.grant_id),
        client_id: row.client_id,
        dpop_jkt: row.dpop_jkt,
        expires_at: row.expires_at.to_jiff(),
        spent: row.spent,
    }))
}

/// Another takes its place; false if one did already.
pub async fn spend(tx: &mut impl Scope, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        "UPDATE oauth_refresh_tokens SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL",
        &hash[..],
        now.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("spend a refresh token", source))?;
    Ok(spent.rows_affected() == 1)
}

/// One that is used stays good for longer; false if another took its place.
pub async fn keep(tx: &mut impl Scope, hash: &[u8; 32], until: Timestamp) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "UPDATE oauth_refresh_tokens SET expires_at = $2 WHERE hash = $1 AND spent_at IS NULL",
        &hash[..],
        until.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("keep a refresh token", source))?;
    Ok(kept.rows_affected() == 1)
}

/// Forgets what ended before.
pub async fn forget(pool: &PgPool, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM oauth_refresh_tokens WHERE expires_at < $1",
        before.to_sqlx() as _
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget refresh tokens", source))?;
    Ok(())
}
