//! `DELETE /v1/tenants/{tenant}/clients/{client}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, request_id::RequestId},
    routes::tenants::acting,
    service::clients,
};

/// Delete an OAuth client.
///
/// It can prove itself no longer.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/clients/{client}",
    tag = "clients",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("client" = String, Path, format = "uuid", description = "The client's id.")
    ),
    responses((status = 204, description = "It is gone.")),
    security(("api_key" = ["clients:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::ClientsWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, client)) = path;
    let id = parse::id("client", &client)?;
    let by = acting(&access, &request_id)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    if !clients::delete(&mut tx, id, by, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
