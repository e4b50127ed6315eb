//! `POST /v1/password-resets/complete`: whoever got a link chooses another password.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        error::{ApiError, Problem},
        json::Json,
        request_id::RequestId,
    },
    routes::me::password::refused,
    service::passwords,
};

/// What a person chooses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset)]
pub struct Reset {
    /// What stands in the link after the `#`.
    #[schema(example = "FvAKd7FzQkGzFkUAoV6H1T2oG0sY0o1cQe9mA1cXh2E", max_length = 128)]
    pub(in crate::routes) token: String,
    /// The new password: 12 characters or more.
    #[schema(example = "a long password of your own", format = Password, min_length = 12, max_length = 1024)]
    password: String,
}

impl std::fmt::Debug for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reset").finish_non_exhaustive()
    }
}

/// Choose another password with a link.
///
/// All logins end.
#[utoipa::path(
    post,
    path = "/v1/password-resets/complete",
    tag = "people",
    request_body = Reset,
    responses(
        (status = 204, description = "The password is changed."),
        (status = 409, description = "The link was used, has ended, or is none (`link_ended`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn complete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Json(reset): Json<Reset>,
) -> Result<StatusCode, ApiError> {
    let now = state.clock.now();
    passwords::reset(state.accounts_place(), &reset.token, reset.password, &request_id, now)
        .await
        .map_err(refused)?;
    state.bell.ring();
    Ok(StatusCode::NO_CONTENT)
}
