//! `GET /v1/tenants/{tenant}/agents`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, query::Query},
    routes::tenants::agents::Agent,
    store::agents,
};

/// Which agents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    page_token: Option<String>,
    /// Only those that this person owns.
    #[param(format = "uuid")]
    owner: Option<String>,
}

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
    params(("tenant" = String, Path, description = "The tenant's name."), Which),
    responses((status = 200, description = "The agents.", body = Agents)),
    security(("access_token" = ["agents:read"]), ("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Agents>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token(which.page_token.as_deref())?;
    let owner = which
        .owner
        .as_deref()
        .map(|owner| parse::id("owner", owner))
        .transpose()?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let mut found = agents::list(&mut tx, owner, after, i64::from(limit) + 1).await?;
    let next_page_token = parse::next_page(&mut found, limit, |agent| agent.id.to_string());
    Ok(axum::Json(Agents {
        agents: found.into_iter().map(Agent::from).collect(),
        next_page_token,
    }))
}
