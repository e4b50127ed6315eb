//! `DELETE /v1/tenants/{tenant}/invitations/{invitation}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::tenants::{acting, members},
    service::members::withdraw,
};

/// Withdraw an invitation.
///
/// Its link cannot be used any more.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/invitations/{invitation}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("invitation" = String, Path, format = "uuid", description = "The invitation.")
    ),
    responses((status = 204, description = "It is withdrawn.")),
    security(("api_key" = ["members:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::MembersWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, invitation)) = path;
    let id = parse::id("invitation", &invitation)?;
    let by = acting(&access, &request_id)?;
    withdraw(&state.database, access.tenant, id, by, state.clock.now())
        .await
        .map_err(members::refused)?;
    Ok(StatusCode::NO_CONTENT)
}
