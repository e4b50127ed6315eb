//! `/v1/me/totp`: the caller's authenticator.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{http::error::ApiError, service::second_factor::Refused};

pub mod begin;
pub mod confirm;
pub mod remove;

#[cfg(test)]
pub(crate) mod tests;

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TotpCode)]
pub struct Code {
    /// Six digits of the authenticator, or a recovery code.
    #[schema(example = "123456", max_length = 64)]
    code: String,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

/// Why nothing was changed, to a client.
pub(super) fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Confirmed => ApiError::Conflict {
            code: "authenticator_exists",
            message: "there is an authenticator; take it away first, with a code of it or a recovery code".to_owned(),
        },
        Refused::None => ApiError::NotFound,
        Refused::Code => ApiError::invalid("code", "it is another, or was used; wait for the next"),
        Refused::TooOften(error) => error.into(),
        Refused::Store(error) => error.into(),
    }
}
