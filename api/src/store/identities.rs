//! Whom issuers outside vouch for.

use domain::{IdentityId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{Scope, StoreError, accounts};

/// An issuer's name for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Our id of it.
    pub id: IdentityId,
    /// The issuer.
    pub issuer: String,
    /// The issuer's name for the person.
    pub subject: String,
    /// Since when it is known.
    pub created_at: Timestamp,
}

/// Whose identity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The person.
    pub overseer: OverseerId,
    /// Whether the account is blocked.
    pub blocked: bool,
}

/// Whose identity it is, if it is known.
pub async fn find(pool: &PgPool, issuer: &str, subject: &str) -> Result<Option<Holder>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT i.overseer_id, o.blocked_at IS NOT NULL AS "blocked!"
        FROM identities AS i
        JOIN overseers AS o ON o.id = i.overseer_id
        WHERE i.issuer = $1 AND i.subject = $2 AND o.deleted_at IS NULL
        "#,
        issuer,
        subject,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for an identity", source))?;
    Ok(row.map(|row| Holder {
        overseer: OverseerId::of_uuid(row.overseer_id),
        blocked: row.blocked,
    }))
}

/// Stores whose identity it is; false if it is somebody's.
pub async fn insert(tx: &mut impl Scope, overseer: OverseerId, identity: &Identity) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO identities (id, issuer, subject, overseer_id, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (issuer, subject) DO NOTHING
        "#,
        identity.id.uuid(),
        identity.issuer,
        identity.subject,
        overseer.uuid(),
        identity.created_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an identity", source))?;
    Ok(stored.rows_affected() == 1)
}

/// A person's identities, the oldest first. Nobody else changes them until the transaction ends, if the person is locked.
pub async fn list(tx: &mut impl Scope, overseer: OverseerId, lock: bool) -> Result<Vec<Identity>, StoreError> {
    if lock {
        accounts::lock(tx, overseer).await?;
    }
    let rows = sqlx::query!(
        r#"
        SELECT id, issuer, subject, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM identities
        WHERE overseer_id = $1
        ORDER BY id
        "#,
        overseer.uuid(),
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a person's identities", source))?;
    let identities = rows.into_iter().map(|row| Identity {
        id: IdentityId::of_uuid(row.id),
        issuer: row.issuer,
        subject: row.subject,
        created_at: row.created_at.to_jiff(),
    });
    Ok(identities.collect())
}

/// Forgets an identity.
pub async fn delete(tx: &mut impl Scope, id: IdentityId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM identities WHERE id = $1", id.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("forget an identity", source))?;
    Ok(())
}
