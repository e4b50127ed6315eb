//! One development cluster: a control plane and nodes, each a tree of processes in namespaces of its own, found again
//! by its cgroup whatever happened to the run that started it.

pub(crate) mod certs;
pub(crate) mod cgroup;
pub(crate) mod control_plane;
pub(crate) mod fit;
pub(crate) mod images;
pub(crate) mod kubectl;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod stop;
pub(crate) mod template;

use std::path::PathBuf;

use crate::paths;

/// The folders of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
}

impl Cluster {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dir: paths::clusters().join(name),
        }
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.kubeconfigs().join(user)
    }

    pub(crate) fn kubeconfigs(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    /// What the API server shows when it tells the control-plane API who changed what.
    pub(crate) fn audit_token(&self) -> PathBuf {
        self.pki().join("audit-webhook.token")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("log")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The folder of one machine's own files.
    pub(crate) fn machine(&self, machine: &str) -> PathBuf {
        self.dir.join(machine)
    }

    /// The cgroup that every process of the cluster is in, relative to the root of each hierarchy.
    pub(crate) fn cgroup(&self) -> String {
        format!("pinfold-{}", self.name)
    }
}
