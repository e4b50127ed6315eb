//! Requests at the token endpoint: each parameter comes once, and says one client or none.

use api::routes::oauth::{client, form};
use axum::http::{HeaderMap, HeaderValue, header};

/// A form, and before its first line break what stands in `Authorization`.
pub fn run(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n');
    let (authorization, body) = match at {
        Some(at) => (Some(&data[..at]), &data[at + 1..]),
        None => (None, data),
    };
    let mut headers = HeaderMap::new();
    if let Some(value) = authorization.and_then(|text| HeaderValue::from_bytes(text).ok()) {
        headers.insert(header::AUTHORIZATION, value);
    }
    let Ok(form) = form::parameters(body) else {
        assert_eq!(client::named(&headers, body), None);
        return;
    };
    assert!(
        form.values().all(|value| !value.is_empty()),
        "what is empty is left out"
    );
    if let (Some(named), Some(client_id)) = (client::named(&headers, body), form.get("client_id")) {
        assert_eq!(named, *client_id, "two names are nobody's");
    }
}
