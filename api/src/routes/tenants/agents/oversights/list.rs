//! `GET /v1/tenants/{tenant}/agents/{agent}/oversights`.

use axum::extract::{Path, State};
use domain::OverseerId;
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
    routes::tenants::agents::oversights::Oversight,
    store::{agents, oversights},
};

/// Who oversees an agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Oversights {
    /// By who it is. The agent's owner is not among them.
    oversights: Vec<Oversight>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List who oversees an agent besides its owner.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/agents/{agent}/oversights",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        Paging
    ),
    responses((status = 200, description = "The relations.", body = Oversights)),
    security(("access_token" = ["agents:read"]), ("api_key" = ["agents:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AgentsRead>,
    path: Path<(String, String)>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Oversights>, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let after = parse::page_token::<OverseerId>(which.page_token.as_deref())?;
    let mut tx = state.database.tenant(access.tenant).await?;
    agents::find(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    let edges = oversights::list(&mut tx, id).await?;
    let (edges, next_page_token) = parse::page(
        edges,
        which.limit,
        after.as_ref(),
        |e| e.overseer,
        |e| e.overseer.to_string(),
    )?;
    Ok(axum::Json(Oversights {
        oversights: edges.into_iter().map(Oversight::from).collect(),
        next_page_token,
    }))
}
