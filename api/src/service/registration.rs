//! An agent registers itself: it brings a key, and a stand-in owns it until a person claims it.

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    auth::{jwk, shadow},
    store::{
        Database, StoreError,
        agent_keys::{self, NewKey},
        agents::{self, NewAgent, Registered},
        audit::{self, Actor},
        tenants,
    },
};

/// How long an agent lives that nobody claims.
pub const UNCLAIMED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What came of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The agent is new.
    Made(Registered),
    /// The key was registered before; here is its agent.
    Known(Registered),
    /// The key belongs to an agent that is no longer, or is no longer unclaimed, or was revoked. It is not taken again.
    Refused,
}

/// What is stored, and for whom.
#[derive(Debug)]
pub struct Request<'a> {
    /// What people are to call the agent.
    pub name: &'a str,
    /// Its key, of which it has shown that it holds the private half.
    pub public_key: [u8; 32],
    /// The request's id.
    pub request_id: &'a str,
}

/// Registers an agent. Twice the same key gives twice the same agent, so a lost answer does no harm.
pub async fn register(
    database: &Database,
    shadow_key: &aws_lc_rs::hmac::Key,
    request: Request<'_>,
    now: Timestamp,
    random: [u8; 20],
) -> Result<Outcome, StoreError> {
    let thumbprint = jwk::thumbprint(&request.public_key);
    let owner = shadow::owner(shadow_key, &thumbprint);
    let (for_agent, for_key) = halves(random);
    let new = NewAgent {
        id: AgentId::new(now, for_agent),
        owner,
        name: request.name.to_owned(),
        expires_at: now.checked_add(UNCLAIMED).ok(),
        at: now,
    };
    let key = NewKey {
        agent: new.id,
        id: AgentKeyId::new(now, for_key),
        public_key: request.public_key,
        thumbprint,
        at: now,
    };
    let mut tx = database.tenant(tenants::SHADOW).await?;
    agents::ensure_shadow_owner(&mut tx, owner, now).await?;
    agents::insert(&mut tx, &new).await?;
    if !agent_keys::insert(&mut tx, &key).await? {
        // Rolled back: the agent that was to have the key goes with it.
        drop(tx);
        return known(database, &key.thumbprint, now).await;
    }
    let event = audit::Event {
        at: now,
        actor: Actor::Agent(new.id),
        action: "agent.register",
        target: new.id.uuid(),
        request_id: request.request_id,
        detail: json!({"key_id": key.id.to_string(), "thumbprint": key.thumbprint, "owner_id": owner.to_string()}),
    };
    audit::append(&mut tx, &event).await?;
    tx.commit().await?;
    Ok(Outcome::Made(Registered {
        id: new.id,
        key: key.id,
        name: new.name,
        expires_at: new.expires_at,
        revoked: false,
    }))
}

/// Registers an agent of a tenant, for a person who owns it; none if the key is somebody's.
pub async fn register_for(
    database: &Database,
    tenant: TenantId,
    owner: OverseerId,
    request: Request<'_>,
    now: Timestamp,
    random: [u8; 20],
) -> Result<Option<Registered>, StoreError> {
    let (for_agent, for_key) = halves(random);
    let new = NewAgent {
        id: AgentId::new(now, for_agent),
        owner,
        name: request.name.to_owned(),
        expires_at: None,
        at: now,
    };
    let key = NewKey {
        agent: new.id,
        id: AgentKeyId::new(now, for_key),
        public_key: request.public_key,
        thumbprint: jwk::thumbprint(&request.public_key),
        at: now,
    };
    let mut tx = database.tenant(tenant).await?;
    agents::insert(&mut tx, &new).await?;
    if !agent_keys::insert(&mut tx, &key).await? {
        return Ok(None);
    }
    let event = audit::Event {
        at: now,
        actor: Actor::Overseer(owner),
        action: "agent.register",
        target: new.id.uuid(),
        request_id: request.request_id,
        detail: json!({"key_id": key.id.to_string(), "thumbprint": key.thumbprint}),
    };
    audit::append(&mut tx, &event).await?;
    tx.commit().await?;
    Ok(Some(Registered {
        id: new.id,
        key: key.id,
        name: new.name,
        expires_at: None,
        revoked: false,
    }))
}

async fn known(database: &Database, thumbprint: &str, now: Timestamp) -> Result<Outcome, StoreError> {
    let mut tx = database.tenant(tenants::SHADOW).await?;
    let found = agents::find_by_thumbprint(&mut tx, thumbprint).await?;
    Ok(match found {
        Some(agent) if agent.stands(now) => Outcome::Known(agent),
        _ => Outcome::Refused,
    })
}

fn halves(random: [u8; 20]) -> ([u8; 10], [u8; 10]) {
    let (mut a, mut b) = ([0; 10], [0; 10]);
    a.copy_from_slice(&random[..10]);
    b.copy_from_slice(&random[10..]);
    (a, b)
}
