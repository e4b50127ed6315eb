//! Clients that may do nothing in somebody's name.

use domain::{AgentId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use crate::store::{PlatformTransaction, Scope as _, StoreError, TenantTransaction};

/// Blocks a client for a person; false if it is blocked.
pub async fn insert_of_person(
    tx: &mut PlatformTransaction,
    overseer: OverseerId,
    client_id: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO client_blocks (overseer_id, client_id, created_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (overseer_id, client_id) DO NOTHING
        "#,
        overseer.uuid(),
        client_id,
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("block a client", source))?;
    Ok(stored.rows_affected() == 1)
}

/// Blocks a client for an agent; false if it is blocked.
pub async fn insert_of_agent(
    tx: &mut TenantTransaction,
    agent: AgentId,
    client_id: &str,
    by: OverseerId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO agent_client_blocks (tenant_id, agent_id, client_id, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, agent_id, client_id) DO NOTHING
        "#,
        tx.tenant.uuid(),
        agent.uuid(),
        client_id,
        by.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("block a client for an agent", source))?;
    Ok(stored.rows_affected() == 1)
}
