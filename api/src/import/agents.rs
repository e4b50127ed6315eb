//! Agents: by their keys, in the tenant of their owner's own.

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};

use super::{Job, Outcome, REQUEST, file::Agent, people};
use crate::{
    auth::{jwk, random::random},
    service::{
        agent_keys,
        registration::{self, Request},
    },
    store::{StoreError, TenantTransaction, agent_keys::NewKey, agents},
};

/// An agent that is there, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) tenant: TenantId,
    pub(super) agent: AgentId,
    pub(super) owner: OverseerId,
}

/// Brings in an agent with its keys. One of which a key is there gets those that are missing.
pub(super) async fn bring_in(
    job: Job<'_>,
    agent: &Agent,
    owner: Option<OverseerId>,
) -> Result<(Option<Placed>, Outcome), StoreError> {
    let Some(owner) = owner else {
        let outcome = if job.dry {
            Outcome::New
        } else {
            Outcome::Refused("its owner was refused".to_owned())
        };
        return Ok((None, outcome));
    };
    let Some(tenant) = people::own_tenant(job, owner).await? else {
        return Ok((None, Outcome::Refused(people::NO_TENANT.to_owned())));
    };
    let mut tx = job.database.tenant(tenant).await?;
    let mut found = None;
    let mut missing = Vec::new();
    for key in &agent.keys {
        match agents::find_by_thumbprint(&mut tx, &jwk::thumbprint(key)).await? {
            Some(known) => found = Some(known.id),
            None => missing.push(*key),
        }
    }
    let placed = |agent| Placed { tenant, agent, owner };
    match (found, job.dry) {
        (Some(known), _) if missing.is_empty() => Ok((Some(placed(known)), Outcome::Known)),
        (known, true) => Ok((known.map(placed), Outcome::New)),
        (Some(known), false) => {
            let added = add(&mut tx, job, known, &missing).await?;
            let outcome = if added {
                tx.commit().await.map(|()| Outcome::New)?
            } else {
                taken()
            };
            Ok((Some(placed(known)), outcome))
        }
        (None, false) => {
            drop(tx);
            make(job, tenant, agent, owner)
                .await
                .map(|(made, outcome)| (made.map(placed), outcome))
        }
    }
}

async fn make(
    job: Job<'_>,
    tenant: TenantId,
    agent: &Agent,
    owner: OverseerId,
) -> Result<(Option<AgentId>, Outcome), StoreError> {
    let Some((first, more)) = agent.keys.split_first() else {
        return Ok((None, Outcome::Refused("it has no key".to_owned())));
    };
    let request = Request {
        name: &agent.name,
        public_key: *first,
        request_id: REQUEST,
    };
    let made = registration::register_for(job.database, tenant, owner, request, job.now, random()?).await?;
    let Some((mut tx, registered)) = made else {
        return Ok((None, taken()));
    };
    if !add(&mut tx, job, registered.id, more).await? {
        return Ok((None, taken()));
    }
    tx.commit().await?;
    Ok((Some(registered.id), Outcome::New))
}

/// Adds keys; false if one is somebody's, and then nothing of the transaction may stay.
async fn add(tx: &mut TenantTransaction, job: Job<'_>, agent: AgentId, keys: &[[u8; 32]]) -> Result<bool, StoreError> {
    for key in keys {
        let new = NewKey {
            agent,
            id: AgentKeyId::new(job.now, random()?),
            public_key: *key,
            thumbprint: jwk::thumbprint(key),
            at: job.now,
        };
        if !agent_keys::store(tx, &new, REQUEST).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn taken() -> Outcome {
    Outcome::Refused("one of its keys is another agent's".to_owned())
}
