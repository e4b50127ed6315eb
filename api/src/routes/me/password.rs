//! `PUT /v1/me/password`.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::{Login, OwnSession},
        error::ApiError,
        json::Json,
        request_id::RequestId,
    },
    routes::sign_ups::complete::link_ended,
    service::passwords::{self, Refused},
    store::accounts,
};

#[cfg(test)]
mod tests;

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub struct Passwords {
    /// The password as it is.
    #[schema(example = "the password until now", format = Password, max_length = 1024)]
    current_password: String,
    /// The password as it is to be: 12 characters or more.
    #[schema(example = "a long password of your own", format = Password, min_length = 12, max_length = 1024)]
    password: String,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// Change my password.
///
/// All other logins end, and a mail tells of it.
#[utoipa::path(
    put,
    path = "/v1/me/password",
    tag = "people",
    request_body = Passwords,
    responses((status = 204, description = "The password is changed.")),
    security(("session" = []))
)]
pub async fn change(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    OwnSession(session): OwnSession,
    Json(given): Json<Passwords>,
) -> Result<StatusCode, ApiError> {
    let place = state.accounts_place();
    let now = state.clock.now();
    let (old, new) = (given.current_password, given.password);
    passwords::change(place, &state.throttle, &session, old, new, &request_id, now)
        .await
        .map_err(refused)?;
    state.bell.ring();
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the account has a password. In a transaction of its own: hashing takes long, and none waits for it.
pub async fn has_password(state: &AppState, login: &Login) -> Result<bool, ApiError> {
    let mut tx = state.database.platform().await?;
    Ok(accounts::has_password(&mut tx, login.overseer()).await?)
}

/// Has who may have found a session left open show the password, where the account has one.
pub async fn proved(state: &AppState, login: &Login, password: Option<String>) -> Result<(), ApiError> {
    if !has_password(state, login).await? {
        return Ok(());
    }
    let missing = || ApiError::invalid("current_password", "write your password");
    let password = password.ok_or_else(missing)?;
    let proved = passwords::prove(state.accounts_place(), &state.throttle, login.overseer(), password).await;
    proved.map_err(refused)
}

/// Why a password stays, to a client.
pub fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Link => link_ended(),
        Refused::Wrong => ApiError::invalid("current_password", "this is not your password"),
        Refused::Unfit(error) => ApiError::invalid("password", error.to_string()),
        Refused::TooOften(error) => error.into(),
        Refused::Hashing(error) => error.into(),
        Refused::Store(error) => error.into(),
    }
}
