//! `DELETE /v1/tenants/{tenant}`.

use axum::{extract::State, http::StatusCode};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        request_id::RequestId,
    },
    service::tenants,
    store::tenants::Kind,
};

/// End a tenant.
///
/// Nobody finds it any more from now on; its namespace, with everything that runs there, is deleted. Its name stays taken.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 204, description = "It has ended."),
        (status = 409, description = "It is a person's own, which ends with the account (`personal_tenant`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["tenant:delete"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TenantDelete>,
) -> Result<StatusCode, ApiError> {
    let actor = access.caller.actor();
    let ended = tenants::delete(
        &state.database,
        access.tenant,
        Kind::Team,
        actor,
        &request_id,
        state.clock.now(),
    )
    .await?;
    match ended {
        Some(tenant) if tenant.deleted => {
            state.bell.ring();
            Ok(StatusCode::NO_CONTENT)
        }
        Some(_) => Err(ApiError::Conflict {
            code: "personal_tenant",
            message: "this tenant is a person's own, and ends with their account".to_owned(),
        }),
        None => Err(ApiError::NotFound),
    }
}
