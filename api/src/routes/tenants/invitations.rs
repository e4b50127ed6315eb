//! `/v1/tenants/{tenant}/invitations`: who is asked to join.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::invitations;

pub mod create;
pub mod delete;
pub mod get;
pub mod list;

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000010")]
    id: String,
    /// Where it was sent.
    #[schema(example = "bob@example.com")]
    email: String,
    /// What the invited will be.
    #[schema(example = "developer")]
    role: &'static str,
    /// Who invited.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    invited_by: String,
    /// When (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// Until when it can be accepted (RFC 3339).
    #[schema(example = "2027-01-22T08:00:00Z")]
    expires_at: String,
}

impl From<invitations::Invitation> for Invitation {
    fn from(invitation: invitations::Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email,
            role: invitation.role.as_str(),
            invited_by: invitation.invited_by.to_string(),
            created_at: invitation.created_at.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}
