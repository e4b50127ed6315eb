//! `/v1/me/sessions`: the caller's logins.

use domain::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::sessions;

pub mod get;
pub mod list;
pub mod revoke;

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000c")]
    id: String,
    /// The program that logged in, as it named itself.
    #[schema(example = "Mozilla/5.0")]
    user_agent: String,
    /// When it began (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// When it was last used, to the minute (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    seen_at: String,
    /// When it ends (RFC 3339).
    #[schema(example = "2027-01-22T08:00:00Z")]
    expires_at: String,
    /// Whether it is the one that asks.
    current: bool,
}

impl Session {
    /// A login, for whoever asks by one.
    fn of(session: sessions::Session, own: Option<SessionId>) -> Self {
        Self {
            current: Some(session.id) == own,
            id: session.id.to_string(),
            user_agent: session.user_agent,
            created_at: session.created_at.to_string(),
            seen_at: session.seen_at.to_string(),
            expires_at: session.expires_at.to_string(),
        }
    }
}
