//! Names, labels and owners of everything the operator makes: one place for all kinds.

use std::collections::BTreeMap;

use crds::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

/// The labels that an object must carry to be ours.
pub fn labels(component: &str, tenant: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
        (labels::COMPONENT.to_owned(), component.to_owned()),
        (labels::TENANT.to_owned(), tenant.to_owned()),
    ])
}

/// The metadata of a child: every child is made with this.
pub fn child(
    name: impl Into<String>,
    namespace: Option<&str>,
    labels: BTreeMap<String, String>,
    owner: Option<OwnerReference>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels),
        owner_references: owner.map(|o| vec![o]),
        ..ObjectMeta::default()
    }
}

/// The reference that makes an object the controlling owner of a child.
///
/// Deleting the owner in the foreground waits for the child, which keeps a namespace's end in order.
pub fn owned_by<K: Resource<DynamicType = ()>>(owner: &K) -> Option<OwnerReference> {
    owner.controller_owner_ref(&())
}

/// Whether this object controls the child, by UID: a name may have been used before.
pub fn is_controlled_by<C: Resource>(child: &C, owner_uid: &str) -> bool {
    child
        .owner_references()
        .iter()
        .any(|o| o.controller == Some(true) && o.uid == owner_uid)
}

/// Whether an object carries the label that says that the operator made it.
pub fn is_ours<K: Resource>(object: &K) -> bool {
    object
        .labels()
        .get(labels::MANAGED_BY)
        .is_some_and(|v| v == labels::MANAGER)
}

/// The name of a run's pod: from the run's UID, so a recreated run never meets an old pod.
pub fn run_pod_name(run_uid: &str) -> String {
    format!("run-{run_uid}")
}
