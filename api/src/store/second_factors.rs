//! Second factors of people.

use domain::OverseerId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use crate::store::{Scope, StoreError};

/// An authenticator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Whether a login needs a code.
    pub confirmed: bool,
    /// The step of the last code that was used.
    pub last_step: i64,
}

/// A person's authenticator.
pub async fn find(tx: &mut impl Scope, overseer: OverseerId) -> Result<Option<Authenticator>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT sealed_secret, confirmed_at IS NOT NULL AS "confirmed!", last_step
        FROM authenticators
        WHERE overseer_id = $1
        "#,
        overseer.uuid(),
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for an authenticator", source))?;
    Ok(row.map(|row| Authenticator {
        sealed_secret: row.sealed_secret,
        confirmed: row.confirmed,
        last_step: row.last_step,
    }))
}

/// Stores an authenticator that is not confirmed yet, in place of another such; false if there is a confirmed one.
pub async fn put(tx: &mut impl Scope, overseer: OverseerId, sealed: &[u8], at: Timestamp) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO authenticators (overseer_id, sealed_secret, created_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (overseer_id) DO UPDATE
        SET sealed_secret = excluded.sealed_secret, created_at = excluded.created_at, last_step = 0
        WHERE authenticators.confirmed_at IS NULL
        "#,
        overseer.uuid(),
        sealed,
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an authenticator", source))?;
    Ok(stored.rows_affected() == 1)
}

/// Uses a code up; false if it, or a later one, was used before.
pub async fn advance(tx: &mut impl Scope, overseer: OverseerId, step: i64) -> Result<bool, StoreError> {
    let advanced = sqlx::query!(
        "UPDATE authenticators SET last_step = $2 WHERE overseer_id = $1 AND last_step < $2",
        overseer.uuid(),
        step,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("use a code up", source))?;
    Ok(advanced.rows_affected() == 1)
}

/// From now on a login needs a code; false if that was so before.
pub async fn confirm(tx: &mut impl Scope, overseer: OverseerId, at: Timestamp) -> Result<bool, StoreError> {
    let confirmed = sqlx::query!(
        "UPDATE authenticators SET confirmed_at = $2 WHERE overseer_id = $1 AND confirmed_at IS NULL",
        overseer.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("confirm an authenticator", source))?;
    Ok(confirmed.rows_affected() == 1)
}

/// Whether a login needs a code of an authenticator.
pub async fn is_confirmed(tx: &mut impl Scope, overseer: OverseerId) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM authenticators WHERE overseer_id = $1 AND confirmed_at IS NOT NULL
        ) AS "confirmed!"
        "#,
        overseer.uuid(),
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for an authenticator", source))
}

/// Takes a person's authenticator away.
pub async fn delete(tx: &mut impl Scope, overseer: OverseerId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM authenticators WHERE overseer_id = $1", overseer.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("take an authenticator away", source))?;
    Ok(())
}

/// Takes a person's recovery codes away.
pub async fn delete_codes(tx: &mut impl Scope, overseer: OverseerId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM recovery_codes WHERE overseer_id = $1", overseer.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("take recovery codes away", source))?;
    Ok(())
}

/// Stores a recovery code.
pub async fn insert_code(tx: &mut impl Scope, overseer: OverseerId, hash: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO recovery_codes (overseer_id, code_hash) VALUES ($1, $2)",
        overseer.uuid(),
        &hash[..],
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a recovery code", source))?;
    Ok(())
}

/// Uses a recovery code up; false if there is none that was not used.
pub async fn spend_code(
    tx: &mut impl Scope,
    overseer: OverseerId,
    hash: &[u8; 32],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let spent = sqlx::query!(
        r#"
        UPDATE recovery_codes
        SET used_at = $3
        WHERE overseer_id = $1 AND code_hash = $2 AND used_at IS NULL
        "#,
        overseer.uuid(),
        &hash[..],
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("use a recovery code up", source))?;
    Ok(spent.rows_affected() == 1)
}

/// Authenticators' secrets, sealed, of at most so many people behind one.
pub async fn sealed(
    tx: &mut impl Scope,
    after: OverseerId,
    most: i64,
) -> Result<Vec<(OverseerId, Vec<u8>)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT overseer_id, sealed_secret
        FROM authenticators
        WHERE overseer_id > $1
        ORDER BY overseer_id
        LIMIT $2
        "#,
        after.uuid(),
        most,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read authenticators", source))?;
    let all = rows.into_iter();
    Ok(all
        .map(|row| (OverseerId::of_uuid(row.overseer_id), row.sealed_secret))
        .collect())
}

/// Stores a secret as it is sealed now, in place of how it was; false if that has changed.
pub async fn reseal(
    tx: &mut impl Scope,
    overseer: OverseerId,
    before: &[u8],
    sealed: &[u8],
) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        "UPDATE authenticators SET sealed_secret = $3 WHERE overseer_id = $1 AND sealed_secret = $2",
        overseer.uuid(),
        before,
        sealed,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("seal an authenticator anew", source))?;
    Ok(stored.rows_affected() == 1)
}
