//! A JSON body as a type, or an error that names the member at fault.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, StatusCode, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::error::ApiError;

/// The body of a request.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        typed(request.method(), request.headers())?;
        read(&body(request, state).await?).map(Self)
    }
}

/// Refuses a body that does not say that it is JSON. A change may say that it is a merge patch (RFC 7396, section 4).
pub fn typed(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_patch = method == Method::PATCH && is_of_type(headers, "application/merge-patch+json");
    if is_patch || is_of_type(headers, "application/json") {
        return Ok(());
    }
    Err(ApiError::Body {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        message: "send JSON with the header Content-Type: application/json".to_owned(),
    })
}

/// The bytes of a body as a type.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| unread(&error))?;
    reader.end().map_err(|_| ApiError::Body {
        status: StatusCode::BAD_REQUEST,
        message: "something follows the JSON object; send one object".to_owned(),
    })?;
    Ok(read)
}

/// A document as a type.
pub fn of<T: DeserializeOwned>(document: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(document).map_err(|error| unread(&error))
}

/// Why JSON is not of a type: the member at fault, if it is one.
fn unread(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let (place, message) = (error.path().to_string(), error.inner().to_string());
    let place = Some(place).filter(|place| place != "." && place != "?");
    // serde names the member that is not there, and where it is not.
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    let field = match (place, missing) {
        (Some(place), Some(missing)) => format!("{place}.{missing}"),
        (Some(place), None) => place,
        (None, Some(missing)) => missing.to_owned(),
        (None, None) => {
            return ApiError::Body {
                status: StatusCode::BAD_REQUEST,
                message,
            };
        }
    };
    ApiError::Invalid { field, message }
}

/// The bytes of a body within the limit of the router.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let status = rejection.status();
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            "send a smaller body; the route's documentation has the limit".to_owned()
        } else {
            "the body ended before its end".to_owned()
        };
        ApiError::Body { status, message }
    })
}

/// Whether a body says that it is of a media type, whatever its parameters.
pub fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let type_ = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok());
    let essence = type_.and_then(|t| t.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}
