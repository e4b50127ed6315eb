//! One id for a request and its place in a trace, from its headers to every line of its log and back.

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument as _, info, info_span};
use uuid::Uuid;

use crate::http::trace::{self, Trace};

/// The header in requests and responses.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self(minted())))
    }
}

/// Takes the client's id if it is a UUID or a ULID, or mints one, and goes on with its trace, or begins one; logs the answer under it, and sends it back.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|v| v.to_str().ok());
    let id = given.filter(|id| is_sane(id)).map_or_else(minted, str::to_owned);
    // Two are one too many to say which is meant.
    let mut traces = request.headers().get_all(trace::HEADER).iter();
    let given = traces.next().filter(|_| traces.next().is_none());
    let trace = Trace::of(given.and_then(|v| v.to_str().ok()));
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path without the query: codes and tokens may stand there.
    let span = info_span!(
        "request",
        request.id = id,
        trace.id = trace.id(),
        span.id = trace.span(),
        http.method = %request.method(),
        http.path = request.uri().path(),
    );
    async move {
        let started = std::time::Instant::now();
        let mut response = next.run(request).await;
        info!(
            http.status = response.status().as_u16(),
            duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        // Letters, digits and dashes are always a header's value.
        for (name, text) in [(HEADER, &id), (trace::HEADER, &trace.header())] {
            if let Ok(value) = HeaderValue::from_str(text) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
    .instrument(span)
    .await
}

fn minted() -> String {
    Uuid::now_v7().to_string()
}

/// A UUID with its dashes, or a ULID. Anything else could be made to look like something in a log.
fn is_sane(id: &str) -> bool {
    match id.len() {
        36 => Uuid::try_parse(id).is_ok(),
        26 => id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_uuids_and_ulids() {
        for good in ["0198c5b4-5a0e-7000-8000-00000000000a", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert!(is_sane(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "0198c5b45a0e7000800000000000000a",
            "01ARZ3NDEKTSV4RRFFQ69G5FA\n",
            "urn:uuid:0198c5b4-5a0e-7000-8000-00000000000a",
            &"A".repeat(27),
        ] {
            assert!(!is_sane(bad), "{bad}");
        }
    }
}
