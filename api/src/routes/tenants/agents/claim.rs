//! `POST /v1/tenants/{tenant}/agents/claim`: a person becomes the owner of an agent that registered itself.

use std::fmt;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::agents::Agent,
    service::{claims, members::By},
};

/// A code that an agent showed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimRequest)]
pub struct Shown {
    /// The code; capitals, spaces and dashes do not matter.
    #[schema(example = "aaaq-eaye-auda-och7", max_length = 64)]
    pub claim_code: String,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// The code is good for nothing. Whether it ever was is not told.
pub fn code_ended() -> ApiError {
    ApiError::Conflict {
        code: "claim_code_ended",
        message: "the code was used, has ended or was never given; the agent asks for another".to_owned(),
    }
}

/// Claim an agent that registered itself.
///
/// You become its owner, and it becomes the tenant's, with its keys and its id. Its tokens end; with new ones it may do what the
/// tenant's agents may. Its stand-in owner is gone.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/agents/claim",
    tag = "agents",
    params(("tenant" = String, Path, description = "The tenant's name; your own does as well."), IdempotencyKey),
    request_body = Shown,
    responses(
        (status = 201, description = "The agent is yours.", body = Agent),
        (status = 409, description = "The code was used, has ended, or is none (`claim_code_ended`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = ["agents:write"]))
)]
pub async fn claim(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    access: In<need::AgentsWrite>,
    Once { body: shown, claim }: Once<Shown>,
) -> Result<Response, ApiError> {
    let by = By::person(login.overseer(), &request_id);
    let claimed = claims::claim(&state.database, access.tenant, &shown.claim_code, by, state.clock.now()).await?;
    let (tx, agent) = claimed.ok_or_else(code_ended)?;
    claim.commit(tx, StatusCode::CREATED, &Agent::from(agent)).await
}
