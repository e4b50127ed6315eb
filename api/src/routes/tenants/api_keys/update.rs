//! `PATCH /v1/tenants/{tenant}/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        etag::{IfMatch, IfMatchHeader},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        api_keys::{self, Change, Key},
    },
};

/// Rename an API key of a tenant.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/api-keys/{key}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("key" = String, Path, format = "uuid", description = "The key's id."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The key as it is now.", body = Key, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["keys:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::KeysWrite>,
    path: Path<(String, String)>,
    version: IfMatch,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let Path((_, key)) = path;
    let id = parse::id("key", &key)?;
    let by = acting(&access, &request_id)?;
    let tx = state.database.tenant(access.tenant).await?;
    api_keys::change(tx, by, id, &version, &change, state.clock.now()).await
}
