//! Whether a caller still is who they were.

use domain::{AgentKeyId, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    app::AppState,
    auth::token::{Acting, AgentProof, AgentToken, GrantToken, PodRef},
    documents,
    http::{
        caller::{Caller, Login, Proof},
        error::ApiError,
    },
    service::{
        client_credentials,
        namespaces::{self, NamespaceError},
    },
    store::{StoreError, accounts, agents::Holder},
};

impl Caller {
    /// Whether the proof still holds: a request asks.
    pub async fn stands(&self, state: &AppState) -> Result<bool, ApiError> {
        let (standing, now) = (&state.standing, state.clock.now());
        Ok(match self {
            Self::Agent(agent) => alone(state, agent, now).await?,
            Self::Run(run) => lives(state, run.tenant, &run.pod).await?,
            Self::Client(client) => client_credentials::stands(standing, client, now).await?,
            Self::Grant(grant) => given(state, grant, now).await?,
            Self::Person(login) => match &login.proof {
                Proof::Session(cookied) => standing.find_session(&cookied.token_hash, now).await?.is_some(),
                // What goes on for long is not ended by a token that lives for a minute, but by the identity being taken away.
                Proof::Outside(outsider) => {
                    let holder = standing.find_person(&outsider.issuer, &outsider.subject).await?;
                    holder.is_some_and(|holder| holder.overseer == login.overseer && !holder.blocked)
                }
            },
            Self::Key(key) => standing.find_key(&key.hash, now).await?.is_some(),
        })
    }

    /// Whether what the caller began may go on. It ends with what is taken away, and not with a login or a key that has merely reached its end.
    pub async fn lasts(&self, state: &AppState) -> Result<bool, ApiError> {
        let now = state.clock.now();
        match self {
            Self::Person(Login {
                overseer,
                proof: Proof::Session(cookied),
            }) if cookied.session.expires_at <= now => Ok(accounts::is_open(state.database.pool(), *overseer).await?),
            Self::Key(key) => {
                // As it was just before its end.
                let last = key.expires_at.map(|end| end - SignedDuration::from_secs(1));
                let at = last.map_or(now, |last| now.min(last));
                Ok(state.standing.find_key(&key.hash, at).await?.is_some())
            }
            _ => self.stands(state).await,
        }
    }
}

/// Whether what a person allowed is still allowed: the client is there, and an agent that acts still is who the token says.
async fn given(state: &AppState, token: &GrantToken, now: Timestamp) -> Result<bool, ApiError> {
    let Some(grant) = state.standing.find_grant(token.grant).await? else {
        return Ok(false);
    };
    let gives = |name: &String| grant.scopes.iter().any(|scope| scope.as_str() == name);
    let is_the_same = grant.overseer == token.overseer
        && grant.tenant == token.tenant
        && grant.actors == token.actors()
        && (token.actor.is_some() || grant.client_id == token.client_id);
    if !is_the_same || now >= grant.expires_at || !token.scopes.iter().all(gives) {
        return Ok(false);
    }
    // One that describes itself was looked at when it was let in: whether its description can be read now is not for each request to ask.
    if !documents::is_name(&grant.client_id) {
        let Some(client) = state.standing.find_client(&grant.client_id).await? else {
            return Ok(false);
        };
        let may = |name: &String| client.metadata.scopes.iter().any(|scope| scope.as_str() == name);
        let is_bound = token.bound || token.actor.is_some() || !client.metadata.dpop_bound;
        if !is_bound || !token.scopes.iter().all(may) {
            return Ok(false);
        }
    }
    match &token.actor {
        None => Ok(true),
        Some(actor) => acts(state, actor, token, now).await,
    }
}

async fn acts(state: &AppState, actor: &Acting, token: &GrantToken, now: Timestamp) -> Result<bool, ApiError> {
    let Some(agent) = actor.chain.first() else {
        return Ok(false);
    };
    let agent = AgentToken {
        agent: *agent,
        proof: actor.proof.clone(),
        tenant: token.tenant,
        owner: actor.owner,
        scopes: token.scopes.clone(),
        expires_at: token.expires_at,
    };
    alone(state, &agent, now).await
}

/// Whether an agent is who its token says.
async fn alone(state: &AppState, agent: &AgentToken, now: Timestamp) -> Result<bool, ApiError> {
    match &agent.proof {
        AgentProof::Key(key) => Ok(holder(state, agent, *key, None, now).await?.is_some()),
        AgentProof::Pod(pod) => {
            let standing = state.standing.find_agent(agent.agent).await?;
            let stands = standing.is_some_and(|s| s.stands(now) && s.tenant == agent.tenant && s.owner == agent.owner);
            Ok(stands && lives(state, agent.tenant, pod).await?)
        }
    }
}

/// The holder of the key that an agent's token names, if the agent still is who the token says.
pub(super) async fn holder(
    state: &AppState,
    agent: &AgentToken,
    key: AgentKeyId,
    beside: Option<&str>,
    now: Timestamp,
) -> Result<Option<Holder>, StoreError> {
    let holder = state.standing.find_holder(agent.agent, key, beside).await?;
    Ok(holder.filter(|h| h.stands(now) && h.tenant == agent.tenant && h.owner == agent.owner))
}

/// Whether a pod of a tenant's is there. Where the tenant is no more, it is not.
async fn lives(state: &AppState, tenant: TenantId, pod: &PodRef) -> Result<bool, ApiError> {
    let cluster = state.cluster()?;
    match namespaces::find(&state.database, cluster, tenant).await {
        Ok(namespace) => Ok(cluster.pod_lives(&namespace, pod).await?),
        Err(NamespaceError::NoTenant) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
