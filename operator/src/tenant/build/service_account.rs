//! Service accounts of the tenant's namespace: none has a token.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::tenant::{build::object_meta, validate::ValidatedTenant};

/// The service account of every sandbox.
pub const SANDBOX: &str = "pinfold-sandbox";

/// The sandboxes' own, and the namespace's `default`, whose token would be mounted into any pod otherwise.
pub fn build(tenant: &ValidatedTenant) -> Vec<ServiceAccount> {
    [SANDBOX, "default"]
        .into_iter()
        .map(|name| ServiceAccount {
            metadata: object_meta(tenant, name),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        })
        .collect()
}
