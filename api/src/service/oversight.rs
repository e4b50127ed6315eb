//! Who oversees an agent. An owner gives others a relation to it; what they gave ends with what made them an owner, and
//! what another owner gave does not.

use domain::{AgentId, OverseerId, TenantId};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::oversight::{Asker, Edge, Relation},
    service::members::By,
    store::{
        Database, StoreError, TenantTransaction, agent_keys,
        agents::{self, Agent},
        audit::{self, Event},
        memberships, oversights, tenants,
    },
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such agent, or nobody to take a relation from.
    #[error("not found")]
    NotFound,
    /// The asker is less to the agent.
    #[error("this needs the relation {} to the agent", .0.as_str())]
    Relation(Relation),
    /// Only members get a relation.
    #[error("the person is no member of the tenant")]
    NoMember,
    /// The agent's owner is its owner, and nobody gives themselves anything.
    #[error("the person is an owner already")]
    Owner,
    /// Without it the agent could never prove itself again.
    #[error("it is the agent's last key")]
    LastKey,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An agent that somebody may do something with; until the transaction ends nobody else changes it.
#[derive(Debug)]
pub struct Overseen {
    /// The transaction.
    pub tx: TenantTransaction,
    /// The agent.
    pub agent: Agent,
    /// Who oversees it.
    pub edges: Vec<Edge>,
}

/// An agent of a tenant, for somebody who is at least this to it.
pub async fn enter(
    database: &Database,
    tenant: TenantId,
    agent: AgentId,
    asker: Asker,
    needed: Relation,
) -> Result<Overseen, Refused> {
    let mut tx = database.tenant(tenant).await?;
    // Members are changed under the same lock: nobody gets a relation while they leave.
    tenants::find(&mut tx, true).await?;
    agent_keys::lock(&mut tx, agent).await?;
    let agent = agents::find(&mut tx, agent).await?.ok_or(Refused::NotFound)?;
    let edges = oversights::list(&mut tx, agent.id).await?;
    match asker.relation(agent.owner, &edges) {
        Some(relation) if relation >= needed => Ok(Overseen { tx, agent, edges }),
        _ => Err(Refused::Relation(needed)),
    }
}

/// Gives a member a relation to an agent, or changes what the asker gave before.
pub async fn grant(
    overseen: Overseen,
    to: OverseerId,
    relation: Relation,
    by: By<'_>,
    now: Timestamp,
) -> Result<Edge, Refused> {
    let Overseen { mut tx, agent, edges } = overseen;
    if to == agent.owner || to == by.overseer {
        return Err(Refused::Owner);
    }
    if !memberships::list(&mut tx).await?.iter().any(|m| m.overseer == to) {
        return Err(Refused::NoMember);
    }
    let before = edges
        .into_iter()
        .find(|edge| edge.overseer == to && edge.granted_by == by.overseer);
    let edge = Edge {
        agent: agent.id,
        overseer: to,
        relation,
        granted_by: by.overseer,
        created_at: before.as_ref().map_or(now, |edge| edge.created_at),
    };
    if before.is_some_and(|edge| edge.relation == relation) {
        return Ok(edge);
    }
    oversights::put(&mut tx, &edge).await?;
    record(&mut tx, "oversight.grant", &edge, by, now).await?;
    prune(&mut tx, by, now).await?;
    tx.commit().await?;
    Ok(edge)
}

/// Takes a member's relation to an agent, and what hung on it: what the asker gave; all of it, if the asker runs the tenant,
/// owns the agent, or is the member.
pub async fn close(
    overseen: Overseen,
    from: OverseerId,
    asker: Asker,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), Refused> {
    let Overseen { mut tx, agent, .. } = overseen;
    let all = asker.runs_the_tenant() || agent.owner == asker.overseer || from == asker.overseer;
    let giver = (!all).then_some(asker.overseer);
    let closed = oversights::delete(&mut tx, agent.id, from, giver).await?;
    if closed.is_empty() {
        return Err(Refused::NotFound);
    }
    for edge in &closed {
        record(&mut tx, "oversight.close", edge, by, now).await?;
    }
    prune(&mut tx, by, now).await?;
    Ok(tx.commit().await?)
}

/// Closes what hung on a role, a membership or an edge that is no more.
pub async fn prune(tx: &mut TenantTransaction, by: By<'_>, now: Timestamp) -> Result<(), StoreError> {
    for edge in oversights::prune(tx).await? {
        record(tx, "oversight.close", &edge, by, now).await?;
    }
    Ok(())
}

async fn record(
    tx: &mut TenantTransaction,
    action: &'static str,
    edge: &Edge,
    by: By<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: by.actor,
        action,
        target: edge.agent.uuid(),
        request_id: by.request_id,
        detail: json!({
            "overseer_id": edge.overseer.to_string(),
            "relation": edge.relation.as_str(),
            "granted_by": edge.granted_by.to_string(),
        }),
    };
    audit::append(tx, &event).await
}
