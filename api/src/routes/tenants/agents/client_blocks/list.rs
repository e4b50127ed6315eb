//! `GET /v1/tenants/{tenant}/agents/{agent}/client-blocks`.

use axum::extract::{Path, State};
use domain::ClientBlockId;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    routes::me::client_blocks::{ClientBlocks, listed},
    store::{agents, client_blocks},
};

/// List the OAuth clients that are blocked for an agent.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/agents/{agent}/client-blocks",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        Paging
    ),
    responses((status = 200, description = "The blocks.", body = ClientBlocks)),
    security(("access_token" = ["agents:read"]), ("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    path: Path<(String, String)>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<ClientBlocks>, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let after = parse::page_token::<ClientBlockId>(which.page_token.as_deref())?;
    let mut tx = state.database.tenant(access.tenant).await?;
    agents::find(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    let found = client_blocks::of_agent(&mut tx, id).await?;
    listed(found, which.limit, after).map(axum::Json)
}
