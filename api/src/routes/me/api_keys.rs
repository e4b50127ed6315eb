//! `/v1/me/api-keys`: keys that act for the caller.

pub mod create;
pub mod get;
pub mod list;
pub mod revoke;
pub mod update;
