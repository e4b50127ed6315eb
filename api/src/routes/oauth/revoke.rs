//! `POST /oauth/revoke`: a client gives a token back (RFC 7009), and with it everything that came of the same authorization.

use axum::{
    extract::{Request, State},
    http::HeaderMap,
};
use domain::GrantId;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::token::Token,
    http::{error::Problem, request_id::RequestId},
    routes::oauth::{
        client,
        error::{ErrorBody, OAuthError},
        form::{self, field},
        shown,
    },
    service::grants::{self, Because},
    store::{StoreError, audit::Actor, grants as store},
};

/// What the endpoint reads, as a form, with what proves the client.
#[derive(Debug, ToSchema)]
#[schema(as = Revocation)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct Returned {
    /// A refresh token, or an access token that a person's consent gave.
    token: String,
    /// `refresh_token` or `access_token`; it need not be right.
    token_type_hint: Option<String>,
    /// What the client calls itself by, unless the `Authorization` header or an assertion says it.
    client_id: Option<String>,
}

/// Revoke a token and all that came of the same authorization.
///
/// What is no token, or another client's, is answered the same and nothing is done. A token that a client or an agent got for itself has no
/// authorization behind it: it ends by itself, or with the secret or the key that it was got by.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "tokens",
    request_body(content = Returned, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is of no use any more."),
        (status = 400, description = "RFC 7009, section 2.2.1.", body = ErrorBody),
        (status = 401, description = "The client is not proved (`invalid_client`).", body = ErrorBody),
        (status = 413, description = "The form is too large.", body = ErrorBody),
        (status = 429, description = "Too many requests; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = ErrorBody),
    ),
    security(())
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    request: Request,
) -> Result<(), OAuthError> {
    let now = state.clock.now();
    let form = form::read(request, &state).await?;
    let proved = client::proved(&state, &headers, &form, now).await?;
    let token = field(&form, "token")?;
    let grant = match shown::refresh_token(&state, token).await? {
        Some(known) if known.client_id == proved.client.client_id => Some(known.grant),
        Some(_) => None,
        None => match shown::read(&state, token, now).map(|read| read.token) {
            Some(read) if read.client_id() != proved.client.client_id => None,
            Some(Token::Grant(grant)) => Some(grant.grant),
            Some(_) => {
                return Err(OAuthError::new(
                    "unsupported_token_type",
                    "the token was got without a person's consent: it ends by itself, or with the secret or the key that it was got by",
                ));
            }
            None => None,
        },
    };
    if let Some(grant) = grant {
        end(&state, grant, &request_id).await?;
        state.standing.catch_up().await;
    }
    Ok(())
}

async fn end(state: &AppState, grant: GrantId, request_id: &str) -> Result<(), StoreError> {
    let Some(tenant) = store::tenant(state.database.pool(), grant).await? else {
        return Ok(());
    };
    let mut tx = state.database.tenant(tenant).await?;
    let (by, now) = (Actor::Grant(grant), state.clock.now());
    grants::end(&mut tx, grant, Because::Returned, by, request_id, now).await?;
    tx.commit().await
}
