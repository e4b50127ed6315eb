//! `GET /v1/tenants/{tenant}/api-keys`.

use axum::extract::State;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::ApiError,
        query::{Paging, Query},
    },
    routes::tenants::api_keys::Keys,
};

/// List the API keys of a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/api-keys",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), Paging),
    responses((status = 200, description = "The keys, revoked ones among them.", body = Keys)),
    security(("api_key" = ["keys:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::KeysRead>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Keys>, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    Ok(axum::Json(Keys::read(&mut tx, None, &which).await?))
}
