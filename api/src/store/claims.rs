//! Codes by which a person becomes the owner of an agent that registered itself.

use domain::{AgentId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use crate::store::{StoreError, TenantTransaction};

/// An agent whose code somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// The agent.
    pub id: AgentId,
    /// What it calls itself.
    pub name: String,
    /// When it registered itself.
    pub created_at: Timestamp,
    /// The thumbprints of its keys in force.
    pub thumbprints: Vec<String>,
}

/// An agent that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The agent.
    pub id: AgentId,
    /// The stand-in that owned it.
    pub former_owner: OverseerId,
}

/// Gives an agent a code; one that it had before is good for nothing any more. False if there is no such agent.
pub async fn put(
    tx: &mut TenantTransaction,
    agent: AgentId,
    hash: &[u8; 32],
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        "UPDATE agents SET claim_hash = $2, claim_expires_at = $3 WHERE id = $1 AND ended_at IS NULL",
        agent.uuid(),
        &hash[..],
        expires_at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store a claim code", source))?;
    Ok(stored.rows_affected() == 1)
}

/// The agent of the tenant whose code this is, if the code is in force.
pub async fn find(
    tx: &mut TenantTransaction,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Claimable>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            a.id,
            a.name,
            a.created_at AS "created_at: jiff_sqlx::Timestamp",
            ARRAY(
                SELECT k.thumbprint FROM agent_keys AS k
                WHERE k.tenant_id = a.tenant_id AND k.agent_id = a.id AND k.revoked_at IS NULL
                ORDER BY k.created_at, k.id
            ) AS "thumbprints!"
        FROM agents AS a
        WHERE a.claim_hash = $1 AND a.claim_expires_at > $2 AND a.expires_at > $2 AND a.ended_at IS NULL
        "#,
        &hash[..],
        now.to_sqlx() as _,
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("look for a claim code", source))?;
    Ok(row.map(|row| Claimable {
        id: AgentId::of_uuid(row.id),
        name: row.name,
        created_at: row.created_at.to_jiff(),
        thumbprints: row.thumbprints,
    }))
}

/// Moves the agent whose code this is to another tenant and owner, with its keys, and uses the code up. Of any number who do
/// so at once, one finds it.
pub async fn take(
    tx: &mut TenantTransaction,
    hash: &[u8; 32],
    tenant: TenantId,
    owner: OverseerId,
    now: Timestamp,
) -> Result<Option<Claimed>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT agent_id AS "agent_id!", former_owner AS "former_owner!" FROM lookup.claim_agent($1, $2, $3, $4)"#,
        &hash[..],
        tenant.uuid(),
        owner.uuid(),
        now.to_sqlx() as _,
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("claim an agent", source))?;
    Ok(row.map(|row| Claimed {
        id: AgentId::of_uuid(row.agent_id),
        former_owner: OverseerId::of_uuid(row.former_owner),
    }))
}
