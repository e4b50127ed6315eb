//! What was done. A row is written in the transaction of what it tells of.

use domain::AgentId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;

use crate::store::{StoreError, TenantTransaction};

/// Something that was done.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// When.
    pub at: Timestamp,
    /// By which agent.
    pub actor: AgentId,
    /// What: the kind of thing and the verb, `agent.register`.
    pub action: &'static str,
    /// To which agent.
    pub target: AgentId,
    /// In which request.
    pub request_id: &'a str,
    /// What else there is to say; opaque ids only.
    pub detail: Value,
}

/// Adds a row.
pub async fn append(tx: &mut TenantTransaction, event: &Event<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO audit_events (tenant_id, at, actor_kind, actor_id, action, target_id, request_id, detail)
        VALUES ($1, $2, 'agent', $3, $4, $5, $6, $7)
        "#,
        tx.tenant.uuid(),
        event.at.to_sqlx() as _,
        event.actor.uuid(),
        event.action,
        event.target.uuid(),
        event.request_id,
        event.detail,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store an audit event", source))?;
    Ok(())
}
