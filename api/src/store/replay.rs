//! What counts once, where PostgreSQL judges it.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    auth::challenge::Epoch,
    store::{StoreError, TenantTransaction},
};

/// The store's epoch. A store that lost what it knew has none, and `fresh` becomes its new one.
pub async fn epoch(pool: &PgPool, fresh: [u8; 16]) -> Result<Epoch, StoreError> {
    if let Some(known) = find_epoch(pool).await? {
        return Ok(known);
    }
    sqlx::query!(
        "INSERT INTO replay_epoch (id) VALUES ($1) ON CONFLICT DO NOTHING",
        Uuid::from_bytes(fresh),
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("begin an epoch", source))?;
    find_epoch(pool).await?.ok_or(StoreError::Row("replay_epoch"))
}

async fn find_epoch(pool: &PgPool) -> Result<Option<Epoch>, StoreError> {
    let id = sqlx::query_scalar!("SELECT id FROM replay_epoch")
        .fetch_optional(pool)
        .await
        .map_err(|source| StoreError::new("read the epoch", source))?;
    Ok(id.map(|id| Epoch(id.into_bytes())))
}

/// Uses something up. False if it was used before, or was minted in another epoch: then nobody knows.
pub async fn spend(
    tx: &mut TenantTransaction,
    epoch: Epoch,
    digest: [u8; 32],
    forget_at: Timestamp,
) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        r#"
        INSERT INTO replay_spent (digest, forget_at)
        SELECT $1, $2
        WHERE EXISTS (SELECT FROM replay_epoch WHERE id = $3)
        ON CONFLICT (digest) DO NOTHING
        "#,
        &digest[..],
        forget_at.to_sqlx() as _,
        Uuid::from_bytes(epoch.0),
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("use a challenge up", source))?;
    Ok(spent.rows_affected() == 1)
}

/// Forgets what has ended: it is refused for its age.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM replay_spent WHERE forget_at < $1", now.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget what has ended", source))?;
    Ok(gone.rows_affected())
}
