//! Requests for authorization that a person has not answered yet.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::authorization::Request,
    store::{Scope, StoreError},
};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The client that asks.
    pub client_id: String,
    /// What it asks for.
    pub asked: Request,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

const UNREAD: StoreError = StoreError::Row("oauth_requests");

/// Stores a request.
pub async fn insert(pool: &PgPool, hash: &[u8; 32], request: &Stored) -> Result<(), StoreError> {
    let asked = serde_json::to_value(&request.asked).map_err(|_| UNREAD)?;
    sqlx::query!(
        r#"
        INSERT INTO oauth_requests (hash, client_id, asked, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
        "#,
        &hash[..],
        request.client_id,
        asked,
        request.created_at.to_sqlx() as _,
        request.expires_at.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("store a request for authorization", source))?;
    Ok(())
}

/// A request that can be answered.
pub async fn find(pool: &PgPool, hash: &[u8; 32], now: Timestamp) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            client_id,
            asked,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM oauth_requests
        WHERE hash = $1 AND expires_at > $2 AND answered_at IS NULL
        "#,
        &hash[..],
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a request for authorization", source))?;
    row.map(|row| {
        Ok(Stored {
            client_id: row.client_id,
            asked: serde_json::from_value(row.asked).map_err(|_| UNREAD)?,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
        })
    })
    .transpose()
}

/// Gives whoever opened a request more time to answer it, once.
pub async fn open(pool: &PgPool, hash: &[u8; 32], until: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE oauth_requests SET expires_at = $2 WHERE hash = $1 AND expires_at < $2",
        &hash[..],
        until.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("open a request for authorization", source))?;
    Ok(())
}

/// Takes a request that can be answered; false if another answer came first.
pub async fn answer(tx: &mut impl Scope, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        "UPDATE oauth_requests SET answered_at = $2 WHERE hash = $1 AND answered_at IS NULL AND expires_at > $2",
        &hash[..],
        now.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("answer a request for authorization", source))?;
    Ok(taken.rows_affected() == 1)
}

/// Forgets what has ended.
pub async fn forget(pool: &PgPool, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM oauth_requests WHERE expires_at < $1",
        before.to_sqlx() as _
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget requests for authorization", source))?;
    Ok(())
}
