//! What a request shows of who sends it, in its headers.

use axum::http::{HeaderMap, HeaderName, header};

use crate::http::{caller::REFUSED, error::ApiError};

/// Where an API key may stand instead of `Authorization`, as the E2B SDKs send it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A token or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// None.
    Nothing,
    /// One that counts for itself (RFC 6750, section 2.1), or an API key.
    Plain(&'a str),
    /// One that counts with a proof of possession (RFC 9449, section 7.1).
    Bound(&'a str),
}

/// What is in the one Authorization header or in the one X-API-Key.
pub fn of(headers: &HeaderMap) -> Result<Credential<'_>, ApiError> {
    match (authorization(headers)?, one(headers, API_KEY)?) {
        (shown, None) => Ok(shown),
        (Credential::Nothing, Some(key)) => Ok(Credential::Plain(key)),
        // Two proofs may be two people's.
        (_, Some(_)) => Err(REFUSED),
    }
}

/// The token of the one Authorization header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    match authorization(headers)? {
        Credential::Nothing => Ok(None),
        Credential::Plain(token) => Ok(Some(token)),
        Credential::Bound(_) => Err(REFUSED),
    }
}

fn authorization(headers: &HeaderMap) -> Result<Credential<'_>, ApiError> {
    let Some(value) = one(headers, header::AUTHORIZATION)? else {
        return Ok(Credential::Nothing);
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Credential::Plain(token)),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => Ok(Credential::Bound(token)),
        _ => Err(REFUSED),
    }
}

fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ApiError> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| REFUSED),
        (Some(_), Some(_)) => Err(REFUSED),
    }
}
