//! `DELETE /v1/me/keys/{key}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    http::{
        caller::Agent,
        error::{ApiError, Problem},
        request_id::RequestId,
    },
    service::agent_keys::{self, Revocation},
};

/// Revoke a key of mine.
///
/// Tokens that were got with it end with their next request. A revoked key is never taken again.
#[utoipa::path(
    delete,
    path = "/v1/me/keys/{key}",
    tag = "agents",
    params(("key" = String, Path, format = "uuid", description = "The key.")),
    responses(
        (status = 204, description = "The key is revoked."),
        (status = 400, description = "The key is no id.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "You have no such key in force.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is your last key (`last_key`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Agent(agent): Agent,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    let key = key
        .parse()
        .map_err(|error: domain::IdError| ApiError::invalid("key", error.to_string()))?;
    match agent_keys::revoke(&state.database, &agent, key, &request_id, state.clock.now()).await? {
        Revocation::Done => Ok(StatusCode::NO_CONTENT),
        Revocation::NotFound => Err(ApiError::NotFound),
        Revocation::Last => Err(ApiError::Conflict {
            code: "last_key",
            message:
                "this is the last key in force, without which you could not prove yourself again; add another first"
                    .to_owned(),
        }),
    }
}
