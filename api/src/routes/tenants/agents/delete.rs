//! `DELETE /v1/tenants/{tenant}/agents/{agent}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::tenants::{acting, agents::enter},
    service::agents,
};

/// Delete an agent.
///
/// Its tokens end with their next request, and its keys are never taken again. What it runs goes on. Needs the relation `owner`
/// to the agent besides the right.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/agents/{agent}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent.")
    ),
    responses((status = 204, description = "The agent is no more.")),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let by = acting(&access, &request_id)?;
    let overseen = enter(&state, &access, id, Relation::Owner).await?;
    agents::end(overseen, by, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
