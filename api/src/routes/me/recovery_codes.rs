//! `POST /v1/me/recovery-codes`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::me::{password, totp},
    service::second_factor,
};

/// What logs a person in, with the password, when the second factor is lost.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten codes, each of which counts once. They are shown this once; none, if there are some already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["mzxw-6ytb-oi2a-bcde"]))]
    pub(in crate::routes) recovery_codes: Option<Vec<String>>,
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecoveryCodes").finish_non_exhaustive()
    }
}

/// What shows that the account's owner wants them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecoveryCodeRenewal)]
pub struct Renewal {
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    current_password: Option<String>,
}

impl std::fmt::Debug for Renewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}

/// Make my recovery codes anew.
///
/// Those that there were count no more.
#[utoipa::path(
    post,
    path = "/v1/me/recovery-codes",
    tag = "people",
    params(IdempotencyKey),
    request_body = Renewal,
    responses(
        (status = 201, description = "The codes.", body = RecoveryCodes),
        (status = 404, description = "You have no second factor that they could stand for.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn renew(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: given, claim }: Once<Renewal>,
) -> Result<Response, ApiError> {
    password::proved(&state, &login, given.current_password).await?;
    let (tx, codes) = second_factor::renew(&state.database, login.overseer(), &request_id, state.clock.now())
        .await
        .map_err(totp::refused)?;
    let recovery_codes = Some(codes);
    claim
        .commit(tx, StatusCode::CREATED, &RecoveryCodes { recovery_codes })
        .await
}
