//! Where whoever is refused learns who gives tokens, and for what one is needed (RFC 9728, section 5.1; RFC 6750, section 3.1).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use crate::app::AppState;

/// The scope that was needed of whoever is refused, as the answer's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed(pub &'static str);

/// Completes the challenges of an answer.
pub async fn complete(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let shows_token = request.headers().contains_key(header::AUTHORIZATION);
    let mut response = next.run(request).await;
    let needed = response.extensions().get::<Needed>().map(|Needed(scope)| *scope);
    if needed.is_some() && shows_token && response.status() == StatusCode::FORBIDDEN {
        for scheme in ["Bearer", "DPoP"] {
            let challenge = format!(r#"{scheme} realm="pinfold", error="insufficient_scope""#);
            if let Ok(value) = HeaderValue::try_from(challenge) {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
    }
    lead(response.headers_mut(), needed, &state.issuer);
    response
}

/// Says in each challenge that asks for a token what for, and where the resource is described.
fn lead(headers: &mut HeaderMap, needed: Option<&str>, issuer: &str) {
    let scope = needed.map(|scope| format!(r#", scope="{scope}""#)).unwrap_or_default();
    let header::Entry::Occupied(mut all) = headers.entry(header::WWW_AUTHENTICATE) else {
        return;
    };
    for value in all.iter_mut() {
        let Ok(text) = value.to_str() else { continue };
        if !text.starts_with("Bearer ") && !text.starts_with("DPoP ") {
            continue;
        }
        let led = format!(r#"{text}{scope}, resource_metadata="{issuer}/.well-known/oauth-protected-resource""#);
        if let Ok(led) = HeaderValue::try_from(led) {
            *value = led;
        }
    }
}
