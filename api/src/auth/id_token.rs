//! ID tokens (OpenID Connect Core 1.0, section 2): who the person is, to the client that asked for `openid`, and when they proved it.

use jiff::Timestamp;
use serde::Serialize;

/// The `typ` of an ID token: no access token is of it (RFC 8725, section 3.11).
pub const TYPE: &str = "JWT";

/// What an ID token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdClaims {
    /// Who issued it.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// Its end, in seconds of the epoch.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// When the person logged in.
    pub auth_time: i64,
    /// What the client sent with its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl IdClaims {
    /// What there is to say for this long.
    pub fn new(iss: &str, sub: String, aud: String, times: Times, nonce: Option<String>) -> Self {
        Self {
            iss: iss.to_owned(),
            sub,
            aud,
            exp: times.until.as_second(),
            iat: times.now.as_second(),
            auth_time: times.authenticated_at.as_second(),
            nonce,
        }
    }
}

/// The times of an ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Now.
    pub now: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// When the person logged in.
    pub authenticated_at: Timestamp,
}
