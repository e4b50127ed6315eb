//! `GET /v1/tenants/{tenant}/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse},
    routes::tenants::api_keys::{self, Key},
};

/// See an API key of a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/api-keys/{key}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("key" = String, Path, format = "uuid", description = "The key's id.")
    ),
    responses((status = 200, description = "The key, without the secret.", body = Key, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("api_key" = ["keys:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::KeysRead>,
    path: Path<(String, String)>,
) -> Result<Response, ApiError> {
    let Path((_, key)) = path;
    let id = parse::id("key", &key)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    api_keys::read(&mut tx, None, id).await
}
