//! What was done. A row is written in the transaction of what it tells of.

use std::fmt;

use domain::{AgentId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Scope, StoreError};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An agent.
    Agent(AgentId),
    /// A person.
    Overseer(OverseerId),
    /// The platform.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent/{id}"),
            Self::Overseer(id) => write!(f, "overseer/{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// What: the kind of thing and the verb, `agent.register`.
    pub action: &'static str,
    /// To what.
    pub target: Uuid,
    /// In which request.
    pub request_id: &'a str,
    /// What else there is to say; opaque ids only.
    pub detail: Value,
}

/// Adds a row: to the tenant's events, or to those of accounts if the transaction is no tenant's.
pub async fn append(tx: &mut impl Scope, event: &Event<'_>) -> Result<(), StoreError> {
    let (kind, actor) = match event.actor {
        Actor::Agent(id) => ("agent", Some(id.uuid())),
        Actor::Overseer(id) => ("overseer", Some(id.uuid())),
        Actor::System => ("system", None),
    };
    let tenant = tx.tenant();
    sqlx::query!(
        r#"
        WITH event AS (
            INSERT INTO audit_events (tenant_id, at, actor_kind, actor_id, action, target_id, request_id, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            RETURNING id, tenant_id
        )
        INSERT INTO audit_unsealed (event_id, tenant_id) SELECT id, tenant_id FROM event
        "#,
        tenant.map(|id| id.uuid()),
        event.at.to_sqlx() as _,
        kind,
        actor,
        event.action,
        event.target,
        event.request_id,
        event.detail,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an audit event", source))?;
    Ok(())
}
