//! Authorizations that a person gave OAuth clients, each with all tokens that came of it.

pub mod list;
pub mod revoke;
