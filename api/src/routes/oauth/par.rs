//! `POST /oauth/par`: a client says what it wants before a browser comes (RFC 9126).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        authorization::{self, Flaw},
        opaque::Opaque,
        random::random,
    },
    http::{dpop, error::Problem},
    routes::oauth::{
        client,
        error::{ErrorBody, OAuthError},
        form,
        possession::{DpopHeader, bound},
    },
    service::{grants, tokens},
    store::authorization_requests::{self, Stored},
};

/// What names a request that was pushed (section 2.2).
pub const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a browser may take to come.
const KEPT: SignedDuration = SignedDuration::from_secs(90);

/// What the endpoint reads, as a form: the parameters of a request for authorization, and what proves the client.
#[derive(Debug, ToSchema)]
#[schema(as = PushedRequest)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct Pushed {
    /// `code`.
    #[schema(example = "code")]
    response_type: String,
    /// What the client calls itself by, unless the `Authorization` header or an assertion says it.
    client_id: Option<String>,
    /// Where the browser goes back to.
    #[schema(example = "https://board.example.com/callback")]
    redirect_uri: Option<String>,
    /// What is asked for; without, all rights that the client is registered for.
    #[schema(example = "runs:read")]
    scope: Option<String>,
    /// What comes back as it is: at most 4096 bytes.
    state: Option<String>,
    /// SHA-256 of the verifier (RFC 7636, section 4.2).
    #[schema(example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")]
    code_challenge: String,
    /// `S256`.
    #[schema(example = "S256")]
    code_challenge_method: String,
    /// The key that the code is to be bound to (RFC 9449, section 10); the key of a proof that comes along says it, too.
    dpop_jkt: Option<String>,
    /// The issuer (RFC 8707).
    #[schema(example = "https://pinfold.example")]
    resource: Option<String>,
    /// How the person is to be asked (OpenID Connect Core 1.0, section 3.1.2.1): `none`, `login`, `consent`.
    prompt: Option<String>,
    /// How many seconds ago the person must have logged in at most.
    max_age: Option<u32>,
    /// What an ID token is to say.
    nonce: Option<String>,
}

/// What the browser is to be sent with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PushedRequestAnswer)]
pub struct Answer {
    /// The parameter `request_uri` of the authorization endpoint, with the `client_id` and nothing else.
    #[schema(example = "urn:ietf:params:oauth:request_uri:q1pC0u7oT0m5dQ0gq2m8d3l6Zz7cV4nB1xYkR9sWtEo")]
    request_uri: String,
    /// How long it is good, in seconds. It is spent when the code issues.
    #[schema(example = 90)]
    expires_in: i64,
}

/// Push a request for authorization.
#[utoipa::path(
    post,
    path = "/oauth/par",
    tag = "tokens",
    params(DpopHeader),
    request_body(content = Pushed, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 201, description = "It is kept.", body = Answer),
        (status = 400, description = "RFC 9126, section 2.3.", body = ErrorBody),
        (status = 401, description = "The client is not proved (`invalid_client`).", body = ErrorBody),
        (status = 413, description = "The form is too large.", body = ErrorBody),
        (status = 429, description = "Too many requests; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = ErrorBody),
    ),
    security(())
)]
pub async fn push(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, axum::Json<Answer>), OAuthError> {
    let now = state.clock.now();
    let mut form = form::read(request, &state).await?;
    if form.contains_key("request_uri") {
        return Err(OAuthError::new(
            "invalid_request",
            "request_uri: leave it out; this makes one",
        ));
    }
    let binding = bound(&state, &headers, dpop::PUSHED, now).await?;
    let proved = client::proved(&state, &headers, &form, now).await?;
    let named = form.get("dpop_jkt");
    if let Some(binding) = &binding
        && named.is_some_and(|named| *named != binding.jkt)
    {
        return Err(OAuthError::new(
            "invalid_dpop_proof",
            "dpop_jkt: it names another key than the proof",
        ));
    }
    let spent = grants::tokens::spent(state.tokens(), binding, now).await;
    if let Some(jkt) = spent.map_err(|refused| OAuthError::from(refused).after_assertion(&form))? {
        form.insert("dpop_jkt".to_owned(), jkt);
    }
    let client = &proved.client;
    form.insert("client_id".to_owned(), client.client_id.clone());
    let asked = authorization::check(&form, &client.metadata, &state.issuer).map_err(|flaw| match flaw {
        Flaw::Here(message) => OAuthError::new("invalid_request", message),
        Flaw::Back(back) => OAuthError::new(back.code, back.description),
    })?;
    let name = Opaque::new(random().map_err(|_| tokens::Refused::NoKey)?);
    let stored = Stored {
        client_id: client.client_id.clone(),
        asked,
        created_at: now,
        expires_at: now + KEPT,
    };
    authorization_requests::insert(state.database.pool(), &name.hash(), &stored).await?;
    let answer = Answer {
        request_uri: format!("{URN}{}", name.text()),
        expires_in: KEPT.as_secs(),
    };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}
