//! What people do with their tenant's agents.

use domain::AgentKeyId;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    service::{
        agent_keys::{self, Revocation},
        members::By,
        oversight::{Overseen, Refused},
    },
    store::{
        StoreError,
        agents::{self, Agent},
        audit::{self, Event},
    },
};

/// Changes what people call an agent.
pub async fn rename(overseen: Overseen, name: &str, by: By<'_>, now: Timestamp) -> Result<Agent, StoreError> {
    if overseen.agent.name == name {
        return Ok(overseen.agent);
    }
    let Overseen { mut tx, agent, .. } = overseen;
    agents::rename(&mut tx, agent.id, name).await?;
    audit::append(
        &mut tx,
        &event(&agent, "agent.update", by, json!({"member": "name"}), now),
    )
    .await?;
    tx.commit().await?;
    Ok(Agent {
        name: name.to_owned(),
        ..agent
    })
}

/// Ends an agent: nothing that it proved holds any longer, and its keys are never taken again.
pub async fn end(overseen: Overseen, by: By<'_>, now: Timestamp) -> Result<(), StoreError> {
    let Overseen { mut tx, agent, .. } = overseen;
    agents::end(&mut tx, agent.id, now).await?;
    audit::append(&mut tx, &event(&agent, "agent.delete", by, json!({}), now)).await?;
    tx.commit().await
}

/// Revokes a key of an agent; what was proved with it ends with the next request.
pub async fn revoke_key(overseen: Overseen, key: AgentKeyId, by: By<'_>, now: Timestamp) -> Result<(), Refused> {
    let Overseen { mut tx, agent, .. } = overseen;
    let actor = by.actor;
    match agent_keys::revoke_locked(&mut tx, agent.id, key, actor, by.request_id, now).await? {
        Revocation::Done => Ok(tx.commit().await?),
        Revocation::NotFound => Err(Refused::NotFound),
        Revocation::Last => Err(Refused::LastKey),
    }
}

fn event<'a>(agent: &Agent, action: &'static str, by: By<'a>, detail: Value, at: Timestamp) -> Event<'a> {
    Event {
        at,
        actor: by.actor,
        action,
        target: agent.id.uuid(),
        request_id: by.request_id,
        detail,
    }
}
