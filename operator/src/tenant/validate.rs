//! Step 2: what the Tenant means, or why it cannot be. Pure.

use crds::{
    Tenant,
    condition::{self, ConditionStatus},
    tenant::{EgressPort, Owner, Role, condition_type, reason},
};
use domain::{Quantity, TenantName};
use ipnet::IpNet;
use kube::ResourceExt;

use crate::{
    config::{Plan, Platform},
    tenant::fetch::{Fetched, belongs_to},
};

/// A Tenant that can be built.
#[derive(Debug, Clone)]
pub struct ValidatedTenant {
    /// Its name.
    pub name: TenantName,
    /// Its UID.
    pub uid: String,
    /// What applies: the plan's limits with the tenant's own in their place.
    pub limits: Plan,
    /// Owners by role, sorted.
    pub owners: Vec<(Role, Vec<Owner>)>,
    /// What may be reached.
    pub egress: Vec<Egress>,
}

/// Ranges, each with what is taken out of it, and ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Each range with the denied parts of it.
    pub blocks: Vec<(IpNet, Vec<IpNet>)>,
    /// The ports; none means all.
    pub ports: Vec<EgressPort>,
}

/// Why a Tenant is not built. What was built before stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to write instead.
    pub message: String,
    /// Whether the refusal may end without an edit of the Tenant.
    pub waits: bool,
}

impl Refusal {
    fn edit(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            waits: false,
        }
    }
}

/// Checks a Tenant against the platform file and what is in the cluster.
pub fn validate(tenant: &Tenant, fetched: &Fetched, platform: &Platform) -> Result<ValidatedTenant, Refusal> {
    let name = TenantName::parse(&tenant.name_any())
        .map_err(|error| Refusal::edit(reason::INVALID_SPEC, format!("metadata.name: {error}")))?;
    let uid = tenant.uid().unwrap_or_default();
    check_namespace(&name, &uid, fetched)?;
    let limits = limits(tenant, platform)?;
    Ok(ValidatedTenant {
        name,
        uid,
        limits,
        owners: owners(tenant),
        egress: egress(tenant, &platform.denied_cidrs)?,
    })
}

fn check_namespace(name: &TenantName, uid: &str, fetched: &Fetched) -> Result<(), Refusal> {
    let Some(namespace) = &fetched.namespace else {
        return Ok(());
    };
    let shown = name.namespace();
    if namespace.metadata.deletion_timestamp.is_some() {
        return Err(Refusal {
            reason: reason::NAMESPACE_TERMINATING,
            message: format!(
                "the namespace {shown} of an earlier tenant is still being deleted; this goes on by itself when it is gone"
            ),
            waits: true,
        });
    }
    if !belongs_to(namespace, uid) {
        return Err(Refusal {
            reason: reason::NAMESPACE_CONFLICT,
            message: format!(
                "the namespace {shown} exists and does not belong to this Tenant; delete it, or hand it over by the annotation {}={uid} and the label {}={}",
                crds::labels::TENANT_UID,
                crds::labels::MANAGED_BY,
                crds::labels::MANAGER
            ),
            waits: true,
        });
    }
    Ok(())
}

fn limits(tenant: &Tenant, platform: &Platform) -> Result<Plan, Refusal> {
    let plan = platform.plans.get(&tenant.spec.plan).ok_or_else(|| {
        let known: Vec<&str> = platform.plans.keys().map(String::as_str).collect();
        Refusal::edit(
            reason::PLAN_NOT_FOUND,
            format!(
                "spec.plan: there is no plan {:?}; choose one of {}",
                tenant.spec.plan,
                known.join(", ")
            ),
        )
    })?;
    let mut limits = plan.clone();
    let Some(own) = &tenant.spec.limits else {
        return Ok(limits);
    };
    let quantity = |field: &str, text: &Option<String>, slot: &mut Quantity| {
        if let Some(text) = text {
            *slot = text
                .parse()
                .map_err(|error| Refusal::edit(reason::INVALID_SPEC, format!("spec.limits.{field}: {error}")))?;
        }
        Ok(())
    };
    quantity("cpu", &own.cpu, &mut limits.cpu)?;
    quantity("memory", &own.memory, &mut limits.memory)?;
    quantity("storage", &own.storage, &mut limits.storage)?;
    limits.pods = own.pods.unwrap_or(limits.pods);
    limits.concurrent_runs = own.concurrent_runs.unwrap_or(limits.concurrent_runs);
    limits.objects.runs = own.runs.unwrap_or(limits.objects.runs);
    limits.max_run_duration_seconds = own.max_run_duration_seconds.unwrap_or(limits.max_run_duration_seconds);
    Ok(limits)
}

/// The limits that apply to a tenant, if its plan exists.
pub fn effective_limits(tenant: &Tenant, platform: &Platform) -> Option<Plan> {
    limits(tenant, platform).ok()
}

/// Whether agents and runs of a tenant may be built; if not, why, for their users.
pub fn readiness(tenant: &Tenant) -> Result<(), String> {
    let conditions = tenant.status.as_ref().map(|s| s.conditions.as_slice());
    let name = tenant.name_any();
    // Its users may not read the Tenant, so what it says is told here.
    match condition::find(conditions.unwrap_or_default(), condition_type::READY) {
        Some(ready) if ready.status == ConditionStatus::True => Ok(()),
        Some(ready) => Err(format!(
            "the tenant {name} is not ready: {}: {}",
            ready.reason, ready.message
        )),
        None => Err(format!("the tenant {name} is not ready: it is still being set up")),
    }
}

fn owners(tenant: &Tenant) -> Vec<(Role, Vec<Owner>)> {
    [Role::Admin, Role::Developer, Role::Viewer]
        .into_iter()
        .map(|role| {
            let mut owners: Vec<Owner> = tenant.spec.owners.iter().filter(|o| o.role == role).cloned().collect();
            owners.sort();
            (role, owners)
        })
        .filter(|(_, owners)| !owners.is_empty())
        .collect()
}

fn egress(tenant: &Tenant, denied: &[IpNet]) -> Result<Vec<Egress>, Refusal> {
    let rules = tenant
        .spec
        .network_policy
        .iter()
        .flat_map(|p| &p.allowed_egress)
        .enumerate();
    rules
        .map(|(r, rule)| {
            let blocks = rule.cidrs.iter().enumerate().map(|(c, text)| {
                let field = format!("spec.networkPolicy.allowedEgress[{r}].cidrs[{c}]");
                let allowed: IpNet = text.parse().map_err(|_| {
                    Refusal::edit(
                        reason::INVALID_SPEC,
                        format!("{field}: {text:?} is not a range such as 203.0.113.0/24"),
                    )
                })?;
                if let Some(by) = denied.iter().find(|d| d.contains(&allowed)) {
                    return Err(Refusal::edit(
                        reason::INVALID_SPEC,
                        format!(
                            "{field}: {allowed} lies within {by}, which the platform denies to every tenant; remove it"
                        ),
                    ));
                }
                // Whatever is left overlaps by lying wholly inside, which is what `except` demands.
                let except = denied.iter().copied().filter(|d| allowed.contains(d)).collect();
                Ok((allowed, except))
            });
            Ok(Egress {
                blocks: blocks.collect::<Result<_, Refusal>>()?,
                ports: rule.ports.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Namespace;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        cluster::meta,
        testing::{fetched_tenant, tenant, validated_tenant},
    };

    fn refusal(spec: &str) -> (&'static str, String, bool) {
        let refusal = validated_tenant(spec).unwrap_err();
        (refusal.reason, refusal.message, refusal.waits)
    }

    #[test]
    fn names_the_field_the_value_and_the_mend() {
        assert_eq!(
            refusal("{plan: gold}"),
            (
                reason::PLAN_NOT_FOUND,
                "spec.plan: there is no plan \"gold\"; choose one of small, standard".into(),
                false
            )
        );
        assert_eq!(
            refusal("{networkPolicy: {allowedEgress: [{cidrs: [192.0.2.0/24, 169.254.169.254/32]}]}}"),
            (
                reason::INVALID_SPEC,
                "spec.networkPolicy.allowedEgress[0].cidrs[1]: 169.254.169.254/32 lies within 169.254.0.0/16, which the platform denies to every tenant; remove it".into(),
                false
            )
        );
        assert_eq!(
            refusal("{limits: {cpu: lots}}"),
            (
                reason::INVALID_SPEC,
                "spec.limits.cpu: \"lots\" is not a resource quantity such as 500m, 2 or 512Mi".into(),
                false
            )
        );
    }

    #[test]
    fn who_waits_for_the_tenant_is_told_what_it_says() {
        let mut tenant = tenant("{}");
        assert_eq!(readiness(&tenant), Ok(()));
        let told = |tenant: &Tenant| readiness(tenant).unwrap_err();
        let not = condition::Finding::new(condition_type::READY, false, reason::QUOTA_PENDING, "wait");
        let status = tenant.status.as_mut().unwrap();
        status.conditions = condition::merge(&status.conditions, &[not], Some(1), crate::testing::at(1));
        assert_eq!(told(&tenant), "the tenant acme is not ready: QuotaPending: wait");
        tenant.status = None;
        assert_eq!(told(&tenant), "the tenant acme is not ready: it is still being set up");
    }

    #[test]
    fn denied_ranges_are_taken_out_of_wider_ones() {
        let tenant = validated_tenant("{networkPolicy: {allowedEgress: [{cidrs: [10.0.0.0/8]}]}}").unwrap();
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert_eq!(
            tenant.egress,
            vec![Egress {
                blocks: vec![(net("10.0.0.0/8"), vec![net("10.0.0.0/16")])],
                ports: vec![]
            }]
        );
    }

    #[test]
    fn a_namespace_of_another_is_never_adopted() {
        let tenant = tenant("{}");
        let namespace = |uid: &str, ours: bool| {
            let labels = if ours {
                meta::labels("tenant", "acme")
            } else {
                std::collections::BTreeMap::new()
            };
            let mut metadata = meta::child("tenant-acme", None, labels, None);
            metadata.annotations = Some([(crds::labels::TENANT_UID.to_owned(), uid.to_owned())].into());
            Namespace {
                metadata,
                ..Namespace::default()
            }
        };
        let check = |namespace: Namespace| {
            let mut fetched = fetched_tenant(&tenant);
            fetched.namespace = Some(Arc::new(namespace));
            validate(&tenant, &fetched, &Platform::for_tests())
                .map(|_| ())
                .map_err(|r| r.reason)
        };
        assert_eq!(check(namespace("uid-of-acme", true)), Ok(()));
        assert_eq!(check(namespace("another", true)), Err(reason::NAMESPACE_CONFLICT));
        assert_eq!(check(namespace("uid-of-acme", false)), Err(reason::NAMESPACE_CONFLICT));
        let mut terminating = namespace("uid-of-acme", true);
        terminating.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            crate::testing::at(1),
        ));
        assert_eq!(check(terminating), Err(reason::NAMESPACE_TERMINATING));
    }

    proptest! {
        /// Whatever ranges are asked for, no address of a denied range is reachable through what is built.
        #[test]
        fn no_denied_address_is_ever_allowed(a in any::<[u8; 4]>(), prefix in 0_u8..=32, probe in any::<[u8; 4]>()) {
            let asked = IpNet::new(a.into(), prefix).unwrap().trunc();
            let denied = Platform::for_tests().denied_cidrs;
            let spec = format!("{{networkPolicy: {{allowedEgress: [{{cidrs: ['{asked}']}}]}}}}");
            if let Ok(tenant) = validated_tenant(&spec) {
                let probe = std::net::IpAddr::from(probe);
                let reachable = tenant.egress.iter().flat_map(|e| &e.blocks).any(|(cidr, except)| {
                    cidr.contains(&probe) && !except.iter().any(|e| e.contains(&probe))
                });
                let is_denied = denied.iter().any(|d| d.contains(&probe));
                prop_assert!(!(reachable && is_denied));
                for (cidr, except) in tenant.egress.iter().flat_map(|e| &e.blocks) {
                    prop_assert!(except.iter().all(|e| cidr.contains(e) && e != cidr), "the API demands a strict subset");
                }
            } else {
                prop_assert!(denied.iter().any(|d| d.contains(&asked)));
            }
        }
    }
}
