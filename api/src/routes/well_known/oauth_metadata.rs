//! `GET /.well-known/oauth-authorization-server`, and the same as `/.well-known/openid-configuration`: what the token endpoint does (RFC 8414).

use axum::{extract::State, http::header, response::IntoResponse};
use resource_server::dpop::ALGORITHMS;
use serde_json::{Value, json};

use crate::{
    app::AppState,
    auth::rights::Right,
    http::dpop::TOKEN_ENDPOINT,
    routes::oauth::token::{CLIENT, GRANT, WORKLOAD},
    service::tokens::SELF,
};

/// How long readers may keep a description, in seconds.
const KEPT: &str = "public, max-age=300";

/// Read what the token endpoint does.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "tokens",
    responses((status = 200, description = "Authorization server metadata (RFC 8414, section 2).", body = Object)),
    security(())
)]
pub async fn server(State(state): State<AppState>) -> impl IntoResponse {
    answer(&server_metadata(&state.issuer))
}

/// Read what the token endpoint does, where OpenID Connect clients look.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "tokens",
    responses((status = 200, description = "The same as `/.well-known/oauth-authorization-server`.", body = Object)),
    security(())
)]
pub async fn openid(State(state): State<AppState>) -> impl IntoResponse {
    answer(&server_metadata(&state.issuer))
}

/// Read who issues the tokens that this service is called with.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    tag = "tokens",
    responses((status = 200, description = "Protected resource metadata (RFC 9728, section 2).", body = Object)),
    security(())
)]
pub async fn resource(State(state): State<AppState>) -> impl IntoResponse {
    let issuer = &*state.issuer;
    answer(&json!({
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "dpop_bound_access_tokens_required": false,
    }))
}

fn server_metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN_ENDPOINT}"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        // There is no authorization endpoint yet, and so no response.
        "response_types_supported": [],
        "grant_types_supported": [CLIENT, WORKLOAD, GRANT],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
    })
}

fn scopes() -> Vec<&'static str> {
    [SELF].into_iter().chain(Right::ALL.map(Right::as_str)).collect()
}

fn answer(document: &Value) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, KEPT),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, document.to_string())
}
