//! `GET /v1/tenants/{tenant}/members/{overseer}`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::OverseerId;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, etag::tagged, parse},
    routes::tenants::members::Member,
    store::memberships,
};

/// See a member.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/members/{overseer}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("overseer" = String, Path, format = "uuid", description = "The person.")
    ),
    responses((status = 200, description = "The member.", body = Member, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
    path: Path<(String, String)>,
) -> Result<Response, ApiError> {
    let Path((_, overseer)) = path;
    let id: OverseerId = parse::id("overseer", &overseer)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let members = memberships::list(&mut tx).await?;
    let found = members.into_iter().find(|member| member.overseer == id);
    tagged(&Member::from(found.ok_or(ApiError::NotFound)?))
}
