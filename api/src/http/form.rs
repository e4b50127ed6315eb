//! Forms of pages: a form cannot send headers of its own, so what a script would send as a header is a field.

use axum::{
    body::Body,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    app::AppState,
    http::{
        caller::CSRF,
        error::{ApiError, Forbidden},
        json,
    },
};

/// The field that becomes `X-CSRF-Token`.
const FIELD: &str = "csrf";

/// Where a request comes from, by the browser's own word (<https://www.w3.org/TR/fetch-metadata/>).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The fields of a form as a type. Those without a value count as left out.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let fields = fields(&json::body(request, state).await?)?;
        json::of(Value::Object(fields)).map(Self)
    }
}

fn fields(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        if value.is_empty() || name == FIELD {
            continue;
        }
        let twice = fields.insert(name.clone().into_owned(), Value::String(value.into_owned()));
        if twice.is_some() {
            return Err(ApiError::invalid(&name, "send it once"));
        }
    }
    Ok(fields)
}

/// Lets a form through that a page of ours sent, with its token as a header. A browser that says that the form is another site's is
/// believed: even a login is not for others to send.
pub async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    if !is_ours(request.headers(), &state.issuer) {
        return ApiError::Forbidden(Forbidden::Csrf).into_response();
    }
    let (mut parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let bytes = match json::body(whole, &state).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let token = url::form_urlencoded::parse(&bytes)
        .find(|(name, _)| name == FIELD)
        .and_then(|(_, value)| HeaderValue::from_str(&value).ok());
    parts.headers.remove(CSRF);
    if let Some(token) = token {
        parts.headers.insert(CSRF, token);
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// Whether the browser says nothing else. Programs that are no browsers say nothing, and have no cookies of somebody else's.
fn is_ours(headers: &HeaderMap, own: &str) -> bool {
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| origin == own);
    let site = headers
        .get(SITE)
        .is_none_or(|site| site == "same-origin" || site == "none");
    origin && site
}
