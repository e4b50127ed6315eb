//! An agent registers itself: it brings a key, and a stand-in owns it until a person claims it.

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    auth::{jwk, shadow},
    store::{
        Database, StoreError, TenantTransaction,
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

/// Whose an agent is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    /// A stand-in's: the agent registers itself, and ends if nobody claims it.
    StandIn(OverseerId),
    /// The person's who registers it.
    Person(OverseerId),
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
    let mut tx = database.tenant(tenants::SHADOW).await?;
    agents::ensure_shadow_owner(&mut tx, owner, now).await?;
    if let Some(made) = store(&mut tx, Owner::StandIn(owner), &thumbprint, request, now, random).await? {
        tx.commit().await?;
        return Ok(Outcome::Made(made));
    }
    // Gives its connection back before it asks for another: many who wait for one another would wait for ever.
    drop(tx);
    known(database, &thumbprint, now).await
}

/// Registers an agent of a tenant, for a person who owns it, in a transaction that is still to be stored; none if the key is
/// somebody's.
pub async fn register_for(
    database: &Database,
    tenant: TenantId,
    owner: OverseerId,
    request: Request<'_>,
    now: Timestamp,
    random: [u8; 20],
) -> Result<Option<(TenantTransaction, Registered)>, StoreError> {
    let thumbprint = jwk::thumbprint(&request.public_key);
    let mut tx = database.tenant(tenant).await?;
    let made = store(&mut tx, Owner::Person(owner), &thumbprint, request, now, random).await?;
    Ok(made.map(|made| (tx, made)))
}

/// Adds an agent with its key; if the key is somebody's, nothing of the transaction may stay.
async fn store(
    tx: &mut TenantTransaction,
    owner: Owner,
    thumbprint: &str,
    request: Request<'_>,
    now: Timestamp,
    random: [u8; 20],
) -> Result<Option<Registered>, StoreError> {
    let (for_agent, for_key) = halves(random);
    let id = AgentId::new(now, for_agent);
    let key = NewKey {
        agent: id,
        id: AgentKeyId::new(now, for_key),
        public_key: request.public_key,
        thumbprint: thumbprint.to_owned(),
        at: now,
    };
    let mut detail = json!({"key_id": key.id.to_string(), "thumbprint": thumbprint});
    let (owner, actor, expires_at) = match owner {
        Owner::StandIn(owner) => {
            detail["owner_id"] = json!(owner.to_string());
            (owner, Actor::Agent(id), now.checked_add(UNCLAIMED).ok())
        }
        Owner::Person(owner) => (owner, Actor::Overseer(owner), None),
    };
    let new = NewAgent {
        id,
        owner,
        name: request.name.to_owned(),
        expires_at,
        at: now,
    };
    agents::insert(tx, &new).await?;
    if !agent_keys::insert(tx, &key).await? {
        return Ok(None);
    }
    let event = audit::Event {
        at: now,
        actor,
        action: "agent.register",
        target: id.uuid(),
        request_id: request.request_id,
        detail,
    };
    audit::append(tx, &event).await?;
    Ok(Some(Registered {
        id,
        key: key.id,
        name: new.name,
        expires_at,
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
