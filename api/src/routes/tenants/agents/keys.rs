//! `/v1/tenants/{tenant}/agents/{agent}/keys`: what people do with the keys of an agent.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{
        access::In,
        error::{ApiError, Problem},
        parse,
        request_id::RequestId,
    },
    routes::{
        me::keys::list::Keys,
        tenants::{
            acting,
            agents::{enter, refused},
        },
    },
    service::agents,
    store::agent_keys,
};

/// List an agent's keys.
///
/// Needs a relation to the agent besides the right.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/agents/{agent}/keys",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent.")
    ),
    responses((status = 200, description = "The keys, the oldest first.", body = Keys)),
    security(("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    path: Path<(String, String)>,
) -> Result<axum::Json<Keys>, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let mut overseen = enter(&state, &access, id, Relation::Viewer).await?;
    let keys = agent_keys::list(&mut overseen.tx, id).await?;
    Ok(axum::Json(Keys::from(keys)))
}

/// Revoke a key of an agent.
///
/// Tokens that were got with it end with their next request. Needs the relation `owner` to the agent besides the right.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/agents/{agent}/keys/{key}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        ("key" = String, Path, format = "uuid", description = "The key.")
    ),
    responses(
        (status = 204, description = "The key is revoked."),
        (status = 409, description = "It is the agent's last key (`last_key`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, agent, key)) = path;
    let (id, key) = (parse::id("agent", &agent)?, parse::id("key", &key)?);
    let by = acting(&access, &request_id)?;
    let overseen = enter(&state, &access, id, Relation::Owner).await?;
    agents::revoke_key(overseen, key, by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
