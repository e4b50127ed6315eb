//! `POST /v1/me/passkeys/{passkey}/remove`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::ApiError,
        once::{IdempotencyKey, Once},
        parse,
        request_id::RequestId,
    },
    routes::me::{passkeys::refused, password},
    service::passkeys,
};

/// What shows that the account's owner wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasskeyRemoval)]
pub struct Removal {
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    current_password: Option<String>,
}

impl std::fmt::Debug for Removal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Removal").finish_non_exhaustive()
    }
}

/// Take a passkey away.
///
/// With the last second factor the recovery codes go, and logins need none any more.
#[utoipa::path(
    post,
    path = "/v1/me/passkeys/{passkey}/remove",
    tag = "people",
    params(("passkey" = String, Path, format = "uuid", description = "The passkey."), IdempotencyKey),
    request_body = Removal,
    responses((status = 204, description = "It proves nothing any more.")),
    security(("session" = []))
)]
pub async fn remove(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(passkey): Path<String>,
    Once { body: given, claim }: Once<Removal>,
) -> Result<Response, ApiError> {
    let id = parse::id("passkey", &passkey)?;
    password::proved(&state, &login, given.current_password).await?;
    let tx = passkeys::remove(&state.database, login.overseer(), id, &request_id, state.clock.now())
        .await
        .map_err(refused)?;
    claim.commit(tx, StatusCode::NO_CONTENT, &()).await
}
