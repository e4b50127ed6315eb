//! What all pods of the tenant may use together, and how many objects its people may have.
//!
//! Two objects: the one for our kinds may have to be made again (see [`COUNTS`]), and the one for pods must never be
//! missing.

use std::collections::BTreeMap;

use domain::Quantity as Amount;
use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::tenant::{build::object_meta, validate::ValidatedTenant};

/// Name of the `ResourceQuota` for pods.
pub const NAME: &str = "pinfold-quota";

/// Name of the `ResourceQuota` for objects.
///
/// The quota controller learns of kinds up to half a minute after they were defined. A quota that it counted before
/// has no usage for them, the API server then refuses every object of that kind, and the controller comes back to an
/// unchanged quota only after minutes. Made again, the quota is counted at once.
pub const COUNTS: &str = "pinfold-counts";

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
    quota(tenant, NAME, hard)
}

/// The quota of objects: they fill the API server's store and the operator's memory. `count/` counts every object that
/// exists, finished runs included.
pub fn build_counts(tenant: &ValidatedTenant) -> ResourceQuota {
    let objects = tenant.limits.objects;
    let hard = [
        ("count/sandboxruns.pinfold.dev", objects.runs),
        ("count/agents.pinfold.dev", objects.agents),
        ("count/sandboxtemplates.pinfold.dev", objects.templates),
        ("count/secrets", objects.secrets),
    ];
    quota(
        tenant,
        COUNTS,
        hard.map(|(name, count)| (name, Amount::units(i64::from(count)))),
    )
}

/// Whether the quota controller has taken a quota up: the limits, and what is used of each of them. Without the latter
/// the API server refuses what the limit is about.
pub fn is_enforced(quota: &ResourceQuota) -> bool {
    let wanted = quota.spec.as_ref().and_then(|s| s.hard.as_ref());
    let enforced = quota.status.as_ref().and_then(|s| s.hard.as_ref());
    wanted == enforced && is_counted(quota)
}

/// Whether it is known how much is used of every limit that is in force.
pub fn is_counted(quota: &ResourceQuota) -> bool {
    let status = quota.status.clone().unwrap_or_default();
    let used = status.used.unwrap_or_default();
    status.hard.iter().flatten().all(|(name, _)| used.contains_key(name))
}

fn quota<const N: usize>(tenant: &ValidatedTenant, name: &str, hard: [(&str, Amount); N]) -> ResourceQuota {
    let hard: BTreeMap<String, Quantity> = hard
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string())))
        .collect();
    ResourceQuota {
        metadata: object_meta(tenant, name),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ResourceQuotaStatus;

    use super::*;

    #[test]
    fn a_limit_without_usage_is_not_in_force() {
        let amounts = |names: &[&str]| -> BTreeMap<String, Quantity> {
            names
                .iter()
                .map(|n| ((*n).to_owned(), Quantity("1".to_owned())))
                .collect()
        };
        let quota = |spec: &[&str], hard: &[&str], used: &[&str]| ResourceQuota {
            spec: Some(ResourceQuotaSpec {
                hard: Some(amounts(spec)),
                ..ResourceQuotaSpec::default()
            }),
            status: Some(ResourceQuotaStatus {
                hard: Some(amounts(hard)),
                used: Some(amounts(used)),
            }),
            ..ResourceQuota::default()
        };
        let seen = |quota: ResourceQuota| (is_enforced(&quota), is_counted(&quota));
        assert_eq!(seen(quota(&["a", "b"], &["a", "b"], &["a", "b"])), (true, true));
        assert_eq!(seen(quota(&["a", "b"], &["a"], &["a"])), (false, true));
        assert_eq!(seen(quota(&["a", "b"], &["a", "b"], &["a"])), (false, false));
        assert_eq!(seen(quota(&["a"], &[], &[])), (false, true));
    }
}
