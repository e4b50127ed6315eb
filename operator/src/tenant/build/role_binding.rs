//! Who may do what in the tenant's namespace: bindings to fixed roles, never roles of our own making.

use crds::tenant::{Owner, OwnerKind, Role, TenantSpec};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};

use crate::{
    shared::Installation,
    tenant::{build::object_meta, validate::ValidatedTenant},
};

/// Name of the binding that gives the operator its rights in a tenant's namespace.
pub const OPERATOR: &str = "pinfold-operator";

const RBAC: &str = "rbac.authorization.k8s.io";

/// Name of the binding that lets the control-plane API read the logs of a tenant's pods.
pub const API: &str = "pinfold-api";

/// One binding for each role that somebody has, and the API's where there is one.
pub fn build(tenant: &ValidatedTenant, installation: &Installation) -> Vec<RoleBinding> {
    let owners = tenant.owners.iter().map(|(role, owners)| {
        let (name, cluster_role) = names(*role);
        binding(tenant, name, cluster_role, owners.iter().map(subject).collect())
    });
    let api = installation.api_service_account.iter().map(|account| {
        let subject = service_account(account, installation);
        binding(tenant, API, "pinfold-api-tenant", vec![subject])
    });
    owners.chain(api).collect()
}

/// Whether a binding is one of an owners' role that nobody has by this spec. Read off the spec itself and not off what
/// was built from it: a release that builds too little revokes nothing.
pub fn is_revoked(binding: &RoleBinding, spec: &TenantSpec) -> bool {
    [Role::Admin, Role::Developer, Role::Viewer].into_iter().any(|role| {
        binding.metadata.name.as_deref() == Some(names(role).0) && !spec.owners.iter().any(|o| o.role == role)
    })
}

/// The binding of a role and the cluster role that it grants.
fn names(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Admin => ("pinfold-admins", "pinfold-tenant-admin"),
        Role::Developer => ("pinfold-developers", "pinfold-tenant-developer"),
        Role::Viewer => ("pinfold-viewers", "pinfold-tenant-viewer"),
    }
}

/// The operator's rights in this namespace: it has none of them cluster-wide.
pub fn build_operator(tenant: &ValidatedTenant, installation: &Installation) -> RoleBinding {
    let subject = service_account(&installation.service_account, installation);
    binding(tenant, OPERATOR, "pinfold-operator-tenant", vec![subject])
}

/// A service account of ours.
fn service_account(name: &str, installation: &Installation) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(installation.namespace.clone()),
        ..Subject::default()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tenant;

    #[test]
    fn a_role_is_revoked_when_nobody_has_it_any_more() {
        let spec = tenant("{owners: [{kind: User, name: zoe, role: viewer}]}").spec;
        let revoked = |name: &str| {
            let mut binding = RoleBinding::default();
            binding.metadata.name = Some(name.to_owned());
            is_revoked(&binding, &spec)
        };
        let all = [
            "pinfold-admins",
            "pinfold-developers",
            "pinfold-viewers",
            OPERATOR,
            API,
            "theirs",
        ];
        assert_eq!(all.map(revoked), [true, true, false, false, false, false]);
    }
}
