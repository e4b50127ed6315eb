//! `PATCH /v1/tenants/{tenant}/members/{overseer}`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        etag::{IfMatch, IfMatchHeader, tagged},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        members::{self, Member},
    },
    service::members::set_role,
    store::memberships,
};

/// What is to be changed of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MemberChange)]
pub struct Change {
    /// `owner`, `admin`, `developer`, `billing` or `viewer`.
    #[schema(example = "viewer")]
    role: String,
}

/// Change a member's role.
///
/// Nobody gives or takes a role with rights that they do not have. Its next request is judged by the new role.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/members/{overseer}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("overseer" = String, Path, format = "uuid", description = "The person."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The member.", body = Member, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 409, description = "The tenant would have no owner (`last_owner`).", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["members:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::MembersWrite>,
    path: Path<(String, String)>,
    version: IfMatch,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let Path((_, overseer)) = path;
    let member = parse::id("overseer", &overseer)?;
    let role = members::role(&change.role)?;
    let by = acting(&access, &request_id)?;
    let meant = |there: &memberships::Member| version.check(&Member::from(there.clone())).is_ok();
    let changed = set_role(
        &state.database,
        access.tenant,
        member,
        role,
        meant,
        by,
        state.clock.now(),
    )
    .await
    .map_err(members::refused)?;
    tagged(&Member::from(changed))
}
