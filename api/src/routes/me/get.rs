//! `GET /v1/me`: who the proof says one is.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{csrf, token::AgentProof},
    http::{
        caller::{Caller, Cookied, Proof},
        error::ApiError,
    },
    store::accounts,
};

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Me {
    /// An agent, by an access token.
    Agent {
        /// The agent.
        id: String,
        /// Its tenant.
        tenant_id: String,
        /// Its owner.
        owner_id: String,
        /// The key that it proved; none if it proved its pod.
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        /// The pod that it proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "greeter-5d9c8f7b6-x2x4v")]
        pod: Option<String>,
        /// What the token may be used for.
        #[schema(example = json!(["self"]))]
        scopes: Vec<String>,
        /// The token's end (RFC 3339).
        expires_at: String,
    },
    /// What runs in a sandbox, by an access token.
    Run {
        /// The run: the UID of its resource.
        id: String,
        /// Its name.
        #[schema(example = "answer")]
        name: String,
        /// Its tenant.
        tenant_id: String,
        /// The pod that it proved.
        pod: String,
        /// What the token may be used for.
        #[schema(example = json!(["runs:read"]))]
        scopes: Vec<String>,
        /// The token's end (RFC 3339).
        expires_at: String,
    },
    /// An OAuth client that acts on its own, by an access token.
    Client {
        /// The client.
        id: String,
        /// What it calls itself by.
        client_id: String,
        /// The tenant that registered it.
        tenant_id: String,
        /// What the token may be used for.
        #[schema(example = json!(["runs:read"]))]
        scopes: Vec<String>,
        /// The token's end (RFC 3339).
        expires_at: String,
    },
    /// An OAuth client, or an agent, that acts for a person, by an access token.
    Grant {
        /// What the person allowed.
        id: String,
        /// What the client calls itself by; the agent, if one acts.
        client_id: String,
        /// The agents, if one acts: the one that acts now, and whom it acts for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        actors: Vec<String>,
        /// The person.
        overseer_id: String,
        /// The tenant that it is for.
        tenant_id: String,
        /// What the token may be used for.
        #[schema(example = json!(["runs:read"]))]
        scopes: Vec<String>,
        /// The token's end (RFC 3339).
        expires_at: String,
    },
    /// A person, by a login.
    Person {
        /// The person.
        id: String,
        /// The address, if one is known: who is known by an issuer outside has none.
        #[schema(example = "ada@example.com", format = "email")]
        email: Option<String>,
        /// The name.
        #[schema(example = "Ada Lovelace")]
        name: String,
        /// Whether the person runs the platform.
        platform_admin: bool,
        /// The login; none by a token of an issuer outside.
        session_id: Option<String>,
        /// What requests that change something send as `X-CSRF-Token`, if they are proved by a cookie.
        csrf_token: Option<String>,
        /// The end of the login or the token (RFC 3339).
        expires_at: String,
    },
    /// A program, by an API key.
    ApiKey {
        /// The key.
        id: String,
        /// The tenant that it acts for; none if it acts for a person.
        tenant_id: Option<String>,
        /// The person who made it.
        overseer_id: String,
        /// What it may be used for.
        #[schema(example = json!(["runs:read", "runs:write"]))]
        scopes: Vec<String>,
    },
}

/// Say who I am.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "people",
    responses((status = 200, description = "The caller.", body = Me)),
    security(("access_token" = []), ("api_key" = []), ("session" = []))
)]
pub async fn get(State(state): State<AppState>, caller: Caller) -> Result<axum::Json<Me>, ApiError> {
    let me = match caller {
        Caller::Agent(agent) => {
            let (key_id, pod) = match agent.proof {
                AgentProof::Key(key) => (Some(key.to_string()), None),
                AgentProof::Pod(pod) => (None, Some(pod.name)),
            };
            Me::Agent {
                id: agent.agent.to_string(),
                tenant_id: agent.tenant.to_string(),
                owner_id: agent.owner.to_string(),
                key_id,
                pod,
                scopes: agent.scopes,
                expires_at: agent.expires_at.to_string(),
            }
        }
        Caller::Run(run) => Me::Run {
            id: run.run.to_string(),
            name: run.name,
            tenant_id: run.tenant.to_string(),
            pod: run.pod.name,
            scopes: run.scopes,
            expires_at: run.expires_at.to_string(),
        },
        Caller::Client(client) => Me::Client {
            id: client.client.to_string(),
            client_id: client.client_id,
            tenant_id: client.tenant.to_string(),
            scopes: client.scopes,
            expires_at: client.expires_at.to_string(),
        },
        Caller::Grant(grant) => Me::Grant {
            id: grant.grant.to_string(),
            actors: grant.actors().iter().map(ToString::to_string).collect(),
            client_id: grant.client_id,
            overseer_id: grant.overseer.to_string(),
            tenant_id: grant.tenant.to_string(),
            scopes: grant.scopes,
            expires_at: grant.expires_at.to_string(),
        },
        Caller::Person(login) => {
            let mut tx = state.database.platform().await?;
            let found = accounts::find(&mut tx, login.overseer()).await?;
            let person = found.ok_or(ApiError::NOBODY)?;
            let (session_id, csrf_token, expires_at) = match &login.proof {
                Proof::Session(Cookied { session, token_hash }) => (
                    Some(session.id.to_string()),
                    Some(csrf::mint(&state.keys.csrf, token_hash)),
                    session.expires_at,
                ),
                Proof::Outside(outsider) => (None, None, outsider.expires_at),
            };
            Me::Person {
                id: person.id.to_string(),
                email: person.email,
                name: person.name,
                platform_admin: person.platform_admin,
                session_id,
                csrf_token,
                expires_at: expires_at.to_string(),
            }
        }
        Caller::Key(key) => Me::ApiKey {
            id: key.id.to_string(),
            tenant_id: key.tenant.map(|id| id.to_string()),
            overseer_id: key.overseer.to_string(),
            scopes: key.scopes.iter().map(|right| right.as_str().to_owned()).collect(),
        },
    };
    Ok(axum::Json(me))
}

#[cfg(test)]
mod tests;
