//! Clients that may do nothing in somebody's name.

use domain::{AgentId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

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

/// A client that somebody has blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What the client calls itself.
    pub client_id: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// The clients that a person has blocked.
pub async fn of_person(pool: &PgPool, overseer: OverseerId) -> Result<Vec<Block>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT client_id, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM client_blocks
        WHERE overseer_id = $1
        "#,
        overseer.uuid(),
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read blocked clients", source))?;
    let blocks = rows.into_iter().map(|row| Block {
        client_id: row.client_id,
        created_at: row.created_at.to_jiff(),
    });
    Ok(blocks.collect())
}

/// Lets a client in again; false if it was not blocked.
pub async fn delete_of_person(
    tx: &mut PlatformTransaction,
    overseer: OverseerId,
    client_id: &str,
) -> Result<bool, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM client_blocks WHERE overseer_id = $1 AND client_id = $2",
        overseer.uuid(),
        client_id,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("let a client in again", source))?;
    Ok(gone.rows_affected() == 1)
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

/// Whether a person has blocked a client.
pub async fn is_blocked(pool: &PgPool, overseer: OverseerId, client_id: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM client_blocks WHERE overseer_id = $1 AND client_id = $2) AS "blocked!""#,
        overseer.uuid(),
        client_id,
    )
    .fetch_one(pool)
    .await
    .map_err(|source| StoreError::new("look for a block", source))
}

/// The clients that are blocked for an agent.
pub async fn of_agent(tx: &mut TenantTransaction, agent: AgentId) -> Result<Vec<Block>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT client_id, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM agent_client_blocks
        WHERE agent_id = $1
        "#,
        agent.uuid(),
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read clients that are blocked for an agent", source))?;
    let blocks = rows.into_iter().map(|row| Block {
        client_id: row.client_id,
        created_at: row.created_at.to_jiff(),
    });
    Ok(blocks.collect())
}

/// Lets a client in again for an agent; false if it was not blocked.
pub async fn delete_of_agent(tx: &mut TenantTransaction, agent: AgentId, client_id: &str) -> Result<bool, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM agent_client_blocks WHERE agent_id = $1 AND client_id = $2",
        agent.uuid(),
        client_id,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("let a client in again for an agent", source))?;
    Ok(gone.rows_affected() == 1)
}
