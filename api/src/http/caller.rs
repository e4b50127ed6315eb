//! Who asks.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use crate::{
    app::AppState,
    auth::{
        jws,
        token::{self, AgentToken},
    },
    http::error::ApiError,
    store::agents,
};

/// An agent that proved itself with an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub AgentToken);

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = AppState::from_ref(state);
        let presented = bearer(&parts.headers)?;
        let refused = ApiError::Unauthenticated { invalid_token: true };
        let Some(agent) = verified(&state, presented) else {
            return Err(refused);
        };
        // Asked every time: a key that is revoked is revoked for the next request.
        let holder = agents::find_holder(state.database.pool(), agent.agent, agent.key).await?;
        let now = state.clock.now();
        let stands = holder.is_some_and(|h| h.stands(now) && h.tenant == agent.tenant && h.owner == agent.owner);
        if stands { Ok(Self(agent)) } else { Err(refused) }
    }
}

fn verified(state: &AppState, presented: &str) -> Option<AgentToken> {
    let parsed = jws::parse(presented)?;
    let key = state.keyring.verifying(parsed.key_id()?)?;
    let claims = parsed.verify(token::TYPE, &key)?;
    token::read(&claims, &state.issuer, &state.issuer, state.clock.now())
}

/// The token of the one Authorization header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let nobody = ApiError::Unauthenticated { invalid_token: false };
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return Err(nobody);
    };
    let (scheme, token) = value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or(nobody)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token)
    } else {
        Err(ApiError::Unauthenticated { invalid_token: true })
    }
}
