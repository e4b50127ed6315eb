//! `GET /v1/tenants/{tenant}/invitations`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    routes::tenants::invitations::Invitation,
    store::invitations,
};

/// A tenant's invitations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitations {
    /// The newest first; those that can still be accepted.
    invitations: Vec<Invitation>,
}

/// List a tenant's invitations.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/invitations",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The invitations.", body = Invitations)),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
) -> Result<axum::Json<Invitations>, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = invitations::list(&mut tx, state.clock.now()).await?;
    Ok(axum::Json(Invitations {
        invitations: found.into_iter().map(Invitation::from).collect(),
    }))
}
