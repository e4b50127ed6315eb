//! `GET /v1/tenants/{tenant}`.

use axum::{extract::State, response::Response};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, etag},
    routes::tenants::Tenant,
    store::tenants,
};

/// See a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The tenant.", body = Tenant, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("access_token" = ["tenant:read"]), ("api_key" = ["tenant:read"]), ("session" = []))
)]
pub async fn get(State(state): State<AppState>, access: In<need::TenantRead>) -> Result<Response, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = tenants::find(&mut tx, false).await?.ok_or(ApiError::NotFound)?;
    let tenant = Tenant::from(found);
    etag::tagged_for(&tenant, &tenant.writable())
}
