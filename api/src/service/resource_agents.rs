//! Agents that run in the cluster: the Agent resource and the row are one identity. Its id is the resource's UID, its first owner is
//! the tenant's, and the key that the operator publishes is a key of it.

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use crate::{
    auth::{jwk, jws, opaque::sha256},
    cluster::AgentResource,
    store::{
        Database, Scope as _, StoreError, TenantTransaction,
        agent_keys::{self, NewKey},
        agents::{self, OfResource},
        audit::{self, Actor, Event},
        memberships,
    },
};

/// What became of a resource's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It is there, and this is its owner.
    Done(OverseerId),
    /// Somebody ended it: it does not come back, whatever the resource says.
    Ended,
    /// Nobody owns the tenant.
    NoOwner,
}

/// Makes sure that a resource's agent is there, with the key that the operator publishes. However often this is done, one is
/// made; a key that was revoked stays revoked.
pub async fn adopt(
    database: &Database,
    tenant: TenantId,
    resource: &AgentResource,
    request_id: &str,
    now: Timestamp,
) -> Result<Adoption, StoreError> {
    let mut tx = database.tenant(tenant).await?;
    let place = Place {
        id: resource.id,
        request_id,
        now,
    };
    if agents::owner_of_resource(&mut tx, resource.id).await?.is_none() {
        let Some(owner) = memberships::first_owner(&mut tx).await? else {
            return Ok(Adoption::NoOwner);
        };
        let new = OfResource {
            id: resource.id,
            owner,
            name: &resource.name,
            at: now,
        };
        if agents::insert_of_resource(&mut tx, &new).await? {
            let detail = json!({"resource": resource.name, "owner_id": owner.to_string()});
            audit::append(&mut tx, &place.event("agent.register", detail)).await?;
        }
    }
    if !agent_keys::lock(&mut tx, resource.id).await? {
        return Ok(Adoption::Ended);
    }
    let Some(owner) = agents::owner_of_resource(&mut tx, resource.id).await? else {
        return Ok(Adoption::Ended);
    };
    if let Some(public_key) = resource.public_key.as_deref().and_then(read) {
        publish(&mut tx, public_key, place).await?;
    }
    tx.commit().await?;
    Ok(Adoption::Done(owner))
}

/// Ends the agent of a resource that is gone: nothing that it proved holds any longer, and its keys are never taken again.
pub async fn end(database: &Database, tenant: TenantId, id: AgentId, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = database.tenant(tenant).await?;
    if !agent_keys::lock(&mut tx, id).await? {
        return Ok(());
    }
    agents::end(&mut tx, id, now).await?;
    let place = Place {
        id,
        request_id: "",
        now,
    };
    audit::append(&mut tx, &place.event("agent.delete", json!({"resource": "gone"}))).await?;
    tx.commit().await
}

/// Of whom, in which request, when.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    id: AgentId,
    request_id: &'a str,
    now: Timestamp,
}

impl<'a> Place<'a> {
    /// The platform does what the resource says.
    fn event(self, action: &'static str, detail: Value) -> Event<'a> {
        Event {
            at: self.now,
            actor: Actor::System,
            action,
            target: self.id.uuid(),
            request_id: self.request_id,
            detail,
        }
    }
}

/// Takes the published key on, and lets go of the one that was published before. Keys that the agent added itself stay.
async fn publish(tx: &mut TenantTransaction, public_key: [u8; 32], place: Place<'_>) -> Result<(), StoreError> {
    let thumbprint = jwk::thumbprint(&public_key);
    let known = agent_keys::list(tx, place.id).await?;
    if known.iter().all(|key| key.thumbprint != thumbprint) {
        let new = NewKey {
            agent: place.id,
            id: key_id(&thumbprint),
            public_key,
            thumbprint: thumbprint.clone(),
            at: place.now,
        };
        if agent_keys::insert(tx, &new).await? {
            let detail = json!({"key_id": new.id.to_string(), "thumbprint": thumbprint});
            audit::append(tx, &place.event("agent_key.add", detail)).await?;
        } else {
            warn!(
                agent = %place.id,
                tenant = ?tx.tenant(),
                thumbprint,
                "the key of an Agent is somebody else's already; give the Agent another (pinfold.dev/replace-identity)"
            );
        }
    }
    for old in known {
        let was_published = old.id == key_id(&old.thumbprint);
        if was_published && old.thumbprint != thumbprint && agent_keys::revoke(tx, place.id, old.id, place.now).await? {
            let detail = json!({"key_id": old.id.to_string(), "thumbprint": old.thumbprint});
            audit::append(tx, &place.event("agent_key.revoke", detail)).await?;
        }
    }
    Ok(())
}

/// The id of a published key follows from its thumbprint: who has the key knows what to call it.
fn key_id(thumbprint: &str) -> AgentKeyId {
    let digest = jws::decode(thumbprint).and_then(|bytes| bytes.try_into().ok());
    // Every thumbprint is a digest; that of another length has an id all the same.
    AgentKeyId::of_digest(&digest.unwrap_or_else(|| sha256(thumbprint.as_bytes())))
}

fn read(public_key: &str) -> Option<[u8; 32]> {
    jws::decode(public_key)?.try_into().ok()
}

#[cfg(test)]
mod tests;
