//! What a request shows of who sends it, in its headers.

use axum::http::{HeaderMap, HeaderName};
pub use resource_server::credential::Credential;
use resource_server::credential::{NotOne, authorization, one};

use crate::http::error::ApiError;

/// Where an API key may stand instead of `Authorization`, as the E2B SDKs send it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What is in the one Authorization header or in the one X-API-Key.
pub fn of(headers: &HeaderMap) -> Result<Credential<'_>, ApiError> {
    match (authorization(headers)?, one(headers, &API_KEY)?) {
        (shown, None) => Ok(shown),
        (Credential::Nothing, Some(key)) => Ok(Credential::Plain(key)),
        // Two proofs may be two people's.
        (_, Some(_)) => Err(ApiError::REFUSED),
    }
}

/// The token of the one Authorization header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    match authorization(headers)? {
        Credential::Nothing => Ok(None),
        Credential::Plain(token) => Ok(Some(token)),
        Credential::Bound(_) => Err(ApiError::REFUSED),
    }
}

impl From<NotOne> for ApiError {
    fn from(_: NotOne) -> Self {
        ApiError::REFUSED
    }
}
