//! Step 3: every object of a tenant, as it should be. Pure.

use std::marker::PhantomData;

use crds::labels::component;
use k8s_openapi::{
    api::{
        core::v1::{LimitRange, Namespace, ResourceQuota, ServiceAccount},
        networking::v1::NetworkPolicy,
        rbac::v1::RoleBinding,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{cluster::meta, config::Platform, shared::Installation, tenant::validate::ValidatedTenant};

pub mod limit_range;
pub mod namespace;
pub mod network_policy;
pub mod quota;
pub mod role_binding;
pub mod service_account;

/// Built, not applied.
#[derive(Debug)]
pub struct Prepared;

/// Applied, as the API server has it.
#[derive(Debug)]
pub struct Applied;

/// Every object of a tenant.
#[derive(Debug, Clone)]
pub struct Resources<State> {
    /// The namespace.
    pub namespace: Namespace,
    /// The operator's own rights in it.
    pub operator_binding: RoleBinding,
    /// What all pods may use together.
    pub quota: ResourceQuota,
    /// What a container gets where nobody says.
    pub limit_range: LimitRange,
    /// What may be reached.
    pub network_policies: Vec<NetworkPolicy>,
    /// Service accounts without tokens.
    pub service_accounts: Vec<ServiceAccount>,
    /// The owners' rights.
    pub role_bindings: Vec<RoleBinding>,
    /// Prepared or applied.
    pub state: PhantomData<State>,
}

/// Builds every object of a tenant.
pub fn build(tenant: &ValidatedTenant, platform: &Platform, installation: &Installation) -> Resources<Prepared> {
    Resources {
        namespace: namespace::build(tenant),
        operator_binding: role_binding::build_operator(tenant, installation),
        quota: quota::build(tenant),
        limit_range: limit_range::build(tenant, &platform.defaults),
        network_policies: network_policy::build(tenant, &platform.dns),
        service_accounts: service_account::build(tenant),
        role_bindings: role_binding::build_owners(tenant),
        state: PhantomData,
    }
}

/// The metadata of an object in the tenant's namespace.
///
/// A retained namespace outlives its Tenant, so nothing in it may be owned by the Tenant.
fn object_meta(tenant: &ValidatedTenant, name: &str) -> ObjectMeta {
    let owner = if tenant.retained {
        None
    } else {
        meta::owned_by(&tenant.tenant)
    };
    let labels = meta::labels(component::TENANT, tenant.name.as_str());
    meta::child(name, Some(&tenant.name.namespace()), labels, owner)
}
