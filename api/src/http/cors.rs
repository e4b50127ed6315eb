//! Which web pages a browser lets call the service (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

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

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{Method, Request, StatusCode, header},
    };

    use crate::testing::{Answer, CONSOLE, TestApp};

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

    #[tokio::test]
    async fn everybody_reads_keys_and_descriptions_without_a_login() {
        let app = TestApp::start().await;
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
