//! `POST /v1/me/totp`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::totp::base32,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{Bare, IdempotencyKey},
    },
    routes::me::totp::refused,
    service::second_factor,
    store::accounts,
};

/// A secret for an authenticator.
#[derive(Serialize, ToSchema)]
pub struct NewTotp {
    /// The secret in base32, for typing in.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code.
    #[schema(
        example = "otpauth://totp/Pinfold:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Pinfold"
    )]
    url: String,
}

impl std::fmt::Debug for NewTotp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTotp").finish_non_exhaustive()
    }
}

/// Set up an authenticator.
///
/// Logins need it from when a code of it was shown: `POST /v1/me/totp/confirm`. The secret is shown this once.
#[utoipa::path(
    post,
    path = "/v1/me/totp",
    tag = "people",
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The secret.", body = NewTotp),
        (status = 409, description = "There is an authenticator already (`authenticator_exists`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn begin(
    State(state): State<AppState>,
    Person(login): Person,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let overseer = login.overseer();
    let mut tx = state.database.platform().await?;
    let person = accounts::find(&mut tx, overseer).await?.ok_or(ApiError::NotFound)?;
    drop(tx);
    let (tx, secret) = second_factor::begin(state.second_factors(), overseer, state.clock.now())
        .await
        .map_err(refused)?;
    let secret = base32(&secret);
    let account: String =
        url::form_urlencoded::byte_serialize(person.email.unwrap_or(person.name).as_bytes()).collect();
    let url = format!("otpauth://totp/Pinfold:{account}?secret={secret}&issuer=Pinfold");
    claim.commit(tx, StatusCode::CREATED, &NewTotp { secret, url }).await
}
