//! `/v1/me/api-keys`: keys that act for the caller.

pub mod create;
pub mod list;
pub mod revoke;
