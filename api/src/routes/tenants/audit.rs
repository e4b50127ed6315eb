//! `/v1/tenants/{tenant}/audit`: what was done, by whom, to what.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::store::audit_chain::Stored;

pub mod export;
pub mod list;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// Its number in the tenant's chain, from 1 on without a gap.
    #[schema(example = 17)]
    sequence: i64,
    /// When (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    at: String,
    /// Who: `agent`, `overseer` (a person) or `system`.
    #[schema(example = "agent")]
    actor_kind: String,
    /// Which agent or person.
    actor_id: Option<String>,
    /// What: the kind of thing and the verb.
    #[schema(example = "run.create")]
    action: String,
    /// To what.
    target_id: Option<String>,
    /// In which request: the `X-Request-Id` of its answer.
    request_id: String,
    /// What else there is to say.
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<(i64, Stored)> for AuditEvent {
    fn from((sequence, event): (i64, Stored)) -> Self {
        Self {
            sequence,
            at: event.at.to_string(),
            actor_kind: event.actor_kind,
            actor_id: event.actor_id.map(|id| id.to_string()),
            action: event.action,
            target_id: event.target_id.map(|id| id.to_string()),
            request_id: event.request_id,
            detail: event.detail,
        }
    }
}
