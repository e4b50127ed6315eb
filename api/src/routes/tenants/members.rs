//! `/v1/tenants/{tenant}/members`: who belongs to a tenant.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::rights::Role,
    http::error::{ApiError, Forbidden},
    service::members::{MOST, Refused},
    store::memberships,
};

pub mod delete;
pub mod get;
pub mod list;
pub mod update;

#[cfg(test)]
mod tests;

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// The person.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    overseer_id: String,
    /// `owner`, `admin`, `developer`, `billing` or `viewer`.
    #[schema(example = "developer")]
    role: &'static str,
    /// The address, unless the person's account was deleted.
    #[schema(example = "ada@example.com", format = "email")]
    email: Option<String>,
    /// The name, unless the person's account was deleted.
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    /// Since when (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

impl From<memberships::Member> for Member {
    fn from(member: memberships::Member) -> Self {
        Self {
            overseer_id: member.overseer.to_string(),
            role: member.role.as_str(),
            email: member.email,
            name: member.name,
            created_at: member.created_at.to_string(),
        }
    }
}

/// A role by its name.
pub fn role(text: &str) -> Result<Role, ApiError> {
    Role::parse(text).ok_or_else(|| ApiError::invalid("role", "write owner, admin, developer, billing or viewer"))
}

/// Why members were not changed, to a client.
pub fn refused(why: Refused) -> ApiError {
    let conflict = |code, message: String| ApiError::Conflict { code, message };
    match why {
        Refused::NotFound => ApiError::NotFound,
        Refused::Changed => ApiError::Changed,
        Refused::Grant => ApiError::Forbidden(Forbidden::Grant),
        Refused::LastOwner => conflict(
            "last_owner",
            "a tenant has an owner; make somebody else one first".to_owned(),
        ),
        Refused::Member => conflict(
            "already_member",
            "this person is a member; change the role instead".to_owned(),
        ),
        Refused::TooMany => conflict(
            "too_many_members",
            format!("a tenant has {MOST} members and invitations at most"),
        ),
        Refused::Store(error) => error.into(),
    }
}
