//! Proofs of possession beside a request (RFC 9449): the one header, judged, with a nonce of ours. It is used up by whoever goes on.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use resource_server::{
    check,
    credential::{self, DPOP},
    nonce::Giver,
};
use tokio::time::timeout;

use crate::{app::AppState, http::error::ApiError, service::replay::Why, store::StoreError};

/// The header of the nonce that the next proof is to name (section 8.1).
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Where tokens are given: its nonces are others than the resources'.
pub const TOKEN_ENDPOINT: &str = "/oauth/token";

/// Where requests are pushed, for the same server.
pub const PUSHED: &str = "/oauth/par";

/// How long an answer waits for the next nonce: whoever gets none is told one when it comes again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a proof proves nothing.
pub type Refused = check::Refused<StoreError>;

/// The proof that came with a request, if one did.
pub fn header(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    Ok(credential::one(headers, &DPOP)?)
}

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        match why {
            Why::Used => Self::Replayed,
            Why::Forgotten => Self::Nonce,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => error.into(),
            other => Self::Possession(other),
        }
    }
}

/// How a token is to be shown that is bound to a key (section 7.1), and what was wrong with what came.
pub fn challenge(error: Option<&'static str>) -> HeaderValue {
    HeaderValue::from_static(match error {
        None => r#"DPoP realm="pinfold", algs="ES256 EdDSA Ed25519""#,
        Some("invalid_token") => r#"DPoP realm="pinfold", error="invalid_token", algs="ES256 EdDSA Ed25519""#,
        Some("use_dpop_nonce") => r#"DPoP realm="pinfold", error="use_dpop_nonce", algs="ES256 EdDSA Ed25519""#,
        Some(_) => r#"DPoP realm="pinfold", error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519""#,
    })
}

/// Gives whoever comes with a proof the nonce of the next one.
pub async fn tell(State(state): State<AppState>, request: axum::extract::Request, next: Next) -> Response {
    let proves = request.headers().contains_key(DPOP);
    let giver = match request.uri().path() {
        TOKEN_ENDPOINT | PUSHED => Giver::TokenEndpoint,
        _ => Giver::Resource,
    };
    let mut response = next.run(request).await;
    if proves
        && let Ok(Ok(nonce)) = timeout(PATIENCE, state.resource_server().nonce(giver, state.clock.now())).await
        && let Ok(nonce) = HeaderValue::try_from(nonce)
    {
        response.headers_mut().insert(NONCE, nonce);
    }
    response
}
