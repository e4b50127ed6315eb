//! The end of a tenant: its namespace is deleted or let go before the Tenant itself is gone.
//!
//! The finalizer stands before the namespace does, and the namespace carries no owner reference: what becomes of it is
//! decided by the Tenant's last spec and by nothing that was written down earlier, so a policy that was changed while no
//! operator was at work holds as well.

use crds::{Tenant, labels::NAMESPACE_FINALIZER, tenant::DeletionPolicy};
use domain::TenantName;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    cluster::apply::{delete, failure},
    runtime::Failure,
    shared::Shared,
    tenant::{MANAGER, fetch::belongs_to},
};

/// Sees to it that a Tenant cannot go without us.
pub async fn hold(shared: &Shared, tenant: &Tenant) -> Result<(), Failure> {
    if is_held(tenant) {
        return Ok(());
    }
    let mut finalizers = tenant.finalizers().to_vec();
    finalizers.push(NAMESPACE_FINALIZER.to_owned());
    write(shared, tenant, &finalizers).await
}

/// Deletes the namespace of a Tenant that is being deleted, or lets it go; then lets the Tenant go.
pub async fn let_go(shared: &Shared, tenant: &Tenant) -> Result<(), Failure> {
    if !is_held(tenant) {
        return Ok(());
    }
    if let Ok(name) = TenantName::parse(&tenant.name_any()) {
        let name = name.namespace();
        let api: Api<Namespace> = Api::all(shared.client.clone());
        // Asked of the API server: a cache that has not seen the namespace yet would leave it behind for good.
        let found = api
            .get_opt(&name)
            .await
            .map_err(|error| failure(format!("read Namespace {name}"), error))?;
        if let Some(namespace) = found.filter(|n| is_to_go(tenant, n)) {
            // This very version: one that was handed to somebody else meanwhile is not ours to delete.
            delete(&api, &namespace, true, None).await?;
        }
    }
    let left: Vec<String> = tenant
        .finalizers()
        .iter()
        .filter(|f| *f != NAMESPACE_FINALIZER)
        .cloned()
        .collect();
    write(shared, tenant, &left).await
}

fn is_held(tenant: &Tenant) -> bool {
    tenant.finalizers().iter().any(|f| f == NAMESPACE_FINALIZER)
}

/// Whether a namespace ends with its Tenant.
fn is_to_go(tenant: &Tenant, namespace: &Namespace) -> bool {
    tenant.spec.deletion_policy == DeletionPolicy::Delete
        && namespace.metadata.deletion_timestamp.is_none()
        && tenant.uid().is_some_and(|uid| belongs_to(namespace, &uid))
}

/// The resource version keeps the finalizers of others that came or went meanwhile.
async fn write(shared: &Shared, tenant: &Tenant, finalizers: &[String]) -> Result<(), Failure> {
    let name = tenant.name_any();
    let patch = json!({"metadata": {
        "uid": tenant.uid(),
        "resourceVersion": tenant.resource_version(),
        "finalizers": finalizers,
    }});
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api: Api<Tenant> = Api::all(shared.client.clone());
    match api.patch(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(mut written) => {
            // One that is gone with this very write is taken out of the cache by the watch.
            if written.metadata.deletion_timestamp.is_none() {
                written.managed_fields_mut().clear();
                shared.caches.tenants.insert(written);
            }
            Ok(())
        }
        Err(kube::Error::Api(answer)) if answer.code == 404 && finalizers.is_empty() => Ok(()),
        Err(error) => Err(failure(format!("write finalizers of Tenant {name}"), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::meta, testing::tenant};

    fn namespace(uid: &str) -> Namespace {
        let mut metadata = meta::child("tenant-acme", None, meta::labels("tenant", "acme"), None);
        metadata.annotations = Some([(crds::labels::TENANT_UID.to_owned(), uid.to_owned())].into());
        Namespace {
            metadata,
            ..Namespace::default()
        }
    }

    #[test]
    fn a_namespace_goes_only_with_its_own_tenant_that_does_not_retain_it() {
        let ours = namespace("uid-of-acme");
        assert!(is_to_go(&tenant("{}"), &ours));
        assert!(!is_to_go(&tenant("{deletionPolicy: Retain}"), &ours));
        assert!(!is_to_go(&tenant("{}"), &namespace("uid-of-another")));
        let mut unmarked = ours.clone();
        unmarked.metadata.labels = None;
        assert!(!is_to_go(&tenant("{}"), &unmarked));
        let mut going = ours;
        going.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            crate::testing::at(1),
        ));
        assert!(!is_to_go(&tenant("{}"), &going));
    }
}
