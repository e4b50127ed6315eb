//! Step 4: brings a tenant's objects to their desired state.

use std::marker::PhantomData;

use jiff::SignedDuration;
use k8s_openapi::api::{core::v1::ResourceQuota, networking::v1::NetworkPolicy, rbac::v1::RoleBinding};
use kube::ResourceExt;

use crate::{
    cluster::{
        apply::Applier,
        brake::{Verdict, judge},
        meta,
    },
    runtime::Failure,
    shared::Shared,
    tenant::{
        MANAGER,
        build::{Applied, Prepared, Resources, network_policy, quota, role_binding},
        fetch::Fetched,
    },
};

/// What came of an apply.
#[derive(Debug)]
pub struct Outcome {
    /// The objects as the API server has them.
    pub resources: Resources<Applied>,
    /// Deletions that the brake held back.
    pub held: Option<usize>,
}

/// Applies every object, then deletes what is no longer wanted.
pub async fn apply(shared: &Shared, fetched: &Fetched, prepared: Resources<Prepared>) -> Result<Outcome, Failure> {
    let applier = Applier::new(shared.client.clone(), MANAGER);
    let caches = &shared.caches;
    let Resources {
        namespace,
        operator_binding,
        quota,
        counts,
        limit_range,
        network_policies,
        service_accounts,
        role_bindings,
        state: _,
    } = prepared;

    // The namespace holds everything else; our own rights in it are needed for the rest; the policies stand
    // before anybody can start a pod there.
    let namespace = applier.cluster(&namespace, &caches.namespaces).await?;
    let operator_binding = applier.namespaced(&operator_binding, &caches.role_bindings).await?;
    let mut applied_policies = Vec::new();
    for policy in &network_policies {
        applied_policies.push((*applier.namespaced(policy, &caches.network_policies).await?).clone());
    }
    let quota = applier.namespaced(&quota, &caches.quotas).await?;
    let counts = applier.namespaced(&counts, &caches.quotas).await?;
    recount(shared, &applier, &counts).await?;
    let limit_range = applier.namespaced(&limit_range, &caches.limit_ranges).await?;
    let mut applied_accounts = Vec::new();
    for account in &service_accounts {
        applied_accounts.push((*applier.namespaced(account, &caches.service_accounts).await?).clone());
    }
    let mut applied_bindings = Vec::new();
    for binding in &role_bindings {
        applied_bindings.push((*applier.namespaced(binding, &caches.role_bindings).await?).clone());
    }

    let resources = Resources {
        namespace: (*namespace).clone(),
        operator_binding: (*operator_binding).clone(),
        quota: (*quota).clone(),
        counts: (*counts).clone(),
        limit_range: (*limit_range).clone(),
        network_policies: applied_policies,
        service_accounts: applied_accounts,
        role_bindings: applied_bindings,
        state: PhantomData,
    };
    let held = prune(shared, fetched, &applier, &resources).await?;
    Ok(Outcome { resources, held })
}

/// How long a quota may be without usage before it is made again.
const UNCOUNTED: SignedDuration = SignedDuration::from_secs(10);

/// Deletes a quota that the quota controller took up without counting; the next pass makes it again. See
/// [`quota::COUNTS`].
async fn recount(shared: &Shared, applier: &Applier, counts: &ResourceQuota) -> Result<(), Failure> {
    let made = counts.metadata.creation_timestamp.as_ref().map(|t| t.0);
    let old = made.is_some_and(|at| at + UNCOUNTED < shared.clock.now());
    if old && !quota::is_counted(counts) {
        applier.prune(counts).await?;
    }
    Ok(())
}

async fn prune(
    shared: &Shared,
    fetched: &Fetched,
    applier: &Applier,
    wanted: &Resources<Applied>,
) -> Result<Option<usize>, Failure> {
    let policies: Vec<&NetworkPolicy> = fetched
        .network_policies
        .iter()
        .map(|p| &**p)
        .filter(|p| meta::is_ours(*p) && !wanted.network_policies.iter().any(|w| w.name_any() == p.name_any()))
        .collect();
    let keeps = |b: &RoleBinding| {
        b.name_any() == wanted.operator_binding.name_any()
            || wanted.role_bindings.iter().any(|w| w.name_any() == b.name_any())
    };
    let bindings: Vec<&RoleBinding> = fetched
        .role_bindings
        .iter()
        .map(|b| &**b)
        .filter(|b| meta::is_ours(*b) && !keeps(b))
        .collect();

    // What the tenant's own spec takes away goes at once: rights that were revoked are never held back.
    let spec = &fetched.tenant.spec;
    let (revoked, bindings): (Vec<_>, Vec<_>) = bindings.into_iter().partition(|b| role_binding::is_revoked(b, spec));
    let (closed, policies): (Vec<_>, Vec<_>) = policies.into_iter().partition(|p| network_policy::is_closed(p, spec));
    for binding in revoked {
        applier.prune(binding).await?;
    }
    for policy in closed {
        applier.prune(policy).await?;
    }

    let planned = policies.len() + bindings.len();
    let existing = fetched.network_policies.len() + fetched.role_bindings.len();
    let confirmed = fetched
        .tenant
        .annotations()
        .get(crds::labels::CONFIRM_DELETIONS)
        .map(String::as_str);
    if let Verdict::Hold { planned } = judge(planned, existing, confirmed) {
        shared.metrics.held(planned);
        return Ok(Some(planned));
    }
    for policy in policies {
        applier.prune(policy).await?;
    }
    for binding in bindings {
        applier.prune(binding).await?;
    }
    Ok(None)
}
