//! `PUT /v1/tenants/{tenant}/agents/{agent}/oversights/{overseer}`.

use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{
        access::In,
        error::{ApiError, Problem},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        agents::{enter, oversights::Oversight, refused},
    },
    service::oversight,
};

/// What somebody is to be to an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OversightRequest)]
pub struct Wanted {
    /// `viewer` (sees its keys), `delegate` (changes it besides) or `owner` (also ends it, revokes keys, and gives relations).
    #[schema(example = "delegate")]
    relation: String,
}

/// Give a member a relation to an agent.
///
/// What you gave before is changed; the same again does no harm. It counts together with the member's role, and ends when you are
/// no owner of the agent any more. Needs the relation `owner` besides the right.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/agents/{agent}/oversights/{overseer}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        ("overseer" = String, Path, format = "uuid", description = "The person.")
    ),
    request_body = Wanted,
    responses(
        (status = 200, description = "The relation.", body = Oversight),
        (status = 409, description = "The person owns the agent, or is you (`already_owner`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn grant(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String, String)>,
    Json(wanted): Json<Wanted>,
) -> Result<axum::Json<Oversight>, ApiError> {
    let Path((_, agent, to)) = path;
    let (id, to) = (parse::id("agent", &agent)?, parse::id("overseer", &to)?);
    let relation = Relation::parse(&wanted.relation)
        .ok_or_else(|| ApiError::invalid("relation", "write owner, delegate or viewer"))?;
    let by = acting(&access, &request_id)?;
    let overseen = enter(&state, &access, id, Relation::Owner).await?;
    let edge = oversight::grant(overseen, to, relation, by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(axum::Json(edge.into()))
}
