//! Whether a caller still is who they were.

use domain::{AgentKeyId, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    app::AppState,
    auth::token::{AgentProof, AgentToken, PodRef},
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
            Self::Agent(agent) => match &agent.proof {
                AgentProof::Key(key) => holder(state, agent, *key, None, now).await?.is_some(),
                AgentProof::Pod(pod) => {
                    let standing = standing.find_agent(agent.agent).await?;
                    standing.is_some_and(|s| s.stands(now) && s.tenant == agent.tenant && s.owner == agent.owner)
                        && lives(state, agent.tenant, pod).await?
                }
            },
            Self::Run(run) => lives(state, run.tenant, &run.pod).await?,
            Self::Client(client) => client_credentials::stands(standing, client, now).await?,
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
