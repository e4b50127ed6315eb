//! An agent acts for a person (RFC 8693): for the person's token and its own it gets one that says both. A client that proves itself gets one
//! of its own that may do less.

use domain::{AgentId, GrantId};
use jiff::Timestamp;
use resource_server::check::Binding;
use serde_json::json;

use crate::{
    auth::{
        client::values::{GrantType, Scope},
        random::random,
        signing::Algorithm,
        token::{ACTORS, Act, AgentProof, AgentToken, GrantToken, PodClaim, Who},
    },
    service::{
        client_proof::Proved,
        grants::{
            made::Made,
            tokens::{Refused, may, narrowed, spent},
        },
        tokens::{self, Issued, Maker, RIGHTS},
    },
    store::{
        audit::{self, Actor, Event},
        grants::{self, Grant},
    },
};

pub mod legacy;

/// Who asks.
#[derive(Debug)]
pub enum By<'a> {
    /// An agent, by a token of its own.
    Agent(&'a AgentToken),
    /// A client, for which the token was.
    Client(&'a Proved),
}

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The person's token, which is in force.
    pub subject: &'a GrantToken,
    /// Who asks.
    pub by: By<'a>,
    /// What the new token is to be good for; all that it can be, if nothing is named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// Exchanges tokens that were judged. The issue is recorded before the new one leaves.
pub async fn exchange(maker: Maker<'_>, asked: Asked<'_>, now: Timestamp) -> Result<Issued, Refused> {
    let subject = asked.subject;
    let known = maker
        .standing
        .find_grant(subject.grant)
        .await?
        .ok_or(Refused::Subject)?;
    let given = Grant {
        scopes: Scope::parse_all(&subject.scopes),
        ..known
    };
    match asked.by {
        By::Client(client) => {
            may(client, GrantType::TokenExchange, asked.binding.is_some())?;
            let signing = maker.signing(client.client.metadata.access_token_algorithm, now)?;
            // Whose token it is may have another; whoever else has it has it from somebody.
            if subject.actor.is_some() || subject.client_id != client.client.client_id {
                return Err(Refused::Subject);
            }
            let scopes = narrowed(&given, asked.scopes.as_deref())?;
            let jkt = spent(maker, asked.binding, now).await?;
            let mut tx = maker.database.tenant(given.tenant).await?;
            let made = Made {
                grant: &given,
                client_id: given.client_id.clone(),
                by: GrantType::TokenExchange.as_str(),
                scopes: &scopes,
                until: Some(subject.expires_at),
                who: None,
                request_id: asked.request_id,
            };
            let jti = made.record(&mut tx, now).await?;
            tx.commit().await?;
            Ok(made.issued(maker, &signing, jti, jkt, now)?)
        }
        By::Agent(agent) => {
            let signing = maker.signing(Algorithm::EdDsa, now)?;
            let grant = delegated(given, agent, asked.scopes.as_deref(), subject, now)?;
            let jkt = spent(maker, asked.binding, now).await?;
            let mut tx = maker.database.tenant(grant.tenant).await?;
            grants::insert(&mut tx, &grant, Some(subject.grant), now).await?;
            let event = Event {
                at: now,
                actor: Actor::Agent(agent.agent),
                action: "grant.delegate",
                target: grant.id.uuid(),
                request_id: asked.request_id,
                detail: json!({"parent": subject.grant.to_string(), "client_id": grant.client_id, "agent": agent.agent.to_string()}),
            };
            audit::append(&mut tx, &event).await?;
            // It is asked for in this transaction, as it will be for each request with the token.
            let stands = grants::find_in(&mut tx, grant.id).await?;
            if stands.is_none() {
                return Err(Refused::Subject);
            }
            let made = Made {
                grant: &grant,
                client_id: agent.agent.to_string(),
                by: GrantType::TokenExchange.as_str(),
                scopes: &grant.scopes,
                until: Some(subject.expires_at),
                who: Some(who(agent, subject, grant.id)),
                request_id: asked.request_id,
            };
            let jti = made.record(&mut tx, now).await?;
            tx.commit().await?;
            Ok(made.issued(maker, &signing, jti, jkt, now)?)
        }
    }
}

/// The authorization of an agent under a person's: of its scopes those that an agent may have. What an earlier actor may counts no more.
fn delegated(
    given: Grant,
    agent: &AgentToken,
    scopes: Option<&[&str]>,
    subject: &GrantToken,
    now: Timestamp,
) -> Result<Grant, Refused> {
    let actors: Vec<AgentId> = [agent.agent].into_iter().chain(given.actors.iter().copied()).collect();
    if agent.tenant != given.tenant || given.actors.contains(&agent.agent) || actors.len() > ACTORS {
        return Err(Refused::Subject);
    }
    let is_for_agents = |scope: &Scope| matches!(scope, Scope::Right(right) if RIGHTS.contains(right));
    let most = Grant {
        scopes: given.scopes.iter().copied().filter(is_for_agents).collect(),
        ..given
    };
    let scopes = narrowed(&most, scopes)?;
    if scopes.is_empty() {
        return Err(tokens::Refused::Scope.into());
    }
    Ok(Grant {
        id: GrantId::new(now, random().map_err(|_| tokens::Refused::NoKey)?),
        actors,
        scopes,
        expires_at: most.expires_at.min(subject.expires_at),
        ..most
    })
}

/// What the token says of who acts (RFC 8693, section 4.1).
fn who(agent: &AgentToken, subject: &GrantToken, grant: GrantId) -> Who {
    let earliest_first = subject.actors().iter().rev();
    let before = earliest_first.fold(None, |act, actor| {
        let sub = actor.to_string();
        Some(Box::new(Act { sub, act }))
    });
    let (pinfold_key, pinfold_pod) = match &agent.proof {
        AgentProof::Key(key) => (Some(key.to_string()), None),
        AgentProof::Pod(pod) => (None, Some(PodClaim::from(pod))),
    };
    Who::Delegate {
        pinfold_grant: grant.to_string(),
        act: Act {
            sub: agent.agent.to_string(),
            act: before,
        },
        pinfold_owner: agent.owner.to_string(),
        pinfold_key,
        pinfold_pod,
    }
}
