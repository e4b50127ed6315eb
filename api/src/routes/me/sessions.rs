//! `/v1/me/sessions`: the caller's logins.

pub mod list;
pub mod revoke;
