//! Errors as RFC 9457 problem details. What the client hears and what the log holds are kept apart; a 5xx body is
//! always the same.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::{
    auth::{oversight::Relation, rights::Right},
    http::{challenges::Needed, dpop, passkey::PasskeyRequest},
};

mod convert;
mod documented;
pub mod seldom;
mod unauthenticated;

pub use documented::{complete, operations, scopes};

/// After how many seconds a client may come again that was told 503.
pub const RETRY_AFTER: u64 = 1;

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A member of the body, a parameter or a header is wrong.
    #[error("invalid {field}: {message}")]
    Invalid {
        /// Which one.
        field: String,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// The body is not what the route reads.
    #[error("{message}")]
    Body {
        /// 400, 413 or 415.
        status: StatusCode,
        /// What is wrong and what to send instead.
        message: String,
    },
    /// Nobody, or somebody whose proof is none.
    #[error("not authenticated")]
    Unauthenticated {
        /// Whether a token came that was refused (RFC 6750, section 3.1).
        invalid_token: bool,
        /// The scope that a token would need here.
        needed: Option<&'static str>,
    },
    /// A token that counts with a proof of possession only, and the proof is not good.
    #[error("no proof of possession: {0}")]
    Possession(dpop::Refused),
    /// Somebody who may not do this.
    #[error("forbidden: {}", .0.detail())]
    Forbidden(Forbidden),
    /// A login that proves nothing, or not enough.
    #[error("not logged in: {0}")]
    Login(LoginRefused),
    /// It cannot be done as things are.
    #[error("{message}")]
    Conflict {
        /// The stable code.
        code: &'static str,
        /// What stands in the way.
        message: String,
    },
    /// It is not what the client thinks it is.
    #[error("the precondition failed")]
    Changed,
    /// The Idempotency-Key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The same request is under way.
    #[error("the same request is under way")]
    UnderWay,
    /// There is no such thing, or none that the caller may know of.
    #[error("not found")]
    NotFound,
    /// The route is there and does not do this.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The client asks for more than it may.
    #[error("too many requests")]
    TooMany(Duration),
    /// Something this service needs is away.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Our own fault.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// The role in the tenant does not give the right.
    Right(Right),
    /// The key or token was not made for the right.
    Scope(Right),
    /// What outlives a consent is not made by a client that was let in.
    Credentials,
    /// Only an agent does this.
    AgentsOnly,
    /// Only an OAuth client does this that a person let know who they are.
    OpenIdOnly,
    /// The agent's token was made for something else than the agent itself.
    NotOneself,
    /// Only a person who has logged in does this.
    LoginOnly,
    /// Only a login of ours does this, which has a session.
    SessionOnly,
    /// Only who acts in an organisation of an issuer outside, as its admin, does this.
    OrganisationOnly,
    /// Only a person does this, or a key that a person made.
    PeopleOnly,
    /// Only a person who runs the platform does this.
    AdminsOnly,
    /// The request came with a cookie and without what shows that it was meant.
    Csrf,
    /// The giver does not have what is to be given.
    Grant,
    /// The caller is less to the agent.
    Relation(Relation),
}

/// Why a login is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginRefused {
    /// Nobody, another password, a blocked account: the answer is the same.
    #[error("invalid credentials")]
    Credentials,
    /// The password is right, and a second factor is needed besides: what a browser is asked for, if there are passkeys.
    #[error("a second factor is needed")]
    SecondFactor(Option<Box<PasskeyRequest>>),
    /// The code is another, or was used.
    #[error("invalid code")]
    Code,
    /// The passkey is another, or answers nothing that is open.
    #[error("invalid passkey")]
    Passkey,
}

impl Forbidden {
    fn detail(self) -> String {
        match self {
            Self::Right(right) | Self::Scope(right) => format!(
                "this needs the right {}, which your role or your key does not give",
                right.as_str()
            ),
            Self::AgentsOnly => "only an agent does this, with an access token of its own".to_owned(),
            Self::Credentials => {
                "this makes what would outlive a person's consent: only a person who has logged in does it, or an API key".to_owned()
            }
            Self::OpenIdOnly => "this needs a token that a person's consent gave for the scope openid".to_owned(),
            Self::NotOneself => {
                "this needs the scope self, which your token does not have: ask for one with it".to_owned()
            }
            Self::LoginOnly => "only a person who has logged in does this, not a token or a key".to_owned(),
            Self::SessionOnly => {
                "only who logged in with a password does this, not a token of an issuer outside".to_owned()
            }
            Self::OrganisationOnly => {
                "send a token of an issuer outside in which you act in an organisation as its admin".to_owned()
            }
            Self::PeopleOnly => "only a person does this, or an API key that a person made".to_owned(),
            Self::AdminsOnly => "only a person who runs the platform does this".to_owned(),
            Self::Csrf => {
                "send the header X-CSRF-Token with the csrf_token that the login or GET /v1/me gave".to_owned()
            }
            Self::Grant => "nobody gives a role or a right that they do not have".to_owned(),
            Self::Relation(needed) => format!("this needs the relation {} to the agent", needed.as_str()),
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Csrf => "csrf",
            Self::Right(_)
            | Self::Scope(_)
            | Self::Credentials
            | Self::AgentsOnly
            | Self::OpenIdOnly
            | Self::NotOneself
            | Self::LoginOnly
            | Self::SessionOnly
            | Self::OrganisationOnly
            | Self::PeopleOnly
            | Self::AdminsOnly
            | Self::Grant
            | Self::Relation(_) => "forbidden",
        }
    }
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Where the error is explained.
    #[schema(example = "/docs/errors#invalid_request")]
    pub r#type: String,
    /// The stable name of the error.
    #[schema(example = "invalid_request")]
    pub code: &'static str,
    /// What it means in general.
    #[schema(example = "The request is not valid.")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What is wrong this time and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "write 32 bytes in base64url without padding")]
    pub detail: Option<String>,
    /// The member of the body, the parameter or the header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "public_key")]
    pub field: Option<String>,
    /// With `second_factor_required`, where the person has passkeys: what the browser is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeyRequest>,
}

impl ApiError {
    /// A member of the body is wrong.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request", "The request is not valid."),
            Self::Body { status, .. } => match *status {
                StatusCode::PAYLOAD_TOO_LARGE => (*status, "body_too_large", "The body is too large."),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                    *status,
                    "unsupported_media_type",
                    "The body is of a type that is not read here.",
                ),
                _ => (StatusCode::BAD_REQUEST, "invalid_body", "The body cannot be read."),
            },
            Self::Unauthenticated { .. } => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "A valid access token, API key or login is needed.",
            ),
            Self::Possession(why) => (
                StatusCode::UNAUTHORIZED,
                why.code(),
                "The token counts with a good proof of possession only.",
            ),
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, why.code(), "The caller may not do this."),
            Self::Login(LoginRefused::SecondFactor(_)) => (
                StatusCode::UNAUTHORIZED,
                "second_factor_required",
                "A second factor is needed besides: send a code as `code`, or a passkey that answers `passkey`.",
            ),
            Self::Login(LoginRefused::Passkey) => (
                StatusCode::UNAUTHORIZED,
                "invalid_passkey",
                "It is not the passkey that was asked for, or it came too late; log in again.",
            ),
            Self::Login(LoginRefused::Code) => (
                StatusCode::UNAUTHORIZED,
                "invalid_code",
                "The code is another, or was used; wait for the next.",
            ),
            Self::Login(LoginRefused::Credentials) => (
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "The address or the password is wrong.",
            ),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code, "The request cannot be done as things are."),
            Self::Changed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "It was changed since; read it again.",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key was used for another request; choose a new one.",
            ),
            Self::UnderWay => (
                StatusCode::CONFLICT,
                "idempotency_in_progress",
                "The same request is under way; come again for its answer.",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is nothing here."),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The route is there and does not do this.",
            ),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many requests; come again later.",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service cannot answer at the moment; come again.",
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong on our side; the request id helps to find it.",
            ),
        }
    }

    pub fn log(&self) {
        match self {
            Self::Internal(why) => error!(error = why, "a request failed"),
            Self::Unavailable(why) => seldom::warn(why, "a request was turned away"),
            _ => {}
        }
    }

    /// What the client is told.
    pub fn problem(&self) -> Problem {
        let (status, code, title) = self.parts();
        let (detail, field) = match self {
            Self::Invalid { field, message } => (Some(message.clone()), Some(field.clone())),
            Self::Body { message, .. } | Self::Conflict { message, .. } => (Some(message.clone()), None),
            Self::Possession(why) => (Some(why.to_string()), None),
            Self::Forbidden(why) => (Some(why.detail()), None),
            Self::Unauthenticated { .. }
            | Self::Login(_)
            | Self::Changed
            | Self::KeyReused
            | Self::UnderWay
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooMany(_)
            | Self::Unavailable(_)
            | Self::Internal(_) => (None, None),
        };
        let passkey = match self {
            Self::Login(LoginRefused::SecondFactor(Some(request))) => Some((**request).clone()),
            _ => None,
        };
        Problem {
            r#type: format!("/docs/errors#{code}"),
            code,
            title,
            status: status.as_u16(),
            detail,
            field,
            passkey,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let (problem, (status, ..)) = (self.problem(), self.parts());
        // Text and numbers always serialise.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unavailable(_) | Self::UnderWay => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
            }
            Self::TooMany(wait) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            }
            Self::Unauthenticated { invalid_token, needed } => {
                let challenge = if invalid_token {
                    r#"Bearer realm="pinfold", error="invalid_token""#
                } else {
                    r#"Bearer realm="pinfold""#
                };
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                headers.append(
                    header::WWW_AUTHENTICATE,
                    dpop::challenge(invalid_token.then_some("invalid_token")),
                );
                if let Some(scope) = needed {
                    response.extensions_mut().insert(Needed(scope));
                }
            }
            Self::Possession(why) => {
                headers.insert(header::WWW_AUTHENTICATE, dpop::challenge(Some(why.code())));
            }
            Self::Forbidden(why) => {
                if let Some(scope) = why.scope() {
                    response.extensions_mut().insert(Needed(scope));
                }
            }
            _ => {}
        }
        response
    }
}
