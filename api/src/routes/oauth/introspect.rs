//! `POST /oauth/introspect`: what a token is worth now (RFC 7662).

use axum::{
    extract::{Request, State},
    http::HeaderMap,
};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        client::values::{AuthMethod, Scope},
        jws,
    },
    http::{caller::Caller, error::Problem},
    routes::oauth::{
        client,
        error::{ErrorBody, OAuthError},
        form::{self, field},
        shown,
    },
    service::client_proof::Proved,
};

/// What the endpoint reads, as a form, with what proves the client.
#[derive(Debug, ToSchema)]
#[schema(as = Introspection)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct Asked {
    /// An access token or a refresh token.
    token: String,
    /// `refresh_token` or `access_token`; it need not be right.
    token_type_hint: Option<String>,
    /// What the client calls itself by, unless the `Authorization` header or an assertion says it.
    client_id: Option<String>,
}

/// What there is to say of a token (section 2.2): of an access token whatever it says (RFC 9068), of a refresh token whose it is, what it may
/// give and when it ends.
#[derive(Debug, ToSchema)]
#[schema(as = IntrospectionAnswer)]
#[expect(dead_code, reason = "it describes the answer, which has what the token says")]
pub struct Answer {
    /// Whether it is good. Of one that is not, or is none of the caller's, nothing else is said.
    active: bool,
    /// `Bearer`, or `DPoP` if it is bound to a key; none of a refresh token.
    token_type: Option<String>,
    /// The client that got it.
    client_id: Option<String>,
    /// Whom it is of.
    sub: Option<String>,
    /// What it may be used for.
    scope: Option<String>,
    /// Its end, in seconds of the epoch.
    exp: Option<i64>,
    /// Who issued it.
    iss: Option<String>,
}

/// Say what a token is worth.
///
/// To a client that proves itself: its own tokens, and access tokens for the tenant that registered it.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    tag = "tokens",
    request_body(content = Asked, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it is worth.", body = Answer),
        (status = 400, description = "RFC 7662, section 2.3.", body = ErrorBody),
        (status = 401, description = "The client is not proved (`invalid_client`).", body = ErrorBody),
        (status = 413, description = "The form is too large.", body = ErrorBody),
        (status = 429, description = "Too many requests; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = ErrorBody),
    ),
    security(())
)]
pub async fn introspect(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: Request,
) -> Result<axum::Json<Value>, OAuthError> {
    let now = state.clock.now();
    let form = form::read(request, &state).await?;
    let proved = client::proved(&state, &headers, &form, now).await?;
    // Section 2.1: whoever may ask proves who they are.
    if proved.client.metadata.auth_method == AuthMethod::None {
        return Err(OAuthError::client());
    }
    let token = field(&form, "token")?;
    let said = match access(&state, &proved, token).await? {
        Some(said) => Some(said),
        None => refresh(&state, &proved, token).await?,
    };
    let active = said.is_some();
    let mut answer = said.unwrap_or_default();
    answer.insert("active".to_owned(), active.into());
    Ok(axum::Json(Value::Object(answer)))
}

async fn access(state: &AppState, proved: &Proved, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
    let Some(read) = shown::read(state, text, state.clock.now()) else {
        return Ok(None);
    };
    let own = read.token.client_id() == proved.client.client_id;
    let registered = proved.client.registered.as_ref();
    if !own && registered.is_none_or(|known| known.tenant != read.token.tenant()) {
        return Ok(None);
    }
    let bound = read.jkt.is_some();
    if !Caller::of(read.token).stands(state).await? {
        return Ok(None);
    }
    // It was verified a moment ago.
    let mut said = jws::parse(text)
        .and_then(|parsed| parsed.unproven())
        .unwrap_or_default();
    let kind = if bound { "DPoP" } else { "Bearer" };
    said.insert("token_type".to_owned(), kind.into());
    Ok(Some(said))
}

async fn refresh(state: &AppState, proved: &Proved, text: &str) -> Result<Option<Map<String, Value>>, OAuthError> {
    let now = state.clock.now();
    let known = shown::refresh_token(state, text).await?;
    let known =
        known.filter(|known| !known.spent && now < known.expires_at && known.client_id == proved.client.client_id);
    let Some(known) = known else { return Ok(None) };
    let grant = state.standing.find_grant(known.grant).await?;
    Ok(grant.filter(|grant| now < grant.expires_at).map(|grant| {
        Map::from_iter([
            ("client_id".to_owned(), Value::from(grant.client_id.as_str())),
            ("sub".to_owned(), Value::from(grant.overseer.to_string())),
            ("scope".to_owned(), Value::from(Scope::joined(&grant.scopes))),
            ("exp".to_owned(), Value::from(known.expires_at.as_second())),
            ("iss".to_owned(), Value::from(&*state.issuer)),
        ])
    }))
}
