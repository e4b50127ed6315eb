//! `/v1/me/tenants`: tenants that are the caller's in the cluster.

pub mod link;
