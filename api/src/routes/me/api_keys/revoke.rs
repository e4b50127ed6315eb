//! `DELETE /v1/me/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse, request_id::RequestId},
    service::{api_keys, members::By},
};

/// Revoke an API key of mine.
///
/// Its next request is refused, in every replica.
#[utoipa::path(
    delete,
    path = "/v1/me/api-keys/{key}",
    tag = "people",
    params(("key" = String, Path, format = "uuid", description = "The key's id.")),
    responses((status = 204, description = "It is revoked.")),
    security(("session" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse::id("key", &key)?;
    let mut tx = state.database.platform().await?;
    let by = By::person(login.overseer(), &request_id);
    if !api_keys::revoke(&mut tx, id, by, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
