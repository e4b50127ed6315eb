//! `/v1/me/passkeys`: the caller's passkeys.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::error::ApiError,
    service::passkeys::{MOST, Refused},
    store::passkeys,
};

pub mod challenge;
pub mod create;
pub mod list;
pub mod remove;

#[cfg(test)]
pub(in crate::routes) mod tests;

/// A passkey.
#[derive(Debug, Serialize, ToSchema)]
pub struct Passkey {
    /// Our id of it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000010")]
    id: String,
    /// What its owner calls it.
    #[schema(example = "laptop")]
    name: String,
    /// Whether it is kept elsewhere, too: with the maker of the computer, say.
    backed_up: bool,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// When somebody logged in with it last (RFC 3339).
    #[schema(example = "2027-01-16T08:00:00Z")]
    used_at: Option<String>,
}

impl From<passkeys::Passkey> for Passkey {
    fn from(passkey: passkeys::Passkey) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name,
            backed_up: passkey.backed_up,
            created_at: passkey.created_at.to_string(),
            used_at: passkey.used_at.map(|at| at.to_string()),
        }
    }
}

fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Challenge => ApiError::invalid(
            "credential.response.clientDataJSON",
            "it does not answer a challenge of ours for this, or the challenge has ended; ask for one with POST /v1/me/passkeys/challenge",
        ),
        Refused::Unbelieved(why) => ApiError::invalid("credential.response.attestationObject", why.to_string()),
        Refused::Known => ApiError::Conflict {
            code: "passkey_exists",
            message: "this passkey is known already; use another authenticator".to_owned(),
        },
        Refused::Full => ApiError::Conflict {
            code: "too_many_passkeys",
            message: format!("the account has {MOST} passkeys; remove one that is not used"),
        },
        Refused::Unknown => ApiError::NotFound,
        Refused::Store(error) => error.into(),
    }
}
