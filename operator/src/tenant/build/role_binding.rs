//! Who may do what in the tenant's namespace: bindings to fixed roles, never roles of our own making.

use crds::tenant::{Owner, OwnerKind, Role};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};

use crate::{
    shared::Installation,
    tenant::{build::object_meta, validate::ValidatedTenant},
};

/// Name of the binding that gives the operator its rights in a tenant's namespace.
pub const OPERATOR: &str = "pinfold-operator";

const RBAC: &str = "rbac.authorization.k8s.io";

/// One binding for each role that somebody has.
pub fn build_owners(tenant: &ValidatedTenant) -> Vec<RoleBinding> {
    tenant
        .owners
        .iter()
        .map(|(role, owners)| {
            let (name, cluster_role) = match role {
                Role::Admin => ("pinfold-admins", "pinfold-tenant-admin"),
                Role::Developer => ("pinfold-developers", "pinfold-tenant-developer"),
                Role::Viewer => ("pinfold-viewers", "pinfold-tenant-viewer"),
            };
            binding(tenant, name, cluster_role, owners.iter().map(subject).collect())
        })
        .collect()
}

/// The operator's rights in this namespace: it has none of them cluster-wide.
pub fn build_operator(tenant: &ValidatedTenant, installation: &Installation) -> RoleBinding {
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: installation.service_account.clone(),
        namespace: Some(installation.namespace.clone()),
        ..Subject::default()
    };
    binding(tenant, OPERATOR, "pinfold-operator-tenant", vec![subject])
}

fn subject(owner: &Owner) -> Subject {
    Subject {
        api_group: Some(RBAC.to_owned()),
        kind: match owner.kind {
            OwnerKind::User => "User".to_owned(),
            OwnerKind::Group => "Group".to_owned(),
        },
        name: owner.name.clone(),
        namespace: None,
    }
}

fn binding(tenant: &ValidatedTenant, name: &str, cluster_role: &str, subjects: Vec<Subject>) -> RoleBinding {
    RoleBinding {
        metadata: object_meta(tenant, name),
        role_ref: RoleRef {
            api_group: RBAC.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: cluster_role.to_owned(),
        },
        subjects: Some(subjects),
    }
}
