//! Which web pages a browser lets call the service (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};
use url::{Origin, Url};

use crate::{auth::client::document, http::json, routes::oauth::client, service::standing::Standing};

/// What pages may read of an answer besides its body.
const EXPOSED: [HeaderName; 9] = [
    header::ETAG,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("dpop-nonce"),
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-request-id"),
];

/// What pages may send.
const SENT: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    HeaderName::from_static("dpop"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-csrf-token"),
    HeaderName::from_static("x-request-id"),
];

/// How long a browser remembers what it may.
const REMEMBERED: Duration = Duration::from_mins(10);

/// What everybody may read: keys and descriptions. No page sends a login along.
pub fn public() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(REMEMBERED)
}

/// What every page may call, without anybody's login: what it shows in the request itself is all that counts.
pub fn of_anybody() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(REMEMBERED)
}

/// What the pages of these origins may call, with the login of whoever looks at them.
pub fn of(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(SENT)
        .expose_headers(EXPOSED)
        .max_age(REMEMBERED)
}

/// What the pages of a client may call, without anybody's login: those of the origins that it registered to be sent back to (RFC 9700,
/// section 2.6). Which client it is stands in the request itself.
pub async fn of_clients(Extension(standing): Extension<Arc<Standing>>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let bytes = match json::body(whole, &()).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let client_id = client::named(&parts.headers, &bytes);
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let is_one = |uri: &str| {
        let own = Url::parse(uri).ok().map(|url| url.origin()).filter(Origin::is_tuple);
        own.is_some_and(|own| origin == own.ascii_serialization())
    };
    // Whoever answered looked the client up: nothing is fetched for a header. Where a client describes itself is its own in any case: a nonce is told
    // before anybody has looked.
    let may_read = match client_id {
        Some(client_id) if document::is_name(&client_id) && is_one(&client_id) => true,
        Some(client_id) => {
            let known = standing.seen_client(&client_id).await;
            known.is_some_and(|client| client.metadata.redirect_uris.iter().any(|uri| is_one(uri)))
        }
        None => false,
    };
    if may_read {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let exposed = EXPOSED.map(|name| name.to_string()).join(",");
        if let Ok(exposed) = HeaderValue::try_from(exposed) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
    response
}

/// A browser that asks beforehand says not yet which client it is for, and is let ask.
pub async fn asked_beforehand(request: Request, next: Next) -> Response {
    match request.headers().get(header::ORIGIN) {
        Some(origin) if request.method() == Method::OPTIONS => preflight(origin),
        _ => next.run(request).await,
    }
}

fn preflight(origin: &HeaderValue) -> Response {
    let age = REMEMBERED.as_secs();
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization,content-type,dpop,traceparent,tracestate,x-request-id"),
        ),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age)),
        (header::VARY, HeaderValue::from_static("origin")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{Method, Request, StatusCode, header},
    };

    use serde_json::json;

    use crate::testing::{Answer, CONSOLE, ISSUER, START, TestApp, TestKey, consent::TestParty};

    async fn send(app: &TestApp, method: Method, path: &str, origin: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,x-csrf-token");
        app.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Who may read the answer, and whether with a login.
    fn allowed(answer: &Answer) -> (Option<&str>, Option<&str>) {
        (
            answer.header("access-control-allow-origin"),
            answer.header("access-control-allow-credentials"),
        )
    }

    #[tokio::test]
    async fn pages_of_listed_origins_call_it_and_no_others() {
        let app = TestApp::start().await;
        for method in [Method::OPTIONS, Method::GET] {
            let answer = send(&app, method.clone(), "/v1/tenants", CONSOLE).await;
            assert_eq!(allowed(&answer), (Some(CONSOLE), Some("true")), "{method}");
            for stranger in [
                "https://evil.example",
                "null",
                "https://console.example.evil.example",
                "http://console.example",
            ] {
                let answer = send(&app, method.clone(), "/v1/tenants", stranger).await;
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    None,
                    "{method} {stranger}"
                );
            }
        }
        let preflight = send(&app, Method::OPTIONS, "/v1/tenants", CONSOLE).await;
        assert_eq!(preflight.status, StatusCode::OK);
        assert_eq!(
            preflight.header("access-control-allow-methods"),
            Some("GET,HEAD,POST,PUT,PATCH,DELETE")
        );
        let sent = preflight.header("access-control-allow-headers").unwrap_or_default();
        assert!(
            sent.contains("x-csrf-token") && sent.contains("idempotency-key"),
            "{sent}"
        );
        assert_eq!(preflight.header("access-control-max-age"), Some("600"));
        let answer = send(&app, Method::GET, "/v1/me", CONSOLE).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a page is no proof");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(
            exposed.contains("www-authenticate") && exposed.contains("x-request-id"),
            "{exposed}"
        );
    }

    /// The pages of a client call the endpoints for clients as that client, and as no other.
    #[tokio::test]
    async fn pages_of_a_client_get_its_tokens() {
        let app = TestApp::start().await;
        let party = TestParty::new(&app, &json!({"token_endpoint_auth_method": "none"})).await;
        let code = party.code(&app, &[]).await;
        let asked = send(&app, Method::OPTIONS, "/oauth/token", "https://anywhere.example").await;
        assert_eq!(allowed(&asked), (Some("https://anywhere.example"), None));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", "wrong"),
        ];
        for (path, origin, seen) in [
            ("/oauth/token", "https://board.example", true),
            ("/oauth/par", "https://board.example", true),
            ("/oauth/revoke", "https://board.example", true),
            ("/oauth/token", "https://evil.example", false),
            ("/oauth/token", "https://board.example.evil.example", false),
            ("/oauth/token", "http://board.example", false),
            ("/oauth/token", CONSOLE, false),
        ] {
            let answer = party.post(&app, path, &[("origin", origin)], &form).await;
            assert_eq!(allowed(&answer), (seen.then_some(origin), None), "{path} {origin}");
        }
        let page = send(&app, Method::GET, "/oauth/authorize", "https://board.example").await;
        assert_eq!(allowed(&page), (None, None), "nobody reads what a browser is led to");
    }

    /// A page shows a token, or what a client is to be called, in the request itself.
    #[tokio::test]
    async fn every_page_registers_itself_and_asks_by_its_token_who_it_acts_for() {
        let app = TestApp::start().await;
        let anywhere = "https://anywhere.example";
        for path in ["/oauth/userinfo", "/oauth/register"] {
            for (method, status) in [(Method::OPTIONS, 200), (Method::POST, 401)] {
                let status = if path == "/oauth/register" && method == Method::POST {
                    403
                } else {
                    status
                };
                let answer = send(&app, method.clone(), path, anywhere).await;
                assert_eq!(
                    (answer.status.as_u16(), allowed(&answer)),
                    (status, (Some("*"), None)),
                    "{method} {path}"
                );
            }
        }
    }

    /// The first nonce is told before anybody has read what the client says of itself.
    #[tokio::test]
    async fn a_page_of_a_client_that_describes_itself_learns_its_nonce() {
        let app = TestApp::start().await;
        let key = TestKey::new(7);
        let claims = json!({"jti": "a", "htm": "POST", "htu": format!("{ISSUER}/oauth/par"), "iat": START});
        let form = "client_id=https%3A%2F%2Fapp.example%2Fclient.json&response_type=code";
        for (origin, seen) in [("https://app.example", true), ("https://evil.example", false)] {
            let request = Request::post("/oauth/par")
                .header(header::ORIGIN, origin)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("dpop", key.proof(&claims));
            let answer = app.send(request.body(Body::from(form)).expect("a request")).await;
            assert_eq!(answer.body["error"], json!("use_dpop_nonce"));
            assert_eq!(allowed(&answer), (seen.then_some(origin), None));
        }
    }

    #[tokio::test]
    async fn everybody_reads_keys_and_descriptions_without_a_login() {
        let app = TestApp::start().await;
        let asked = send(
            &app,
            Method::OPTIONS,
            "/.well-known/oauth-authorization-server",
            "https://anywhere.example",
        )
        .await;
        let may_send = asked.header("access-control-allow-headers");
        assert_eq!(
            may_send,
            Some("content-type,x-csrf-token"),
            "MCP clients send a header of their own"
        );
        for path in ["/.well-known/jwks.json", "/openapi.json"] {
            let answer = send(&app, Method::GET, path, "https://anywhere.example").await;
            assert_eq!(
                (answer.status, allowed(&answer)),
                (StatusCode::OK, (Some("*"), None)),
                "{path}"
            );
        }
    }
}
