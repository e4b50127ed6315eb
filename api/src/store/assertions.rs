//! Assertions by which clients proved themselves.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::StoreError;

/// Spends one; false if it was spent before.
pub async fn spend(pool: &PgPool, digest: &[u8; 32], forget_at: Timestamp) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        "INSERT INTO oauth_assertions (digest, forget_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
        &digest[..],
        forget_at.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("spend an assertion", source))?;
    Ok(spent.rows_affected() == 1)
}

/// Forgets what has ended: it is refused for its age.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM oauth_assertions WHERE forget_at < $1", now.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget assertions", source))?;
    Ok(())
}
