//! `POST /v1/me/totp/confirm`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::me::{password, recovery_codes::RecoveryCodes, totp::refused},
    service::second_factor,
};

/// What shows that the authenticator works, and that its owner wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TotpConfirmation)]
pub struct Confirmation {
    /// Six digits of the authenticator.
    #[schema(example = "123456", max_length = 64)]
    code: String,
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    current_password: Option<String>,
}

impl std::fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirmation").finish_non_exhaustive()
    }
}

/// Confirm an authenticator.
///
/// A code of it shows that it works. From then on a login needs one, or another second factor: `code` of `POST /v1/sessions`.
#[utoipa::path(
    post,
    path = "/v1/me/totp/confirm",
    tag = "people",
    params(IdempotencyKey),
    request_body = Confirmation,
    responses(
        (status = 200, description = "Logins need a second factor from now on. With the first one come recovery codes.", body = RecoveryCodes),
        (status = 404, description = "You have begun none: `POST /v1/me/totp`.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was confirmed before (`authenticator_exists`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn confirm(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: shown, claim }: Once<Confirmation>,
) -> Result<Response, ApiError> {
    password::proved(&state, &login, shown.current_password).await?;
    let now = state.clock.now();
    let judge = state.second_factors();
    let (tx, recovery_codes) = second_factor::confirm(judge, login.overseer(), &shown.code, &request_id, now)
        .await
        .map_err(refused)?;
    claim
        .commit(tx, StatusCode::OK, &RecoveryCodes { recovery_codes })
        .await
}
