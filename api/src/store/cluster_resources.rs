//! How far the watches of the cluster have come, and what they saw last of each resource.

use std::collections::HashMap;

use domain::TenantId;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    cluster::Looks,
    store::{PlatformTransaction, Scope as _, StoreError},
};

/// How far a kind's watch has come; nothing, if it never began.
pub async fn version(pool: &PgPool, kind: &str) -> Result<Option<u64>, StoreError> {
    let version = sqlx::query_scalar!("SELECT version FROM cluster_watches WHERE kind = $1", kind)
        .fetch_optional(pool)
        .await
        .map_err(|source| StoreError::new("read how far a watch has come", source))?;
    Ok(version.map(i64::cast_unsigned))
}

/// The same, and nobody else goes on from there before this transaction ends.
pub async fn lock(tx: &mut PlatformTransaction, kind: &str) -> Result<Option<u64>, StoreError> {
    let failed = |source| StoreError::new("lock a watch", source);
    let key = format!("cluster_watches/{kind}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key)
        .execute(tx.connection())
        .await
        .map_err(failed)?;
    let version = sqlx::query_scalar!("SELECT version FROM cluster_watches WHERE kind = $1", kind)
        .fetch_optional(tx.connection())
        .await
        .map_err(failed)?;
    Ok(version.map(i64::cast_unsigned))
}

/// Notes how far a watch has come.
pub async fn advance(tx: &mut PlatformTransaction, kind: &str, version: u64) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO cluster_watches (kind, version) VALUES ($1, $2)
        ON CONFLICT (kind) DO UPDATE SET version = EXCLUDED.version
        "#,
        kind,
        version.cast_signed(),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("note how far a watch has come", source))?;
    Ok(())
}

/// What is known of these resources.
pub async fn of(tx: &mut PlatformTransaction, ids: &[Uuid]) -> Result<HashMap<Uuid, Looks>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT
            id, namespace, name, made_at AS "made_at: jiff_sqlx::Timestamp", account_id, generation, metadata_hash, change_id,
            is_ending
        FROM cluster_resources
        WHERE id = ANY($1)
        "#,
        ids,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read what is known of resources", source))?;
    rows.into_iter().map(Row::looks).collect()
}

/// What is known of every resource of a kind.
pub async fn all(tx: &mut PlatformTransaction, kind: &str) -> Result<HashMap<Uuid, Looks>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT
            id, namespace, name, made_at AS "made_at: jiff_sqlx::Timestamp", account_id, generation, metadata_hash, change_id,
            is_ending
        FROM cluster_resources
        WHERE kind = $1
        "#,
        kind,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read what is known of all resources of a kind", source))?;
    rows.into_iter().map(Row::looks).collect()
}

/// Stores what is known of resources of a kind now.
pub async fn put(tx: &mut PlatformTransaction, kind: &str, resources: &[(Uuid, Looks)]) -> Result<(), StoreError> {
    let column = |of: fn(&Looks) -> Option<String>| -> Vec<Option<String>> {
        resources.iter().map(|(_, looks)| of(looks)).collect()
    };
    let ids: Vec<Uuid> = resources.iter().map(|(id, _)| *id).collect();
    let made: Vec<jiff_sqlx::Timestamp> = resources.iter().map(|(_, looks)| looks.made_at.to_sqlx()).collect();
    let accounts: Vec<Option<Uuid>> = resources
        .iter()
        .map(|(_, looks)| looks.account.map(|id| id.uuid()))
        .collect();
    let generations: Vec<i64> = resources.iter().map(|(_, looks)| looks.generation).collect();
    let hashes: Vec<Vec<u8>> = resources
        .iter()
        .map(|(_, looks)| looks.metadata_hash.to_vec())
        .collect();
    let endings: Vec<bool> = resources.iter().map(|(_, looks)| looks.is_ending).collect();
    sqlx::query!(
        r#"
        INSERT INTO cluster_resources
            (id, kind, namespace, name, made_at, account_id, generation, metadata_hash, change_id, is_ending)
        SELECT r.id, $1, r.namespace, r.name, r.made_at, r.account_id, r.generation, r.metadata_hash, r.change_id, r.is_ending
        FROM UNNEST(
            $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::bytea[], $9::text[], $10::boolean[]
        ) AS r (id, namespace, name, made_at, account_id, generation, metadata_hash, change_id, is_ending)
        ON CONFLICT (id) DO UPDATE
        SET account_id = EXCLUDED.account_id, generation = EXCLUDED.generation, metadata_hash = EXCLUDED.metadata_hash,
            change_id = EXCLUDED.change_id, is_ending = EXCLUDED.is_ending
        "#,
        kind,
        &ids,
        &column(|looks| looks.namespace.clone()) as _,
        &column(|looks| Some(looks.name.clone())) as _,
        &made as _,
        &accounts as _,
        &generations,
        &hashes,
        &column(|looks| looks.change.clone()) as _,
        &endings,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store what is known of resources", source))?;
    Ok(())
}

/// Forgets resources that are gone.
pub async fn remove(tx: &mut PlatformTransaction, ids: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM cluster_resources WHERE id = ANY($1)", ids)
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("forget resources", source))?;
    Ok(())
}

struct Row {
    id: Uuid,
    namespace: Option<String>,
    name: String,
    made_at: jiff_sqlx::Timestamp,
    account_id: Option<Uuid>,
    generation: i64,
    metadata_hash: Vec<u8>,
    change_id: Option<String>,
    is_ending: bool,
}

impl Row {
    fn looks(self) -> Result<(Uuid, Looks), StoreError> {
        let looks = Looks {
            namespace: self.namespace,
            name: self.name,
            made_at: self.made_at.to_jiff(),
            account: self.account_id.map(TenantId::of_uuid),
            generation: self.generation,
            metadata_hash: self
                .metadata_hash
                .try_into()
                .map_err(|_| StoreError::Row("cluster_resources"))?,
            change: self.change_id,
            is_ending: self.is_ending,
        };
        Ok((self.id, looks))
    }
}
