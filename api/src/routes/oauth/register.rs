//! `POST /oauth/register`: a client registers itself (RFC 7591, section 3), where that is switched on.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::client::{Flaw, Written, registration},
    http::{error::Problem, json, request_id::RequestId},
    routes::oauth::error::{ErrorBody, OAuthError},
    service::clients::{self, Itself},
};

/// The client, as it was registered (section 3.2.1).
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredClient)]
pub struct Registered {
    /// What it calls itself by.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000010")]
    client_id: String,
    /// When it was registered, in seconds of the epoch.
    #[schema(example = 1_800_000_000)]
    client_id_issued_at: i64,
    /// Its secret, if that is what proves it. It is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pfs_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s")]
    client_secret: Option<String>,
    /// 0: the secret does not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0)]
    client_secret_expires_at: Option<i64>,
    /// `code`, which is all that is answered.
    #[schema(example = json!(["code"]))]
    response_types: [&'static str; 1],
    /// What was registered of it.
    #[serde(flatten)]
    metadata: Written,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered")
            .field("client_id", &self.client_id)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl From<Flaw> for OAuthError {
    /// Section 3.2.2.
    fn from(flaw: Flaw) -> Self {
        let code = if flaw.field.starts_with("redirect_uris") {
            "invalid_redirect_uri"
        } else {
            "invalid_client_metadata"
        };
        Self::new(code, flaw.to_string())
    }
}

/// Register a client that comes by itself.
///
/// It acts for people who let it, and for nobody else. Off unless `PINFOLD_DYNAMIC_REGISTRATION_TENANT` names the tenant whose the clients are to be.
#[utoipa::path(
    post,
    path = "/oauth/register",
    tag = "tokens",
    request_body(content = Written, description = "Client metadata (RFC 7591, section 2); all but `redirect_uris` may be left out, and other members are passed over."),
    responses(
        (status = 201, description = "The client.", body = Registered),
        (status = 400, description = "`invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591, section 3.2.2).", body = ErrorBody),
        (status = 403, description = "Clients do not register themselves here (`access_denied`).", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        (status = 429, description = "Too many registrations; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again (`temporarily_unavailable`): also when there are as many as there may be.", body = ErrorBody),
    ),
    security(())
)]
pub async fn register(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    request: Request,
) -> Result<Response, OAuthError> {
    let now = state.clock.now();
    let tenant = state.registration_tenant.as_deref().ok_or_else(closed)?;
    if !json::is_of_type(request.headers(), "application/json") {
        return Err(OAuthError::new(
            "invalid_client_metadata",
            "send JSON with the header Content-Type: application/json",
        ));
    }
    let metadata = registration::read(&json::body(request, &state).await?)?;
    let (client, secret) = match clients::register_itself(&state.database, tenant, metadata, &request_id, now).await? {
        Itself::Made(client, secret) => (client, secret),
        Itself::Full => return Err(OAuthError::unavailable()),
        Itself::NoTenant => return Err(closed()),
    };
    let registered = Registered {
        client_id: client.client_id,
        client_id_issued_at: client.created_at.as_second(),
        client_secret_expires_at: secret.as_ref().map(|_| 0),
        client_secret: secret.map(|secret| secret.text().to_owned()),
        response_types: ["code"],
        metadata: client.metadata.into(),
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, axum::Json(registered)).into_response())
}

fn closed() -> OAuthError {
    OAuthError::closed(
        "clients do not register themselves here: let a tenant register it, or publish a client-ID metadata document",
    )
}

#[cfg(test)]
mod tests;
