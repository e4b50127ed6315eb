//! The only Kubernetes client. What runs for a tenant is read and written here, and nowhere else; no function takes a
//! namespace that was not read from a Tenant's status.

mod agents;
mod error;
mod mirror;
mod observe;
mod resources;
mod runs;
mod templates;
mod tenants;
mod workloads;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::TenantId;
use kube::{Api, Client, Config};

pub use agents::Seen;
pub use error::ClusterError;
pub use mirror::{Change, version};
pub use observe::{Looks, Observed, Shown, Sight};
pub use resources::{Kind, Page};
pub use runs::LogLines;
pub use tenants::{Place, Places, account, is_ending, uid};
pub use workloads::{AgentResource, Subject, What, Workload};

use crate::{cluster::mirror::Mirror, config};

/// The deadline of a call that is no stream.
const CALL: Duration = Duration::from_secs(5);

/// The cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// The same for watches: a connection that says nothing for longer than a watch may last is dead.
    watching: Client,
    mirror: Mirror,
    /// Where the templates are that come with the platform.
    built_in: Namespace,
    /// The namespaces of tenants, which never change.
    namespaces: Arc<RwLock<BTreeMap<TenantId, Namespace>>>,
    workloads: workloads::Shared,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// A tenant's namespace, as its Tenant's status names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(Arc<str>);

/// On whose behalf something is made.
#[derive(Debug, Clone, Copy)]
pub struct OnBehalf<'a> {
    /// Whom: `agent/<id>` or `overseer/<id>`.
    pub principal: &'a str,
    /// The request's id.
    pub request_id: &'a str,
}

impl Cluster {
    /// A tenant's namespace, if it was found before.
    pub fn known(&self, tenant: TenantId) -> Option<Namespace> {
        let known = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&tenant).cloned()
    }

    /// Remembers a tenant's namespace.
    pub fn remember(&self, tenant: TenantId, namespace: Namespace) {
        let mut known = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(tenant, namespace);
    }

    /// The client for the configured cluster; none if there is none.
    pub async fn open(config: &config::Cluster) -> Result<Option<Self>, ClusterError> {
        let mut access = match &config.access {
            config::Access::None => return Ok(None),
            config::Access::Inside => {
                Config::incluster().map_err(|source| ClusterError::Configuration(source.to_string()))?
            }
            config::Access::Kubeconfig(path) => {
                let file = kube::config::Kubeconfig::read_from(path)
                    .map_err(|source| ClusterError::Configuration(source.to_string()))?;
                Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
                    .await
                    .map_err(|source| ClusterError::Configuration(source.to_string()))?
            }
        };
        // Whoever asked may ask again; a write that may have been done is not repeated behind their back.
        access.default_retry = false;
        access.connect_timeout = Some(Duration::from_secs(2));
        access.read_timeout = None;
        access.write_timeout = Some(CALL);
        let client =
            |access: Config| Client::try_from(access).map_err(|source| ClusterError::Configuration(source.to_string()));
        let mut watching = access.clone();
        watching.read_timeout = Some(Duration::from_secs(mirror::WATCH.into()) + CALL);
        Ok(Some(Self {
            client: client(access)?,
            watching: client(watching)?,
            mirror: Mirror::default(),
            built_in: Namespace(config.templates_namespace.as_str().into()),
            namespaces: Arc::default(),
            workloads: workloads::Shared::default(),
        }))
    }

    /// A cluster that nobody reaches, in which a pod of a tenant's is known to be.
    #[cfg(test)]
    pub fn unreachable(tenant: TenantId, pod: uuid::Uuid) -> Self {
        // Whoever came first has done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let nowhere = Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let client = Client::try_from(nowhere).expect("a client");
        let cluster = Self {
            client: client.clone(),
            watching: client,
            mirror: Mirror::default(),
            built_in: Namespace("pinfold-templates".into()),
            namespaces: Arc::default(),
            workloads: workloads::Shared::default(),
        };
        cluster.remember(tenant, Namespace("tenant-acme".into()));
        cluster.suppose(pod);
        cluster
    }

    /// Follows what runs, until the process ends, so that reads need not ask the cluster.
    pub async fn follow(&self) {
        self.mirror.follow(Api::all(self.watching.clone())).await;
    }
}

/// Awaits a call, for as long as a call may take.
async fn within<T>(
    attempt: &'static str,
    call: impl Future<Output = Result<T, kube::Error>> + Send,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => answer.map_err(|source| ClusterError::new(attempt, source)),
        Err(_) => Err(ClusterError::Deadline(attempt)),
    }
}
