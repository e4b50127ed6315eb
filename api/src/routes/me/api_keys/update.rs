//! `PATCH /v1/me/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        etag::{IfMatch, IfMatchHeader},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::tenants::api_keys::{self, Change, Key},
    service::members::By,
};

/// Rename an API key of mine.
#[utoipa::path(
    patch,
    path = "/v1/me/api-keys/{key}",
    tag = "people",
    params(
        ("key" = String, Path, format = "uuid", description = "The key's id."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The key as it is now.", body = Key, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(key): Path<String>,
    version: IfMatch,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let id = parse::id("key", &key)?;
    let by = By::person(login.overseer(), &request_id);
    let tx = state.database.platform().await?;
    api_keys::change(tx, by, id, &version, &change, state.clock.now()).await
}
