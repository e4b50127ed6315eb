//! `POST /v1/me/claim-code`: an agent that nobody owns yet asks for what a person claims it with.

use std::fmt;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::random::random,
    http::{
        caller::Agent,
        error::{ApiError, Problem},
        once::{Bare, IdempotencyKey},
        request_id::RequestId,
    },
    service::claims,
};

/// What a person claims the agent with.
#[derive(Serialize, ToSchema)]
pub struct ClaimCode {
    /// As people type it; capitals, spaces and dashes do not matter.
    #[schema(example = "aaaq-eaye-auda-och7")]
    #[serde(rename = "claim_code")]
    text: String,
    /// A link with it; what stands behind the `#` reaches no server's log.
    #[schema(example = "https://pinfold.example/claim#aaaq-eaye-auda-och7")]
    claim_url: String,
    /// Until when it is good (RFC 3339).
    #[schema(example = "2027-01-16T08:00:00Z")]
    expires_at: String,
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimCode").finish_non_exhaustive()
    }
}

/// Ask for a claim code.
///
/// Show it, or the link, to the person who is to own you. It is good for 24 hours and once; the next one ends it.
#[utoipa::path(
    post,
    path = "/v1/me/claim-code",
    tag = "agents",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The code; it is shown this once.", body = ClaimCode),
        (status = 409, description = "You have an owner (`agent_owned`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Agent(agent): Agent,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let (tx, code) = claims::offer(&state.database, &agent, &request_id, state.clock.now(), random()?)
        .await?
        .ok_or_else(|| ApiError::Conflict {
            code: "agent_owned",
            message: "you have an owner, who may give others a relation to you".to_owned(),
        })?;
    let body = ClaimCode {
        claim_url: format!("{}/claim#{}", state.frontend, code.text),
        text: code.text,
        expires_at: code.expires_at.to_string(),
    };
    claim.commit(tx, StatusCode::CREATED, &body).await
}
