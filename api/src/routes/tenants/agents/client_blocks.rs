//! `/v1/tenants/{tenant}/agents/{agent}/client-blocks`: clients for which an agent does nothing.

pub mod create;
pub mod delete;
pub mod list;
