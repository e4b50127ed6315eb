//! What clients read first: the descriptions of server and resource.

use super::*;

#[tokio::test]
async fn the_descriptions_say_what_is_served() {
    let app = TestApp::start().await;
    let server = app.get("/.well-known/oauth-authorization-server", None).await;
    let scopes = json!([
        "self",
        "openid",
        "tenant:read",
        "tenant:write",
        "tenant:delete",
        "members:read",
        "members:write",
        "keys:read",
        "keys:write",
        "clients:read",
        "clients:write",
        "agents:read",
        "agents:write",
        "templates:read",
        "templates:write",
        "runs:read",
        "runs:write",
        "audit:read",
    ]);
    let wanted = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/oauth/authorize"),
        "pushed_authorization_request_endpoint": format!("{ISSUER}/oauth/par"),
        "device_authorization_endpoint": format!("{ISSUER}/oauth/device_authorization"),
        "token_endpoint": format!("{ISSUER}/oauth/token"),
        "introspection_endpoint": format!("{ISSUER}/oauth/introspect"),
        "revocation_endpoint": format!("{ISSUER}/oauth/revoke"),
        "jwks_uri": format!("{ISSUER}/.well-known/jwks.json"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "grant_types_supported": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:pinfold:params:oauth:grant-type:agent-challenge",
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "userinfo_endpoint": format!("{ISSUER}/oauth/userinfo"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "ES256", "RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"],
        "client_id_metadata_document_supported": true,
        "service_documentation": format!("{ISSUER}/docs/oauth"),
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
    });
    assert_eq!(server.told(), (200, &wanted));
    assert_eq!(
        app.get("/.well-known/openid-configuration", None).await.told(),
        (200, &wanted)
    );
    let resource = app.get("/.well-known/oauth-protected-resource", None).await;
    let wanted = json!({
        "resource": ISSUER,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["tenant:read", "members:read", "keys:read", "clients:read", "agents:read", "templates:read", "runs:read", "audit:read"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "dpop_bound_access_tokens_required": false,
    });
    assert_eq!(resource.told(), (200, &wanted));
    assert_eq!(resource.header("access-control-allow-origin"), Some("*"));
}
