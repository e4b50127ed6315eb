//! What every request passes, from the outside in: its id, a limit of time, a limit of size, headers of the answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{FromFnLayer, Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};

use crate::{
    http::{error::ApiError, request_id, shared::Share},
    metrics::{self, Metrics},
    service::standing::Standing,
};

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(10);

/// How long an answer may take that waits for a run.
const PATIENCE: Duration = Duration::from_secs(75);

/// How large a body may be: most routes read no more than some names and a key.
const BODY: usize = 64 * 1024;

/// How large the body of a run may be: its code and its input, each as long as it may be, and escaped.
pub const RUN: usize = 1024 * 1024;

/// A layer that is a function.
pub fn passing<F, T>(function: F) -> (FromFnLayer<F, (), T>, Share) {
    (from_fn(function), Share)
}

/// A layer that is a function with a state.
pub fn passing_with<S, F, T>(state: S, function: F) -> (FromFnLayer<F, S, T>, Share) {
    (from_fn_with_state(state, function), Share)
}

/// Routes that say so if they do not do what is asked.
pub fn refusing<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

/// Wraps a router.
pub fn wrap(router: Router, metrics: Arc<Metrics>) -> Router {
    router
        .fallback(async || ApiError::NotFound)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(passing(safe))
        .layer(passing_with(metrics, metrics::layer))
        .layer(passing(request_id::layer))
}

/// For routes that answer at once.
pub async fn timely(request: Request, next: Next) -> Response {
    answered(TIME, request, next).await
}

/// For routes that may be asked to wait.
pub async fn patient(request: Request, next: Next) -> Response {
    answered(PATIENCE, request, next).await
}

/// For routes that may change who may do what: before the answer leaves, every replica knows.
pub async fn told(Extension(standing): Extension<Arc<Standing>>, request: Request, next: Next) -> Response {
    let changes = !request.method().is_safe();
    let response = next.run(request).await;
    let status = response.status();
    // What is refused for its form or its sender changed nothing; what could not be finished may have changed something.
    if changes && status.is_server_error() {
        standing.look_again().await;
    } else if changes && (!status.is_client_error() || status == StatusCode::CONFLICT) {
        standing.catch_up().await;
    }
    response
}

async fn answered(time: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Unavailable("the answer took too long".to_owned()).into_response(),
    }
}

/// The headers of answers that no page is made of.
async fn safe(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of it is not read, so the connection ends here: nobody sends the next request into it.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
