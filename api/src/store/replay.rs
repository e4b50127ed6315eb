//! What counts once, where PostgreSQL judges it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::store::{Scope, StoreError};

/// The store's epoch. A store that lost what it knew has none, and `fresh` becomes its new one.
pub async fn epoch(pool: &PgPool, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
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

async fn find_epoch(pool: &PgPool) -> Result<Option<[u8; 16]>, StoreError> {
    let id = sqlx::query_scalar!("SELECT id FROM replay_epoch")
        .fetch_optional(pool)
        .await
        .map_err(|source| StoreError::new("read the epoch", source))?;
    Ok(id.map(Uuid::into_bytes))
}

/// Something that counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// The epoch in which it was minted.
    pub epoch: [u8; 16],
    /// When it is refused for its age.
    pub forget_at: Timestamp,
}

/// Uses things up, and answers which. Not those that were used before, or were minted in another epoch: of them nobody knows.
pub async fn spend(tx: &mut impl Scope, spendings: &[Spending]) -> Result<BTreeSet<[u8; 32]>, StoreError> {
    if spendings.is_empty() {
        return Ok(BTreeSet::new());
    }
    let digests: Vec<&[u8]> = spendings.iter().map(|s| &s.digest[..]).collect();
    let epochs: Vec<Uuid> = spendings.iter().map(|s| Uuid::from_bytes(s.epoch)).collect();
    let ends: Vec<jiff_sqlx::Timestamp> = spendings.iter().map(|s| s.forget_at.to_sqlx()).collect();
    // In one order in every replica: who waits for whom goes never round in a circle.
    let spent = sqlx::query_scalar!(
        r#"
        INSERT INTO replay_spent (digest, forget_at)
        SELECT s.digest, s.forget_at
        FROM UNNEST($1::bytea[], $2::timestamptz[], $3::uuid[]) AS s (digest, forget_at, epoch)
        JOIN replay_epoch AS e ON e.id = s.epoch
        ORDER BY s.digest
        ON CONFLICT (digest) DO NOTHING
        RETURNING digest
        "#,
        &digests as _,
        &ends as _,
        &epochs,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("use challenges up", source))?;
    let read = |digest: Vec<u8>| digest.try_into().map_err(|_| StoreError::Row("replay_spent"));
    spent.into_iter().map(read).collect()
}

/// Forgets what has ended: it is refused for its age.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM replay_spent WHERE forget_at < $1", now.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget what has ended", source))?;
    Ok(gone.rows_affected())
}
