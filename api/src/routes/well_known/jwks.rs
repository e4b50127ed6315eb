//! `GET /.well-known/jwks.json`: the keys that our tokens are signed with (RFC 7517).

use axum::{extract::State, http::header, response::IntoResponse};

use crate::{app::AppState, auth::rotation, http::error::ApiError};

/// Read the keys that sign access tokens.
///
/// A key is here a day before it signs its first token and until its last has ended. Readers may keep the set for five
/// minutes.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "tokens",
    responses(
        (status = 200, description = "A JWK Set.", body = Object, content_type = "application/jwk-set+json"),
    ),
    security(())
)]
pub async fn jwks(State(state): State<AppState>) -> Result<impl IntoResponse, ApiError> {
    let Some(document) = state.keyring.document() else {
        return Err(ApiError::Unavailable("the signing keys were not read yet".to_owned()));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json".to_owned()),
        (
            header::CACHE_CONTROL,
            format!("public, max-age={}", rotation::MAX_AGE.as_secs()),
        ),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
    ];
    Ok((headers, document.to_string()))
}
