//! `POST /v1/me/passkeys/challenge`.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    http::{
        caller::{Login, Person},
        error::{ApiError, Problem},
        once::{Bare, IdempotencyKey},
        passkey::{self, PasskeyCreation},
    },
    routes::me::passkeys::refused,
    service::passkeys,
    store::{PlatformTransaction, accounts},
};

/// Begin a passkey.
///
/// What is answered goes into `PublicKeyCredential.parseCreationOptionsFromJSON`, and what the browser makes of it to `POST /v1/me/passkeys`
/// within five minutes.
#[utoipa::path(
    post,
    path = "/v1/me/passkeys/challenge",
    tag = "people",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "What the browser is asked for.", body = PasskeyCreation),
        (status = 409, description = "The account has twenty passkeys (`too_many_passkeys`), or the service's address has a number in place of a name (`passkeys_unavailable`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn begin(
    State(state): State<AppState>,
    Person(login): Person,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let (tx, creation) = ask(&state, &login).await?;
    claim.commit(tx, StatusCode::CREATED, &creation).await
}

/// Opens a challenge, in a transaction that is still to be stored.
pub async fn ask(state: &AppState, login: &Login) -> Result<(PlatformTransaction, PasskeyCreation), ApiError> {
    let party = passkey::party(state)?;
    let mut tx = state.database.platform().await?;
    let person = accounts::find(&mut tx, login.overseer())
        .await?
        .ok_or(ApiError::NotFound)?;
    drop(tx);
    let (tx, asked) = passkeys::begin(&state.database, login.overseer(), state.clock.now())
        .await
        .map_err(refused)?;
    let creation = PasskeyCreation::new(&asked, party, person);
    Ok((tx, creation))
}
