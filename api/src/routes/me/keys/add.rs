//! `POST /v1/me/keys`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        possession::{KEY_TAG, Proof},
        random::random,
        token::AgentToken,
    },
    http::{
        caller::Agent,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::me::keys::Key,
    service::agent_keys::{self, Addition, MOST},
};

/// A new key, with the proof that the agent holds its private half.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAgentKey)]
pub struct NewKey {
    /// The Ed25519 public key (RFC 8032): 32 bytes in base64url without padding.
    #[schema(
        example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        min_length = 43,
        max_length = 43
    )]
    public_key: String,
    /// The agent's clock in seconds since 1970, within 300 s of ours.
    #[schema(example = 1_800_000_000)]
    signed_at: i64,
    /// The new key's signature of `pinfold-agent-key-v1`, the issuer, the agent's id, `public_key` and `signed_at`, joined by
    /// zero bytes: 64 bytes in base64url without padding.
    #[schema(
        example = "Z8gz2T4qeBIOcorUI6orSTWAMo1Ih6EXbiqN6EmghJG1chllhh5lJzcP09ldHVOEMDGqnEZt3OjMEysclmlMCQ",
        min_length = 86,
        max_length = 86
    )]
    signature: String,
}

/// Add a key of mine.
///
/// The same key twice gives the same answer twice. To change keys, add the new one, prove it, and then revoke the old one.
#[utoipa::path(
    post,
    path = "/v1/me/keys",
    tag = "agents",
    params(IdempotencyKey),
    request_body = NewKey,
    responses(
        (status = 201, description = "The key can be used.", body = Key),
        (status = 400, description = "A member is wrong, or the signature is not the key's.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key is another agent's or was revoked (`key_used`), or there are ten in force (`too_many_keys`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = []))
)]
pub async fn add(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Agent(agent): Agent,
    Once { body: new, claim }: Once<NewKey>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let public_key = check(&new, &agent, &state.issuer, now)?;
    let random = random()?;
    let (tx, key) = match agent_keys::add(&state.database, &agent, public_key, &request_id, now, random).await? {
        Addition::Done(tx, key) => (tx, key),
        Addition::Used => {
            return Err(ApiError::Conflict {
                code: "key_used",
                message: "this key is another agent's, or was revoked; make a new key".to_owned(),
            });
        }
        Addition::Gone => return Err(ApiError::REFUSED),
        Addition::TooMany => {
            return Err(ApiError::Conflict {
                code: "too_many_keys",
                message: format!("{MOST} keys are in force; revoke one first"),
            });
        }
    };
    claim.commit(tx, StatusCode::CREATED, &Key::from(key)).await
}

fn check(new: &NewKey, agent: &AgentToken, issuer: &str, now: jiff::Timestamp) -> Result<[u8; 32], ApiError> {
    let proof = Proof {
        public_key: &new.public_key,
        signed_at: new.signed_at,
        signature: &new.signature,
    };
    let (agent, at) = (agent.agent.to_string(), new.signed_at.to_string());
    let members = [("public_key", new.public_key.as_str()), ("signed_at", &at)];
    Ok(proof.check(&[KEY_TAG, issuer, &agent], &members, now)?)
}
