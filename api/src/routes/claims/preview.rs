//! `POST /v1/claims/preview`: what a person sees before they claim an agent.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
    },
    routes::tenants::agents::claim::{Shown, code_ended},
    service::claims,
    store::claims::Claimable,
};

/// An agent that nobody owns yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimPreview)]
pub struct Preview {
    /// The agent.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000a")]
    agent_id: String,
    /// What it calls itself; anybody may call themselves anything.
    #[schema(example = "scout")]
    name: String,
    /// When it registered itself (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// The thumbprints (RFC 7638, SHA-256) of its keys in force: compare them with what the agent shows.
    #[schema(example = json!(["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]))]
    key_thumbprints: Vec<String>,
}

impl From<Claimable> for Preview {
    fn from(agent: Claimable) -> Self {
        Self {
            agent_id: agent.id.to_string(),
            name: agent.name,
            created_at: agent.created_at.to_string(),
            key_thumbprints: agent.thumbprints,
        }
    }
}

/// Look at an agent before you claim it.
///
/// The code stays good.
#[utoipa::path(
    post,
    path = "/v1/claims/preview",
    tag = "agents",
    params(IdempotencyKey),
    request_body = Shown,
    responses(
        (status = 200, description = "The agent.", body = Preview),
        (status = 409, description = "The code was used, has ended, or is none (`claim_code_ended`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn preview(
    State(state): State<AppState>,
    _: Person,
    Once { body: shown, claim }: Once<Shown>,
) -> Result<Response, ApiError> {
    let found = claims::find(&state.database, &shown.claim_code, state.clock.now()).await?;
    let agent = Preview::from(found.ok_or_else(code_ended)?);
    claim
        .commit(state.database.platform().await?, StatusCode::OK, &agent)
        .await
}
