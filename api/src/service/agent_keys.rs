//! An agent changes its keys: it adds a new one, and then revokes the old.

use domain::{AgentId, AgentKeyId};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{jwk, token::AgentToken},
    store::{
        Database, StoreError, TenantTransaction,
        agent_keys::{self, Key, NewKey},
        audit::{self, Actor, Event},
    },
};

/// How many keys an agent may have in force.
pub const MOST: usize = 10;

/// What came of the addition of a key.
#[derive(Debug)]
pub enum Addition {
    /// It is the agent's key when the transaction is stored, or was before.
    Done(TenantTransaction, Key),
    /// It is another agent's key, or was revoked. It is not taken again.
    Used,
    /// The agent has ended, or was claimed a moment ago: its token is none any more.
    Gone,
    /// The agent has as many keys in force as it may.
    TooMany,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The key is revoked.
    Done,
    /// The agent has no such key in force.
    NotFound,
    /// Without it the agent could never prove itself again.
    Last,
}

/// The agent's keys.
pub async fn list(database: &Database, caller: &AgentToken) -> Result<Vec<Key>, StoreError> {
    let mut tx = database.tenant(caller.tenant).await?;
    agent_keys::list(&mut tx, caller.agent).await
}

/// Adds a key. Twice the same gives twice the same, so a lost answer does no harm.
pub async fn add(
    database: &Database,
    caller: &AgentToken,
    public_key: [u8; 32],
    request_id: &str,
    now: Timestamp,
    random: [u8; 10],
) -> Result<Addition, StoreError> {
    let mut tx = database.tenant(caller.tenant).await?;
    if !agent_keys::lock(&mut tx, caller.agent).await? {
        return Ok(Addition::Gone);
    }
    let thumbprint = jwk::thumbprint(&public_key);
    let known = agent_keys::list(&mut tx, caller.agent).await?;
    match known.iter().find(|key| key.thumbprint == thumbprint) {
        Some(key) if key.revoked_at.is_none() => {
            let key = key.clone();
            return Ok(Addition::Done(tx, key));
        }
        Some(_) => return Ok(Addition::Used),
        None if in_force(&known).count() >= MOST => return Ok(Addition::TooMany),
        None => {}
    }
    let new = NewKey {
        agent: caller.agent,
        id: AgentKeyId::new(now, random),
        public_key,
        thumbprint,
        at: now,
    };
    if !store(&mut tx, &new, request_id).await? {
        return Ok(Addition::Used);
    }
    let key = Key {
        id: new.id,
        thumbprint: new.thumbprint,
        created_at: now,
        revoked_at: None,
    };
    Ok(Addition::Done(tx, key))
}

/// Stores a key of an agent that is locked or new; false if it is somebody's, and then nothing of the transaction may stay.
pub async fn store(tx: &mut TenantTransaction, new: &NewKey, request_id: &str) -> Result<bool, StoreError> {
    if !agent_keys::insert(tx, new).await? {
        return Ok(false);
    }
    let event = event(new.agent, "agent_key.add", request_id, new.at, new.id, &new.thumbprint);
    audit::append(tx, &event).await?;
    Ok(true)
}

/// Revokes a key; what was proved with it ends with the next request.
pub async fn revoke(
    database: &Database,
    caller: &AgentToken,
    key: AgentKeyId,
    request_id: &str,
    now: Timestamp,
) -> Result<Revocation, StoreError> {
    let mut tx = database.tenant(caller.tenant).await?;
    if !agent_keys::lock(&mut tx, caller.agent).await? {
        return Ok(Revocation::NotFound);
    }
    let actor = Actor::Agent(caller.agent);
    let outcome = revoke_locked(&mut tx, caller.agent, key, actor, request_id, now).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// Revokes a key of an agent that is locked, for whoever may.
pub async fn revoke_locked(
    tx: &mut TenantTransaction,
    agent: AgentId,
    key: AgentKeyId,
    actor: Actor,
    request_id: &str,
    now: Timestamp,
) -> Result<Revocation, StoreError> {
    let known = agent_keys::list(tx, agent).await?;
    let Some(found) = in_force(&known).find(|k| k.id == key) else {
        return Ok(Revocation::NotFound);
    };
    if in_force(&known).count() == 1 {
        return Ok(Revocation::Last);
    }
    if !agent_keys::revoke(tx, agent, key, now).await? {
        return Ok(Revocation::NotFound);
    }
    let event = Event {
        actor,
        ..event(agent, "agent_key.revoke", request_id, now, key, &found.thumbprint)
    };
    audit::append(tx, &event).await?;
    Ok(Revocation::Done)
}

fn in_force(keys: &[Key]) -> impl Iterator<Item = &Key> {
    keys.iter().filter(|key| key.revoked_at.is_none())
}

fn event<'a>(
    agent: AgentId,
    action: &'static str,
    request_id: &'a str,
    at: Timestamp,
    key: AgentKeyId,
    thumbprint: &str,
) -> Event<'a> {
    Event {
        at,
        actor: Actor::Agent(agent),
        action,
        target: agent.uuid(),
        request_id,
        detail: json!({"key_id": key.to_string(), "thumbprint": thumbprint}),
    }
}
