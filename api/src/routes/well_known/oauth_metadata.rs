//! `GET /.well-known/oauth-authorization-server`, and the same as `/.well-known/openid-configuration`: what the token endpoint does (RFC 8414).

use axum::{extract::State, http::header, response::IntoResponse};
use resource_server::dpop::ALGORITHMS;
use serde_json::{Value, json};

use crate::{
    app::AppState,
    auth::{
        client::{
            assertion,
            values::{AuthMethod, Scope},
        },
        pkce,
        signing::Algorithm,
    },
    http::dpop::{PUSHED, TOKEN_ENDPOINT},
    routes::oauth::token,
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
    answer(&server_metadata(&state))
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
    answer(&server_metadata(&state))
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
        // Who is told nothing else asks for all of these (MCP authorization 2026-07-28): no more than anybody may ask for.
        "scopes_supported": Scope::reading().filter(|scope| matches!(scope, Scope::Right(_))).map(Scope::as_str).collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "dpop_bound_access_tokens_required": false,
    }))
}

fn server_metadata(state: &AppState) -> Value {
    let issuer = &*state.issuer;
    let methods = AuthMethod::ALL.map(AuthMethod::as_str);
    let mut metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN_ENDPOINT}"),
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "pushed_authorization_request_endpoint": format!("{issuer}{PUSHED}"),
        "device_authorization_endpoint": format!("{issuer}/oauth/device_authorization"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "grant_types_supported": token::ALL,
        "code_challenge_methods_supported": [pkce::METHOD],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": assertion::ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": &methods[..3],
        "introspection_endpoint_auth_signing_alg_values_supported": assertion::ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion::ALGORITHMS,
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"],
        "client_id_metadata_document_supported": true,
        "service_documentation": format!("{issuer}/docs/oauth"),
    });
    if state.registration_tenant.is_some() {
        metadata["registration_endpoint"] = json!(format!("{issuer}/oauth/register"));
    }
    metadata
}

fn scopes() -> Vec<&'static str> {
    [SELF].into_iter().chain(Scope::all().map(Scope::as_str)).collect()
}

fn answer(document: &Value) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, KEPT),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, document.to_string())
}
