//! `DELETE /v1/tenants/{tenant}/agents/{agent}/oversights/{overseer}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::{
        oversight::Relation,
        rights::{Right, need},
    },
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::tenants::{
        acting,
        agents::{enter, refused},
    },
    service::oversight,
};

/// Take a member's relation to an agent.
///
/// An owner takes what they gave; the agent's own owner, and the tenant's owners and admins, take whatever was given. Everybody may
/// give up their own. What the member gave others ends too, unless somebody else makes the member an owner. Needs the relation `owner`
/// and the right `agents:write`, if it is not your own.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/agents/{agent}/oversights/{overseer}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        ("overseer" = String, Path, format = "uuid", description = "The person.")
    ),
    responses((status = 204, description = "The relation is no more.")),
    security(("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn close(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsRead>,
    path: Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, agent, from)) = path;
    let (id, from) = (parse::id("agent", &agent)?, parse::id("overseer", &from)?);
    let asker = access.asker()?;
    let needed = if from == asker.overseer {
        Relation::Viewer
    } else {
        access.also(Right::AgentsWrite)?;
        Relation::Owner
    };
    let by = acting(&access, &request_id)?;
    let overseen = enter(&state, &access, id, needed).await?;
    oversight::close(overseen, from, asker, by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
