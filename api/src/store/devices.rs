//! Devices that wait for a person to let them in.

use domain::GrantId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::client::values::Scope as Asked,
    store::{PlatformTransaction, Scope, StoreError},
};

/// A device that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The client on it.
    pub client_id: String,
    /// What is asked for.
    pub scopes: Vec<Asked>,
    /// Since when.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What a device that asks is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nobody has answered yet.
    Pending,
    /// It asks too often.
    TooSoon,
    /// It waited too long.
    Expired,
    /// The person said no.
    Denied,
    /// The person let it in, and it had not heard that yet.
    First(GrantId),
    /// It was told before.
    Again(GrantId),
}

/// Stores a device; false if another has one of its codes.
pub async fn insert(
    pool: &PgPool,
    hash: &[u8; 32],
    user_code_hash: &[u8; 32],
    device: &Device,
    pause: i32,
) -> Result<bool, StoreError> {
    let scopes = Asked::names(&device.scopes);
    let stored = sqlx::query!(
        r#"
        INSERT INTO oauth_devices (hash, user_code_hash, client_id, scopes, created_at, expires_at, pause)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        "#,
        &hash[..],
        &user_code_hash[..],
        device.client_id,
        &scopes,
        device.created_at.to_sqlx() as _,
        device.expires_at.to_sqlx() as _,
        pause,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("store a device", source))?;
    Ok(stored.rows_affected() == 1)
}

/// The device of a code that a person typed, if it still waits.
pub async fn find(pool: &PgPool, user_code_hash: &[u8; 32], now: Timestamp) -> Result<Option<Device>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            client_id,
            scopes,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM oauth_devices
        WHERE user_code_hash = $1 AND expires_at > $2 AND answered_at IS NULL
        "#,
        &user_code_hash[..],
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a device", source))?;
    Ok(row.map(|row| Device {
        client_id: row.client_id,
        scopes: Asked::parse_all(&row.scopes),
        created_at: row.created_at.to_jiff(),
        expires_at: row.expires_at.to_jiff(),
    }))
}

/// What a person says of a device that waits; false if somebody said something before.
pub async fn answer(
    tx: &mut impl Scope,
    user_code_hash: &[u8; 32],
    grant: Option<GrantId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let answered = sqlx::query!(
        r#"
        UPDATE oauth_devices
        SET answered_at = $2,
            grant_id = $3,
            -- Whoever was let in at the last moment has another to hear of it.
            expires_at = CASE WHEN $3::uuid IS NULL THEN expires_at ELSE GREATEST(expires_at, $2::timestamptz + interval '1 minute') END
        WHERE user_code_hash = $1 AND answered_at IS NULL AND expires_at > $2
        "#,
        &user_code_hash[..],
        now.to_sqlx() as _,
        grant.map(|grant| grant.uuid()),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("answer a device", source))?;
    Ok(answered.rows_affected() == 1)
}

/// What there is for a device that asks. Of those who ask for the same at once one is the first.
pub async fn ask(
    tx: &mut PlatformTransaction,
    hash: &[u8; 32],
    client_id: &str,
    now: Timestamp,
) -> Result<Option<Found>, StoreError> {
    // The first part waits for whoever is at the same row.
    let row = sqlx::query!(
        r#"
        WITH known AS (
            SELECT hash, grant_id, answered_at, spent_at, expires_at, asked_at + make_interval(secs => pause) > $3 AS too_soon
            FROM oauth_devices
            WHERE hash = $1 AND client_id = $2
            FOR UPDATE
        ), asked AS (
            UPDATE oauth_devices AS d
            SET asked_at = $3,
                pause = LEAST(d.pause + CASE WHEN k.too_soon THEN 5 ELSE 0 END, 3600),
                spent_at = CASE WHEN k.grant_id IS NOT NULL AND k.expires_at > $3 THEN COALESCE(k.spent_at, $3) END
            FROM known AS k
            WHERE d.hash = k.hash
        )
        SELECT
            grant_id,
            answered_at IS NOT NULL AS "answered!",
            spent_at IS NOT NULL AS "spent!",
            expires_at <= $3 AS "expired!",
            COALESCE(too_soon, false) AS "too_soon!"
        FROM known
        "#,
        &hash[..],
        client_id,
        now.to_sqlx() as _,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("ask for a device", source))?;
    Ok(row.map(|row| match row.grant_id.map(GrantId::of_uuid) {
        Some(grant) if row.spent => Found::Again(grant),
        _ if row.expired => Found::Expired,
        Some(grant) => Found::First(grant),
        None if row.answered => Found::Denied,
        None if row.too_soon => Found::TooSoon,
        None => Found::Pending,
    }))
}

/// Forgets those that nobody let in and that have ended, and the others once what came of them has ended.
pub async fn forget(pool: &PgPool, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM oauth_devices WHERE expires_at < $2 OR (grant_id IS NULL AND expires_at < $1)",
        now.to_sqlx() as _,
        before.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget devices", source))?;
    Ok(())
}
