//! What all pods of the tenant may use together.

use std::collections::BTreeMap;

use domain::Quantity as Amount;
use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::tenant::{build::object_meta, validate::ValidatedTenant};

/// Name of the `ResourceQuota`.
pub const NAME: &str = "pinfold-quota";

/// The quota. `pods` counts pods that have not finished, which is what the limit means.
pub fn build(tenant: &ValidatedTenant) -> ResourceQuota {
    let limits = &tenant.limits;
    let hard = [
        ("requests.cpu", limits.cpu),
        ("limits.cpu", limits.cpu),
        ("requests.memory", limits.memory),
        ("limits.memory", limits.memory),
        ("limits.ephemeral-storage", limits.storage),
        ("requests.storage", limits.storage),
        ("pods", Amount::units(i64::from(limits.pods))),
    ];
    let hard: BTreeMap<String, Quantity> = hard
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string())))
        .collect();
    ResourceQuota {
        metadata: object_meta(tenant, NAME),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        status: None,
    }
}
