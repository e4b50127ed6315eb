//! Clients that may do nothing in somebody's name: a person blocks one for themselves, the owner of an agent for the agent.

use domain::AgentId;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::{
    service::members::By,
    store::{
        PlatformTransaction, Scope, StoreError, TenantTransaction,
        audit::{self, Event},
        client_blocks,
    },
};

/// How many clients somebody may block.
pub const MOST: usize = 1000;

/// Blocks a client for whoever asks; false if it is blocked.
pub async fn block_for_person(
    tx: &mut PlatformTransaction,
    client_id: &str,
    by: By<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !client_blocks::insert_of_person(tx, by.overseer, client_id, now).await? {
        return Ok(false);
    }
    record(tx, "client.block", client_id, by.overseer.uuid(), by, now).await?;
    Ok(true)
}

/// Lets a client in again for whoever asks; false if it was not blocked.
pub async fn unblock_for_person(
    tx: &mut PlatformTransaction,
    client_id: &str,
    by: By<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !client_blocks::delete_of_person(tx, by.overseer, client_id).await? {
        return Ok(false);
    }
    record(tx, "client.unblock", client_id, by.overseer.uuid(), by, now).await?;
    Ok(true)
}

/// Lets a client in again for an agent; false if it was not blocked.
pub async fn unblock_for_agent(
    tx: &mut TenantTransaction,
    client_id: &str,
    agent: AgentId,
    by: By<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !client_blocks::delete_of_agent(tx, agent, client_id).await? {
        return Ok(false);
    }
    record(tx, "client.unblock", client_id, agent.uuid(), by, now).await?;
    Ok(true)
}

/// Blocks a client for an agent; false if it is blocked.
pub async fn block_for_agent(
    tx: &mut TenantTransaction,
    client_id: &str,
    agent: AgentId,
    by: By<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !client_blocks::insert_of_agent(tx, agent, client_id, by.overseer, now).await? {
        return Ok(false);
    }
    record(tx, "client.block", client_id, agent.uuid(), by, now).await?;
    Ok(true)
}

async fn record(
    tx: &mut impl Scope,
    action: &'static str,
    client_id: &str,
    target: Uuid,
    by: By<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: by.actor,
        action,
        target,
        request_id: by.request_id,
        detail: json!({"client_id": client_id}),
    };
    audit::append(tx, &event).await
}
