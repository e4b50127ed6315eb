//! `GET /v1/tenants/{tenant}`.

use axum::extract::State;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    routes::tenants::Tenant,
    store::tenants,
};

/// See a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The tenant.", body = Tenant)),
    security(("access_token" = ["tenant:read"]), ("api_key" = ["tenant:read"]), ("session" = []))
)]
pub async fn get(State(state): State<AppState>, access: In<need::TenantRead>) -> Result<axum::Json<Tenant>, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = tenants::find(&mut tx, false).await?.ok_or(ApiError::NotFound)?;
    Ok(axum::Json(Tenant::from(found)))
}
