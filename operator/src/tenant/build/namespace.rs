//! The tenant's namespace.

use std::collections::BTreeMap;

use crds::labels::{self, component};
use k8s_openapi::api::core::v1::Namespace;

use crate::{cluster::meta, tenant::validate::ValidatedTenant};

const POD_SECURITY: &str = "pod-security.kubernetes.io";

/// The namespace, with Pod Security `restricted` enforced.
pub fn build(tenant: &ValidatedTenant) -> Namespace {
    let mut labels = meta::labels(component::TENANT, tenant.name.as_str());
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("{POD_SECURITY}/{mode}"), "restricted".to_owned());
    }
    labels.insert(format!("{POD_SECURITY}/enforce-version"), "latest".to_owned());
    let mut metadata = meta::child(tenant.name.namespace(), None, labels, None);
    metadata.annotations = Some(BTreeMap::from([(labels::TENANT_UID.to_owned(), tenant.uid.clone())]));
    Namespace {
        metadata,
        ..Namespace::default()
    }
}
