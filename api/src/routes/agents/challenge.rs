//! `POST /v1/agents/{agent}/challenges`: something for an agent to sign.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        challenge::{self, Subject},
        random::random,
    },
    http::{
        error::{ApiError, Problem},
        json::Json,
    },
};

/// Which key is going to sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChallengeRequest)]
pub struct Wanted {
    /// The key, as its registration named it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000b")]
    key_id: String,
}

/// A challenge.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenge {
    /// What is to be signed, and sent to the token endpoint as it is.
    challenge: String,
    /// Its end in seconds since 1970: part of what is signed.
    #[schema(example = 1_800_000_060)]
    expires_at: i64,
}

/// Ask for a challenge.
///
/// Every well-formed agent and key get one, so it does not show whether they exist. The agent signs
/// `pinfold-agent-challenge-v1`, the issuer, its id, the key's id, the challenge and `expires_at`, joined by zero bytes, and sends
/// the signature to the token endpoint within 60 s.
#[utoipa::path(
    post,
    path = "/v1/agents/{agent}/challenges",
    tag = "agents",
    params(("agent" = String, Path, format = "uuid", description = "The agent, as its registration named it.")),
    request_body = Wanted,
    responses(
        (status = 201, description = "A challenge.", body = Challenge),
        (status = 400, description = "The agent or the key is no id.", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn challenge(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<impl IntoResponse, ApiError> {
    let subject = Subject {
        agent: agent
            .parse()
            .map_err(|error: domain::IdError| ApiError::invalid("agent", error.to_string()))?,
        key: wanted
            .key_id
            .parse()
            .map_err(|error: domain::IdError| ApiError::invalid("key_id", error.to_string()))?,
    };
    let now = state.clock.now();
    let epoch = state.replay.epoch(now).await?;
    let made = challenge::mint(&state.keys.challenge, subject, epoch, now, random()?);
    let body = Challenge {
        challenge: made.text,
        expires_at: made.expires_at.as_second(),
    };
    Ok((
        StatusCode::CREATED,
        [(header::CACHE_CONTROL, "no-store")],
        axum::Json(body),
    ))
}
