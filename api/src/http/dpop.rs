//! Proofs of possession beside a request (RFC 9449): the one header, judged, with a nonce of ours. It is used up by whoever goes on.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use jiff::Timestamp;
use resource_server::dpop::{self, Flaw, Wanted};
use tokio::time::timeout;
use url::Url;

use crate::{
    app::AppState,
    auth::dpop_nonce::{self, Giver},
    http::error::ApiError,
    service::{
        replay::{Thing, Why},
        tokens::Binding,
    },
    store::StoreError,
};

/// The header of a proof (section 4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The header of the nonce that the next proof is to name (section 8.1).
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Where tokens are given: its nonces are others than the resources'.
pub const TOKEN_ENDPOINT: &str = "/oauth/token";

/// Where requests are pushed, for the same server.
pub const PUSHED: &str = "/oauth/par";

/// How long an answer waits for the next nonce: whoever gets none is told one when it comes again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There are several, or something that is no text.
    #[error("send one DPoP header with one proof")]
    Header,
    /// There is something wrong with it.
    #[error("the proof is not good: {0}")]
    Flaw(#[from] Flaw),
    /// There is none beside a token that counts with one only.
    #[error("send a DPoP header with a proof")]
    Missing,
    /// It came before.
    #[error("the proof was used before; make one for each request")]
    Replayed,
    /// It names no nonce of ours, or an old one.
    #[error("make a proof with the nonce of the DPoP-Nonce header")]
    Nonce,
    /// Which store is to remember it cannot be said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The proof that came with a request, if one did.
pub fn header(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut all = headers.get_all(DPOP).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refused::Header),
        (Some(_), Some(_)) => Err(Refused::Header),
    }
}

impl Refused {
    /// Its name (RFC 9449, section 12.2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Nonce => "use_dpop_nonce",
            _ => "invalid_dpop_proof",
        }
    }
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
    if proves && let Ok(Some(nonce)) = timeout(PATIENCE, nonce(&state, giver, state.clock.now())).await {
        response.headers_mut().insert(NONCE, nonce);
    }
    response
}

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who gave the nonce.
    pub giver: Giver,
    /// The method.
    pub method: &'a str,
    /// The path, below the service's own address: what a client puts into a header is no part of it.
    pub path: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
}

/// Judges a proof, but for whether it was used before.
pub async fn judge(state: &AppState, proof: &str, request: Request<'_>, now: Timestamp) -> Result<Binding, Refused> {
    let uri = place(&state.issuer, request.path).ok_or(Flaw::Uri)?;
    let wanted = Wanted {
        method: request.method,
        uri: &uri,
        access_token: request.access_token,
        now,
    };
    let proof = dpop::judge(proof, wanted)?;
    let nonce = proof.nonce.as_deref().unwrap_or_default();
    let epoch = dpop_nonce::read(&state.keys.dpop_nonce, request.giver, nonce, now).ok_or(Refused::Nonce)?;
    // A store that lost what it knew remembers nothing of it; a proof with a new nonce is judged by what it knows now.
    if epoch != state.replay.epoch(now).await? {
        return Err(Refused::Nonce);
    }
    Ok(Binding {
        proof: Thing {
            digest: proof.digest,
            epoch,
            forget_at: proof.forget_at(),
        },
        jkt: proof.thumbprint,
    })
}

/// The nonce that the next proof is to name; none while no store can be asked.
async fn nonce(state: &AppState, giver: Giver, now: Timestamp) -> Option<HeaderValue> {
    let epoch = state.replay.epoch(now).await.ok()?;
    HeaderValue::try_from(dpop_nonce::mint(&state.keys.dpop_nonce, giver, epoch, now)).ok()
}

fn place(issuer: &str, path: &str) -> Option<Url> {
    let mut url = Url::parse(issuer).ok()?;
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{path}"));
    Some(url)
}
