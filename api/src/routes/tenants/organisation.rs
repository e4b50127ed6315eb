//! `/v1/tenants/{tenant}/organisation`: the organisation of an issuer outside that a tenant is.

use crate::{http::error::ApiError, service::organisations::Refused};

pub mod link;
pub mod unlink;

fn refused(why: Refused) -> ApiError {
    let conflict = |code, message: &str| ApiError::Conflict {
        code,
        message: message.to_owned(),
    };
    match why {
        Refused::Taken => conflict("organisation_taken", "the organisation is another tenant already"),
        Refused::Personal => conflict(
            "personal_tenant",
            "this tenant is a person's own; make one for the organisation",
        ),
        Refused::NotFound => ApiError::NotFound,
        Refused::Store(error) => error.into(),
    }
}
