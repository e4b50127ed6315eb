//! The keys that sign our tokens.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use resource_server::jwk;
use serde_json::Value;
use sqlx::PgPool;

use crate::{
    auth::{jws::PublicKey, signing::Algorithm},
    store::{PlatformTransaction, Scope as _, StoreError},
};

const UNREAD: StoreError = StoreError::Row("signing_keys");

/// The advisory lock of who makes keys: the bytes of `pinfoldk`.
const LOCK: i64 = 0x7069_6e66_6f6c_646b;

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id, the `kid`.
    pub id: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Its public half.
    pub public_key: PublicKey,
    /// Its private half, sealed.
    pub sealed_private_key: Vec<u8>,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
    /// When it stops.
    pub signs_until: Timestamp,
    /// When the last token that it signed has ended.
    pub published_until: Timestamp,
}

/// Waits until nobody else makes keys; until the transaction ends nobody else does.
pub async fn lock(tx: &mut PlatformTransaction) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK)
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("wait for the signing keys", source))?;
    Ok(())
}

/// The keys that are published at a moment, the newest first.
pub async fn published(pool: &PgPool, at: Timestamp) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            algorithm,
            public_key,
            sealed_private_key,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            signs_from AS "signs_from: jiff_sqlx::Timestamp",
            signs_until AS "signs_until: jiff_sqlx::Timestamp",
            published_until AS "published_until: jiff_sqlx::Timestamp"
        FROM signing_keys
        WHERE published_until > $1
        ORDER BY signs_from DESC, id
        "#,
        at.to_sqlx() as _,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read the signing keys", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Stored {
                id: row.id,
                algorithm: Algorithm::parse(&row.algorithm).ok_or(UNREAD)?,
                public_key: row.public_key.as_object().and_then(jwk::read).ok_or(UNREAD)?,
                sealed_private_key: row.sealed_private_key,
                created_at: row.created_at.to_jiff(),
                signs_from: row.signs_from.to_jiff(),
                signs_until: row.signs_until.to_jiff(),
                published_until: row.published_until.to_jiff(),
            })
        })
        .collect()
}

/// Until when there is a key that signs in this way.
pub async fn signed_until(tx: &mut PlatformTransaction, algorithm: Algorithm) -> Result<Option<Timestamp>, StoreError> {
    let until = sqlx::query_scalar!(
        r#"SELECT max(signs_until) AS "until: jiff_sqlx::Timestamp" FROM signing_keys WHERE algorithm = $1"#,
        algorithm.as_str(),
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for the last signing key", source))?;
    Ok(until.map(jiff_sqlx::Timestamp::to_jiff))
}

/// Every key's private half, sealed, by its id.
pub async fn sealed(tx: &mut PlatformTransaction) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let rows = sqlx::query!("SELECT id, sealed_private_key FROM signing_keys ORDER BY id")
        .fetch_all(tx.connection())
        .await
        .map_err(|source| StoreError::new("read the signing keys", source))?;
    Ok(rows.into_iter().map(|row| (row.id, row.sealed_private_key)).collect())
}

/// Stores a key's private half as it is sealed now.
pub async fn reseal(tx: &mut PlatformTransaction, id: &str, sealed: &[u8]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE signing_keys SET sealed_private_key = $2 WHERE id = $1",
        id,
        sealed
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("seal a signing key anew", source))?;
    Ok(())
}

/// Stores a key.
pub async fn insert(tx: &mut PlatformTransaction, key: &Stored) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO signing_keys
            (id, algorithm, public_key, sealed_private_key, created_at, signs_from, signs_until, published_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        key.id,
        key.algorithm.as_str(),
        Value::Object(jwk::written(&key.public_key)),
        key.sealed_private_key,
        key.created_at.to_sqlx() as _,
        key.signs_from.to_sqlx() as _,
        key.signs_until.to_sqlx() as _,
        key.published_until.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a signing key", source))?;
    Ok(())
}
