//! Whose a proof is that came with a request.

use axum::http::{HeaderMap, Method};
use domain::TenantName;
use jiff::Timestamp;
use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::{
        api_key::ApiKey,
        csrf,
        jws::{self, Parsed},
        opaque::Opaque,
        token::{AgentProof, Token},
    },
    http::{
        caller::{CSRF, Caller, Cookied, Login, Outsider, Proof, counted, standing::holder},
        cookies::Cookie,
        error::{ApiError, Forbidden},
        limits::Tally,
        named::Beside,
        used,
    },
    service::outside,
};

/// A token that came with a request, and the key that was proved beside it.
pub(super) struct Shown<'a> {
    /// The token.
    pub(super) text: &'a str,
    /// The key, with the proof of it.
    pub(super) binding: Option<Binding>,
    /// Where it is noted that the request was counted.
    pub(super) tally: &'a Tally,
    /// What the request wants.
    pub(super) method: &'a Method,
}

/// The caller whose access token it is, and what was asked beside that.
pub(super) async fn by_token(
    state: &AppState,
    shown: Shown<'_>,
    named: Option<&TenantName>,
    request_id: &str,
    now: Timestamp,
) -> Result<(Caller, Beside), ApiError> {
    let parsed = jws::parse(shown.text).ok_or(ApiError::REFUSED)?;
    if let Some(issuer) = state.issuers.of(&parsed) {
        if shown.binding.is_some() {
            return Err(ApiError::REFUSED);
        }
        let caller = by_outside(state, issuer, &parsed, request_id, now).await?;
        return Ok((caller, Beside::NotAsked));
    }
    let server = state.resource_server();
    let unspent = server.shown(&parsed, shown.binding, now).ok_or(ApiError::REFUSED)?;
    if unspent.is_bound() {
        // Whoever shows the same proof over and over is counted as whose token it is.
        let counted = counted(state, unspent.id(), shown.method).await;
        shown.tally.note(counted);
        counted.left?;
    }
    let token = unspent.spend(server.service, now).await?;
    // A key that is revoked is revoked for the next request.
    if let (Token::Agent(agent), Some(name)) = (&token, named)
        && let AgentProof::Key(key) = &agent.proof
    {
        let holder = holder(state, agent, *key, Some(name.as_str()), now).await?;
        let beside = Beside::Asked(holder.ok_or(ApiError::REFUSED)?.beside);
        return Ok((Caller::of(token), beside));
    }
    let caller = Caller::of(token);
    if caller.stands(state).await? {
        Ok((caller, Beside::NotAsked))
    } else {
        Err(ApiError::REFUSED)
    }
}

async fn by_outside(
    state: &AppState,
    issuer: &str,
    parsed: &Parsed<'_>,
    request_id: &str,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let vouched = state.issuers.verify(issuer, parsed).await?.ok_or(ApiError::REFUSED)?;
    let overseer = outside::person(&state.database, &state.standing, issuer, &vouched, request_id, now).await?;
    Ok(Caller::Person(Login {
        overseer: overseer.ok_or(ApiError::REFUSED)?,
        proof: Proof::Outside(Outsider {
            issuer: issuer.to_owned(),
            subject: vouched.subject,
            organisation: vouched.organisation,
            expires_at: vouched.expires_at,
        }),
    }))
}

/// The program whose API key it is.
pub(super) async fn by_key(state: &AppState, key: &ApiKey, now: Timestamp) -> Result<Caller, ApiError> {
    let found = state
        .standing
        .find_key(&key.hash(), now)
        .await?
        .ok_or(ApiError::REFUSED)?;
    used::key(state, &found, now).await;
    Ok(Caller::Key(found))
}

/// The person whose login it is.
pub(super) async fn by_cookie(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let cookie = state.cookies.read(headers, Cookie::Session).ok_or(ApiError::NOBODY)?;
    let token_hash = Opaque::parse(cookie).ok_or(ApiError::NOBODY)?.hash();
    let session = state
        .standing
        .find_session(&token_hash, now)
        .await?
        .ok_or(ApiError::NOBODY)?;
    if !method.is_safe() {
        let token = headers
            .get(CSRF)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !csrf::is_of(&state.keys.csrf, &token_hash, token) {
            return Err(ApiError::Forbidden(Forbidden::Csrf));
        }
    }
    used::session(state, &session, &token_hash, now).await;
    Ok(Caller::Person(Login {
        overseer: session.overseer,
        proof: Proof::Session(Cookied { session, token_hash }),
    }))
}
