//! The version of what was read, and changes that are made only to that version (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::IntoParams;

use crate::{auth::opaque::sha256, http::error::ApiError};

/// The strong validator of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// Of what a client sees: what changes there changes the validator.
    pub fn of<T: Serialize>(representation: &T) -> Result<Self, ApiError> {
        let bytes = serde_json::to_vec(representation).map_err(|error| ApiError::Internal(error.to_string()))?;
        let hash = sha256(&bytes);
        Ok(Self(format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]))))
    }
}

/// A representation with its validator.
pub fn tagged<T: Serialize>(representation: &T) -> Result<Response, ApiError> {
    answer(representation, Etag::of(representation)?)
}

/// A representation of which clients write only a part. The validator tells every state from every other, and a change is
/// meant for any of those that have this content.
pub fn tagged_by<T: Serialize, C: Serialize>(
    representation: &T,
    content: &C,
    version: &str,
) -> Result<Response, ApiError> {
    let Etag(content) = Etag::of(content)?;
    let etag = format!("{}.{version}\"", content.trim_end_matches('"'));
    answer(representation, Etag(etag))
}

/// The same of a representation that has no version of its own.
pub fn tagged_for<T: Serialize, C: Serialize>(representation: &T, content: &C) -> Result<Response, ApiError> {
    let Etag(whole) = Etag::of(representation)?;
    tagged_by(representation, content, whole.trim_matches('"'))
}

fn answer<T: Serialize>(representation: &T, etag: Etag) -> Result<Response, ApiError> {
    let mut response = axum::Json(representation).into_response();
    let value = HeaderValue::try_from(etag.0).map_err(|error| ApiError::Internal(error.to_string()))?;
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

/// The versions that a change is meant for; any, if the client names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<String>>);

/// The header, for the documentation.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// What the `ETag` of the last answer said. If it was changed since, nothing is done and the answer is 412.
    #[param(rename = "If-Match", example = "\"q8mWZvXbW0sGmV3hYq1kRw\"")]
    #[expect(dead_code, reason = "read for the documentation only")]
    if_match: Option<String>,
}

impl IfMatch {
    /// Goes on if what is there, or the part of it that clients write, is one of those versions.
    pub fn check<T: Serialize>(&self, representation: &T) -> Result<(), ApiError> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let Etag(there) = Etag::of(representation)?;
        let there = there.trim_end_matches('"');
        // Behind a point is what clients do not write.
        let content = |tag: &str| tag.split('.').next().unwrap_or_default().trim_end_matches('"') == there;
        // A weak validator equals none (RFC 9110, section 8.8.3.2).
        if wanted.iter().any(|tag| tag == "*" || content(tag)) {
            Ok(())
        } else {
            Err(ApiError::Changed)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut tags = Vec::new();
        for value in parts.headers.get_all(header::IF_MATCH) {
            let text = value
                .to_str()
                .map_err(|_| ApiError::invalid("If-Match", "write what the ETag said"))?;
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
        }
        let named = parts.headers.contains_key(header::IF_MATCH);
        Ok(Self(named.then_some(tags)))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    async fn asked(headers: &[&str]) -> IfMatch {
        let request = headers.iter().fold(Request::get("/"), |request, value| {
            request.header(header::IF_MATCH, *value)
        });
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn only_the_version_that_was_read_is_changed() {
        let there = json!({"name": "scout"});
        let Etag(tag) = Etag::of(&there).unwrap();
        assert_ne!(Etag::of(&json!({"name": "other"})).unwrap().0, tag);
        let (weak, several) = (format!("W/{tag}"), format!("\"x\", {tag}"));
        let later = format!("{}.17\"", tag.trim_end_matches('"'));
        let cases: [(&[&str], bool); 8] = [
            (&[], true),
            (&["*"], true),
            (&[&tag], true),
            (&[&later], true),
            (&[&several], true),
            (&["\"x\"", &tag], true),
            (&["\"x\""], false),
            (&[&weak], false),
        ];
        for (headers, good) in cases {
            assert_eq!(asked(headers).await.check(&there).is_ok(), good, "{headers:?}");
        }
        assert!(asked(&[""]).await.check(&there).is_err());
    }
}
