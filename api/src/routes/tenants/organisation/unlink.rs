//! `DELETE /v1/tenants/{tenant}/organisation`.

use axum::{extract::State, http::StatusCode};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, request_id::RequestId},
    routes::tenants::{acting, organisation::refused},
    service::organisations,
};

/// Make the tenant no organisation any more.
///
/// Whoever was in it by that alone is not from the next request on.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/organisation",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 204, description = "It is none.")),
    security(("api_key" = ["tenant:write"]), ("session" = []))
)]
pub async fn unlink(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TenantWrite>,
) -> Result<StatusCode, ApiError> {
    let by = acting(&access, &request_id)?;
    organisations::set(&state.database, access.tenant, None, by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
