//! Step 1: what a Tenant refers to and what exists of it. Reads caches only.

use std::sync::Arc;

use crds::{Tenant, labels};
use domain::TenantName;
use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy, rbac::v1::RoleBinding};
use kube::ResourceExt;

use crate::{cluster::meta, runtime::Key, shared::Shared};

/// A Tenant with what there is of it.
#[derive(Debug)]
pub struct Fetched {
    /// The Tenant.
    pub tenant: Arc<Tenant>,
    /// The namespace that has its name, whoever made it.
    pub namespace: Option<Arc<Namespace>>,
    /// Policies in that namespace that the operator made.
    pub network_policies: Vec<Arc<NetworkPolicy>>,
    /// Role bindings in that namespace that the operator made.
    pub role_bindings: Vec<Arc<RoleBinding>>,
}

/// Looks a Tenant up; nothing if it is gone.
pub fn fetch(shared: &Shared, key: &Key) -> Option<Fetched> {
    let caches = &shared.caches;
    let tenant = caches.tenants.get("", &key.name)?;
    let namespace = TenantName::parse(&key.name).ok().map(|name| name.namespace());
    let children = namespace.as_deref().unwrap_or_default();
    Some(Fetched {
        tenant,
        network_policies: caches.network_policies.in_namespace(children),
        role_bindings: caches.role_bindings.in_namespace(children),
        namespace: namespace.and_then(|name| caches.namespaces.get("", &name)),
    })
}

/// The tenant whose namespace this is, if the namespace is set up for it.
pub fn tenant_of(shared: &Shared, namespace: &str) -> Option<Arc<Tenant>> {
    let name = TenantName::of_namespace(namespace)?;
    shared.caches.tenants.get("", name.as_str())
}

/// Whether a namespace belongs to a tenant of this UID.
pub fn belongs_to(namespace: &Namespace, tenant_uid: &str) -> bool {
    namespace
        .annotations()
        .get(labels::TENANT_UID)
        .is_some_and(|uid| uid == tenant_uid)
        && meta::is_ours(namespace)
}
