//! Who the agent's pods are.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::agent::{build::object_meta, validate::ValidatedAgent};

/// Name of an agent's service account.
pub fn name(agent: &str) -> String {
    format!("agent-{agent}")
}

/// A service account whose token is not mounted.
pub fn build(agent: &ValidatedAgent) -> ServiceAccount {
    ServiceAccount {
        metadata: object_meta(agent, &name(&agent.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
