//! `/v1/me/identities`: by what names issuers outside know me.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::error::ApiError,
    service::outside::{MOST, Refused},
    store::identities,
};

pub mod link;
pub mod list;
pub mod unlink;

#[cfg(test)]
mod tests;

/// An issuer's name for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identity {
    /// Our id of it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000f")]
    id: String,
    /// The issuer.
    #[schema(example = "https://clerk.example.com")]
    issuer: String,
    /// The issuer's name for the person.
    #[schema(example = "user_2ab")]
    subject: String,
    /// Since when it is known (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

impl From<identities::Identity> for Identity {
    fn from(identity: identities::Identity) -> Self {
        Self {
            id: identity.id.to_string(),
            issuer: identity.issuer,
            subject: identity.subject,
            created_at: identity.created_at.to_string(),
        }
    }
}

fn refused(why: Refused) -> ApiError {
    let conflict = |code, message: String| ApiError::Conflict { code, message };
    match why {
        Refused::Taken => conflict(
            "identity_taken",
            "there is an account with this identity; log in with it, and delete that account or take the identity from it".to_owned(),
        ),
        Refused::TooMany => conflict(
            "too_many_identities",
            format!("the account has {MOST} identities; remove one that is not used"),
        ),
        Refused::Last => conflict(
            "last_proof",
            "nothing else would prove who you are; link another identity before".to_owned(),
        ),
        Refused::NotFound => ApiError::NotFound,
        Refused::Store(error) => error.into(),
    }
}
