//! `POST /v1/agents`: an agent registers itself.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        possession::{Proof, REGISTRATION_TAG},
        random::random,
    },
    http::{
        error::{ApiError, Problem},
        json::Json,
        parse,
        request_id::RequestId,
    },
    service::registration::{self, Outcome},
    store::agents,
};

/// What an agent says of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentRegistration)]
pub struct Registration {
    /// What people are to call it: 1 to 100 characters, none of them a control character.
    #[schema(example = "scout", min_length = 1, max_length = 100)]
    name: String,
    /// Its Ed25519 public key (RFC 8032): 32 bytes in base64url without padding.
    #[schema(
        example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        min_length = 43,
        max_length = 43
    )]
    public_key: String,
    /// The agent's clock in seconds since 1970, within 300 s of ours.
    #[schema(example = 1_800_000_000)]
    signed_at: i64,
    /// The signature of `pinfold-agent-registration-v1`, the issuer, `public_key`, `signed_at` and `name`, joined by zero
    /// bytes: 64 bytes in base64url without padding. It shows that the agent holds the private key.
    #[schema(
        example = "nyO5CzctQDke2PCnAIYEKSLeEYAoM-nt1SOBkientNRuAY0h3ME8l5p2dVJYm3toWpODijYR0ozbjTzoySVVAw",
        min_length = 86,
        max_length = 86
    )]
    signature: String,
}

/// The agent's identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegisteredAgent)]
pub struct Registered {
    /// The agent.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000a")]
    agent_id: String,
    /// Its key.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000b")]
    key_id: String,
    /// What people call it.
    #[schema(example = "scout")]
    name: String,
    /// When it goes if nobody claims it (RFC 3339).
    #[schema(example = "2027-02-14T08:00:00Z")]
    expires_at: Option<String>,
}

/// Register an agent by its key.
///
/// Nobody owns the agent yet but a stand-in; a person may claim it later. The same key gives the same agent again, with
/// the status 200, so a lost answer does no harm.
#[utoipa::path(
    post,
    path = "/v1/agents",
    tag = "agents",
    request_body = Registration,
    responses(
        (status = 201, description = "The agent is registered.", body = Registered),
        (status = 200, description = "The key was registered before; this is its agent.", body = Registered),
        (status = 400, description = "A member is wrong, or the signature is not the key's.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key belongs to an agent that cannot register itself any more.", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn register(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Json(asked): Json<Registration>,
) -> Result<impl IntoResponse, ApiError> {
    let now = state.clock.now();
    let public_key = asked.check(&state.issuer, now)?;
    let random = random()?;
    let request = registration::Request {
        name: &asked.name,
        public_key,
        request_id: &request_id,
    };
    let outcome = registration::register(&state.database, &state.keys.shadow, request, now, random).await?;
    let (status, agent) = match outcome {
        Outcome::Made(agent) => (StatusCode::CREATED, agent),
        Outcome::Known(agent) => (StatusCode::OK, agent),
        Outcome::Refused => return Err(key_used()),
    };
    Ok((status, axum::Json(Registered::from(agent))))
}

impl From<agents::Registered> for Registered {
    fn from(agent: agents::Registered) -> Self {
        Self {
            agent_id: agent.id.to_string(),
            key_id: agent.key.to_string(),
            name: agent.name,
            expires_at: agent.expires_at.map(|at| at.to_string()),
        }
    }
}

/// The key cannot be registered.
pub fn key_used() -> ApiError {
    ApiError::Conflict {
        code: "key_used",
        message: "this key belongs to an agent that cannot register itself any more; make a new key".to_owned(),
    }
}

impl Registration {
    /// What people are to call the agent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key, if whoever sent this has it.
    pub fn check(&self, issuer: &str, now: jiff::Timestamp) -> Result<[u8; 32], ApiError> {
        parse::name("name", &self.name)?;
        let proof = Proof {
            public_key: &self.public_key,
            signed_at: self.signed_at,
            signature: &self.signature,
        };
        let at = self.signed_at.to_string();
        let members = [
            ("public_key", self.public_key.as_str()),
            ("signed_at", &at),
            ("name", &self.name),
        ];
        Ok(proof.check(&[REGISTRATION_TAG, issuer], &members, now)?)
    }
}

#[cfg(test)]
mod tests;
