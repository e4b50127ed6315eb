//! Keys that programs send.

use domain::{ApiKeyId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::{api_key::Kind, rights::Right},
    store::{Scope, StoreError},
};

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// Who made it.
    pub overseer: OverseerId,
    /// What it may be used for.
    pub scopes: Vec<Right>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key in force, by what came with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Its id.
    pub id: ApiKeyId,
    /// The tenant that it acts for; none if it acts for a person.
    pub tenant: Option<TenantId>,
    /// Who made it.
    pub overseer: OverseerId,
    /// What it may be used for.
    pub scopes: Vec<Right>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// What it is stored as.
    pub hash: [u8; 32],
}

/// Stores a key: of the transaction's tenant, or a personal one.
pub async fn insert(tx: &mut impl Scope, key: &Key, hash: &[u8; 32]) -> Result<(), StoreError> {
    let scopes: Vec<String> = key.scopes.iter().map(|right| right.as_str().to_owned()).collect();
    let tenant = tx.tenant();
    sqlx::query!(
        r#"
        INSERT INTO api_keys
            (id, tenant_id, overseer_id, kind, name, key_hash, hint, scopes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        key.id.uuid(),
        tenant.map(|id| id.uuid()),
        key.overseer.uuid(),
        key.kind.as_str(),
        key.name,
        &hash[..],
        key.hint,
        &scopes,
        key.created_at.to_sqlx() as _,
        key.expires_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an API key", source))?;
    Ok(())
}

/// The keys of the transaction's tenant, or, if it is none's, a person's own; those made before one, the newest first.
pub async fn list(
    tx: &mut impl Scope,
    overseer: Option<OverseerId>,
    before: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<Key>, StoreError> {
    read(tx, overseer, None, before, limit).await
}

/// A key of the transaction's tenant, or of a person.
pub async fn get(tx: &mut impl Scope, overseer: Option<OverseerId>, id: ApiKeyId) -> Result<Option<Key>, StoreError> {
    Ok(read(tx, overseer, Some(id), None, 1).await?.pop())
}

/// How many keys are in force: of the transaction's tenant, or of a person.
pub async fn count(tx: &mut impl Scope, overseer: Option<OverseerId>, now: Timestamp) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM api_keys
        WHERE ($1::uuid IS NULL OR overseer_id = $1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
        "#,
        overseer.map(|id| id.uuid()),
        now.to_sqlx() as _,
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("count API keys", source))
}

/// Changes what people call a key of the transaction's tenant, or of a person.
pub async fn set_name(
    tx: &mut impl Scope,
    overseer: Option<OverseerId>,
    id: ApiKeyId,
    name: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE api_keys SET name = $3 WHERE id = $1 AND ($2::uuid IS NULL OR overseer_id = $2)",
        id.uuid(),
        overseer.map(|id| id.uuid()),
        name,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("rename an API key", source))?;
    Ok(())
}

async fn read(
    tx: &mut impl Scope,
    overseer: Option<OverseerId>,
    only: Option<ApiKeyId>,
    before: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            kind,
            name,
            hint,
            overseer_id,
            scopes,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at: jiff_sqlx::Timestamp",
            used_at AS "used_at: jiff_sqlx::Timestamp",
            revoked_at AS "revoked_at: jiff_sqlx::Timestamp"
        FROM api_keys
        WHERE ($1::uuid IS NULL OR overseer_id = $1)
            AND ($2::uuid IS NULL OR id = $2)
            AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        overseer.map(|id| id.uuid()),
        only.map(|id| id.uuid()),
        before.map(|id| id.uuid()),
        limit,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read API keys", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Key {
                id: ApiKeyId::of_uuid(row.id),
                kind: Kind::parse(&row.kind).ok_or(StoreError::Row("api_keys"))?,
                name: row.name,
                hint: row.hint,
                overseer: OverseerId::of_uuid(row.overseer_id),
                scopes: rights(&row.scopes),
                created_at: row.created_at.to_jiff(),
                expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
                used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
                revoked_at: row.revoked_at.map(jiff_sqlx::Timestamp::to_jiff),
            })
        })
        .collect()
}

/// Revokes a key of the transaction's tenant, or of a person; false if there is none of this id in force.
pub async fn revoke(
    tx: &mut impl Scope,
    overseer: Option<OverseerId>,
    id: ApiKeyId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let revoked = sqlx::query!(
        r#"
        UPDATE api_keys
        SET revoked_at = $3
        WHERE id = $1 AND ($2::uuid IS NULL OR overseer_id = $2) AND revoked_at IS NULL
        "#,
        id.uuid(),
        overseer.map(|id| id.uuid()),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("revoke an API key", source))?;
    Ok(revoked.rows_affected() == 1)
}

/// The key that came with a request, if it is in force and who made it is not blocked.
pub async fn find(pool: &PgPool, hash: &[u8; 32], now: Timestamp) -> Result<Option<Presented>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            k.id AS "id!",
            k.tenant_id,
            k.overseer_id AS "overseer_id!",
            k.scopes AS "scopes!",
            k.expires_at AS "expires_at: jiff_sqlx::Timestamp",
            k.used_at AS "used_at: jiff_sqlx::Timestamp"
        FROM lookup.api_key_of_hash($1) AS k
        JOIN overseers AS o ON o.id = k.overseer_id
        WHERE k.revoked_at IS NULL
            AND (k.expires_at IS NULL OR k.expires_at > $2)
            AND o.blocked_at IS NULL
            AND o.deleted_at IS NULL
        "#,
        &hash[..],
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for an API key", source))?;
    Ok(row.map(|row| Presented {
        id: ApiKeyId::of_uuid(row.id),
        tenant: row.tenant_id.map(TenantId::of_uuid),
        overseer: OverseerId::of_uuid(row.overseer_id),
        scopes: rights(&row.scopes),
        expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
        hash: *hash,
    }))
}

/// Remembers that a key was used.
pub async fn see(tx: &mut impl Scope, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE api_keys SET used_at = $2 WHERE id = $1",
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("remember that an API key was used", source))?;
    Ok(())
}

/// A scope that this release does not know gives nothing.
fn rights(names: &[String]) -> Vec<Right> {
    names.iter().filter_map(|name| Right::parse(name)).collect()
}
