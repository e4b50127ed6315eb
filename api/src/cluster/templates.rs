//! Templates of sandboxes.

use crds::sandbox_template::SandboxTemplate;
use kube::{Api, api::ListParams};

use crate::cluster::{Cluster, ClusterError, Namespace, within};

impl Cluster {
    /// The tenant's own templates, by name.
    pub async fn list_templates(&self, namespace: &Namespace) -> Result<Vec<SandboxTemplate>, ClusterError> {
        let api: Api<SandboxTemplate> = Api::namespaced(self.client.clone(), &namespace.0);
        let list = within("list SandboxTemplates", api.list(&ListParams::default())).await?;
        Ok(list.items)
    }
}
