//! `DELETE /v1/tenants/{tenant}/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::tenants::acting,
    service::api_keys,
};

/// Revoke an API key of a tenant.
///
/// Its next request is refused, in every replica.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/api-keys/{key}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("key" = String, Path, format = "uuid", description = "The key's id.")
    ),
    responses((status = 204, description = "It is revoked.")),
    security(("api_key" = ["keys:write"]), ("session" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::KeysWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, key)) = path;
    let id = parse::id("key", &key)?;
    let by = acting(&access, &request_id)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    if !api_keys::revoke(&mut tx, id, by, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
