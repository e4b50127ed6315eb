//! `DELETE /v1/me/sessions/{session}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse, request_id::RequestId},
    service::sessions,
};

/// End a login of mine.
///
/// Wherever it is used, its next request is refused.
#[utoipa::path(
    delete,
    path = "/v1/me/sessions/{session}",
    tag = "people",
    params(("session" = String, Path, format = "uuid", description = "The login.")),
    responses((status = 204, description = "It has ended.")),
    security(("session" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(session): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse::id("session", &session)?;
    let now = state.clock.now();
    if sessions::end(&state.database, login.overseer(), id, &request_id, now).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound)
    }
}
