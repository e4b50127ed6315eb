//! `DELETE /v1/tenants/{tenant}/agents/{agent}/client-blocks/{block}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::{
        me::client_blocks::named,
        tenants::{acting, agents::enter},
    },
    service::client_blocks,
    store::client_blocks as store,
};

/// Let an OAuth client in again for an agent.
///
/// What has ended stays ended. Needs the relation `owner`.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/agents/{agent}/client-blocks/{block}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        ("block" = String, Path, format = "uuid", description = "The block.")
    ),
    responses((status = 204, description = "It is let in.")),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, agent, block)) = path;
    let (id, wanted) = (parse::id("agent", &agent)?, parse::id("block", &block)?);
    let by = acting(&access, &request_id)?;
    let mut tx = enter(&state, &access, id, Relation::Owner).await?.tx;
    let client_id = named(store::of_agent(&mut tx, id).await?, wanted)?;
    if !client_blocks::unblock_for_agent(&mut tx, &client_id, id, by, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
