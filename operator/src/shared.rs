//! What the controllers of one process share: the client, the caches, the queues.

use std::{
    fmt::Debug,
    sync::{Arc, atomic::AtomicBool},
};

use crds::{Agent, SandboxRun, SandboxTemplate, Tenant};
use domain::{Clock, TenantName};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{LimitRange, Namespace, Pod, ResourceQuota, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    node::v1::RuntimeClass,
    policy::v1::PodDisruptionBudget,
    rbac::v1::RoleBinding,
};
use kube::{Client, ResourceExt};

use crate::{
    cluster::event::Events,
    config::Platform,
    metrics::Metrics,
    runtime::{Cache, FairQueue, Key},
    sandbox_run::{admissions::Admissions, injection::Injection, trouble::Troubles},
};

/// Where and as whom the operator runs.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// The control-plane API's service account in the same namespace, if there is one.
    pub api_service_account: Option<String>,
}

/// The last known state of the cluster, kind by kind.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "each field is the cache of the kind it is named after")]
pub struct Caches {
    pub tenants: Arc<Cache<Tenant>>,
    pub agents: Arc<Cache<Agent>>,
    pub templates: Arc<Cache<SandboxTemplate>>,
    pub runs: Arc<Cache<SandboxRun>>,
    pub pods: Arc<Cache<Pod>>,
    pub namespaces: Arc<Cache<Namespace>>,
    pub quotas: Arc<Cache<ResourceQuota>>,
    pub limit_ranges: Arc<Cache<LimitRange>>,
    pub network_policies: Arc<Cache<NetworkPolicy>>,
    pub role_bindings: Arc<Cache<RoleBinding>>,
    pub service_accounts: Arc<Cache<ServiceAccount>>,
    pub deployments: Arc<Cache<Deployment>>,
    pub services: Arc<Cache<Service>>,
    pub disruption_budgets: Arc<Cache<PodDisruptionBudget>>,
    pub runtime_classes: Arc<Cache<RuntimeClass>>,
}

impl Caches {
    /// Waits until every cache has its first list.
    pub async fn wait_filled(&self) {
        self.tenants.wait_filled().await;
        self.agents.wait_filled().await;
        self.templates.wait_filled().await;
        self.runs.wait_filled().await;
        self.pods.wait_filled().await;
        self.namespaces.wait_filled().await;
        self.quotas.wait_filled().await;
        self.limit_ranges.wait_filled().await;
        self.network_policies.wait_filled().await;
        self.role_bindings.wait_filled().await;
        self.service_accounts.wait_filled().await;
        self.deployments.wait_filled().await;
        self.services.wait_filled().await;
        self.disruption_budgets.wait_filled().await;
        self.runtime_classes.wait_filled().await;
    }

    /// Every cache with whether it has its first list, and how much it holds.
    pub fn states(&self) -> Vec<(&'static str, bool, usize)> {
        vec![
            ("Tenant", self.tenants.is_filled(), self.tenants.len()),
            ("Agent", self.agents.is_filled(), self.agents.len()),
            ("SandboxTemplate", self.templates.is_filled(), self.templates.len()),
            ("SandboxRun", self.runs.is_filled(), self.runs.len()),
            ("Pod", self.pods.is_filled(), self.pods.len()),
            ("Namespace", self.namespaces.is_filled(), self.namespaces.len()),
            ("ResourceQuota", self.quotas.is_filled(), self.quotas.len()),
            ("LimitRange", self.limit_ranges.is_filled(), self.limit_ranges.len()),
            (
                "NetworkPolicy",
                self.network_policies.is_filled(),
                self.network_policies.len(),
            ),
            ("RoleBinding", self.role_bindings.is_filled(), self.role_bindings.len()),
            (
                "ServiceAccount",
                self.service_accounts.is_filled(),
                self.service_accounts.len(),
            ),
            ("Deployment", self.deployments.is_filled(), self.deployments.len()),
            ("Service", self.services.is_filled(), self.services.len()),
            (
                "PodDisruptionBudget",
                self.disruption_budgets.is_filled(),
                self.disruption_budgets.len(),
            ),
            (
                "RuntimeClass",
                self.runtime_classes.is_filled(),
                self.runtime_classes.len(),
            ),
        ]
    }
}

/// One queue for each controller.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is the queue of the controller it is named after")]
pub struct Queues {
    pub tenants: Arc<FairQueue>,
    pub agents: Arc<FairQueue>,
    pub runs: Arc<FairQueue>,
    pub orphans: Arc<FairQueue>,
}

impl Queues {
    /// Queues for controllers with this many workers each: no tenant gets more than half of them.
    pub fn new(workers: usize) -> Self {
        let queue = || Arc::new(FairQueue::new(workers.div_ceil(2)));
        Self {
            tenants: queue(),
            agents: queue(),
            runs: queue(),
            orphans: queue(),
        }
    }

    /// Gives no more keys out.
    pub fn close(&self) {
        self.tenants.close();
        self.agents.close();
        self.runs.close();
        self.orphans.close();
    }
}

/// What the controllers of one process share.
pub struct Shared {
    /// The client; every write goes through it.
    pub client: Client,
    /// The last known state.
    pub caches: Caches,
    /// The queues.
    pub queues: Queues,
    /// The platform file.
    pub platform: Platform,
    /// Where the operator runs.
    pub installation: Installation,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where events go.
    pub events: Events,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which runs hold a place among their tenant's concurrent ones.
    pub admissions: Admissions,
    /// How `sandboxd` comes into a sandbox.
    pub injection: Injection,
    /// What the events of namespaces tell of pods that do not start.
    pub troubles: Troubles,
    /// Whether this process takes no more work on: it says so before it does so.
    pub stopping: AtomicBool,
}

impl Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Names of the templates that come with the platform, sorted.
    pub fn built_in_templates(&self) -> Vec<String> {
        self.caches
            .templates
            .in_namespace(&self.platform.templates_namespace)
            .iter()
            .map(|t| t.name_any())
            .collect()
    }

    /// Something about a tenant changed that its agents and runs depend on.
    pub fn tenant_changed(&self, tenant: &str) {
        let Ok(name) = TenantName::parse(tenant) else { return };
        let namespace = name.namespace();
        for agent in self.caches.agents.in_namespace(&namespace) {
            self.queues.agents.add(Key::new(namespace.clone(), agent.name_any()));
        }
        self.runs_changed(&namespace);
    }

    /// Something changed that the unfinished runs of a namespace depend on.
    pub fn runs_changed(&self, namespace: &str) {
        for run in self.caches.runs.in_namespace(namespace) {
            if !crate::sandbox_run::is_finished(&run) {
                self.queues.runs.add(Key::new(namespace, run.name_any()));
            }
        }
    }
}
