//! `/v1/admin/tenants`: the cluster's tenants, for those who run the platform.

pub mod link;
pub mod list;
