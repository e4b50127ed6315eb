//! `GET /v1/tenants/{tenant}/members`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    routes::tenants::members::Member,
    store::memberships,
};

/// A tenant's members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// The first to join first. There are at most 500, so there is one page.
    members: Vec<Member>,
}

/// List a tenant's members.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/members",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The members.", body = Members)),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
) -> Result<axum::Json<Members>, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    let members = memberships::list(&mut tx).await?;
    Ok(axum::Json(Members {
        members: members.into_iter().map(Member::from).collect(),
    }))
}
