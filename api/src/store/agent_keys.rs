//! An agent's keys.

use domain::{AgentId, AgentKeyId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use crate::store::{StoreError, TenantTransaction};

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: AgentKeyId,
    /// Its thumbprint.
    pub thumbprint: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A new key of an agent.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its agent.
    pub agent: AgentId,
    /// Its id.
    pub id: AgentKeyId,
    /// The key.
    pub public_key: [u8; 32],
    /// Its thumbprint.
    pub thumbprint: String,
    /// Now.
    pub at: Timestamp,
}

/// Waits until nobody else changes the agent or its keys; until the transaction ends nobody else does. False if the agent has
/// ended, or is another tenant's by now.
pub async fn lock(tx: &mut TenantTransaction, agent: AgentId) -> Result<bool, StoreError> {
    let held = sqlx::query!(
        "SELECT id FROM agents WHERE id = $1 AND ended_at IS NULL FOR UPDATE",
        agent.uuid()
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("wait for the agent's keys", source))?;
    Ok(held.is_some())
}

/// An agent's keys, the oldest first.
pub async fn list(tx: &mut TenantTransaction, agent: AgentId) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            thumbprint,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            revoked_at AS "revoked_at: jiff_sqlx::Timestamp"
        FROM agent_keys
        WHERE agent_id = $1
        ORDER BY created_at, id
        "#,
        agent.uuid(),
    )
    .fetch_all(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("read an agent's keys", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Key {
            id: AgentKeyId::of_uuid(row.id),
            thumbprint: row.thumbprint,
            created_at: row.created_at.to_jiff(),
            revoked_at: row.revoked_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
        .collect())
}

/// Adds a key; false if it is somebody's already.
pub async fn insert(tx: &mut TenantTransaction, key: &NewKey) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO agent_keys (tenant_id, agent_id, id, public_key, thumbprint, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (thumbprint) DO NOTHING
        "#,
        tx.tenant.uuid(),
        key.agent.uuid(),
        key.id.uuid(),
        &key.public_key[..],
        key.thumbprint,
        key.at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store an agent's key", source))?;
    Ok(stored.rows_affected() == 1)
}

/// Revokes a key of an agent; false if there is none of this id that is in force.
pub async fn revoke(
    tx: &mut TenantTransaction,
    agent: AgentId,
    key: AgentKeyId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let revoked = sqlx::query!(
        r#"
        UPDATE agent_keys
        SET revoked_at = $3
        WHERE agent_id = $1 AND id = $2 AND revoked_at IS NULL
        "#,
        agent.uuid(),
        key.uuid(),
        at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("revoke an agent's key", source))?;
    Ok(revoked.rows_affected() == 1)
}
