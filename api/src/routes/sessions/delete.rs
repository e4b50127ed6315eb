//! `DELETE /v1/sessions`: the person logs out.

use axum::{
    extract::State,
    http::StatusCode,
    response::{AppendHeaders, IntoResponse},
};

use crate::{
    app::AppState,
    http::{caller::OwnSession, error::ApiError, request_id::RequestId},
    routes::sessions::cookies,
    service::sessions,
};

/// Log out.
///
/// Ends this login, and takes its cookie away.
#[utoipa::path(
    delete,
    path = "/v1/sessions",
    tag = "people",
    responses((status = 204, description = "Logged out.")),
    security(("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    OwnSession(session): OwnSession,
) -> Result<impl IntoResponse, ApiError> {
    let now = state.clock.now();
    // One that ended in the meantime is as good.
    sessions::end(&state.database, session.overseer, session.id, &request_id, now).await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies(&state, None, None))))
}
