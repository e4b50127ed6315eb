//! `POST /v1/sign-ups`: somebody wants an account.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    config::SignUp,
    http::{
        error::{ApiError, Problem},
        json::Json,
        parse,
    },
    service::{sign_up, throttle::Letter},
};

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignUpRequest)]
pub struct Applicant {
    /// Where the link is sent.
    #[schema(example = "ada@example.com", format = "email", max_length = 254)]
    email: String,
}

/// Ask for an account.
///
/// A link is sent to the address; with it the account is opened. If there is an account with this address already, a word of
/// that is sent instead: the answer does not tell which. One address is sent five mails an hour at most.
#[utoipa::path(
    post,
    path = "/v1/sign-ups",
    tag = "people",
    request_body = Applicant,
    responses(
        (status = 202, description = "A mail follows."),
        (status = 409, description = "Accounts are not opened in this way (`sign_up_closed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn begin(State(state): State<AppState>, Json(asked): Json<Applicant>) -> Result<StatusCode, ApiError> {
    let floor = tokio::time::sleep(state.accounts.login);
    let email = parse::email(&asked.email)?;
    if state.accounts.sign_up != SignUp::Open {
        return Err(closed());
    }
    state.throttle.mail(Letter::SignUp, email.key()).await?;
    sign_up::begin(&state.database, &email, state.clock.now()).await?;
    state.bell.ring();
    floor.await;
    Ok(StatusCode::ACCEPTED)
}

/// Accounts are not opened in this way.
pub fn closed() -> ApiError {
    ApiError::Conflict {
        code: "sign_up_closed",
        message: "accounts are opened by invitation only, or not at all; ask whoever runs this service".to_owned(),
    }
}
