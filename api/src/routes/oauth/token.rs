//! `POST /oauth/token`: an access token for a proof (RFC 6749, section 3.2).

use std::collections::BTreeMap;

use axum::{
    extract::{Request, State},
    http::header,
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{challenge::Subject, possession, random::random},
    http::{error::Problem, json, request_id::RequestId},
    routes::oauth::error::{ErrorBody, OAuthError},
    service::{
        tokens::{self, Answer},
        workloads::{self, Assertion},
    },
};

/// The grant type of a signed challenge (RFC 6749, section 4.5: an extension grant's name is a URI).
pub const GRANT: &str = "urn:pinfold:params:oauth:grant-type:agent-challenge";

/// The grant type of a pod's own token (RFC 7523, section 2.1).
pub const WORKLOAD: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What the endpoint reads, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct TokenRequest {
    /// `urn:pinfold:params:oauth:grant-type:agent-challenge`, or `urn:ietf:params:oauth:grant-type:jwt-bearer`.
    #[schema(example = "urn:pinfold:params:oauth:grant-type:agent-challenge")]
    grant_type: String,
    /// Of a challenge: the agent.
    agent_id: Option<String>,
    /// Of a challenge: the key that signed.
    key_id: Option<String>,
    /// Of a challenge: the challenge, as it was given.
    challenge: Option<String>,
    /// Of a challenge: the signature, 64 bytes in base64url without padding.
    signature: Option<String>,
    /// Of `jwt-bearer`: the token that the pod finds at `/var/run/pinfold/workload/token`.
    assertion: Option<String>,
    /// What the token is to be used for (RFC 6749, section 3.3); without, all that the agent may have.
    scope: Option<String>,
    /// For which resource (RFC 8707); the issuer is all there is.
    resource: Option<String>,
}

/// A token (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct Issued {
    /// The access token: a JWT (RFC 9068), signed with Ed25519.
    access_token: String,
    /// How to use it (RFC 6750).
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long it is valid, in seconds.
    #[schema(example = 600)]
    expires_in: i64,
    /// What it may be used for.
    #[schema(example = "self runs:read runs:write")]
    scope: String,
}

/// Exchange a proof for an access token.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "tokens",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token.", body = Issued),
        (status = 400, description = "RFC 6749, section 5.2.", body = ErrorBody),
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
    let form = form(request, &state).await?;
    let grant = match form.get("grant_type").map(String::as_str) {
        Some(GRANT) => Grant::Challenge,
        Some(WORKLOAD) => Grant::Workload,
        Some(_) => {
            return Err(OAuthError::new(
                "unsupported_grant_type",
                format!("grant_type: write {GRANT} or {WORKLOAD}"),
            ));
        }
        None => return Err(missing("grant_type")),
    };
    let scopes: Option<Vec<&str>> = form.get("scope").map(|text| text.split(' ').collect());
    if let Some(unknown) = scopes.iter().flatten().find(|name| !tokens::is_scope(name)) {
        return Err(OAuthError::new(
            "invalid_scope",
            format!("scope: {unknown:?} is no scope; leave it out, or name some of those in docs/auth.md"),
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
    let random = random().map_err(|_| tokens::Refused::NoKey)?;
    let made = match grant {
        Grant::Challenge => {
            let subject = subject(&form)?;
            let signature = possession::signature(field(&form, "signature")?)
                .map_err(|error| OAuthError::new("invalid_request", error.to_string()))?;
            let answer = Answer {
                subject,
                challenge: field(&form, "challenge")?,
                signature: &signature,
                scopes,
                request_id: &request_id,
            };
            tokens::issue(state.tokens(), answer, state.clock.now(), random).await?
        }
        Grant::Workload => {
            let assertion = Assertion {
                token: field(&form, "assertion")?,
                scopes,
                request_id: &request_id,
            };
            let cluster = state.cluster.as_ref().ok_or_else(OAuthError::no_cluster)?;
            let now = state.clock.now();
            let made = workloads::exchange(state.tokens(), cluster, &state.throttle, assertion, now, random).await?;
            // A key that was published takes the place of the one before.
            state.standing.catch_up().await;
            made
        }
    };
    let issued = Issued {
        access_token: made.token,
        token_type: "Bearer",
        expires_in: state.access_token.as_secs(),
        scope: made.scope,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(issued)))
}

/// What is shown for the token.
#[derive(Debug, Clone, Copy)]
enum Grant {
    /// A signed challenge.
    Challenge,
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
        if members.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(invalid(&format!("{name:?} comes twice; send it once")));
        }
    }
    Ok(members)
}

fn missing(name: &str) -> OAuthError {
    OAuthError::new("invalid_request", format!("{name} is missing"))
}

#[cfg(test)]
mod tests;
