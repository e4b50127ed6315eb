//! Step 5: what became of it, in the Tenant's status.

use crds::{
    Tenant, TenantStatus,
    condition::{self, ConditionStatus, Finding},
    tenant::{condition_type, reason},
};
use kube::{Api, ResourceExt};

use crate::{
    cluster::{brake, status},
    runtime::Failure,
    shared::Shared,
    tenant::{MANAGER, apply::Outcome, build::quota, validate::ValidatedTenant},
};

/// Whether the tenant is ready: a quota enforces nothing until the controller manager has taken it up.
pub fn judge(outcome: &Outcome, tenant: &ValidatedTenant) -> Finding {
    if let Some(planned) = outcome.held {
        return Finding::new(
            condition_type::READY,
            false,
            reason::DELETION_HELD,
            brake::message(planned),
        );
    }
    let quotas = [&outcome.resources.quota, &outcome.resources.counts];
    if let Some(pending) = quotas.into_iter().find(|q| !quota::is_enforced(q)) {
        let message = format!(
            "the quota {} of namespace {} is not enforced yet",
            pending.name_any(),
            tenant.name.namespace()
        );
        return Finding::new(condition_type::READY, false, reason::QUOTA_PENDING, message);
    }
    Finding::new(
        condition_type::READY,
        true,
        reason::READY,
        "the namespace is set up and its quota is enforced",
    )
}

/// Writes the status. Without what was built, the namespace of an earlier pass stays named.
pub async fn write(
    shared: &Shared,
    tenant: &Tenant,
    built: Option<(&ValidatedTenant, &Outcome)>,
    ready: Finding,
) -> Result<(), Failure> {
    let old = tenant.status.as_ref();
    let mut new = old.cloned().unwrap_or_default();
    let was_ready = condition::find(&new.conditions, condition_type::READY).map(|c| (c.status, c.reason.clone()));
    let suspended = if tenant.spec.suspended {
        let why = tenant.spec.suspension_reason.clone().unwrap_or_default();
        Finding::new(condition_type::SUSPENDED, true, reason::SUSPENDED, why)
    } else {
        Finding::new(condition_type::SUSPENDED, false, reason::ACTIVE, "")
    };
    let changed = was_ready != Some((ready.status, ready.reason.clone()));
    new.conditions = condition::merge(
        &new.conditions,
        &[ready.clone(), suspended],
        tenant.metadata.generation,
        shared.clock.now(),
    );
    new.observed_generation = tenant.metadata.generation;
    new.built_in_templates = shared.built_in_templates();
    if let Some((validated, outcome)) = built {
        new.namespace = Some(validated.name.namespace());
        new.namespace_uid = outcome.resources.namespace.uid();
    }
    let api: Api<Tenant> = Api::all(shared.client.clone());
    let written =
        status::write::<Tenant, TenantStatus>(&api, tenant, old, &new, MANAGER, status::Guard::Object).await?;
    if let Some(written) = written {
        shared.caches.tenants.insert(written);
        shared.tenant_changed(&tenant.name_any());
    }
    if changed {
        match ready.status {
            ConditionStatus::True => shared.events.normal(tenant, "Reconcile", &ready.reason, &ready.message),
            _ => shared
                .events
                .warning(tenant, "Reconcile", &ready.reason, &ready.message),
        }
    }
    Ok(())
}
