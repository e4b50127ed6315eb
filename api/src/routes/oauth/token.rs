//! `POST /oauth/token`: an access token for a proof (RFC 6749, section 3.2).

use std::collections::BTreeMap;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::{challenge::Subject, dpop_nonce::Giver, possession, random::random},
    http::{dpop, error::Problem, json, request_id::RequestId},
    routes::oauth::error::{ErrorBody, OAuthError},
    service::{
        client_credentials::{self, Asked},
        tokens::{self, Answer, Binding},
        workloads::{self, Assertion},
    },
};

mod client;

/// The grant type of a signed challenge (RFC 6749, section 4.5: an extension grant's name is a URI).
pub const GRANT: &str = "urn:pinfold:params:oauth:grant-type:agent-challenge";

/// The grant type of a pod's own token (RFC 7523, section 2.1).
pub const WORKLOAD: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant type of a client that acts on its own (RFC 6749, section 4.4).
pub const CLIENT: &str = "client_credentials";

/// What the endpoint reads, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct TokenRequest {
    /// `client_credentials`, `urn:pinfold:params:oauth:grant-type:agent-challenge`, or `urn:ietf:params:oauth:grant-type:jwt-bearer`.
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
    /// Of `client_credentials`: what the client calls itself by, unless the `Authorization` header says it.
    client_id: Option<String>,
    /// Of `client_credentials`: the secret of a client that is registered for `client_secret_post`.
    client_secret: Option<String>,
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
}

/// The header of a proof of possession, for the documentation.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
struct DpopHeader {
    /// A proof that the sender holds a key (RFC 9449), with the nonce of the last answer's `DPoP-Nonce`; the token is bound to that key.
    #[param(rename = "DPoP")]
    #[expect(dead_code, reason = "read for the documentation only")]
    dpop: Option<String>,
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
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(issued)))
}

async fn exchange(
    state: &AppState,
    headers: &HeaderMap,
    request_id: &str,
    request: Request,
) -> Result<Issued, OAuthError> {
    let now = state.clock.now();
    let form = form(request, state).await?;
    let grant = match form.get("grant_type").map(String::as_str) {
        Some(GRANT) => Grant::Challenge,
        Some(WORKLOAD) => Grant::Workload,
        Some(CLIENT) => Grant::Client,
        Some(_) => {
            return Err(OAuthError::new(
                "unsupported_grant_type",
                format!("grant_type: write {CLIENT}, {GRANT} or {WORKLOAD}"),
            ));
        }
        None => return Err(missing("grant_type")),
    };
    let scopes: Option<Vec<&str>> = form.get("scope").map(|text| text.split(' ').collect());
    if scopes.iter().flatten().any(|name| !tokens::is_scope(name)) {
        return Err(OAuthError::new(
            "invalid_scope",
            "scope: leave it out, or name some of those in docs/auth.md with one space between them",
        ));
    }
    if form
        .get("resource")
        .is_some_and(|r| r.trim_end_matches('/') != &*state.issuer)
    {
        return Err(OAuthError::new(
            "invalid_target",
            format!("resource: leave it out, or write {}", state.issuer),
        ));
    }
    // A request that is answered with a nonce has used nothing up.
    let binding = bound(state, headers, now).await?;
    let token_type = if binding.is_some() { "DPoP" } else { "Bearer" };
    let random = random().map_err(|_| tokens::Refused::NoKey)?;
    let made = match grant {
        Grant::Client => {
            let asked = Asked {
                standing: &state.standing,
                client: &client::shown(headers, &form)?,
                scopes,
                binding,
                request_id,
            };
            client_credentials::issue(state.tokens(), asked, now, random).await?
        }
        Grant::Challenge => {
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
            tokens::issue(state.tokens(), answer, now, random).await?
        }
        Grant::Workload => {
            let assertion = Assertion {
                token: field(&form, "assertion")?,
                scopes,
                binding,
                request_id,
            };
            let cluster = state.cluster.as_ref().ok_or_else(OAuthError::no_cluster)?;
            let made = workloads::exchange(state.tokens(), cluster, &state.throttle, assertion, now, random).await?;
            // A key that was published takes the place of the one before.
            state.standing.catch_up().await;
            made
        }
    };
    Ok(Issued {
        access_token: made.token,
        token_type,
        expires_in: state.access_token.as_secs(),
        scope: made.scope,
    })
}

/// The key that the token is to be bound to, if a proof of it came along.
async fn bound(state: &AppState, headers: &HeaderMap, now: Timestamp) -> Result<Option<Binding>, OAuthError> {
    let Some(proof) = dpop::header(headers)? else {
        return Ok(None);
    };
    let wanted = dpop::Request {
        giver: Giver::TokenEndpoint,
        method: "POST",
        path: dpop::TOKEN_ENDPOINT,
        access_token: None,
    };
    Ok(Some(dpop::judge(state, proof, wanted, now).await?))
}

/// What is shown for the token.
#[derive(Debug, Clone, Copy)]
enum Grant {
    /// A signed challenge.
    Challenge,
    /// A client's own secret.
    Client,
    /// A pod's own token.
    Workload,
}

/// Who answers a challenge.
fn subject(form: &BTreeMap<String, String>) -> Result<Subject, OAuthError> {
    let id =
        |name: &'static str, error: domain::IdError| OAuthError::new("invalid_request", format!("{name}: {error}"));
    Ok(Subject {
        agent: field(form, "agent_id")?.parse().map_err(|e| id("agent_id", e))?,
        key: field(form, "key_id")?.parse().map_err(|e| id("key_id", e))?,
    })
}

fn field<'a>(form: &'a BTreeMap<String, String>, name: &'static str) -> Result<&'a str, OAuthError> {
    form.get(name).map(String::as_str).ok_or_else(|| missing(name))
}

/// The form. Parameters without a value count as left out, and none may come twice (RFC 6749, section 3.2).
async fn form(request: Request, state: &AppState) -> Result<BTreeMap<String, String>, OAuthError> {
    let invalid = |what: &str| OAuthError::new("invalid_request", what);
    if !json::is_of_type(request.headers(), "application/x-www-form-urlencoded") {
        return Err(invalid(
            "send a form with the header Content-Type: application/x-www-form-urlencoded",
        ));
    }
    if request.uri().query().is_some() {
        return Err(invalid("parameters go into the body, not into the URL"));
    }
    let bytes = json::body(request, state).await?;
    let mut members = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        if value.is_empty() {
            continue;
        }
        if members.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(invalid("a parameter comes twice; send each once"));
        }
    }
    Ok(members)
}

fn missing(name: &str) -> OAuthError {
    OAuthError::new("invalid_request", format!("{name} is missing"))
}

#[cfg(test)]
mod tests;
