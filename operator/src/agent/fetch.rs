//! Step 1: an agent with its tenant and what exists of it. Reads caches only.

use std::sync::Arc;

use crds::{Agent, Tenant, agent::condition_type, condition, labels};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::ResourceExt;

use crate::{
    cluster::meta,
    runtime::Key,
    shared::Shared,
    tenant::fetch::{belongs_to, tenant_of},
};

/// An agent with what there is of it.
#[derive(Debug)]
pub struct Fetched {
    /// The agent.
    pub agent: Arc<Agent>,
    /// Its tenant.
    pub tenant: Option<Arc<Tenant>>,
    /// Its Deployment, if it stands in a namespace that is its tenant's and stays: the agent is built.
    pub deployment: Option<Arc<Deployment>>,
    /// Its Service.
    pub service: Option<Arc<Service>>,
    /// Its `PodDisruptionBudget`.
    pub disruption_budget: Option<Arc<PodDisruptionBudget>>,
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
}

/// Looks an agent up; nothing if it is gone.
pub fn fetch(shared: &Shared, key: &Key) -> Option<Fetched> {
    let caches = &shared.caches;
    let agent = caches.agents.get(&key.scope, &key.name)?;
    let name = agent.name_any();
    // Read only while the agent is not ready: a settled one costs no walk over its tenant's pods.
    let settled = agent.status.as_ref().is_some_and(|s| {
        s.observed_generation == agent.metadata.generation && condition::is_true(&s.conditions, condition_type::READY)
    });
    let pods = if settled {
        Vec::new()
    } else {
        caches
            .pods
            .in_namespace(&key.scope)
            .into_iter()
            .filter(|p| p.labels().get(labels::AGENT) == Some(&name))
            .collect()
    };
    let tenant = tenant_of(shared, &key.scope);
    Some(Fetched {
        deployment: tenant.as_deref().and_then(|t| built(shared, key, &agent, t)),
        tenant,
        service: caches.services.get(&key.scope, &name),
        disruption_budget: caches.disruption_budgets.get(&key.scope, &name),
        pods,
        agent,
    })
}

/// A namespace that a tenant of the same name left behind, or that is being deleted, is none to go on building in.
fn built(shared: &Shared, key: &Key, agent: &Agent, tenant: &Tenant) -> Option<Arc<Deployment>> {
    let namespace = shared.caches.namespaces.get("", &key.scope)?;
    if namespace.metadata.deletion_timestamp.is_some() || !belongs_to(&namespace, &tenant.uid()?) {
        return None;
    }
    let deployment = shared.caches.deployments.get(&key.scope, &key.name)?;
    meta::is_controlled_by(&*deployment, &agent.uid()?).then_some(deployment)
}
