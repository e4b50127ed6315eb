//! `GET /v1/tenants/{tenant}/api-keys`.

use axum::extract::State;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    routes::tenants::api_keys::Keys,
    store::api_keys,
};

/// List the API keys of a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/api-keys",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The keys, revoked ones among them.", body = Keys)),
    security(("api_key" = ["keys:read"]), ("session" = []))
)]
pub async fn list(State(state): State<AppState>, access: In<need::KeysRead>) -> Result<axum::Json<Keys>, ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = api_keys::list(&mut tx, None).await?;
    Ok(axum::Json(Keys::from(found)))
}
