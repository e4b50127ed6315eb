//! `GET /v1/tenants/{tenant}/agents/{agent}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, etag, parse},
    routes::tenants::agents::Agent,
    store::agents,
};

/// Read an agent.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/agents/{agent}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent.")
    ),
    responses(
        (status = 200, description = "The agent.", body = Agent, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
    ),
    security(("access_token" = ["agents:read"]), ("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    path: Path<(String, String)>,
) -> Result<Response, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = agents::find(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    etag::tagged(&Agent::from(found))
}
