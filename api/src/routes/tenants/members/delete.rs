//! `DELETE /v1/tenants/{tenant}/members/{overseer}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::rights::{Right, need},
    http::{
        access::In,
        error::{ApiError, Problem},
        parse,
        request_id::RequestId,
    },
    routes::tenants::{acting, members},
    service::members::remove,
};

/// Remove a member, or leave.
///
/// Everybody may leave; others are removed by who has `members:write`. What the person invited to ends with the membership.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/members/{overseer}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("overseer" = String, Path, format = "uuid", description = "The person.")
    ),
    responses(
        (status = 204, description = "No member any more."),
        (status = 409, description = "The tenant would have no owner (`last_owner`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    // Whether others may be removed is judged with the members locked.
    access: In<need::MembersRead>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, overseer)) = path;
    let member = parse::id("overseer", &overseer)?;
    let by = acting(&access, &request_id)?;
    if by.overseer != member {
        access.also(Right::MembersWrite)?;
    }
    remove(&state.database, access.tenant, member, by, state.clock.now())
        .await
        .map_err(members::refused)?;
    Ok(StatusCode::NO_CONTENT)
}
