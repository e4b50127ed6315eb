//! `GET /v1/tenants/{tenant}/agents`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    routes::tenants::agents::Agent,
    store::agents,
};

/// A page of agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agents {
    /// The first to be registered first.
    agents: Vec<Agent>,
    /// What asks for the next page; none on the last. Agents that are registered in the meantime come at the end.
    next_page_token: Option<String>,
}

/// List a tenant's agents.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/agents",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), Paging),
    responses((status = 200, description = "The agents.", body = Agents)),
    security(("access_token" = ["agents:read"]), ("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Agents>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token(which.page_token.as_deref())?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let mut found = agents::list(&mut tx, after, i64::from(limit) + 1).await?;
    let next_page_token = parse::next_page(&mut found, limit, |agent| agent.id.to_string());
    Ok(axum::Json(Agents {
        agents: found.into_iter().map(Agent::from).collect(),
        next_page_token,
    }))
}
