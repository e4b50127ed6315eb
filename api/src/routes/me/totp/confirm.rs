//! `POST /v1/me/totp/confirm`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        json::Json,
        request_id::RequestId,
    },
    routes::me::totp::{Code, refused},
    service::second_factor,
};

/// What logs the person in when the authenticator is lost.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten codes, each of which counts once. They are shown this once.
    #[schema(example = json!(["mzxw-6ytb-oi2a-bcde"]))]
    recovery_codes: Vec<String>,
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecoveryCodes").finish_non_exhaustive()
    }
}

/// Confirm an authenticator.
///
/// A code of it shows that it works. From then on a login needs one: `code` of `POST /v1/sessions`.
#[utoipa::path(
    post,
    path = "/v1/me/totp/confirm",
    tag = "people",
    request_body = Code,
    responses(
        (status = 200, description = "Logins need it from now on.", body = RecoveryCodes),
        (status = 404, description = "You have begun none: `POST /v1/me/totp`.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was confirmed before (`authenticator_exists`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn confirm(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Json(shown): Json<Code>,
) -> Result<axum::Json<RecoveryCodes>, ApiError> {
    let now = state.clock.now();
    let judge = state.second_factors();
    let recovery_codes = second_factor::confirm(judge, login.overseer(), &shown.code, &request_id, now)
        .await
        .map_err(refused)?;
    Ok(axum::Json(RecoveryCodes { recovery_codes }))
}
