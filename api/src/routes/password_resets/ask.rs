//! `POST /v1/password-resets`: somebody does not know their password.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{error::ApiError, json::Json, parse},
    service::{passwords, throttle::Letter},
};

/// Whose password it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordResetRequest)]
pub struct Forgetful {
    /// The address of the account.
    #[schema(example = "ada@example.com", format = "email", max_length = 254)]
    email: String,
}

/// Ask for a link to choose another password.
///
/// It is sent if there is an account with this address; the answer does not tell. One address is sent five mails an hour at most.
#[utoipa::path(
    post,
    path = "/v1/password-resets",
    tag = "people",
    request_body = Forgetful,
    responses((status = 202, description = "If there is such an account, a mail follows.")),
    security(())
)]
pub async fn ask(State(state): State<AppState>, Json(asked): Json<Forgetful>) -> Result<StatusCode, ApiError> {
    let floor = tokio::time::sleep(state.accounts.login);
    let email = parse::email(&asked.email)?;
    state.throttle.mail(Letter::Reset, email.key()).await?;
    passwords::ask(state.accounts_place(), &email, state.clock.now()).await?;
    state.bell.ring();
    floor.await;
    Ok(StatusCode::ACCEPTED)
}
