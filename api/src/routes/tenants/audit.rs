//! `/v1/tenants/{tenant}/audit`: what was done, by whom, to what.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::{Scope, StoreError, audit_chain::Stored, cluster_changes};

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
    /// Who: `agent`, `client` (an OAuth client on its own), `overseer` (a person), `run` (what runs in a sandbox), `kubernetes` (somebody by the cluster's own means, as with
    /// kubectl) or `system`.
    #[schema(example = "agent")]
    actor_kind: String,
    /// Which of them. Of `kubernetes` none, if the cluster does not tell who it was.
    actor_id: Option<String>,
    /// The name that a user of the cluster has there, unless it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_user: Option<String>,
    /// The name of whom that user acted as, if as another.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_acting_as: Option<String>,
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

/// Whom a user of the cluster acted as.
fn acting_as(event: &Stored) -> Option<Uuid> {
    Uuid::try_parse(event.detail["acting_as"].as_str()?).ok()
}

/// The users of the cluster that events name.
pub async fn users(tx: &mut impl Scope, events: &[(i64, Stored)]) -> Result<HashMap<Uuid, String>, StoreError> {
    let of_cluster = events
        .iter()
        .map(|(_, event)| event)
        .filter(|event| event.actor_kind == "kubernetes");
    let ids: Vec<Uuid> = of_cluster
        .flat_map(|event| event.actor_id.into_iter().chain(acting_as(event)))
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(cluster_changes::names(tx, &ids).await?.into_iter().collect())
}

impl AuditEvent {
    /// An event with its number, where the names of the cluster's users are these.
    pub fn new(sequence: i64, event: Stored, users: &HashMap<Uuid, String>) -> Self {
        let named = |id: Option<Uuid>| id.and_then(|id| users.get(&id).cloned());
        Self {
            sequence,
            kubernetes_user: named(event.actor_id),
            kubernetes_acting_as: named(acting_as(&event)),
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
