//! Proofs of possession at the endpoints that clients call (RFC 9449, sections 5 and 10.1).

use axum::http::HeaderMap;
use jiff::Timestamp;
use resource_server::{
    check::{Binding, Request},
    nonce::Giver,
};
use utoipa::IntoParams;

use crate::{app::AppState, http::dpop, routes::oauth::error::OAuthError};

/// The header of a proof of possession, for the documentation.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct DpopHeader {
    /// A proof that the sender holds a key (RFC 9449), with the nonce of the last answer's `DPoP-Nonce`; the token is bound to that key.
    #[param(rename = "DPoP")]
    #[expect(dead_code, reason = "read for the documentation only")]
    dpop: Option<String>,
}

/// The key that is proved to an endpoint, if a proof came along.
pub async fn bound(
    state: &AppState,
    headers: &HeaderMap,
    path: &str,
    now: Timestamp,
) -> Result<Option<Binding>, OAuthError> {
    let Some(proof) = dpop::header(headers)? else {
        return Ok(None);
    };
    let wanted = Request {
        giver: Giver::TokenEndpoint,
        method: "POST",
        path,
        access_token: None,
    };
    Ok(Some(state.resource_server().judge(proof, wanted, now).await?))
}
