//! `POST /oauth/token`: an access token for a proof (RFC 6749, section 3.2).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        authorization::{Parameters, RESOURCE},
        challenge::Subject,
        client::values::GrantType,
        possession,
        random::random,
    },
    http::{dpop, error::Problem, request_id::RequestId},
    routes::oauth::{
        client,
        error::{ErrorBody, OAuthError},
        floor,
        form::{self, field, missing},
        possession::{DpopHeader, bound},
    },
    service::{
        client_credentials::{self, Asked},
        grants::tokens::Tokens,
        tokens::{self, Answer},
        workloads::{self, Assertion},
    },
};

mod code;
mod device;
mod exchange;
mod refresh;

/// The grant type of a signed challenge (RFC 6749, section 4.5: an extension grant's name is a URI).
pub const GRANT: &str = "urn:pinfold:params:oauth:grant-type:agent-challenge";

/// The grant type of a pod's own token (RFC 7523, section 2.1).
pub const WORKLOAD: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant type of a client that acts on its own (RFC 6749, section 4.4).
pub const CLIENT: &str = GrantType::ClientCredentials.as_str();

/// All of them.
pub const ALL: [&str; 7] = [
    GrantType::AuthorizationCode.as_str(),
    GrantType::RefreshToken.as_str(),
    GrantType::DeviceCode.as_str(),
    GrantType::TokenExchange.as_str(),
    CLIENT,
    WORKLOAD,
    GRANT,
];

/// What the endpoint reads, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct TokenRequest {
    /// `authorization_code`, `refresh_token`, `urn:ietf:params:oauth:grant-type:device_code`,
    /// `urn:ietf:params:oauth:grant-type:token-exchange`, `client_credentials`, `urn:pinfold:params:oauth:grant-type:agent-challenge`, or
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer`.
    #[schema(example = "urn:pinfold:params:oauth:grant-type:agent-challenge")]
    grant_type: String,
    /// Of a challenge: the agent.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000a")]
    agent_id: Option<String>,
    /// Of a challenge: the key that signed.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000b")]
    key_id: Option<String>,
    /// Of a challenge: the challenge, as it was given.
    #[schema(example = "q1pC0u7oT0m5dQ0gq2m8d3l6Zz7cV4nB1xYkR9sWtEo")]
    challenge: Option<String>,
    /// Of a challenge: the signature, 64 bytes in base64url without padding.
    #[schema(example = "sGyn05wJwik2rlXLs-mFpJjk9yTWv-Ijjng-eXUh42327jQT2GdqUxH85D1povCCOZtXE1rvbe2cbHaR8-_WAg")]
    signature: Option<String>,
    /// Of `jwt-bearer`: the token that the pod finds at `/var/run/pinfold/workload/token`.
    assertion: Option<String>,
    /// Of `authorization_code`: the code that the browser brought.
    code: Option<String>,
    /// Of `authorization_code`: what `code_challenge` was made from (RFC 7636, section 4.5).
    code_verifier: Option<String>,
    /// Of `authorization_code`: where the browser brought the code; it may be left out.
    #[schema(example = "https://board.example.com/callback")]
    redirect_uri: Option<String>,
    /// Of a device: the code that it was given (RFC 8628, section 3.4).
    device_code: Option<String>,
    /// Of token exchange: an access token that a person's consent gave (RFC 8693, section 2.1), or a person's token of the system before.
    subject_token: Option<String>,
    /// Of token exchange: `urn:ietf:params:oauth:token-type:access_token`; of a token of the system before, where those are taken,
    /// `urn:ietf:params:oauth:token-type:jwt`.
    subject_token_type: Option<String>,
    /// Of token exchange by an agent: a token of its own, which is all that it needs to prove itself.
    actor_token: Option<String>,
    /// With `actor_token`: `urn:ietf:params:oauth:token-type:access_token`.
    actor_token_type: Option<String>,
    /// Of token exchange: `urn:ietf:params:oauth:token-type:access_token`; it may be left out.
    requested_token_type: Option<String>,
    /// Of token exchange: the issuer; it may be left out.
    audience: Option<String>,
    /// Of `refresh_token`: the token.
    refresh_token: Option<String>,
    /// Of clients: what the client calls itself by, unless the `Authorization` header says it.
    client_id: Option<String>,
    /// Of clients: the secret of one that is registered for `client_secret_post`.
    client_secret: Option<String>,
    /// Of clients that are registered for `private_key_jwt`: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    client_assertion_type: Option<String>,
    /// Of such clients: what they signed for the issuer (RFC 7523, section 2.2).
    client_assertion: Option<String>,
    /// What the token is to be used for (RFC 6749, section 3.3); without, all that can be given.
    #[schema(example = "self runs:read")]
    scope: Option<String>,
    /// For which resource (RFC 8707); the issuer is all there is.
    #[schema(example = "https://pinfold.example")]
    resource: Option<String>,
}

/// A token (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct Issued {
    /// The access token: a JWT (RFC 9068), signed with Ed25519.
    access_token: String,
    /// How to use it: `Bearer` (RFC 6750), or `DPoP` (RFC 9449) if a proof came with the request, to whose key the token is bound.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long it is valid, in seconds.
    #[schema(example = 600)]
    expires_in: i64,
    /// What it may be used for.
    #[schema(example = "self runs:read runs:write")]
    scope: String,
    /// What another is got by, to a client that is registered for `refresh_token` and that a person let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Who the person is, to a client that asked for `openid` (OpenID Connect Core 1.0, section 3.1.3.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// Of token exchange: `urn:ietf:params:oauth:token-type:access_token` (RFC 8693, section 2.2.1).
    #[serde(rename = "issued_token_type", skip_serializing_if = "Option::is_none")]
    exchanged_for: Option<&'static str>,
}

/// Exchange a proof for an access token.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "tokens",
    params(DpopHeader),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token.", body = Issued),
        (status = 400, description = "RFC 6749, section 5.2; RFC 9449, section 5: `invalid_dpop_proof`, or `use_dpop_nonce` with a `DPoP-Nonce`.", body = ErrorBody),
        (status = 401, description = "The client is not proved (`invalid_client`).", body = ErrorBody),
        (status = 413, description = "The form is too large.", body = ErrorBody),
        (status = 429, description = "Too many requests; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = ErrorBody),
    ),
    security(())
)]
pub async fn token(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    request: Request,
) -> Result<impl IntoResponse, OAuthError> {
    let headers = request.headers().clone();
    let issued = exchange(&state, &headers, &request_id, request).await?;
    // RFC 6749, section 5.1.
    let kept_by_nobody = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((kept_by_nobody, axum::Json(issued)))
}

async fn exchange(
    state: &AppState,
    headers: &HeaderMap,
    request_id: &str,
    request: Request,
) -> Result<Issued, OAuthError> {
    let now = state.clock.now();
    let form = form::read(request, state).await?;
    // None is a signed challenge, for which no client is registered.
    let grant = match form.get("grant_type").map(String::as_str) {
        Some(GRANT) => None,
        Some(name) => Some(GrantType::parse(name).ok_or_else(|| {
            let all = ALL.join(", ");
            OAuthError::new("unsupported_grant_type", format!("grant_type: write one of {all}"))
        })?),
        None => return Err(missing("grant_type")),
    };
    // Of a code the scope was asked for before, and is no parameter here.
    let narrows = !matches!(grant, Some(GrantType::AuthorizationCode | GrantType::DeviceCode));
    let scope = form.get("scope").filter(|_| narrows);
    let scopes: Option<Vec<&str>> = scope.map(|text| text.split(' ').collect());
    if scopes.iter().flatten().any(|name| !tokens::is_scope(name)) {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope: leave it out, or name some of those in docs/auth.md with one space between them",
        ));
    }
    form::for_us(&form, RESOURCE, &state.issuer)?;
    // A request that is answered with a nonce has used nothing up.
    let binding = bound(state, headers, dpop::TOKEN_ENDPOINT, now).await?;
    let token_type = if binding.is_some() { "DPoP" } else { "Bearer" };
    let random = random().map_err(|_| tokens::Refused::NoKey)?;
    let exchanged_for = (grant == Some(GrantType::TokenExchange)).then_some(exchange::ACCESS_TOKEN);
    let made = async {
        let issued = match grant {
            Some(GrantType::AuthorizationCode) => {
                let client = client::proved(state, headers, &form, now).await?;
                return code::redeem(state, &client, &form, binding, request_id).await;
            }
            Some(GrantType::RefreshToken) => {
                let client = client::proved(state, headers, &form, now).await?;
                return refresh::refresh(state, &client, &form, scopes, binding, request_id).await;
            }
            Some(GrantType::DeviceCode) => {
                let client = client::proved(state, headers, &form, now).await?;
                return device::ask(state, &client, &form, binding, request_id).await;
            }
            Some(GrantType::TokenExchange) => {
                let beside = exchange::Beside {
                    headers,
                    form: &form,
                    scopes,
                    binding,
                    request_id,
                };
                exchange::exchange(state, beside, now).await?
            }
            Some(GrantType::ClientCredentials) => {
                let asked = Asked {
                    client: &client::proved(state, headers, &form, now).await?,
                    scopes,
                    binding,
                    request_id,
                };
                client_credentials::issue(state.tokens(), asked, now, random).await?
            }
            Some(GrantType::JwtBearer) => {
                let assertion = Assertion {
                    token: field(&form, "assertion")?,
                    scopes,
                    binding,
                    request_id,
                };
                client::proved_if_shown(state, headers, &form, now).await?;
                let cluster = state.cluster.as_ref().ok_or_else(OAuthError::no_cluster)?;
                let made =
                    workloads::exchange(state.tokens(), cluster, &state.throttle, assertion, now, random).await?;
                // A key that was published takes the place of the one before.
                state.standing.catch_up().await;
                made
            }
            None => {
                client::proved_if_shown(state, headers, &form, now).await?;
                let subject = subject(&form)?;
                let signature = possession::signature(field(&form, "signature")?)
                    .map_err(|error| OAuthError::new("invalid_request", error.to_string()))?;
                let answer = Answer {
                    subject,
                    challenge: field(&form, "challenge")?,
                    signature: &signature,
                    scopes,
                    binding,
                    request_id,
                };
                floor::even(tokens::issue(state.tokens(), answer, now, random)).await?
            }
        };
        Ok(Tokens::from(issued))
    };
    let Tokens {
        issued,
        id_token,
        refresh_token,
    } = made.await.map_err(|error: OAuthError| error.after_assertion(&form))?;
    Ok(Issued {
        access_token: issued.token,
        token_type,
        expires_in: issued.expires_at.duration_since(now).as_secs(),
        scope: issued.scope,
        exchanged_for,
        refresh_token,
        id_token,
    })
}

/// Who answers a challenge.
fn subject(form: &Parameters) -> Result<Subject, OAuthError> {
    let id =
        |name: &'static str, error: domain::IdError| OAuthError::new("invalid_request", format!("{name}: {error}"));
    Ok(Subject {
        agent: field(form, "agent_id")?.parse().map_err(|e| id("agent_id", e))?,
        key: field(form, "key_id")?.parse().map_err(|e| id("key_id", e))?,
    })
}

#[cfg(test)]
mod tests;
