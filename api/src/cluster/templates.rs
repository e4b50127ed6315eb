//! Templates: the tenant's own, and those that come with the platform.

use crds::sandbox_template::SandboxTemplate;
use kube::api::ListParams;

use crate::cluster::{Cluster, ClusterError, Namespace, within};

impl Cluster {
    /// The templates of a namespace, by name. The tenant's quota bounds how many there are.
    pub async fn list_templates(&self, namespace: &Namespace) -> Result<Vec<SandboxTemplate>, ClusterError> {
        let api = self.of::<SandboxTemplate>(namespace);
        let list = within("list SandboxTemplates", api.list(&ListParams::default())).await?;
        Ok(list.items)
    }

    /// Where the templates are that come with the platform.
    pub fn built_in(&self) -> &Namespace {
        &self.built_in
    }
}
