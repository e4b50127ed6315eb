//! `POST /v1/me/totp/remove`.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::me::totp::{Code, refused},
    service::second_factor,
};

/// Take an authenticator away.
///
/// A code of it, or a recovery code, shows that you want it. With the last second factor the recovery codes go, and logins need none any more.
#[utoipa::path(
    post,
    path = "/v1/me/totp/remove",
    tag = "people",
    params(IdempotencyKey),
    request_body = Code,
    responses(
        (status = 204, description = "Its codes prove nothing any more."),
        (status = 404, description = "You have no authenticator.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn remove(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: shown, claim }: Once<Code>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let tx = second_factor::remove(state.second_factors(), login.overseer(), &shown.code, &request_id, now)
        .await
        .map_err(refused)?;
    claim.commit(tx, StatusCode::NO_CONTENT, &()).await
}
