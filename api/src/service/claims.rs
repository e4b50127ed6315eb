//! A person claims an agent that registered itself: the agent shows a code, and whoever has it becomes the owner.

use std::fmt;

use domain::{AgentId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    auth::{chain::Head, token::AgentToken, typed_code},
    service::members::By,
    store::{
        Database, Scope, StoreError, TenantTransaction,
        agents::{self, Agent},
        audit::{self, Actor, Event},
        audit_chain,
        claims::{self, Claimable},
        tenants,
    },
};

/// How long a code is good.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What codes are for.
const PURPOSE: &str = "claim";

/// A code, which only its agent is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// As people type it.
    pub text: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

/// Gives an agent a code; one that it had before ends. Nothing, if the agent has an owner already.
pub async fn offer(
    database: &Database,
    agent: &AgentToken,
    request_id: &str,
    now: Timestamp,
    random: [u8; 10],
) -> Result<Option<(TenantTransaction, Code)>, StoreError> {
    if agent.tenant != tenants::SHADOW {
        return Ok(None);
    }
    let code = Code {
        text: typed_code::written(random),
        expires_at: now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX),
    };
    let mut tx = database.tenant(agent.tenant).await?;
    let hash = typed_code::hash(PURPOSE, &code.text);
    if !claims::put(&mut tx, agent.agent, &hash, code.expires_at).await? {
        return Ok(None);
    }
    let actor = Actor::Agent(agent.agent);
    record(
        &mut tx,
        "claim_code.create",
        actor,
        agent.agent,
        request_id,
        json!({}),
        now,
    )
    .await?;
    Ok(Some((tx, code)))
}

/// The agent whose code this is.
pub async fn find(database: &Database, code: &str, now: Timestamp) -> Result<Option<Claimable>, StoreError> {
    let mut tx = database.tenant(tenants::SHADOW).await?;
    claims::find(&mut tx, &typed_code::hash(PURPOSE, code), now).await
}

/// Claims an agent for a tenant and an owner there, in a transaction of the tenant's that is still to be stored. Nothing, if
/// the code is good for nothing.
///
/// Both audit chains get a record with the other's head: rows never move from one to the other, so this is what ties the
/// agent's two histories together.
pub async fn claim(
    database: &Database,
    tenant: TenantId,
    code: &str,
    by: By<'_>,
    now: Timestamp,
) -> Result<Option<(TenantTransaction, Agent)>, StoreError> {
    let actor = by.actor;
    let mut tx = database.tenant(tenant).await?;
    let joined = head(&mut tx).await?;
    let mut tx = tx.go_on_in(tenants::SHADOW).await?;
    let hash = typed_code::hash(PURPOSE, code);
    let Some(claimed) = claims::take(&mut tx, &hash, tenant, by.overseer, now).await? else {
        return Ok(None);
    };
    let left = head(&mut tx).await?;
    let owners = (claimed.former_owner, by.overseer);
    let detail = moved(owners, "to", tenant, joined.as_ref());
    record(&mut tx, "agent.leave", actor, claimed.id, by.request_id, detail, now).await?;
    let mut tx = tx.go_on_in(tenant).await?;
    let detail = moved(owners, "from", tenants::SHADOW, left.as_ref());
    record(&mut tx, "agent.claim", actor, claimed.id, by.request_id, detail, now).await?;
    let agent = agents::find(&mut tx, claimed.id).await?;
    Ok(agent.map(|agent| (tx, agent)))
}

async fn head(tx: &mut TenantTransaction) -> Result<Option<Head>, StoreError> {
    Ok(audit_chain::head(tx).await?.map(|(head, _)| head))
}

fn moved(owners: (OverseerId, OverseerId), way: &str, tenant: TenantId, head: Option<&Head>) -> Value {
    let (former, owner) = owners;
    let head = head.map(|head| json!({"count": head.count, "hash": head.hash}));
    json!({
        "former_owner_id": former.to_string(),
        "owner_id": owner.to_string(),
        way: {"tenant_id": tenant.to_string(), "head": head},
    })
}

async fn record(
    tx: &mut impl Scope,
    action: &'static str,
    actor: Actor,
    agent: AgentId,
    request_id: &str,
    detail: Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor,
        action,
        target: agent.uuid(),
        request_id,
        detail,
    };
    audit::append(tx, &event).await
}
